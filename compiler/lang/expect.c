/*
 * expect: what the policy says of a packet against what its ir does with it.
 */
#include "lang/expect.h"

#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "ir/trace.h"

/* ---- words ---- */

static const char *mark_words(struct arena *arena, uint32_t value, uint32_t mask, bool connection)
{
	const char *more = connection ? ", connection: true" : "";

	if (mask == UINT32_MAX)
		return arena_printf(arena, "{mark: 0x%x%s}", value, more);
	return arena_printf(arena, "{mark: {value: 0x%x, mask: 0x%x}%s}", value, mask, more);
}

static const char *class_words(struct arena *arena, const struct ir_class *class)
{
	switch (class->kind) {
	case IR_CLASS_PROXY:
		return arena_printf(arena, "{proxy: %s}", class->name);
	case IR_CLASS_ROUTE:
	case IR_CLASS_INBOUND:
	case IR_CLASS_SYN:
	case IR_CLASS_MEMBER:
		return arena_printf(arena, "{route: %s}", class->name);
	case IR_CLASS_MARK:
		return mark_words(arena, class->mark, class->mask, class->ct_mask != 0);
	case IR_CLASS_REPLY:
		return "an answer";
	case IR_CLASS_DIRECT:
		return "direct";
	case IR_CLASS_ANSWER:
		return "answer";
	}
	return "";
}

/* "{route: a}", "{proxy: [a, b]}" */
static const char *list_words(struct arena *arena, const char *key, const struct ast_target *items,
			      size_t count)
{
	const char *names = items[0].name;

	for (size_t i = 1; i < count; i++)
		names = arena_printf(arena, "%s, %s", names, items[i].name);
	return arena_printf(arena, count == 1 ? "{%s: %s}" : "{%s: [%s]}", key, names);
}

static const char *balance_words(struct arena *arena, const struct ast_then *then)
{
	static const char *const by[] = { "", ", by: source", ", by: source-destination" };
	const char *words = "";
	size_t count;
	const struct ast_target *shares = ast_shares(then, &count);

	for (size_t i = 0; i < count; i++)
		words = arena_printf(arena, "%s%s%s: %lld", words, i ? ", " : "", shares[i].name,
				     (long long)shares[i].weight);
	return arena_printf(arena, "{balance: {%s}%s}", words, by[then->by]);
}

static const char *then_words(struct arena *arena, const struct ast_then *then)
{
	switch (then->action) {
	case THEN_DIRECT:
		return "direct";
	case THEN_DROP:
		return "drop";
	case THEN_REJECT:
		return "reject";
	case THEN_PROXY:
		return list_words(arena, "proxy", then->hands, then->hand_count);
	case THEN_ROUTE:
		return list_words(arena, "route", then->targets, then->target_count);
	case THEN_BALANCE:
	case THEN_SPREAD:
		return balance_words(arena, then);
	case THEN_MARK:
		return mark_words(arena, then->mark.value, then->mark.mask, then->connection);
	case THEN_ANSWER:
		return "answer";
	case THEN_CONTINUE:
		return "continue";
	}
	return "";
}

static const struct ast_then *then_of(const struct ast_policy *policy, const struct ir_rule *rule)
{
	const struct ast_then *defaults[] = { policy->default_forward, policy->default_local };
	size_t at = rule ? ast_rule_at(policy, rule->origin) : policy->rule_count;

	if (at < policy->rule_count)
		return policy->rules[at].then;
	for (size_t i = 0; rule && i < 2; i++)
		if (defaults[i] && defaults[i]->span.source == rule->origin.source &&
		    defaults[i]->span.begin == rule->origin.begin)
			return defaults[i];
	return NULL;
}

static const char *outcome_words(struct arena *arena, const struct ast_policy *policy,
				 const struct ir_outcome *outcome)
{
	const struct ast_then *then = then_of(policy, outcome->decided);

	if (then)
		return then_words(arena, then);
	switch (outcome->verdict) {
	case VERDICT_DROP:
		return "drop";
	case VERDICT_REJECT:
		return "reject";
	case VERDICT_ACCEPT:
		return outcome->class ? class_words(arena, outcome->class) : "direct";
	}
	return "";
}

/* ---- does it hold ---- */

static bool goes_to(const struct ir_outcome *outcome, enum ir_class_kind kind, const char *name)
{
	return outcome->verdict == VERDICT_ACCEPT && outcome->class &&
	       (outcome->class->kind == kind ||
		(kind == IR_CLASS_ROUTE && outcome->class->kind == IR_CLASS_INBOUND)) &&
	       !strcmp(outcome->class->name, name);
}

/* Of a row of listeners the first is meant, or all of them: which one has a socket, the host says
 * later. */
static bool is_proxy(const struct ast_policy *policy, const struct ast_then *wanted,
		     const struct ir_outcome *outcome)
{
	const struct ast_then *found = then_of(policy, outcome->decided);

	if (!goes_to(outcome, IR_CLASS_PROXY,
		     found && found->listener ? found->listener->name : wanted->listener->name))
		return false;
	if (!found || found->action != THEN_PROXY)
		return wanted->hand_count == 1;
	if (wanted->hand_count == 1)
		return wanted->listener == found->hands[0].listener;
	return ast_same_targets(wanted->hands, wanted->hand_count, found->hands, found->hand_count);
}

static bool is_mark(const struct ast_policy *policy, const struct ast_then *then,
		    const struct ir_outcome *outcome)
{
	const struct ast_mark *mark = &then->mark;
	uint32_t bits = mark->mask & ~(uint32_t)policy->settings.mark_mask;

	return outcome->verdict == VERDICT_ACCEPT && (outcome->mark & mark->mask) == mark->value &&
	       (!then->connection || (outcome->ct_mark & bits) == mark->value);
}

/* The same tables or listeners with the same shares, in whatever order. */
static bool are_shares(const struct ast_then *found, const struct ast_then *wanted)
{
	size_t same = 0, count, wanted_count;
	const struct ast_target *a = ast_shares(found, &count);
	const struct ast_target *b = ast_shares(wanted, &wanted_count);

	if (found->by != wanted->by || found->action != wanted->action || count != wanted_count)
		return false;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < count; k++)
			same += !strcmp(a[i].name, b[k].name) && a[i].weight == b[k].weight;
	return same == count;
}

static bool is_balance(const struct ast_policy *policy, const struct ast_then *wanted,
		       const struct ir_outcome *outcome)
{
	const struct ast_then *found = then_of(policy, outcome->decided);

	return outcome->choice && found && are_shares(found, wanted);
}

static bool holds(struct arena *arena, const struct ast_policy *policy, const struct ast_then *then,
		  const struct ir_outcome *outcome)
{
	bool is_shared = then->action == THEN_BALANCE || then->action == THEN_SPREAD;

	if (outcome->choice || is_shared)
		return is_shared && is_balance(policy, then, outcome);
	switch (then->action) {
	case THEN_DIRECT:
		return outcome->verdict == VERDICT_ACCEPT && !outcome->class;
	case THEN_DROP:
		return outcome->verdict == VERDICT_DROP;
	case THEN_REJECT:
		return outcome->verdict == VERDICT_REJECT;
	case THEN_PROXY:
		return is_proxy(policy, then, outcome);
	case THEN_ROUTE:
		return goes_to(outcome, IR_CLASS_ROUTE, ast_route_name(arena, then));
	case THEN_MARK:
		return is_mark(policy, then, outcome);
	case THEN_ANSWER:
		return outcome->verdict == VERDICT_ACCEPT && outcome->class &&
		       outcome->class->kind == IR_CLASS_ANSWER;
	case THEN_BALANCE:
	case THEN_SPREAD:
	case THEN_CONTINUE:
		return false;
	}
	return false;
}

/* ---- why it does not ---- */

static bool is_same(struct arena *arena, const struct ast_then *a, const struct ast_then *b)
{
	if (a->action != b->action)
		return false;
	switch (a->action) {
	case THEN_DIRECT:
	case THEN_DROP:
	case THEN_REJECT:
	case THEN_ANSWER:
	case THEN_CONTINUE:
		return true;
	case THEN_PROXY:
		return a->hands[0].listener == b->hands[0].listener;
	case THEN_ROUTE:
		return !strcmp(ast_route_name(arena, a), ast_route_name(arena, b));
	case THEN_BALANCE:
	case THEN_SPREAD:
		return are_shares(a, b);
	case THEN_MARK:
		return a->mark.value == b->mark.value && a->mark.mask == b->mark.mask;
	}
	return false;
}

/* The condition for which the rule did not take the packet, or NULL. */
static const struct match_condition *failed_condition(const struct ast_rule *rule,
						      const struct trace_rule *traced,
						      const struct ir_packet *packet)
{
	const struct ir_match *failed = traced->failed;

	return failed && failed->key ? ast_condition(rule, match_blamed_key(failed, packet)) : NULL;
}

/* Of the rules that do what is expected, the first one that the packet came to, and what of it did
 * not hold; or the one that it would have come to later. */
static void add_meant(struct arena *arena, struct diag_record *record,
		      const struct ast_policy *policy, const struct ast_expectation *expectation,
		      const struct trace *trace)
{
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct trace_rule *rule = &trace->rules[i];
		const struct match_condition *condition;

		if (!is_same(arena, policy->rules[i].then, expectation->then))
			continue;
		if (trace->decided && trace_fits_after(trace, &expectation->packet, rule)) {
			diag_also(record, rule->author->origin,
				  "this rule would do it, but comes later");
			return;
		}
		if (!trace_came_to(trace, rule))
			continue;
		condition = failed_condition(&policy->rules[i], rule, &expectation->packet);
		if (!condition)
			continue;
		diag_also(record, condition->span,
			  "this rule would do it, but its `%s` does not hold", condition->key);
		return;
	}
}

static void add_help(struct diag_record *record, const struct trace *trace)
{
	const char *guarantee = trace_guarantee(trace);

	if (trace->outcome.decided)
		diag_help(record, "change that rule, put one before it, or change the expectation");
	else if (guarantee)
		diag_help(record, "no rule is asked (%s): change the expectation", guarantee);
	else
		diag_help(record, "no rule takes it: add one, or change the expectation");
}

static void report(struct arena *arena, struct diag *diag, const struct ast_policy *policy,
		   const struct ast_expectation *expectation, const struct trace *trace)
{
	const struct ir_outcome *outcome = &trace->outcome;
	struct diag_record *record = diag_add(diag, DIAG_expect_failed, expectation->span,
					      "this packet ends otherwise: expected %s, got %s",
					      then_words(arena, expectation->then),
					      outcome_words(arena, policy, outcome));

	if (trace->decided)
		diag_also(record, trace->decided->author->origin, "this %s takes it",
			  trace->decided->is_default ? "default" : "rule");
	add_meant(arena, record, policy, expectation, trace);
	add_help(record, trace);
}

void expect_check(struct arena *arena, struct diag *diag, struct ast_policy *policy,
		  const struct ir *ir)
{
	struct trace *trace = policy->expectation_count ? trace_new(arena, ir) : NULL;

	for (size_t i = 0; i < policy->expectation_count; i++) {
		const struct ast_expectation *expectation = &policy->expectations[i];

		trace_packet(trace, &expectation->packet);
		if (!holds(arena, policy, expectation->then, &trace->outcome))
			report(arena, diag, policy, expectation, trace);
	}
}
