/*
 * expect: what the policy says of a packet against what its ir does with it.
 */
#include "lang/expect.h"

#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "ir/evaluate.h"

static const char *way_words(struct arena *arena, const struct ir_class *way)
{
	switch (way->kind) {
	case IR_CLASS_PROXY:
		return arena_printf(arena, "{proxy: %s}", way->name);
	case IR_CLASS_ROUTE:
	case IR_CLASS_INBOUND:
		return arena_printf(arena, "{route: %s}", way->name);
	case IR_CLASS_MARK:
		return arena_printf(arena, "{mark: %s}", way->name);
	case IR_CLASS_REPLY:
		return "an answer";
	}
	return "";
}

static const struct ast_then *then_of(const struct ast_policy *policy, const struct ir_rule *rule)
{
	const struct ast_then *defaults[] = { policy->default_forward, policy->default_local };

	for (size_t i = 0; rule && i < policy->rule_count; i++)
		if (policy->rules[i].span.source == rule->origin.source &&
		    policy->rules[i].span.begin == rule->origin.begin)
			return policy->rules[i].then;
	for (size_t i = 0; rule && i < 2; i++)
		if (defaults[i] && defaults[i]->span.begin == rule->origin.begin)
			return defaults[i];
	return NULL;
}

static const char *balance_words(struct arena *arena, const struct ast_then *then)
{
	static const char *const by[] = { "", ", by: source", ", by: source-destination" };
	const char *shares = "";

	for (size_t i = 0; then && i < then->target_count; i++)
		shares = arena_printf(arena, "%s%s%s: %lld", shares, i ? ", " : "",
				      then->targets[i].name, (long long)then->targets[i].weight);
	return then ? arena_printf(arena, "{balance: {%s}%s}", shares, by[then->by]) : "a balance";
}

static const char *outcome_words(struct arena *arena, const struct ast_policy *policy,
				 const struct ir_outcome *outcome)
{
	if (outcome->choice)
		return balance_words(arena, then_of(policy, outcome->decided));
	switch (outcome->verdict) {
	case VERDICT_DROP:
		return "drop";
	case VERDICT_REJECT:
		return "reject";
	case VERDICT_ACCEPT:
		return outcome->way ? way_words(arena, outcome->way) : "direct";
	}
	return "";
}

static bool is_way(const struct ir_outcome *outcome, enum ir_class_kind kind, const char *name)
{
	return outcome->verdict == VERDICT_ACCEPT && outcome->way &&
	       (outcome->way->kind == kind ||
		(kind == IR_CLASS_ROUTE && outcome->way->kind == IR_CLASS_INBOUND)) &&
	       !strcmp(outcome->way->name, name);
}

static bool is_mark(const struct ir_outcome *outcome, const struct ast_mark *mark)
{
	return outcome->verdict == VERDICT_ACCEPT && (outcome->mark & mark->mask) == mark->value;
}

/* The same tables with the same shares, in whatever order. */
static bool is_balance(const struct ast_policy *policy, const struct ast_then *wanted,
		       const struct ir_outcome *outcome)
{
	const struct ast_then *found = then_of(policy, outcome->decided);
	size_t same = 0;

	if (!outcome->choice || !found || found->by != wanted->by ||
	    found->target_count != wanted->target_count)
		return false;
	for (size_t i = 0; i < found->target_count; i++)
		for (size_t k = 0; k < wanted->target_count; k++)
			same += !strcmp(found->targets[i].name, wanted->targets[k].name) &&
				found->targets[i].weight == wanted->targets[k].weight;
	return same == found->target_count;
}

static bool holds(struct arena *arena, const struct ast_policy *policy, const struct ast_then *then,
		  const struct ir_outcome *outcome)
{
	if (outcome->choice || then->action == THEN_BALANCE)
		return then->action == THEN_BALANCE && is_balance(policy, then, outcome);
	switch (then->action) {
	case THEN_DIRECT:
		return outcome->verdict == VERDICT_ACCEPT && !outcome->way;
	case THEN_DROP:
		return outcome->verdict == VERDICT_DROP;
	case THEN_REJECT:
		return outcome->verdict == VERDICT_REJECT;
	case THEN_PROXY:
		return is_way(outcome, IR_CLASS_PROXY, then->listener_name);
	case THEN_ROUTE:
		return is_way(outcome, IR_CLASS_ROUTE, ast_route_name(arena, then));
	case THEN_MARK:
		return is_mark(outcome, &then->mark);
	case THEN_BALANCE:
	case THEN_CONTINUE:
		return false;
	}
	return false;
}

void expect_check(struct arena *arena, struct diag *diag, struct ast_policy *policy,
		  const struct ir *ir)
{
	const struct ir_walker *walker = ir_walker(arena, ir);

	for (size_t i = 0; i < policy->expectation_count; i++) {
		const struct ast_expectation *expectation = &policy->expectations[i];
		struct ir_outcome outcome = ir_walk(walker, &expectation->packet, NULL);
		struct diag_record *record;

		if (holds(arena, policy, expectation->then, &outcome))
			continue;
		record = diag_add(diag, DIAG_expect_failed, expectation->span,
				  "this packet ends otherwise: %s",
				  outcome_words(arena, policy, &outcome));
		if (outcome.decided)
			diag_also(record, outcome.decided->origin, "this rule takes it");
		diag_help(record,
			  outcome.decided
				  ? "change that rule, put one before it, or change the expectation"
				  : "no rule takes it: add one, or change the expectation");
	}
}
