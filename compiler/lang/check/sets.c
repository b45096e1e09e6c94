/*
 * check/sets: what sets hold, whatever rules name them. A list that lost its entries, or got one
 * that is everything, turns a policy round without a word of the policy's being another one.
 */
#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "lang/check/check.h"

/* ---- nothing ---- */

/* Rules that match nothing have said so of the set, unless it stands in another set, too. */
static void warn_of_empty(struct diag *diag, const struct ast_set *set)
{
	struct diag_record *record;

	if (!set->used || set->dynamic || !addr_set_is_empty(&set->contents) ||
	    (set->is_reported && !set->named.source))
		return;
	record = diag_add(diag, DIAG_empty_set, set->span, "the set \"%s\" has no address",
			  set->name);
	if (set->named.source)
		diag_also(record, set->named, "nothing is added or taken away here");
	diag_help(record, "fill it, or take its name out of the policy");
}

/* ---- everything ---- */

struct whole {
	struct arena *arena;
	struct diag *diag;
	struct ast_policy *policy;
};

/* The static sets that a condition names, together. */
static struct interval_set named_addresses(const struct whole *whole,
					   const struct match_condition *condition,
					   enum addr_family family, const struct ast_set **first)
{
	struct interval_set all = { 0 };

	*first = NULL;
	for (size_t i = 0; i < condition->reference_count; i++) {
		const struct ast_set *set =
			ast_set_find(whole->policy, condition->references[i].name);

		if (!set || set->dynamic || !set->contents.family[family].count)
			continue;
		*first = *first ? *first : set;
		all = all.count ? interval_union(whole->arena, &all, &set->contents.family[family])
				: set->contents.family[family];
	}
	return all;
}

static void warn_of_whole(const struct whole *whole, const struct ast_rule *rule,
			  const struct match_condition *condition, enum addr_family family)
{
	const char *verb = rule->then->action == THEN_DROP ? "drops" : "rejects";
	const struct ast_set *first;
	struct interval_set all = named_addresses(whole, condition, family, &first);
	struct diag_record *record;

	if (!first || all.count != 1 || !addr_is_whole(family, all.items[0]))
		return;
	record = diag_add(whole->diag, DIAG_drops_all, rule->span,
			  "\"%s\" holds every %s address, and this rule %s them all", first->name,
			  addr_family_name(family), verb);
	diag_also(record, first->span, "defined here");
	diag_help(record,
		  "take %s, or what adds up to it, out of the set; or write `any` if all are meant",
		  family == ADDR_IPV4 ? "0.0.0.0/0" : "::/0");
}

static void check_whole(const struct whole *whole, const struct ast_rule *rule)
{
	if (rule->then->action != THEN_DROP && rule->then->action != THEN_REJECT)
		return;
	for (size_t i = 0; i < rule->condition_count; i++)
		for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++)
			if (rule->families[family] && !rule->conditions[i]->negated)
				warn_of_whole(whole, rule, rule->conditions[i], family);
}

void check_contents(struct arena *arena, struct diag *diag, struct ast_policy *policy)
{
	const struct whole whole = { arena, diag, policy };

	for (size_t i = 0; i < policy->set_count; i++)
		warn_of_empty(diag, &policy->sets[i]);
	for (size_t i = 0; i < policy->rule_count; i++)
		check_whole(&whole, &policy->rules[i]);
}
