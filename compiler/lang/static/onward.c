/*
 * onward: see onward.h. Two rules are compared condition by condition; what is not known when a
 * policy is compiled may be shared.
 */
#include "lang/static/onward.h"

#include "base/arena.h"
#include "lang/static/share.h"

/* ---- what two rules share ---- */

/* What is not known when a policy is compiled may be shared. */
static bool is_open(const struct checks *checks, const struct match_condition *condition)
{
	for (size_t i = 0; i < condition->reference_count; i++) {
		const struct ast_set *set =
			ast_set_find(checks->policy, condition->references[i].name);

		if (set && set->dynamic)
			return true;
	}
	return condition->negated || condition->specials || condition->masked_count;
}

static bool share_destinations(struct checks *checks, const struct ast_rule *a,
			       const struct ast_rule *b, enum addr_family family)
{
	const struct match_condition *left = ast_condition(a, "to"),
				     *right = ast_condition(b, "to");
	const struct interval_set *one, *other;

	if (!left || !right || is_open(checks, left) || is_open(checks, right))
		return true;
	for (size_t i = 0; (one = static_part(checks, left, family, i)); i++)
		for (size_t k = 0; (other = static_part(checks, right, family, k)); k++)
			if (interval_meets(one, other))
				return true;
	return false;
}

static bool share_ports(const struct ast_rule *a, const struct ast_rule *b)
{
	const struct match_condition *left = ast_condition(a, "port"),
				     *right = ast_condition(b, "port");

	return !left || !right || left->negated || right->negated ||
	       interval_meets(&left->values, &right->values);
}

static bool share_interfaces(const struct ast_rule *a, const struct ast_rule *b)
{
	const struct match_condition *left = ast_condition(a, "in"),
				     *right = ast_condition(b, "in");

	return !left || !right || static_names_meet(left, right);
}

/* Does the rule take what comes from the address, as far as is known? */
static bool takes_from(struct checks *checks, const struct ast_rule *rule, struct addr addr)
{
	const struct match_condition *from = ast_condition(rule, "from");

	return !from || static_names_address(checks, from, addr);
}

bool onward_takes(struct checks *checks, const struct ast_rule *handed, const struct ast_rule *rule,
		  struct addr addr)
{
	return (rule->scopes & SCOPE_FORWARD) && rule->families[addr.family] &&
	       (!rule->protocols.count || interval_meets(&handed->protocols, &rule->protocols)) &&
	       share_ports(handed, rule) && share_interfaces(handed, rule) &&
	       share_destinations(checks, handed, rule, addr.family) &&
	       takes_from(checks, rule, addr);
}

/* ---- listeners ---- */

static bool has_source_port(const struct ast_listener *listener)
{
	for (size_t i = 0; i < listener->runs_as.count; i++)
		if (ast_is_source_port(listener->runs_as.items[i]))
			return true;
	return false;
}

const struct ast_listener *onward_of(const struct ast_rule *rule, enum addr_family family,
				     size_t nth)
{
	const struct ast_listener *listener =
		nth < rule->then->hand_count ? rule->then->hands[nth].listener : NULL;
	const struct match_condition *to = ast_condition(rule, "to");
	bool passes = !to || to->specials != SPECIAL_LOCAL || to->reference_count;

	return listener && passes && rule->families[family] && !has_source_port(listener) &&
			       ast_is_away(listener, family)
		       ? listener
		       : NULL;
}

static bool has(const struct onward *items, size_t count, struct addr addr)
{
	for (size_t i = 0; i < count; i++)
		if (wide_equal(items[i].addr.bits, addr.bits))
			return true;
	return false;
}

/* The rule's own listeners on other hosts. */
static struct onward *own_listeners(struct arena *arena, const struct ast_rule *rule,
				    enum addr_family family, size_t *count)
{
	struct onward *out = NULL;

	*count = 0;
	for (size_t i = 0; (rule->scopes & SCOPE_FORWARD) && i < rule->then->hand_count; i++) {
		const struct ast_listener *listener = rule->then->hands[i].listener;

		if (ast_is_away(listener, family) && !has(out, *count, listener->addr[family]))
			*arena_append(arena, out, *count) =
				(struct onward){ listener->addr[family], listener };
	}
	return out;
}

/* Does the rule hand on, to `before`, what one of its listeners sends on? */
static bool goes_back(struct checks *checks, const struct ast_rule *rule,
		      const struct ast_rule *before, enum addr_family family)
{
	for (size_t i = 0; i < rule->then->hand_count; i++) {
		const struct ast_listener *own = onward_of(rule, family, i);

		if (own && onward_takes(checks, rule, before, own->addr[family]))
			return true;
	}
	return false;
}

struct onward *onward_excepted(struct arena *arena, struct ast_policy *policy,
			       const struct ast_rule *rule, enum addr_family family, size_t *count)
{
	struct checks checks = { .arena = arena, .policy = policy };
	struct onward *out = own_listeners(arena, rule, family, count);

	for (size_t i = 0; *count && i < policy->rule_count && &policy->rules[i] != rule; i++) {
		const struct ast_rule *before = &policy->rules[i];

		for (size_t k = 0; k < before->then->hand_count; k++) {
			const struct ast_listener *other = onward_of(before, family, k);

			if (other && !has(out, *count, other->addr[family]) &&
			    onward_takes(&checks, before, rule, other->addr[family]) &&
			    goes_back(&checks, rule, before, family))
				*arena_append(arena, out, *count) =
					(struct onward){ other->addr[family], other };
		}
	}
	return out;
}
