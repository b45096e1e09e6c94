/*
 * check/check: names, scopes, protocols and families of every rule; what defines nothing that is
 * used.
 */
#include "lang/check/check.h"
#include "lang/ast/protocols.h"

#include <string.h>

#include "addr/builtin.h"
#include "base/arena.h"
#include "base/diag.h"
#include "lang/ast/groups.h"
#include "lang/ast/lists.h"
#include "lang/ast/sets.h"
#include "match/kinds.h"
#include "yaml/decode.h"

struct checking {
	struct arena *arena;
	struct diag *diag;
	struct ast_policy *policy;
};

/* ---- names ---- */

static bool resolve_references(struct checking *checking, struct match_condition *condition)
{
	bool good = true;

	for (size_t i = 0; !condition->kind->lists && i < condition->reference_count; i++) {
		const struct match_reference *reference = &condition->references[i];
		struct ast_set *set = ast_set_find(checking->policy, reference->name);
		struct addr_set built_in = { 0 };

		if (set)
			set->used = true;
		else if (!builtin_find(checking->arena, reference->name, &built_in))
			good = sets_unknown(checking->arena, checking->diag, checking->policy,
					    reference->name, reference->span);
	}
	return good;
}

static bool expand_groups(struct checking *checking, struct match_condition *condition)
{
	const char **names = NULL;
	size_t count = 0;
	bool good = true;

	if (!condition->kind->names_interfaces)
		return true;
	for (size_t i = 0; i < condition->name_count; i++)
		good &= groups_expand(checking->arena, checking->diag, checking->policy,
				      condition->names[i], condition->span, &names, &count);
	condition->names = names;
	condition->name_count = count;
	return good;
}

/* ---- scope ---- */

static bool check_scope(struct checking *checking, struct ast_rule *rule)
{
	bool good = true, local = false;

	for (size_t i = 0; i < rule->condition_count; i++)
		local |= rule->conditions[i]->kind->implies_local;
	rule->scopes = rule->scope ? (enum ir_scope)rule->scope
		       : local     ? SCOPE_LOCAL
				   : SCOPE_FORWARD;
	for (size_t i = 0; i < rule->condition_count; i++) {
		const struct match_condition *condition = rule->conditions[i];
		const struct match_kind *kind = condition->kind;
		struct diag_record *record;

		if (!kind->scopes || !(rule->scopes & ~kind->scopes))
			continue;
		good = false;
		record = diag_add(checking->diag, DIAG_impossible, condition->span,
				  "`%s` cannot work here: %s", condition->key, kind->elsewhere);
		if (rule->scope_span.source)
			diag_also(record, rule->scope_span, "the scope is given here");
		diag_help(record, "write a rule of its own with `scope: %s`",
			  kind->scopes == SCOPE_LOCAL ? "local" : "forward");
	}
	return good;
}

/* ---- families ---- */

static bool check_families(struct checking *checking, struct ast_rule *rule)
{
	const struct match_condition *family = ast_condition(rule, "family");

	for (int i = 0; i < ADDR_FAMILIES; i++)
		rule->families[i] = !family ||
				    interval_contains(&family->values, wide((uint64_t)i)) !=
					    family->negated;
	if (checking->policy->settings.ipv6 == IPV6_OFF)
		rule->families[ADDR_IPV6] = false;
	if (rule->families[ADDR_IPV4] || rule->families[ADDR_IPV6])
		return true;
	diag_help(diag_add(checking->diag, DIAG_impossible, family ? family->span : rule->span,
			   "no packet is of this family"),
		  checking->policy->settings.ipv6 == IPV6_OFF
			  ? "the policy leaves IPv6 alone: remove the rule, or `ipv6: off` from the settings"
			  : "remove `family`, or name one");
	return false;
}

/* ---- rules ---- */

static bool check_rule(struct checking *checking, struct ast_rule *rule)
{
	const struct match_condition *to = ast_condition(rule, "to");
	bool good = true;

	for (size_t i = 0; i < rule->condition_count; i++) {
		good &= resolve_references(checking, rule->conditions[i]);
		good &= expand_groups(checking, rule->conditions[i]);
	}
	if (rule->broken)
		return rule->then &&
		       check_names(checking->arena, checking->diag, checking->policy, rule->then);
	check_widen_echo(checking->arena, rule);
	good &= check_scope(checking, rule);
	good &= protocols_narrow(checking->arena, checking->diag, rule);
	good &= check_families(checking, rule);
	good &= check_conflicts(checking->diag, checking->policy, rule);
	if (to && !to->negated)
		rule->specials = to->specials;
	return good && check_then(checking->arena, checking->diag, checking->policy, rule);
}

static bool check_default(struct checking *checking, struct ast_then *then, enum ir_scope scope)
{
	struct ast_rule rule = { .then = then,
				 .scopes = scope,
				 .span = then ? then->span : (struct span){ 0 } };

	return !then || (check_families(checking, &rule) &&
			 check_then(checking->arena, checking->diag, checking->policy, &rule));
}

bool check_is_interface(struct arena *arena, struct diag *diag, const struct ir_group *group,
			struct span span)
{
	const char *members = NULL;
	struct diag_record *record;

	for (size_t i = 0; i < group->member_count; i++) {
		const char *member = group->members[i];

		if (!strcmp(member, group->name))
			return true;
		members = members ? arena_printf(arena, "%s, %s", members, member) : member;
	}
	record = diag_add(diag, DIAG_impossible, span, "\"%s\" is a group of interfaces",
			  group->name);
	diag_also(record, group->origin, "defined here");
	diag_help(record, "name the interface itself: %s",
		  members ? members : "the group is empty");
	return false;
}

static bool is_no_group(struct checking *checking, const char *name, struct span span)
{
	const struct ast_group *group = name ? ast_group_find(checking->policy, name) : NULL;
	struct ir_group members;

	if (!group)
		return true;
	members =
		(struct ir_group){ group->name, group->members, group->member_count, group->span };
	return check_is_interface(checking->arena, checking->diag, &members, span);
}

static bool check_expectations(struct checking *checking)
{
	bool good = true;

	for (size_t i = 0; i < checking->policy->expectation_count; i++) {
		const struct ast_expectation *expectation = &checking->policy->expectations[i];

		if (expectation->broken)
			continue;
		good &= check_names(checking->arena, checking->diag, checking->policy,
				    expectation->then);
		good &= is_no_group(checking, expectation->packet.in, expectation->span);
		good &= is_no_group(checking, expectation->packet.out, expectation->span);
	}
	return good;
}

/* Does the table answer what comes in by its interfaces? One that answers by an interface of
 * several has a class for each, whose name goes on with a dot. */
static bool answers(const struct ir *ir, const struct ast_table *table)
{
	size_t length = strlen(table->name);

	for (size_t i = 0; i < ir->class_count; i++) {
		const struct ir_class *class = &ir->classes[i];

		if (class->kind == IR_CLASS_REPLY && !strncmp(class->name, table->name, length) &&
		    (!class->name[length] || class->name[length] == '.'))
			return true;
	}
	return false;
}

void check_unused(struct diag *diag, const struct ast_policy *policy, const struct ir *ir)
{
	for (size_t i = 0; i < policy->set_count; i++)
		if (!policy->sets[i].used)
			diag_add(diag, DIAG_unused, policy->sets[i].span,
				 "no rule uses the set \"%s\"", policy->sets[i].name);
	for (size_t i = 0; i < policy->listener_count; i++)
		if (!policy->listeners[i].used && !policy->listeners[i].spoofs_client &&
		    !policy->listeners[i].runs_as.count)
			diag_add(diag, DIAG_unused, policy->listeners[i].span,
				 "no rule uses the listener \"%s\"", policy->listeners[i].name);
	for (size_t i = 0; i < policy->table_count; i++)
		if (!policy->tables[i].used && !answers(ir, &policy->tables[i]))
			diag_help(diag_add(diag, DIAG_unused, policy->tables[i].span,
					   "no rule uses the table \"%s\"", policy->tables[i].name),
				  "send something there with {route: %s}, or remove it; a table with routes by a `dev` of its "
				  "own answers what comes in there",
				  policy->tables[i].name);
}

static bool check_hop(struct checking *checking, const struct ast_hop *hop, struct span span)
{
	bool link_local = hop->via.has[ADDR_IPV6] && addr_is_link_local(hop->via.addr[ADDR_IPV6]);
	bool good = is_no_group(checking, hop->dev, span);

	if (hop->learns && !hop->dev) {
		diag_help(diag_add(checking->diag, DIAG_missing_key, hop->via.span,
				   "`via: auto` without `dev`: every interface may have a gateway"),
			  "add `dev: INTERFACE`, the one whose gateway is meant");
		return false;
	}
	if (!link_local || hop->dev)
		return good;
	return diag_refuse(checking->diag, DIAG_impossible, hop->via.span,
			   "a link-local gateway is known only together with its interface",
			   "add `dev: INTERFACE`");
}

static bool check_interfaces(struct checking *checking)
{
	struct ast_policy *policy = checking->policy;
	bool good = true;

	for (size_t i = 0; i < policy->set_count; i++)
		for (size_t k = 0; k < policy->sets[i].own_count; k++)
			good &= is_no_group(checking, policy->sets[i].own[k].dev,
					    policy->sets[i].own[k].span);
	for (size_t i = 0; i < policy->table_count; i++) {
		const struct ast_table *table = &policy->tables[i];

		good &= check_hop(checking, &table->shorthand.hop, table->span);
		for (size_t r = 0; r < table->route_count; r++) {
			const struct ast_route *route = &table->routes[r];

			good &= check_hop(checking, &route->hop, route->span);
			for (size_t h = 0; h < route->hop_count; h++)
				good &= check_hop(checking, &route->hops[h], route->hops[h].span);
		}
	}
	return good;
}

static void add_default_rules(struct arena *arena, struct ast_policy *policy)
{
	const struct ast_then *thens[] = { policy->default_forward, policy->default_local };

	for (size_t i = 0; i < 2; i++) {
		if (!thens[i])
			continue;
		policy->default_rules[i] = arena_new_of(arena, struct ast_rule);
		*policy->default_rules[i] =
			ast_default_rule(arena, policy, thens[i], i ? SCOPE_LOCAL : SCOPE_FORWARD);
	}
}

bool check_policy(struct arena *arena, struct diag *diag, struct ast_policy *policy)
{
	struct checking checking = { arena, diag, policy };
	bool was_read = !diag_error_count(diag), good;

	if (!policy->whole)
		return false;
	good = sets_resolve(arena, diag, policy);
	good &= groups_resolve(arena, diag, policy);
	good &= lists_resolve(arena, diag, policy);
	for (size_t i = 0; i < policy->listener_count; i++)
		good &= policy->listeners[i].broken ||
			(check_listener(diag, &policy->listeners[i]) &&
			 check_via(arena, diag, policy, &policy->listeners[i]));
	for (size_t i = 0; i < policy->table_count; i++)
		good &= policy->tables[i].broken || check_table(diag, &policy->tables[i]);
	for (size_t i = 0; i < policy->rule_count; i++)
		good &= check_rule(&checking, &policy->rules[i]);
	check_hosts(arena, diag, policy);
	good &= check_default(&checking, policy->default_forward, SCOPE_FORWARD);
	good &= check_default(&checking, policy->default_local, SCOPE_LOCAL);
	good &= check_expectations(&checking);
	good &= check_interfaces(&checking);
	if (good && was_read)
		add_default_rules(arena, policy);
	return good && was_read;
}
