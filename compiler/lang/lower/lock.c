/*
 * lower/lock: what is checked after the marks, so that a packet that went wrong before does not get
 * out: packets of a listener that were not translated (connections older than the policy), packets
 * of a strict table at another interface. With them the sizes of TCP segments, and listeners
 * without a socket that drop.
 *
 * What is forwarded can be rejected; what this host sends is known by its new interface only in
 * postrouting, where nft can only drop.
 */
#include "base/arena.h"
#include "base/diag.h"
#include "lang/check/check.h"
#include "lang/lower/lower.h"
#include "match/kinds.h"

enum { PRIORITY_MANGLE = -150 };

struct ir_chain *lower_forward_chain(struct lower *lower)
{
	return lower_base_chain(lower, "forward", IR_CHAIN_FILTER, IR_HOOK_FORWARD, PRIORITY_MANGLE,
				"what is about to be forwarded");
}

static struct ir_chain *postrouting_chain(struct lower *lower)
{
	return lower_base_chain(lower, "postrouting", IR_CHAIN_FILTER, IR_HOOK_POSTROUTING,
				PRIORITY_MANGLE, "what is about to leave");
}

/* Whether its connection was not translated, or it has none that could be. */
static void lock_untranslated(struct lower *lower, const struct lower_target *target, bool local,
			      struct ir_match untranslated)
{
	struct ir_rule *rule =
		lower_target_rule(lower,
				  local ? postrouting_chain(lower) : lower_forward_chain(lower),
				  target,
				  target->listener
					  ? "not translated, so not on its way to the listener"
					  : "not translated, so not to be answered here");

	lower_match(lower, rule, untranslated);
	if (local)
		lower_op(lower, rule, IR_DROP);
	else
		lower_goto(lower, rule, lower_refuse(lower));
}

static void lock_translation(struct lower *lower, const struct lower_target *target, bool local)
{
	lock_untranslated(lower, target, local, undirected_match());
	lock_untranslated(lower, target, local, unconnected_match());
}

static void lock_silence(struct lower *lower, const struct lower_target *target)
{
	struct ir_chain *chain = lower_base_chain(lower, "input", IR_CHAIN_FILTER, IR_HOOK_INPUT,
						  PRIORITY_MANGLE, "what this host takes in");
	struct ir_rule *rule = lower_target_rule(lower, chain, target, "no listener: silence");

	lower_match(lower, rule, state_match(lower->arena, STATE_NEW));
	lower_match(lower, rule, listening_match());
	lower_op(lower, rule, IR_ACCEPT);
	rule = lower_target_rule(lower, chain, target, NULL);
	lower_match(lower, rule, state_match(lower->arena, STATE_NEW));
	lower_op(lower, rule, IR_DROP);
}

static bool is_translated(const struct lower_target *target)
{
	return target->listener ? target->listener->mode != MODE_TPROXY
				: target->kind == IR_CLASS_ANSWER;
}

static bool is_strict(const struct lower_target *target)
{
	for (size_t i = 0; i < target->table_count; i++)
		if (target->tables[i]->strict)
			return true;
	return false;
}

/* Where the tables lead nowhere, every interface is another one. */
static struct ir_rule *elsewhere(struct lower *lower, struct ir_chain *chain,
				 const struct lower_target *target, const char **devs, size_t count)
{
	struct ir_rule *rule =
		lower_target_rule(lower, chain, target, "strict: by no other interface");

	if (count)
		lower_match(lower, rule, interface_match(INTERFACE_OUT, devs, count, true));
	return rule;
}

static void lock_interfaces(struct lower *lower, const struct lower_target *target)
{
	size_t count;
	bool complete;
	const char **devs = lower_devs(lower, target, &count, &complete);

	if (!complete) {
		diag_help(diag_add(lower->diag, DIAG_impossible, target->origin,
				   "a strict table beside one whose interface is not known"),
			  "give every route of these tables its `dev`");
		return;
	}
	if (target->kind == IR_CLASS_SYN) /* comes back here where it is refused */
		*arena_append(lower->arena, devs, count) = "lo";
	else
		lower_goto(lower, elsewhere(lower, lower_forward_chain(lower), target, devs, count),
			   lower_refuse(lower));
	if (target->local)
		lower_op(lower, elsewhere(lower, postrouting_chain(lower), target, devs, count),
			 IR_DROP);
}

/*
 * A socket that is bound to an interface has a route by it in IPv4, whatever the ip rules say: the
 * kernel takes the destination to be on the link. What goes to a listener here leaves by lo alone;
 * a table has `strict`.
 */
static void lock_bound(struct lower *lower, const struct lower_target *target)
{
	struct ir_rule *rule =
		lower_target_rule(lower, postrouting_chain(lower), target,
				  "to a listener here, from a socket that is bound to an interface");

	lower_match(lower, rule, loopback_match(INTERFACE_OUT, true));
	lower_op(lower, rule, IR_DROP);
}

static void clamp(struct lower *lower, struct ir_rule *rule, int64_t bytes)
{
	lower_match(lower, rule, syn_match());
	lower_do(lower, rule,
		 (struct ir_statement){ .op = IR_CLAMP_MSS, .value = (uint32_t)bytes });
}

/* What leaves by the table's interfaces, answers of connections that came in by them among it. */
static void clamp_segments(struct lower *lower, const struct lower_target *target,
			   const struct ast_table *table)
{
	struct ir_rule *rule = lower_target_rule(lower, postrouting_chain(lower), target,
						 "segments that fit the way");

	lower_match_devs(lower, rule, table);
	clamp(lower, rule, table->clamp_mss);
}

static bool sends_here(const struct lower *lower, const struct ast_table *table)
{
	for (size_t i = 0; i < lower->target_count; i++)
		for (size_t k = 0; k < lower->targets[i]->table_count; k++)
			if (lower->targets[i]->tables[k] == table && lower->targets[i]->local &&
			    lower_is_used(lower->targets[i]))
				return true;
	return false;
}

/* Headers of IP and TCP: what a path MTU has and a segment has not (RFC 6691). */
static int64_t header_bytes(enum addr_family family)
{
	return family == ADDR_IPV6 ? 60 : 40;
}

/* The size that fits the table's routes; 0: not known. Of a table whose route has an MTU,
 * `clamp_mss: true` is a size as well. */
static int64_t segment_bytes(const struct ast_table *table, enum addr_family family)
{
	if (table->clamp_mss)
		return table->clamp_mss > 0 ? table->clamp_mss : 0;
	return table->shorthand.mtu ? table->shorthand.mtu - header_bytes(family) : 0;
}

/* Where it is one for both families, one rule is enough. */
static void clamp_back(struct lower *lower, struct ir_chain *chain, const struct ast_table *table,
		       struct ir_match in)
{
	const char *remark = "segments that fit the way back";
	int families = table->clamp_mss ? 1 : ADDR_FAMILIES;

	for (int family = 0; family < families; family++) {
		struct ir_rule *rule = lower_guarantee(lower, chain, remark);

		lower_match(lower, rule, in);
		if (families > 1)
			lower_match(lower, rule,
				    family_match(lower->arena, (enum addr_family)family));
		clamp(lower, rule, segment_bytes(table, (enum addr_family)family));
		remark = NULL;
	}
}

/*
 * Where the size is known, what comes in by the interfaces says how large our own segments may be.
 * That matters most for what this host sends itself: its sockets know the main table's MTU, and the
 * kernel would learn a smaller one for a path by which nothing goes.
 */
static void clamp_answers(struct lower *lower, const struct ast_table *table)
{
	size_t count;
	bool complete;
	const char **devs = check_table_devs(lower->arena, table, &count, &complete);
	struct ir_match in = interface_match(INTERFACE_IN, devs, count, false);

	if (!segment_bytes(table, ADDR_IPV4) || !count || !complete)
		return;
	clamp_back(lower, lower_forward_chain(lower), table, in);
	if (sends_here(lower, table))
		clamp_back(lower,
			   lower_base_chain(lower, "input", IR_CHAIN_FILTER, IR_HOOK_INPUT,
					    PRIORITY_MANGLE, "what this host takes in"),
			   table, in);
}

/* IPv4 has a setting for it (lower/sysctl.c). */
static void lock_redirects(struct lower *lower)
{
	struct lower_ingress quiet = lower_quiet_devs(lower);
	struct ir_rule *rule;

	if (!quiet.count)
		return;
	rule = lower_guarantee(lower,
			       lower_base_chain(lower, "redirects", IR_CHAIN_FILTER, IR_HOOK_OUTPUT,
						PRIORITY_MANGLE,
						"what this host tells its neighbours"),
			       "no way round this host is taught");
	lower_match(lower, rule, interface_match(INTERFACE_OUT, quiet.devs, quiet.count, false));
	lower_match(lower, rule, redirect_match());
	lower_op(lower, rule, IR_DROP);
}

void lower_locks(struct lower *lower)
{
	for (size_t i = 0; i < lower->target_count; i++) {
		const struct lower_target *target = lower->targets[i];

		if (!lower_is_used(target))
			continue;
		if (is_translated(target) && target->forward)
			lock_translation(lower, target, false);
		if (is_translated(target) && target->local)
			lock_translation(lower, target, true);
		if (is_translated(target) && target->listener &&
		    target->listener->on_failure == FAILURE_DROP)
			lock_silence(lower, target);
		if (target->kind != IR_CLASS_REPLY && target->kind != IR_CLASS_INBOUND &&
		    is_strict(target))
			lock_interfaces(lower, target);
		if (target->local && target->listener && target->listener->mode != MODE_DNAT)
			lock_bound(lower, target);
		for (size_t k = 0; k < target->table_count; k++)
			if (target->tables[k]->clamp_mss >= 0)
				clamp_segments(lower, target, target->tables[k]);
	}
	for (size_t i = 0; i < lower->policy->table_count; i++)
		clamp_answers(lower, &lower->policy->tables[i]);
	lock_redirects(lower);
}
