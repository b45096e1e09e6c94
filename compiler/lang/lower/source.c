/*
 * lower/source: what may not leave with the source address that it has. Only the first packet of a
 * connection is translated: what connection tracking knows of no connection keeps its own source,
 * and a connection that goes on by another table keeps the address of the first.
 *
 * What is forwarded is refused where its connection shows it, so that the client starts over; the
 * rest is dropped once the kernel has translated.
 */
#include "base/names.h"
#include "lang/check/check.h"
#include "lang/lower/lower.h"
#include "match/kinds.h"

/* The kernel calls all nat chains of a hook at NF_IP_PRI_NAT_SRC, 100, whatever the priorities that
 * order them (linux/netfilter_ipv4.h). */
enum { PRIORITY_TRANSLATED = 101 };

static struct ir_chain *sources(struct lower *lower)
{
	return lower_base_chain(lower, "sources", IR_CHAIN_FILTER, IR_HOOK_POSTROUTING,
				PRIORITY_TRANSLATED, "what leaves with a source of its way's");
}

static bool translates(const struct ast_table *table)
{
	return ast_masquerades(table) || table->snat.has[ADDR_IPV4] || table->snat.has[ADDR_IPV6] ||
	       table->npt_count;
}

/* By the table's interfaces, or, where they are not known, by any but lo: what goes to this host
 * itself has no far end. */
static struct ir_rule *leaving(struct lower *lower, struct ir_chain *chain,
			       const struct lower_target *target, const struct ast_table *table,
			       const char *remark)
{
	struct ir_rule *rule = lower_target_rule(lower, chain, target, remark);

	if (!table || !lower_match_devs(lower, rule, table))
		lower_match(lower, rule, loopback_match(INTERFACE_OUT, true));
	return rule;
}

/*
 * Where the interface has no IPv6 address for the destination, masquerade takes any other of the
 * host's (ipv6_dev_get_saddr): that of another uplink, by which the answers would come. IPv4 has no
 * routes by an interface without an address (apply/route_ops.c), and its fib tells of one
 * interface alone where two have the address. lo has no IPv6 address but ::1.
 */
static void lock_borrowed(struct lower *lower, const struct lower_target *target,
			  const struct ast_table *table)
{
	struct ir_rule *rule;

	if (!target->families[ADDR_IPV6])
		return;
	rule = leaving(lower, sources(lower), target, table,
		       "masquerade with the address of another interface");
	lower_match(lower, rule, family_match(lower->arena, ADDR_IPV6));
	lower_match(lower, rule, borrowed_match());
	lower_op(lower, rule, IR_DROP);
}

/* What few packets are asked, in a chain of its own: the others pass one rule. */
static struct ir_chain *aside(struct lower *lower, struct ir_chain *chain, struct ir_match which,
			      const char *name, const char *remark)
{
	struct ir_chain *aside = lower_find_chain(lower, name);
	struct ir_rule *rule;

	if (aside)
		return aside;
	rule = lower_guarantee(lower, chain, NULL);
	lower_match(lower, rule, which);
	lower_jump(lower, rule, name);
	return lower_chain(lower, name, remark);
}

static struct ir_chain *strays(struct lower *lower)
{
	return aside(lower, sources(lower), state_match(lower->arena, STATE_INVALID), "strays",
		     "packets of no connection, which nothing translates");
}

static struct ir_chain *unsourced(struct lower *lower)
{
	return aside(lower, lower_forward_chain(lower), unsourced_match(), "unsourced",
		     "connections that began without the address of a table");
}

/* A stray RST, FIN or SYN-ACK, an ICMP error about no connection: the host's own have an address of
 * the interface. */
static void lock_invalid(struct lower *lower, const struct lower_target *target,
			 const struct ast_table *table)
{
	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++) {
		struct ir_rule *rule;

		if (!target->families[family] ||
		    (!table->masquerades[family] && !table->snat.has[family]))
			continue;
		rule = leaving(lower, strays(lower), target, table, NULL);
		lower_match(lower, rule, family_match(lower->arena, family));
		lower_match(lower, rule, lodged_match());
		lower_op(lower, rule, IR_DROP);
	}
}

/* ---- connections that another table has begun ---- */

/* Forwarded packets have no source of this host's, and masquerade none of theirs. */
static void lock_masqueraded(struct lower *lower, const struct lower_target *target,
			     const struct ast_table *table)
{
	struct ir_rule *rule = leaving(lower, unsourced(lower), target, table, NULL);

	if (!table->masquerades[ADDR_IPV4] || !table->masquerades[ADDR_IPV6])
		lower_match(lower, rule,
			    family_match(lower->arena,
					 table->masquerades[ADDR_IPV4] ? ADDR_IPV4 : ADDR_IPV6));
	lower_goto(lower, rule, lower_refuse(lower));
}

/* Whose address is the table's own needs no translation. */
static void lock_own_source(struct lower *lower, const struct lower_target *target,
			    const struct ast_table *table, struct addr addr)
{
	struct ir_rule *rule = leaving(lower, unsourced(lower), target, table, NULL);
	struct ir_match from = address_match(lower->arena, ADDRESS_FROM,
					     (struct addr_prefix){ addr, addr_width(addr.family) });

	from.negated = true;
	lower_match(lower, rule, from);
	lower_goto(lower, rule, lower_refuse(lower));
}

/* Does the table give source addresses in the prefix? */
static bool gives(const struct ast_table *table, struct addr_prefix prefix)
{
	enum addr_family family = prefix.addr.family;

	for (size_t i = 0; i < table->npt_count; i++)
		if (addr_equal(table->npts[i].outside.addr, prefix.addr) &&
		    table->npts[i].outside.length == prefix.length)
			return true;
	return prefix.length == addr_width(family) && table->snat.has[family] &&
	       addr_equal(table->snat.addr[family], prefix.addr);
}

/* The interfaces of all tables that translate to the prefix; false where one may be any. */
static bool given_devs(struct lower *lower, struct addr_prefix given, const char ***devs,
		       size_t *count)
{
	*devs = NULL;
	*count = 0;
	for (size_t i = 0; i < lower->policy->table_count; i++) {
		const struct ast_table *table = &lower->policy->tables[i];
		const char **more;
		size_t few;
		bool complete;

		if (!gives(table, given))
			continue;
		more = check_table_devs(lower->arena, table, &few, &complete);
		if (!complete)
			return false;
		for (size_t k = 0; k < few; k++)
			names_add(lower->arena, devs, count, more[k]);
	}
	return *count > 0;
}

static struct ir_rule *given_elsewhere(struct lower *lower, struct ir_chain *chain,
				       const struct lower_target *target, struct addr_prefix given)
{
	struct ir_rule *rule;
	const char **devs;
	size_t count;

	if (!given_devs(lower, given, &devs, &count))
		return NULL;
	rule = lower_target_rule(lower, chain, target, "an address that another table has given");
	lower_match(lower, rule, interface_match(INTERFACE_OUT, devs, count, true));
	lower_match(lower, rule, given_match(lower->arena, given));
	return rule;
}

/*
 * By which interface what this host sends leaves is known where nft can only drop. What is
 * masqueraded needs no such guard: the kernel forgets a connection whose interface changes
 * (nf_nat_oif_changed in net/netfilter/nf_nat_core.c).
 */
static void lock_given(struct lower *lower, const struct lower_target *target,
		       struct addr_prefix given)
{
	struct ir_rule *rule = NULL;

	if (!target->families[given.addr.family])
		return;
	if (target->forward)
		rule = given_elsewhere(lower, lower_forward_chain(lower), target, given);
	if (rule)
		lower_goto(lower, rule, lower_refuse(lower));
	rule = target->local ? given_elsewhere(lower, sources(lower), target, given) : NULL;
	if (rule)
		lower_op(lower, rule, IR_DROP);
}

/* An inside address is none to the outside: of an older connection, or of none. */
static void lock_inside(struct lower *lower, const struct lower_target *target,
			const struct ast_table *table, const struct ast_npt *npt)
{
	struct ir_match inside = address_match(lower->arena, ADDRESS_FROM, npt->inside);
	struct ir_rule *rule;

	if (!target->families[ADDR_IPV6])
		return;
	rule = leaving(lower, sources(lower), target, table, "an inside address, not translated");
	lower_match(lower, rule, inside);
	lower_op(lower, rule, IR_DROP);
	if (target->forward) {
		rule = leaving(lower, unsourced(lower), target, table, NULL);
		lower_match(lower, rule, inside);
		lower_goto(lower, rule, lower_refuse(lower));
	}
	lock_given(lower, target, npt->outside);
}

static void lock_table(struct lower *lower, const struct lower_target *target,
		       const struct ast_table *table)
{
	if (!translates(table) || lower_leads_nowhere(lower, table))
		return;
	lock_invalid(lower, target, table);
	if (table->masquerades[ADDR_IPV6])
		lock_borrowed(lower, target, table);
	if (ast_masquerades(table) && target->forward)
		lock_masqueraded(lower, target, table);
	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++) {
		struct addr addr = table->snat.addr[family];

		if (!table->snat.has[family] || !target->families[family])
			continue;
		if (target->forward)
			lock_own_source(lower, target, table, addr);
		lock_given(lower, target, (struct addr_prefix){ addr, addr_width(addr.family) });
	}
	for (size_t i = 0; i < table->npt_count; i++)
		lock_inside(lower, target, table, &table->npts[i]);
}

/* The reset with which this host answers a stray segment that came by a link which is gone, or made
 * anew since, would show the link's address elsewhere. */
static void lock_resets(struct lower *lower)
{
	struct ir_rule *rule =
		lower_guarantee(lower, sources(lower),
				"an answer of this host's to a segment of no connection");

	lower_match(lower, rule, loopback_match(INTERFACE_OUT, true));
	lower_match(lower, rule, state_match(lower->arena, STATE_INVALID));
	lower_match(lower, rule, reset_match());
	lower_match(lower, rule, borrowed_match());
	lower_op(lower, rule, IR_DROP);
}

void lower_sources(struct lower *lower)
{
	bool any = false;

	for (size_t i = 0; i < lower->target_count; i++) {
		const struct lower_target *target = lower->targets[i];

		if (!lower_is_used(target))
			continue;
		if (target->listener && target->listener->masquerade)
			lock_borrowed(lower, target, NULL);
		for (size_t k = 0; lower_leads_out(target) && k < target->table_count; k++) {
			lock_table(lower, target, target->tables[k]);
			any |= ast_masquerades(target->tables[k]);
		}
	}
	if (any)
		lock_resets(lower);
}
