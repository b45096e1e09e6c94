/*
 * lower/state: which rules could answer otherwise for a later packet of a connection (a set that is
 * filled at run time, the clock, a limit, a choice, an owner that is gone), and so in which scopes
 * the first packet decides for the connection (lower/decide.c).
 *
 * Rules before the first such rule answer every packet of a connection alike, so they keep no
 * state, and a policy about addresses and ports alone has none at all.
 */
#include "lang/lower/lower.h"
#include "match/kinds.h"

static bool may_change(const struct lower *lower, const struct ast_rule *rule)
{
	for (size_t i = 0; i < rule->condition_count; i++)
		if (ast_may_change(lower->policy, rule->conditions[i]))
			return true;
	return false;
}

/* A listener that is known by its owner loses it with the last packets of a connection that it has
 * closed. */
static bool may_lose_owner(const struct ast_listener *listener)
{
	for (size_t i = 0; i < listener->runs_as.count; i++)
		if (listener->runs_as.items[i]->kind != &match_mark &&
		    !ast_is_source_port(listener->runs_as.items[i]))
			return true;
	return false;
}

static bool sends_local(const struct ast_policy *policy)
{
	for (size_t i = 0; i < policy->rule_count; i++)
		if ((policy->rules[i].scopes & SCOPE_LOCAL) &&
		    policy->rules[i].then->action != THEN_DIRECT &&
		    ast_chooses_target(policy->rules[i].then))
			return true;
	return policy->default_local && policy->default_local->action != THEN_DIRECT &&
	       ast_chooses_target(policy->default_local);
}

bool lower_changes(const struct lower *lower, const struct ast_rule *rule)
{
	return (ast_chooses_target(rule->then) && (may_change(lower, rule) || rule->limit.rate)) ||
	       rule->then->action == THEN_BALANCE || rule->then->action == THEN_SPREAD ||
	       ast_fails_open(rule->then);
}

static bool default_changes(const struct ast_then *then)
{
	return then && (then->action == THEN_BALANCE || then->action == THEN_SPREAD ||
			ast_fails_open(then));
}

void lower_plan_state(struct lower *lower)
{
	struct ast_policy *policy = lower->policy;

	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct ast_rule *rule = &policy->rules[i];

		lower->needs_state[0] |= lower_changes(lower, rule) &&
					 (rule->scopes & SCOPE_FORWARD);
		lower->needs_state[1] |= lower_changes(lower, rule) && (rule->scopes & SCOPE_LOCAL);
	}
	lower->needs_state[0] |= default_changes(policy->default_forward);
	lower->needs_state[1] |= default_changes(policy->default_local);
	for (size_t i = 0; i < policy->listener_count; i++)
		lower->owner_may_exit[1] |= may_lose_owner(&policy->listeners[i]);
	lower->owner_may_exit[1] = lower->owner_may_exit[1] && sends_local(policy);
	lower->needs_state[1] |= lower->owner_may_exit[1];
}
