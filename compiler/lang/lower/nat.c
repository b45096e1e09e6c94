/*
 * lower/nat: address translation by mark: redirect and dnat listeners and echo requests that this
 * host answers for what comes in (and none, for what a transparent listener takes), masquerade and
 * snat for what goes out.
 *
 * The marks are set at the policy's hook priority, before these chains; ours stand just before the
 * priorities that other tables use, because only the first translation of a connection counts.
 */
#include "lang/check/check.h"
#include "lang/lower/lower.h"
#include "match/kinds.h"

/* NF_IP_PRI_NAT_DST is -100, NF_IP_PRI_NAT_SRC is 100, NF_IP_PRI_FILTER is 0:
 * linux/netfilter_ipv4.h
 */
enum { PRIORITY_DSTNAT = -105, PRIORITY_TRANSLATED = -1, PRIORITY_SRCNAT = 95 };

/* ---- listeners ---- */

static void redirect(struct lower *lower, struct ir_chain *chain, const struct lower_target *target)
{
	struct ir_rule *rule = lower_target_rule(lower, chain, target, NULL);

	lower_match(lower, rule, lower_listener_protocols(lower, target->listener));
	lower_do(lower, rule,
		 (struct ir_statement){ .op = IR_REDIRECT, .port = target->listener->port });
}

/* To an address of this host's: connection tracking gives the answer its source. */
static void answer(struct lower *lower, struct ir_chain *chain, const struct lower_target *target)
{
	lower_op(lower, lower_target_rule(lower, chain, target, NULL), IR_REDIRECT);
}

/* To a transparent listener nothing is translated: a foreign rule that changed the destination
 * after the mark would give it that one, or reset the connection. */
static void dnat(struct lower *lower, struct ir_chain *chain, const struct lower_target *target)
{
	const struct ast_listener *listener = target->listener;

	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++) {
		struct ir_statement pin = { .op = IR_PIN, .addr.family = family };
		struct ir_statement to = { .op = IR_DNAT,
					   .addr = listener->addr[family],
					   .port = listener->port };
		struct ir_rule *rule;

		if (!target->families[family])
			continue;
		rule = lower_target_rule(lower, chain, target, NULL);
		lower_match(lower, rule, family_match(lower->arena, family));
		if (listener->mode == MODE_DNAT)
			lower_match(lower, rule, lower_listener_protocols(lower, listener));
		lower_do(lower, rule, listener->mode == MODE_DNAT ? to : pin);
	}
}

static struct ir_chain *dstnat(struct lower *lower, bool local)
{
	return lower_base_chain(
		lower, local ? "dstnat_local" : "dstnat", IR_CHAIN_NAT,
		local ? IR_HOOK_OUTPUT : IR_HOOK_PREROUTING, PRIORITY_DSTNAT,
		"first packets of connections to listeners: translated, or kept from being so later");
}

static void to_listener(struct lower *lower, const struct lower_target *target, bool local)
{
	struct ir_chain *chain = dstnat(lower, local);

	if (!target->listener)
		answer(lower, chain, target);
	else if (target->listener->mode == MODE_REDIRECT)
		redirect(lower, chain, target);
	else
		dnat(lower, chain, target);
}

/* ---- source addresses ---- */

static struct ir_chain *srcnat(struct lower *lower)
{
	return lower_base_chain(lower, "srcnat", IR_CHAIN_NAT, IR_HOOK_POSTROUTING, PRIORITY_SRCNAT,
				"source addresses of what leaves by a table");
}

bool lower_match_devs(struct lower *lower, struct ir_rule *rule, const struct ast_table *table)
{
	size_t count;
	bool complete;
	const char **devs = check_table_devs(lower->arena, table, &count, &complete);

	if (!count || !complete)
		return false;
	lower_match(lower, rule, interface_match(INTERFACE_OUT, devs, count, false));
	return true;
}

static struct ir_rule *leaving(struct lower *lower, struct ir_chain *chain,
			       const struct lower_target *target, const struct ast_table *table)
{
	struct ir_rule *rule = lower_target_rule(lower, chain, target, NULL);

	lower_match_devs(lower, rule, table);
	return rule;
}

static void masquerade_one(struct lower *lower, const struct lower_target *target,
			   const struct ast_table *table)
{
	enum addr_family family = table->masquerades[ADDR_IPV4] ? ADDR_IPV4 : ADDR_IPV6;
	struct ir_rule *rule;

	if (!target->families[family])
		return;
	rule = leaving(lower, srcnat(lower), target, table);
	lower_match(lower, rule, family_match(lower->arena, family));
	lower_op(lower, rule, IR_MASQUERADE);
}

/* Each address for one: the kernel keeps the bits after the prefix (NF_NAT_RANGE_NETMAP). */
static void to_outside(struct lower *lower, const struct lower_target *target,
		       const struct ast_table *table, const struct ast_npt *npt)
{
	struct ir_rule *rule = leaving(lower, srcnat(lower), target, table);

	lower_match(lower, rule, address_match(lower->arena, ADDRESS_FROM, npt->inside));
	lower_do(lower, rule,
		 (struct ir_statement){
			 .op = IR_SNAT, .addr = npt->outside.addr, .length = npt->outside.length });
}

/* What comes in by the table's interfaces for an outside address, but for one that this host has
 * itself. */
static void to_inside(struct lower *lower, const struct ast_table *table, const struct ast_npt *npt)
{
	struct ir_chain *chain = dstnat(lower, false);
	size_t count;
	bool complete;
	const char **devs = check_table_devs(lower->arena, table, &count, &complete);
	struct ir_rule *rule;

	if (!count)
		return;
	rule = lower_rule(lower, chain, table->span, "what an outside prefix stands for");
	lower_match(lower, rule, interface_match(INTERFACE_IN, devs, count, false));
	lower_match(lower, rule, address_match(lower->arena, ADDRESS_TO, npt->outside));
	lower_match(lower, rule, elsewhere_match());
	lower_do(lower, rule,
		 (struct ir_statement){
			 .op = IR_DNAT, .addr = npt->inside.addr, .length = npt->inside.length });
}

static void from_table(struct lower *lower, const struct lower_target *target,
		       const struct ast_table *table)
{
	if (lower_leads_nowhere(lower, table))
		return;
	if (table->masquerades[ADDR_IPV4] && table->masquerades[ADDR_IPV6])
		lower_op(lower, leaving(lower, srcnat(lower), target, table), IR_MASQUERADE);
	else if (ast_masquerades(table))
		masquerade_one(lower, target, table);
	for (size_t i = 0; i < table->npt_count && target->families[ADDR_IPV6]; i++)
		to_outside(lower, target, table, &table->npts[i]);
	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++) {
		struct ir_rule *rule;

		if (!table->snat.has[family] || !target->families[family])
			continue;
		rule = leaving(lower, srcnat(lower), target, table);
		lower_match(lower, rule, family_match(lower->arena, family));
		lower_do(lower, rule,
			 (struct ir_statement){ .op = IR_SNAT, .addr = table->snat.addr[family] });
	}
}

static bool takes_here(const struct lower_target *target)
{
	return target->listener || target->kind == IR_CLASS_ANSWER;
}

void lower_translation(struct lower *lower)
{
	for (size_t i = 0; i < lower->target_count; i++) {
		const struct lower_target *target = lower->targets[i];

		if (!lower_is_used(target))
			continue;
		if (takes_here(target) && target->forward)
			to_listener(lower, target, false);
		if (takes_here(target) && target->local)
			to_listener(lower, target, true);
		if (target->listener && target->listener->masquerade)
			lower_op(lower, lower_target_rule(lower, srcnat(lower), target, NULL),
				 IR_MASQUERADE);
		for (size_t k = 0; lower_leads_out(target) && k < target->table_count; k++)
			from_table(lower, target, target->tables[k]);
	}
	for (size_t i = 0; i < lower->policy->table_count; i++) {
		const struct ast_table *table = &lower->policy->tables[i];

		for (size_t k = 0; k < table->npt_count; k++)
			if (lower->policy->settings.ipv6 != IPV6_OFF)
				to_inside(lower, table, &table->npts[k]);
	}
}

/* ---- what a foreign rule translates ---- */

/*
 * The mark was for the destination that the packet had. With another one it may belong to a network
 * of the main table: it goes there, and otherwise where its mark sends it.
 */
static void move(struct lower *lower, const struct lower_target *target, bool local)
{
	struct ir_chain *chain = lower_base_chain(
		lower, local ? "translated_local" : "translated",
		local ? IR_CHAIN_ROUTE : IR_CHAIN_FILTER,
		local ? IR_HOOK_OUTPUT : IR_HOOK_PREROUTING, PRIORITY_TRANSLATED,
		"what a foreign rule has translated since: the main table's own networks come first");
	struct ir_rule *rule = lower_target_rule(lower, chain, target, NULL);

	lower_match(lower, rule, translated_match());
	lower_set_mark(lower, rule, target->inbound->mark, target->inbound->mask);
}

void lower_translated(struct lower *lower)
{
	for (size_t i = 0; i < lower->target_count; i++) {
		struct lower_target *target = lower->targets[i];

		if (!target->inbound || !lower_is_used(target))
			continue;
		for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++)
			target->inbound->families[family] |= target->families[family];
		target->inbound->forward |= target->forward;
		target->inbound->local |= target->local;
		if (target->forward)
			move(lower, target, false);
		if (target->local)
			move(lower, target, true);
	}
}
