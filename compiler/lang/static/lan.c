/*
 * static/lan: rules that send what the host sends to its own networks away with all the rest.
 *
 * In go the rules and defaults about what the host sends, out comes a warning for each that sends
 * all private addresses to a listener, or by a table which has a route for them, before any rule,
 * or the table's own routes, made an exception of one of its networks. Which networks are the
 * host's is not known.
 */
#include <string.h>

#include "addr/builtin.h"
#include "base/diag.h"
#include "lang/check/check.h"
#include "lang/static/static.h"
#include "lang/static/tunnel.h"

/* The smallest network that is taken for an exception of the host's own: a /24, a /64. */
static struct wide network_size_less_one(enum addr_family family)
{
	return wide_ones(family == ADDR_IPV4 ? 8 : 64);
}

/* ---- what rules take of private addresses ---- */

/* Does the rule ask for anything but a destination, a family and protocols? */
static bool asks_more(const struct ast_rule *rule)
{
	for (size_t i = 0; i < rule->condition_count; i++) {
		const char *key = rule->conditions[i]->key;

		if (strcmp(key, "to") && strcmp(key, "family") && strcmp(key, "proto"))
			return true;
	}
	return false;
}

/* The private addresses of a family that the condition (NULL: none) holds for. *known is false
 * where a set is filled at run time. */
static struct interval_set private_part(struct checks *checks, const struct match_condition *to,
					enum addr_family family, bool *known)
{
	struct addr_set own = { 0 };
	struct interval_set left, taken;
	const struct interval_set *set;

	builtin_find(checks->arena, "private", &own);
	left = own.family[family];
	if (!to)
		return left;
	for (size_t i = 0; i < to->reference_count; i++) {
		const struct ast_set *named = ast_set_find(checks->policy, to->references[i].name);

		*known &= !named || !named->dynamic;
	}
	for (size_t i = 0; (set = static_part(checks, to, family, i)); i++)
		left = interval_subtract(checks->arena, &left, set);
	if (to->negated)
		return left;
	taken = interval_subtract(checks->arena, &own.family[family], &left);
	return taken;
}

static bool takes_all(struct checks *checks, const struct ast_rule *rule, enum addr_family family)
{
	const struct match_condition *to = ast_condition(rule, "to");
	struct addr_set own = { 0 };
	struct interval_set part;
	bool known = true;

	if (!rule->families[family] || (to && !static_is_wide(checks, to, family)))
		return false;
	builtin_find(checks->arena, "private", &own);
	part = private_part(checks, to, family, &known);
	return known && interval_covers(&part, &own.family[family]);
}

static bool has_network(const struct interval_set *set, enum addr_family family)
{
	for (size_t i = 0; i < set->count; i++)
		if (!wide_less(wide_subtract(set->items[i].last, set->items[i].first),
			       network_size_less_one(family)))
			return true;
	return false;
}

/* Does an earlier rule decide of one of the host's networks? */
static bool is_excepted(struct checks *checks, const struct ast_rule *rule, size_t before,
			enum addr_family family)
{
	for (size_t i = 0; i < before; i++) {
		const struct ast_rule *other = &checks->policy->rules[i];
		struct interval_set part;
		bool known = true;

		if (!(other->scopes & SCOPE_LOCAL) || !other->families[family] ||
		    other->then->action == THEN_CONTINUE || other->limit.rate || asks_more(other) ||
		    (other->protocols.count &&
		     (!rule->protocols.count ||
		      !interval_covers(&other->protocols, &rule->protocols))))
			continue;
		part = private_part(checks, ast_condition(other, "to"), family, &known);
		if (!known || has_network(&part, family))
			return true;
	}
	return false;
}

/* ---- tables ---- */

/* Has the table a route for private addresses, and does it not leave them to the main table? */
static bool has_route(struct checks *checks, const struct ast_table *table)
{
	size_t count;
	const struct ast_route *routes = ast_table_routes(table, &count);
	struct addr_set own = { 0 };
	bool found = table->fallback != FALLBACK_MAIN;

	if (table->prefer_main)
		return false;
	builtin_find(checks->arena, "private", &own);
	for (size_t i = 0; i < count; i++) {
		const struct ast_route *route = &routes[i];
		bool is_own =
			!route->is_default &&
			interval_contains(&own.family[route->to.addr.family], route->to.addr.bits);

		if (is_own && route->type == IR_ROUTE_THROW)
			return false;
		found |= route->is_default || route->to.length <= STATIC_WIDE_LENGTH;
	}
	return found;
}

/* The first table of the action that has a route for them before the main table is asked; or
 * NULL. */
static const struct ast_table *find_table(struct checks *checks, const struct ast_then *then)
{
	for (size_t i = 0; i < then->target_count; i++) {
		const struct ast_table *table =
			ast_table_find(checks->policy, then->targets[i].name);

		if (!table && then->action == THEN_ROUTE)
			return NULL;
		if (table && has_route(checks, table))
			return table;
	}
	return NULL;
}

static void report(struct checks *checks, const struct ast_then *then,
		   const struct ast_table *table)
{
	struct diag_record *record =
		diag_add(checks->diag, DIAG_lan_included, then->name_span,
			 "this takes what the host sends to its own networks too");

	if (table)
		diag_also(record, table->span, "the table \"%s\" does not except them",
			  table->name);
	else
		diag_also(record, then->listener->span, "the listener \"%s\" is handed it",
			  then->listener->name);
	diag_help(record,
		  "add %sa rule `{scope: local, to: private, then: direct}` before this one",
		  table ? "`prefer_main: true` to the table, or " : "");
}

static void judge(struct checks *checks, const struct ast_rule *rule, size_t order)
{
	const struct ast_table *table = find_table(checks, rule->then);
	bool all = false;

	if ((!table && !ast_hands_over(rule->then)) || !(rule->scopes & SCOPE_LOCAL) ||
	    asks_more(rule))
		return;
	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++) {
		if (is_excepted(checks, rule, order, family))
			return;
		all |= takes_all(checks, rule, family);
	}
	if (all)
		report(checks, rule->then, table);
}

void static_lans(struct checks *checks)
{
	const struct ast_policy *policy = checks->policy;

	for (size_t i = 0; i < policy->rule_count; i++)
		judge(checks, &policy->rules[i], i);
	if (policy->default_rules[1])
		judge(checks, policy->default_rules[1], policy->rule_count);
}
