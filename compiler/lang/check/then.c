/*
 * check/then: whether an action can do what its rule asks: the order of tables, kinds of reject,
 * answers.
 */
#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "lang/check/check.h"
#include "match/kinds.h"

/* ---- answers ---- */

void check_widen_echo(struct arena *arena, const struct ast_rule *rule)
{
	struct match_condition *proto = ast_condition(rule, "proto");

	if (!proto || proto->negated || rule->then->action != THEN_ANSWER ||
	    !interval_contains(&proto->values, wide(PROTOCOL_ICMP)))
		return;
	interval_add(arena, &proto->values, wide(PROTOCOL_ICMPV6), wide(PROTOCOL_ICMPV6));
	interval_normalise(&proto->values);
}

static bool refuse_answer(struct diag *diag, const struct ast_rule *rule,
			  const struct match_condition *proto)
{
	return diag_refuse(diag, DIAG_wrong_protocol, proto ? proto->span : rule->span,
			   "`answer` answers ping, and no other protocol",
			   "write `proto: icmp`, which is ping in both families here, and a rule of its own for "
			   "other protocols: a listener takes tcp and udp, `reject` refuses");
}

static bool check_answer(struct arena *arena, struct diag *diag, struct ast_rule *rule)
{
	const struct match_condition *proto = ast_condition(rule, "proto");
	struct interval_set icmp = icmp_match(arena).values;

	if (rule->specials & (SPECIAL_BROADCAST | SPECIAL_MULTICAST))
		return diag_refuse(diag, DIAG_impossible, rule->then->span,
				   "multicast and broadcast have no address to answer from",
				   "take `broadcast` and `multicast` out of `to`");
	if (rule->protocols.count && proto && !proto->negated &&
	    !interval_covers(&icmp, &rule->protocols))
		return refuse_answer(diag, rule, proto);
	if (rule->protocols.count)
		icmp = interval_intersect(arena, &icmp, &rule->protocols);
	if (!icmp.count)
		return refuse_answer(diag, rule, proto);
	rule->protocols = icmp;
	rule->families[ADDR_IPV4] &= interval_contains(&icmp, wide(PROTOCOL_ICMP));
	rule->families[ADDR_IPV6] &= interval_contains(&icmp, wide(PROTOCOL_ICMPV6));
	return true;
}

/* ---- routes ---- */

bool check_via(struct arena *arena, struct diag *diag, struct ast_policy *policy,
	       struct ast_listener *listener)
{
	struct ast_target target = { .name = listener->via_name, .span = listener->via_span };

	if (!listener->via_name)
		return true;
	listener->via = ast_table_find(policy, listener->via_name);
	if (!listener->via && (ast_is_last_resort(listener->via_name) ||
			       ast_listener_find(policy, listener->via_name)))
		return diag_refuse(diag, DIAG_impossible, listener->via_span,
				   "this is no table of the policy",
				   "name a table, or remove `via`: the main table leads to it then");
	if (!listener->via)
		return check_unknown_table(arena, diag, policy, &target);
	listener->via->used = true;
	return true;
}

static bool leaves_here(struct diag *diag, const struct ast_rule *rule)
{
	return rule->specials != SPECIAL_LOCAL ||
	       diag_refuse(diag, DIAG_impossible, rule->then->span,
			   "what goes to this host does not leave by a table",
			   "remove the rule, or `local` from its `to`");
}

/* What main has no route for goes on to the next table, but a strict table's second lock refuses
 * what main sends. */
static bool check_main(struct diag *diag, struct ast_policy *policy, const struct ast_then *then,
		       size_t at)
{
	for (size_t i = at + 1; i < then->target_count; i++) {
		const struct ast_table *table = ast_table_find(policy, then->targets[i].name);
		struct diag_record *record;

		if (!table || !table->strict)
			continue;
		record =
			diag_add(diag, DIAG_impossible, then->targets[at].span,
				 "the table \"%s\" is strict, and refuses what `main` sends before it",
				 table->name);
		diag_also(record, table->strict_span, "`strict` is given here");
		diag_help(record, "remove `strict`, or take `main` out of the list");
		return false;
	}
	return true;
}

static bool check_target(struct diag *diag, struct ast_policy *policy, const struct ast_then *then,
			 size_t at)
{
	const struct ast_target *target = &then->targets[at];
	bool is_last = at + 1 == then->target_count;

	if (ast_table_find(policy, target->name))
		return true;
	if (!is_last && !strcmp(target->name, "main"))
		return check_main(diag, policy, then, at);
	if (!is_last)
		return diag_refuse(diag, DIAG_impossible, target->span,
				   "no table after this is ever tried", "put it last");
	return at || !strcmp(target->name, "main") ||
	       diag_refuse(diag, DIAG_impossible, target->span, "this is no table",
			   "use `drop` or `reject`, or name a table before it");
}

static bool check_route(struct diag *diag, struct ast_policy *policy, struct ast_rule *rule)
{
	struct ast_then *then = rule->then;
	bool good = true;

	for (size_t i = 0; i < then->target_count; i++) {
		struct ast_target *target = &then->targets[i];

		good &= check_target(diag, policy, then, i);
		for (size_t k = 0; k < i; k++)
			if (!strcmp(then->targets[k].name, target->name))
				good = diag_refuse(diag, DIAG_impossible, target->span,
						   "the same table twice in a row of tables",
						   "remove one of them");
	}
	return good && leaves_here(diag, rule);
}

static bool check_balance(struct diag *diag, struct ast_policy *policy, struct ast_rule *rule)
{
	struct ast_then *then = rule->then;
	bool good = true;

	for (size_t i = 0; i < then->target_count; i++)
		if (!ast_table_find(policy, then->targets[i].name) &&
		    strcmp(then->targets[i].name, "main"))
			good = diag_refuse(diag, DIAG_impossible, then->targets[i].span,
					   "this is no way out",
					   "balance between tables, or tables and `main`; what happens where a table has no route is "
					   "its `fallback`");
	if (then->target_count == 1)
		good = diag_refuse(diag, DIAG_impossible, then->name_span, "one table is no choice",
				   "name two or more, or write {route: TABLE}");
	return good && leaves_here(diag, rule);
}

/* ---- the others ---- */

static bool check_reject(struct diag *diag, const struct ast_rule *rule)
{
	const struct interval_set *protocols = &rule->protocols;

	if (rule->then->reject != REJECT_TCP_RESET ||
	    (protocols->count == 1 && interval_is_one(protocols->items[0]) &&
	     protocols->items[0].first.low == PROTOCOL_TCP))
		return true;
	return diag_refuse(diag, DIAG_impossible, rule->then->span, "only TCP can be reset",
			   "add `proto: tcp`, or write `reject`, which does what fits");
}

static bool check_continue(struct diag *diag, const struct ast_rule *rule)
{
	if (rule->log || rule->count)
		return true;
	return diag_refuse(diag, DIAG_impossible, rule->then->span,
			   "a rule that continues and leaves no trace does nothing",
			   "add `log` or `count`");
}

static bool check_action(struct arena *arena, struct diag *diag, struct ast_policy *policy,
			 struct ast_rule *rule)
{
	switch (rule->then->action) {
	case THEN_DIRECT:
	case THEN_DROP:
		return true;
	case THEN_MARK:
		return check_then_mark(diag, policy, rule->then);
	case THEN_REJECT:
		return check_reject(diag, rule);
	case THEN_PROXY:
		return check_proxy(arena, diag, rule);
	case THEN_ROUTE:
		return check_route(diag, policy, rule);
	case THEN_BALANCE:
		return check_balance(diag, policy, rule);
	case THEN_ANSWER:
		return check_answer(arena, diag, rule);
	case THEN_SPREAD:
		return check_spread(arena, diag, rule);
	case THEN_CONTINUE:
		return check_continue(diag, rule);
	}
	return false;
}

bool check_then(struct arena *arena, struct diag *diag, struct ast_policy *policy,
		struct ast_rule *rule)
{
	return check_names(arena, diag, policy, rule->then) &&
	       check_action(arena, diag, policy, rule) && check_data(diag, rule);
}
