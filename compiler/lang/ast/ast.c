/*
 * ast: finding what a policy defines by its name, and what several phases ask of it.
 */
#include "lang/ast/ast.h"

#include <string.h>

#include "base/arena.h"
#include "match/kinds.h"

const char *ast_mode_name(enum ast_mode mode)
{
	static const char *const names[] = { "tproxy", "redirect", "dnat" };

	return names[mode];
}

#define FIND(items, count)                                  \
	do {                                                \
		for (size_t i = 0; i < (count); i++)        \
			if (!strcmp((items)[i].name, name)) \
				return &(items)[i];         \
		return NULL;                                \
	} while (0)

struct ast_set *ast_set_find(struct ast_policy *policy, const char *name)
{
	FIND(policy->sets, policy->set_count);
}

struct ast_list *ast_list_find(struct ast_policy *policy, const struct match_kind *kind,
			       const char *name)
{
	for (size_t i = 0; i < policy->list_count; i++)
		if (policy->lists[i].kind == kind && !strcmp(policy->lists[i].name, name))
			return &policy->lists[i];
	return NULL;
}

struct ast_listener *ast_listener_find(struct ast_policy *policy, const char *name)
{
	FIND(policy->listeners, policy->listener_count);
}

struct ast_table *ast_table_find(struct ast_policy *policy, const char *name)
{
	FIND(policy->tables, policy->table_count);
}

const struct ast_group *ast_group_find(const struct ast_policy *policy, const char *name)
{
	FIND(policy->groups, policy->group_count);
}

struct match_condition *ast_condition(const struct ast_rule *rule, const char *key)
{
	for (size_t i = 0; i < rule->condition_count; i++)
		if (*rule->conditions[i]->key == *key && !strcmp(rule->conditions[i]->key, key))
			return rule->conditions[i];
	return NULL;
}

size_t ast_rule_at(const struct ast_policy *policy, struct span span)
{
	size_t i = 0;

	while (i < policy->rule_count && (policy->rules[i].span.source != span.source ||
					  policy->rules[i].span.begin != span.begin))
		i++;
	return i;
}

const struct ast_route *ast_table_routes(const struct ast_table *table, size_t *count)
{
	*count = table->has_shorthand ? 1 : table->route_count;
	return table->has_shorthand ? &table->shorthand : table->routes;
}

const struct ast_hop *ast_hop(const struct ast_route *route, size_t nth)
{
	if (route->hop_count)
		return nth < route->hop_count ? &route->hops[nth] : NULL;
	return nth ? NULL : &route->hop;
}

bool ast_hop_is_of(const struct ast_hop *hop, enum addr_family family)
{
	return !hop->via.span.source || hop->via.has[family] || hop->learns;
}

bool ast_names_source(const struct ast_rule *rule)
{
	const struct match_condition *in = ast_condition(rule, "in");

	return in && !in->negated;
}

bool ast_may_change(struct ast_policy *policy, const struct match_condition *condition)
{
	for (size_t i = 0; i < condition->reference_count; i++) {
		const struct ast_set *set = ast_set_find(policy, condition->references[i].name);

		if (set && set->dynamic)
			return true;
	}
	return match_may_change(condition);
}

bool ast_is_last_resort(const char *target)
{
	return !strcmp(target, "main") || !strcmp(target, "unreachable") ||
	       !strcmp(target, "prohibit") || !strcmp(target, "blackhole");
}

bool ast_chooses_target(const struct ast_then *then)
{
	return then->action == THEN_DIRECT || then->action == THEN_PROXY ||
	       then->action == THEN_ROUTE || then->action == THEN_BALANCE ||
	       then->action == THEN_SPREAD || then->action == THEN_MARK ||
	       then->action == THEN_ANSWER;
}

bool ast_hands_over(const struct ast_then *then)
{
	return then->action == THEN_PROXY || then->action == THEN_SPREAD;
}

bool ast_hands_to(const struct ast_then *then, const struct ast_listener *listener)
{
	for (size_t i = 0; i < then->hand_count; i++)
		if (then->hands[i].listener == listener)
			return true;
	return false;
}

const struct ast_listener *ast_without_family(const struct ast_then *then, enum addr_family family)
{
	for (size_t i = 0; i < then->hand_count; i++)
		if (!then->hands[i].listener->has[family])
			return then->hands[i].listener;
	return then->listener;
}

const struct ast_listener *ast_without_protocols(struct arena *arena, const struct ast_then *then,
						 const struct interval_set *protocols)
{
	for (size_t i = 0; i < then->hand_count; i++) {
		struct interval_set takes = ast_takes(arena, then->hands[i].listener);

		if (!interval_covers(&takes, protocols))
			return then->hands[i].listener;
	}
	return then->listener;
}

const struct ast_target *ast_shares(const struct ast_then *then, size_t *count)
{
	*count = then->action == THEN_BALANCE  ? then->target_count
		 : then->action == THEN_SPREAD ? then->hand_count
					       : 0;
	return then->action == THEN_SPREAD ? then->hands : then->targets;
}

bool ast_same_targets(const struct ast_target *a, size_t a_count, const struct ast_target *b,
		      size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++)
		if (strcmp(a[i].name, b[i].name) || a[i].weight != b[i].weight)
			return false;
	return true;
}

/* Of listeners in a row only the chosen one. */
bool ast_fails_open(const struct ast_then *then)
{
	if (then && then->action == THEN_PROXY)
		return then->listener->on_failure == FAILURE_DIRECT;
	for (size_t i = 0; then && then->action == THEN_SPREAD && i < then->hand_count; i++)
		if (then->hands[i].listener->on_failure == FAILURE_DIRECT)
			return true;
	return false;
}

bool ast_masquerades(const struct ast_table *table)
{
	return table->masquerades[ADDR_IPV4] || table->masquerades[ADDR_IPV6];
}

const char *ast_route_name(struct arena *arena, const struct ast_then *then)
{
	const char *name = then->targets[0].name;

	for (size_t i = 1; i < then->target_count; i++)
		name = arena_printf(arena, "%s.%s", name, then->targets[i].name);
	return name;
}

struct interval_set ast_takes(struct arena *arena, const struct ast_listener *listener)
{
	struct interval_set takes = { 0 };

	if (listener->protocols & TAKES_TCP)
		interval_add(arena, &takes, wide(PROTOCOL_TCP), wide(PROTOCOL_TCP));
	if (listener->protocols & TAKES_UDP)
		interval_add(arena, &takes, wide(PROTOCOL_UDP), wide(PROTOCOL_UDP));
	return takes;
}

struct ast_rule ast_default_rule(struct arena *arena, const struct ast_policy *policy,
				 const struct ast_then *then, enum ir_scope scope)
{
	struct ast_rule rule = { .span = then->span,
				 .then = (struct ast_then *)then,
				 .scopes = scope };

	rule.families[ADDR_IPV4] = true;
	rule.families[ADDR_IPV6] = policy->settings.ipv6 != IPV6_OFF;
	if (then->action == THEN_ANSWER)
		rule.protocols = icmp_match(arena).values;
	for (size_t i = 0; i < then->hand_count; i++) {
		const struct ast_listener *listener = then->hands[i].listener;
		struct interval_set takes = ast_takes(arena, listener);

		rule.protocols = i ? interval_intersect(arena, &rule.protocols, &takes) : takes;
		for (int family = 0; family < ADDR_FAMILIES; family++)
			rule.families[family] &= listener->has[family];
	}
	return rule;
}

bool ast_is_away(const struct ast_listener *listener, enum addr_family family)
{
	return listener->mode == MODE_DNAT && listener->has[family] &&
	       !addr_is_loopback(listener->addr[family]);
}

bool ast_stays_here(const struct ast_listener *listener)
{
	return !ast_is_away(listener, ADDR_IPV4) && !ast_is_away(listener, ADDR_IPV6);
}

bool ast_names_identity(const struct ast_rule *rule)
{
	for (size_t i = 0; i < rule->condition_count; i++)
		if (rule->conditions[i]->kind->names_identity)
			return true;
	return false;
}

bool ast_is_source_port(const struct match_condition *identity)
{
	return identity->kind == &match_port;
}

bool ast_has_identity(const struct ast_listener *listener)
{
	for (size_t i = 0; i < listener->runs_as.count; i++)
		if (!ast_is_source_port(listener->runs_as.items[i]))
			return true;
	return false;
}
