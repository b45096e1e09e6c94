/*
 * check/host: destinations that rules leave alone: this host's own addresses, broadcast, multicast
 * and link-local ones. In go rules that are checked, each gets what it names of those, by a name
 * (`local`) or by addresses that can be meant in spite of what they are (see match_address).
 *
 * Which addresses are this host's is not known here: the kernel decides for each packet.
 */
#include <string.h>

#include "addr/builtin.h"
#include "base/diag.h"
#include "lang/check/check.h"
#include "match/kinds.h"

struct hosting {
	struct arena *arena;
	struct diag *diag;
	struct ast_policy *policy;
};

static const struct {
	const char *name;
	enum match_special special;
} kinds[] = { { "multicast", SPECIAL_MULTICAST },
	      { "link-local", SPECIAL_LINK_LOCAL },
	      { "loopback", SPECIAL_LOCAL } };

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static struct addr_set built_in(struct hosting *hosting, const char *name)
{
	struct addr_set set = { 0 };

	builtin_find(hosting->arena, name, &set);
	return set;
}

/* ---- addresses that are meant ---- */

/* No table leads to this host itself, and no mark turns back what it sends to many at once. */
static struct addr_set meant(struct hosting *hosting, const struct ast_rule *rule,
			     const struct match_condition *to)
{
	struct addr_set multicast = built_in(hosting, "multicast");
	struct addr_set link_local = built_in(hosting, "link-local");
	enum ast_action action = rule->then ? rule->then->action : THEN_DIRECT;
	struct addr_set out = to->meant;

	if (action == THEN_ROUTE || action == THEN_BALANCE) {
		struct addr_set reached = addr_set_union(hosting->arena, &multicast, &link_local);

		for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++)
			out.family[family] = interval_intersect(hosting->arena,
								&to->meant.family[family],
								&reached.family[family]);
	}
	if (action == THEN_ANSWER)
		out = addr_set_subtract(hosting->arena, &out, &multicast);
	if (rule->then && ast_hands_over(rule->then) && (rule->scopes & SCOPE_LOCAL) &&
	    rule->then->listener && rule->then->listener->mode == MODE_TPROXY)
		out = addr_set_subtract(hosting->arena, &out, &multicast);
	return out;
}

/* Is the rule about every destination, or about all but some? */
static bool is_about_all(const struct match_condition *to)
{
	if (!to || to->negated)
		return true;
	for (size_t i = 0; i < to->reference_count; i++)
		if (!strcmp(to->references[i].name, "any"))
			return true;
	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++)
		if (to->addresses.family[family].count &&
		    addr_is_whole(family, to->addresses.family[family].items[0]))
			return true;
	return false;
}

/* Addresses, and not networks, of this host's interfaces. */
static bool is_own(const struct ast_set *set)
{
	for (size_t i = 0; set && i < set->own_count; i++)
		if (set->own[i].prefixes)
			return false;
	return set && set->own_count;
}

/* A table takes no packets to this host by them. */
static bool means_own(struct hosting *hosting, const struct ast_rule *rule,
		      struct match_condition *to)
{
	enum ast_action action = rule->then ? rule->then->action : THEN_DIRECT;
	bool found = false;

	for (size_t i = 0; i < to->reference_count; i++) {
		struct match_reference *reference = &to->references[i];

		reference->is_own = is_own(ast_set_find(hosting->policy, reference->name));
		found |= reference->is_own;
	}
	return found && action != THEN_ROUTE && action != THEN_BALANCE;
}

static void name_destinations(struct hosting *hosting, struct ast_rule *rule)
{
	struct match_condition *to = ast_condition(rule, "to");

	if (to && !to->negated) {
		rule->meant = meant(hosting, rule, to);
		rule->means_own = means_own(hosting, rule, to);
	}
	rule->excepts = rule->then && rule->then->action == THEN_DIRECT && !rule->specials &&
			is_about_all(to);
}

/* What nothing further down takes from this host is left alone without an exception. */
static void place_rules(struct ast_policy *policy)
{
	unsigned int later = 0;

	for (size_t i = policy->rule_count; i; i--) {
		struct ast_rule *rule = &policy->rules[i - 1];
		bool is_direct = rule->then && rule->then->action == THEN_DIRECT;
		bool is_named = rule->specials || rule->excepts || rule->means_own ||
				!addr_set_is_empty(&rule->meant);

		if (!is_named)
			continue;
		rule->host = rule->specials || !is_direct ? rule->scopes : rule->scopes & later;
		later |= is_direct ? 0 : rule->scopes;
	}
}

/* ---- what is left alone ---- */

static void tell_left(struct hosting *hosting, size_t kind, struct span span, bool is_all)
{
	struct diag_record *record =
		diag_add(hosting->diag, DIAG_host_stays_host, span,
			 "%s addresses are left alone by rules that do not name them",
			 kinds[kind].name);

	if (is_all && kinds[kind].special != SPECIAL_LOCAL)
		diag_help(record, "add `%s` to `to` if this rule is really about them",
			  kinds[kind].name);
	else
		diag_help(record,
			  "write those that this rule is really about into its `to` one by one, or as parts "
			  "of the %s prefix: there they are just these",
			  kinds[kind].name);
}

/* Of each family: do the addresses lie in the ones of the kind, and are they all of them? */
static void warn_of_kind(struct hosting *hosting, size_t kind, const struct addr_set *asked,
			 struct span span)
{
	struct addr_set special = built_in(hosting, kinds[kind].name);

	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++)
		if (asked->family[family].count &&
		    interval_covers(&special.family[family], &asked->family[family])) {
			tell_left(hosting, kind, span,
				  interval_covers(&asked->family[family], &special.family[family]));
			return;
		}
}

static void warn_of_left(struct hosting *hosting, const struct ast_rule *rule)
{
	const struct match_condition *to = ast_condition(rule, "to");
	struct addr_set wide;

	if (!to || to->negated || (rule->then && rule->then->action == THEN_DIRECT))
		return;
	wide = addr_set_subtract(hosting->arena, &to->addresses, &rule->meant);
	for (size_t kind = 0; kind < KINDS; kind++) {
		if (to->specials & kinds[kind].special)
			continue;
		warn_of_kind(hosting, kind, &wide, to->span);
		for (size_t i = 0; i < to->reference_count; i++) {
			const struct match_reference *named = &to->references[i];
			const struct ast_set *set = ast_set_find(hosting->policy, named->name);
			struct addr_set contents = set ? set->contents
						       : built_in(hosting, named->name);

			warn_of_kind(hosting, kind, &contents, named->span);
		}
	}
}

/* ---- exceptions that leave this host out ---- */

static bool fit_values(const struct ast_rule *a, const struct ast_rule *b, const char *key)
{
	const struct match_condition *one = ast_condition(a, key), *other = ast_condition(b, key);

	return !one || !other || one->negated || other->negated ||
	       interval_meets(&one->values, &other->values);
}

static bool fit_interfaces(const struct ast_rule *a, const struct ast_rule *b)
{
	const struct match_condition *one = ast_condition(a, "in"), *other = ast_condition(b, "in");

	if (!one || !other || one->negated || other->negated)
		return true;
	for (size_t i = 0; i < one->name_count; i++)
		for (size_t k = 0; k < other->name_count; k++)
			if (!strcmp(one->names[i], other->names[k]) || strchr(one->names[i], '*') ||
			    strchr(other->names[k], '*'))
				return true;
	return false;
}

/* May one packet fit both, as far as that is plain? */
static bool may_meet(const struct ast_rule *a, const struct ast_rule *b)
{
	return (a->scopes & b->scopes) && fit_interfaces(a, b) && fit_values(a, b, "port") &&
	       fit_values(a, b, "sport") &&
	       (!a->protocols.count || !b->protocols.count ||
		interval_meets(&a->protocols, &b->protocols)) &&
	       ((a->families[ADDR_IPV4] && b->families[ADDR_IPV4]) ||
		(a->families[ADDR_IPV6] && b->families[ADDR_IPV6]));
}

/* Has it addresses that this host may well have? */
static bool holds_own(struct hosting *hosting, const struct match_condition *to)
{
	struct addr_set private = built_in(hosting, "private");
	struct addr_set loopback = built_in(hosting, "loopback");
	struct addr_set own = addr_set_union(hosting->arena, &private, &loopback);

	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++) {
		struct interval_set wide = interval_subtract(hosting->arena,
							     &to->addresses.family[family],
							     &to->meant.family[family]);
		bool found = interval_meets(&wide, &own.family[family]);

		for (size_t i = 0; i < to->reference_count; i++) {
			const char *name = to->references[i].name;
			const struct ast_set *set = ast_set_find(hosting->policy, name);
			struct addr_set contents = set ? set->contents : built_in(hosting, name);

			found |= interval_meets(&contents.family[family], &own.family[family]);
		}
		if (found)
			return true;
	}
	return false;
}

static void warn_of_exception(struct hosting *hosting, size_t order)
{
	struct ast_policy *policy = hosting->policy;
	const struct ast_rule *rule = &policy->rules[order];
	const struct match_condition *to = ast_condition(rule, "to");

	if (!rule->then || rule->then->action != THEN_DIRECT || rule->excepts || !to ||
	    (rule->specials & SPECIAL_LOCAL) || !holds_own(hosting, to))
		return;
	for (size_t i = order + 1; i < policy->rule_count; i++) {
		const struct ast_rule *later = &policy->rules[i];
		struct diag_record *record;

		if (!(later->specials & SPECIAL_LOCAL) || !later->then ||
		    later->then->action == THEN_DIRECT || later->then->action == THEN_CONTINUE ||
		    !may_meet(rule, later))
			continue;
		record =
			diag_add(hosting->diag, DIAG_host_stays_host, to->span,
				 "this excepts no address of this host, and a later rule takes those");
		diag_also(record, later->span, "this one names `local`");
		diag_help(record,
			  "add `local` to `to` here if they are to go direct as well, or put that rule first");
		return;
	}
}

void check_hosts(struct arena *arena, struct diag *diag, struct ast_policy *policy)
{
	struct hosting hosting = { arena, diag, policy };

	for (size_t i = 0; i < policy->rule_count; i++)
		name_destinations(&hosting, &policy->rules[i]);
	place_rules(policy);
	for (size_t i = 0; i < policy->rule_count; i++) {
		if (policy->rules[i].broken)
			continue;
		warn_of_left(&hosting, &policy->rules[i]);
		warn_of_exception(&hosting, i);
	}
}
