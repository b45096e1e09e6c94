/*
 * lower_own: no loops: what the listeners themselves send meets only rules that name an identity,
 * in a chain of its own for each identity.
 */
#include <string.h>

#include "base/arena.h"
#include "lang/lower.h"
#include "match/kinds.h"

static struct ir_match identity_of(struct lower *lower, const struct ast_listener *listener)
{
	const struct ast_identity *identity = &listener->runs_as;

	if (identity->by_mark)
		return mark_match(lower->arena, MARK_PACKET, identity->mark.value,
				  identity->mark.mask);
	if (identity->selector == IDENTITY_CGROUP)
		return cgroup_match(lower->arena, identity->text);
	return identity_match(lower->arena, identity->selector, identity->text);
}

static bool same_identity(const struct ast_identity *a, const struct ast_identity *b)
{
	if (!a->given || !b->given || a->by_port || b->by_port || a->by_mark != b->by_mark)
		return false;
	if (a->by_mark)
		return a->mark.value == b->mark.value && a->mark.mask == b->mark.mask;
	return a->selector == b->selector && !strcmp(a->text, b->text);
}

/* Does the rule look at who sends, and not hand the listener what it sends itself? */
static bool is_for_own(const struct ast_rule *rule, const struct ast_listener *listener)
{
	bool names = false;

	if (!(rule->scopes & SCOPE_LOCAL))
		return false;
	for (size_t i = 0; i < rule->condition_count; i++)
		names |= rule->conditions[i]->kind->names_identity;
	return names && !(rule->then->action == THEN_PROXY &&
			  same_identity(&rule->then->listener->runs_as, &listener->runs_as));
}

static void own_chain(struct lower *lower, const struct ast_listener *listener, const char *name)
{
	struct lower_walk walk = lower_new_walk(lower, SCOPE_LOCAL, name);
	static const struct ast_then direct = { .action = THEN_DIRECT };
	struct ast_rule rest = lower_default_rule(lower, &direct, SCOPE_LOCAL);

	walk.chain =
		lower_chain(lower, name, "only rules that name an identity, so that nothing loops");
	for (size_t i = 0; i < lower->policy->listener_count; i++) {
		const struct ast_listener *twin = &lower->policy->listeners[i];

		if (twin->used && same_identity(&twin->runs_as, &listener->runs_as))
			lower_refuse_straight(lower, walk.chain, twin, NULL);
	}
	lower_leave_host(lower, walk.chain, NULL);
	for (size_t i = 0; i < lower->policy->rule_count; i++)
		if (is_for_own(&lower->policy->rules[i], listener))
			lower_walk_rule(lower, &walk, &lower->policy->rules[i]);
	lower_author_rule(lower, &walk, &rest);
}

static const char *own_name(struct lower *lower, const struct ast_listener *listener)
{
	return arena_printf(lower->arena, "own_%s", listener->name);
}

/* Listeners of one identity share the chain of the first. */
static bool has_own_chain(const struct lower *lower, size_t index)
{
	const struct ast_listener *listeners = lower->policy->listeners;

	if (!listeners[index].used || !ast_has_identity(&listeners[index]))
		return false;
	for (size_t i = 0; i < index; i++)
		if (listeners[i].used &&
		    same_identity(&listeners[i].runs_as, &listeners[index].runs_as))
			return false;
	return true;
}

void lower_own_chains(struct lower *lower)
{
	for (size_t i = 0; i < lower->policy->listener_count; i++) {
		const struct ast_listener *listener = &lower->policy->listeners[i];

		if (has_own_chain(lower, i))
			own_chain(lower, listener, own_name(lower, listener));
	}
}

void lower_leave_own(struct lower *lower, struct ir_chain *chain)
{
	const char *remark = "what the listeners themselves send";

	for (size_t i = 0; i < lower->policy->listener_count; i++) {
		const struct ast_listener *listener = &lower->policy->listeners[i];
		struct ir_rule *rule;

		if (!has_own_chain(lower, i))
			continue;
		rule = lower_guarantee(lower, chain, remark);
		lower_match(lower, rule, identity_of(lower, listener));
		lower_goto(lower, rule, own_name(lower, listener));
		remark = NULL;
	}
}

bool lower_has_own(const struct lower *lower)
{
	for (size_t i = 0; i < lower->policy->listener_count; i++)
		if (lower->policy->listeners[i].used &&
		    ast_has_identity(&lower->policy->listeners[i]))
			return true;
	return false;
}
