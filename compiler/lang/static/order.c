/*
 * static/order: destinations that are in the sets of two rules, which would do different things
 * with them: the order of the rules decides.
 *
 * In goes a slice with the lists of sets that hold a destination together, out come notes. Two sets
 * of which one lies inside the other are the usual way to make an exception, and noted only where
 * all is wanted; that of two sets each holds what the other does not is noted always.
 */
#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "lang/static/static.h"
#include "lang/static/slice.h"

enum { NOTES_MOST = 20, PAIRS_MOST = 1 << 24, SETS_MOST = 4096, RULES_MOST = 8192 };

/* The set that a rule names; NULL: none. */
struct named {
	const char *name;
	bool is_built_in;
};

struct ordering {
	struct arena *arena;
	struct diag *diag;
	struct ast_policy *policy;
	const struct static_slice *slice;
	struct named *named; /* by the rule of each space */
	size_t *numbers;     /* of each set of the slice among those that are compared, from 1 */
	size_t *sets;        /* the reverse */
	size_t set_count;
	uint32_t *lists_of, *lists_of_both; /* how many lists hold the set, or both */
	uint32_t *first_of_both;            /* the first list that does */
	const bool *unreached; /* by the order of rules: an unreachable rule competes with none */
	uint64_t *seen;        /* pairs of rules that were reported, in either family */
	size_t shown, more;
	struct span more_span;
};

/* The first set that a rule's `to` names, if it is known what it holds. */
static struct named named_set(struct ast_policy *policy, const struct ast_rule *rule)
{
	const struct match_condition *to = ast_condition(rule, "to");
	const struct ast_set *set;

	if (!to || to->negated || !to->reference_count)
		return (struct named){ 0 };
	set = ast_set_find(policy, to->references[0].name);
	if (set && set->dynamic)
		return (struct named){ 0 };
	return (struct named){ to->references[0].name, !set };
}

static void choose_sets(struct ordering *ordering)
{
	const struct static_slice *slice = ordering->slice;

	ordering->named =
		arena_alloc(ordering->arena, (slice->space_count + 1) * sizeof(*ordering->named));
	ordering->numbers = arena_alloc(ordering->arena, slice->to_sets.count * sizeof(size_t));
	for (size_t i = 0; i < slice->space_count && ordering->set_count < SETS_MOST; i++) {
		const struct header_space *space = &slice->spaces[i];

		ordering->named[i] = named_set(ordering->policy, space->rule);
		if (ordering->numbers[space->to] || !ordering->named[i].name)
			continue;
		*arena_append(ordering->arena, ordering->sets, ordering->set_count) = space->to;
		ordering->numbers[space->to] = ordering->set_count;
	}
}

static size_t pair(const struct ordering *ordering, size_t a, size_t b)
{
	return a * ordering->set_count + b;
}

static void count_list(struct ordering *ordering, size_t index, size_t *found)
{
	const struct overlay_list *list = &ordering->slice->to.lists[index];
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++)
		if (ordering->numbers[list->sets[i]])
			found[count++] = ordering->numbers[list->sets[i]] - 1;
	for (size_t i = 0; i < count; i++) {
		ordering->lists_of[found[i]]++;
		for (size_t k = i + 1; k < count; k++) {
			bool in_order = found[i] < found[k];
			size_t at = pair(ordering, in_order ? found[i] : found[k],
					 in_order ? found[k] : found[i]);

			if (!ordering->lists_of_both[at]++)
				ordering->first_of_both[at] = (uint32_t)index;
		}
	}
}

/* False: that would be too much to count. */
static bool count_pairs(struct ordering *ordering)
{
	const struct overlay *to = &ordering->slice->to;
	size_t pairs = ordering->set_count * ordering->set_count, cost = 0;
	size_t *found = arena_alloc(ordering->arena, (ordering->set_count + 1) * sizeof(*found));

	for (size_t i = 0; i < to->list_count; i++)
		cost += to->lists[i].count * to->lists[i].count / 2;
	if (cost > 4 * (size_t)PAIRS_MOST || pairs > PAIRS_MOST)
		return false;
	ordering->lists_of =
		arena_alloc(ordering->arena, (ordering->set_count + 1) * sizeof(uint32_t));
	ordering->lists_of_both = arena_alloc(ordering->arena, (pairs + 1) * sizeof(uint32_t));
	ordering->first_of_both = arena_alloc(ordering->arena, (pairs + 1) * sizeof(uint32_t));
	for (size_t i = 0; i < to->list_count; i++)
		count_list(ordering, i, found);
	return true;
}

/* ---- what the rules would do ---- */

static bool same_targets(const struct ast_then *a, const struct ast_then *b)
{
	return a->by == b->by &&
	       ast_same_targets(a->targets, a->target_count, b->targets, b->target_count) &&
	       ast_same_targets(a->hands, a->hand_count, b->hands, b->hand_count);
}

static bool same_action(const struct ast_then *a, const struct ast_then *b)
{
	return a->action == b->action && a->reject == b->reject && a->mark.value == b->mark.value &&
	       a->mark.mask == b->mark.mask && same_targets(a, b);
}

/* Does the order of the two decide something? The first is before the second. */
static bool compete(const struct ordering *ordering, const struct header_space *first,
		    const struct header_space *second)
{
	return !ordering->unreached[first->order] && !ordering->unreached[second->order] &&
	       first->shadowed && second->shadowed && first->rule->then->action != THEN_CONTINUE &&
	       second->rule->then->action != THEN_CONTINUE && !first->rule->limit.rate &&
	       !same_action(first->rule->then, second->rule->then) && static_meet(first, second);
}

/* ---- notes ---- */

static bool was_reported(struct ordering *ordering, size_t first, size_t second)
{
	size_t bit = ordering->slice->spaces[first].order * ordering->policy->rule_count +
		     ordering->slice->spaces[second].order;
	uint64_t *word = &ordering->seen[bit / 64], mask = (uint64_t)1 << bit % 64;
	bool was_seen = (*word & mask) != 0;

	*word |= mask;
	return was_seen;
}

static void report(struct ordering *ordering, size_t first, size_t second, struct interval example,
		   bool is_inside)
{
	const struct header_space *spaces = ordering->slice->spaces;
	const struct match_condition *to = ast_condition(spaces[second].rule, "to");
	const char *winner = ordering->named[first].name, *loser = ordering->named[second].name;
	struct diag_record *record;
	char text[ADDR_TEXT];

	if (was_reported(ordering, first, second))
		return;
	if (ordering->shown == NOTES_MOST) {
		ordering->more++;
		ordering->more_span = to->span;
		return;
	}
	ordering->shown++;
	addr_format((struct addr){ ordering->slice->family, example.first }, text);
	record = diag_add(ordering->diag, DIAG_two_sets, to->span,
			  "%s is in \"%s\" and in \"%s\", whose rule comes first and wins", text,
			  loser, winner);
	diag_also(record, ast_condition(spaces[first].rule, "to")->span,
		  is_inside ? "that rule: one of the sets lies inside the other"
			    : "that rule: each of the sets has more than they share");
	if (!is_inside)
		diag_help(record,
			  "if this one should win, put it first, or take \"%s\" out of \"%s\" with "
			  "`exclude`",
			  loser, winner);
}

/* Who writes a built-in set after one of their own means the rest of it; before, it may take what
 * they have forgotten. */
static bool are_compared(const struct named *first, const struct named *second)
{
	return first->name && second->name && !second->is_built_in;
}

/* The rules of two sets, each with each. */
static void compare_rules(struct ordering *ordering, size_t a, size_t b, struct interval example,
			  bool is_inside)
{
	const struct static_slice *slice = ordering->slice;

	for (size_t i = 0; i < slice->space_counts[a]; i++)
		for (size_t k = 0; k < slice->space_counts[b]; k++) {
			size_t first = slice->spaces_of[a][i], second = slice->spaces_of[b][k];

			if (first > second) {
				first = slice->spaces_of[b][k];
				second = slice->spaces_of[a][i];
			}
			if (are_compared(&ordering->named[first], &ordering->named[second]) &&
			    compete(ordering, &slice->spaces[first], &slice->spaces[second]))
				report(ordering, first, second, example, is_inside);
		}
}

static void compare_sets(struct ordering *ordering, size_t a, size_t b)
{
	size_t at = pair(ordering, a, b);
	uint32_t both = ordering->lists_of_both[at];
	bool is_inside = both == ordering->lists_of[a] || both == ordering->lists_of[b];

	if (!both || (is_inside && !diag_wants(ordering->diag, NOTES_ALL)))
		return;
	compare_rules(ordering, ordering->sets[a], ordering->sets[b],
		      ordering->slice->to.lists[ordering->first_of_both[at]].first, is_inside);
}

static void order_slice(struct ordering *ordering)
{
	ordering->set_count = 0;
	ordering->sets = NULL;
	choose_sets(ordering);
	if (!count_pairs(ordering))
		return;
	for (size_t a = 0; a < ordering->set_count; a++)
		for (size_t b = a + 1; b < ordering->set_count; b++)
			compare_sets(ordering, a, b);
}

void static_order(struct diag *diag, struct ast_policy *policy, const struct static_slice *slices,
		  size_t slice_count, const bool *unreached)
{
	struct ordering ordering = {
		.arena = slices[0].arena, .diag = diag, .policy = policy, .unreached = unreached
	};

	if (!diag_wants(diag, NOTES_SOME) || policy->rule_count > RULES_MOST)
		return;
	ordering.seen = arena_alloc(ordering.arena, (policy->rule_count * policy->rule_count / 64 +
						     1) * sizeof(*ordering.seen));
	for (size_t i = 0; i < slice_count; i++) {
		ordering.slice = &slices[i];
		if (slices[i].complete && !slices[i].host)
			order_slice(&ordering);
	}
	if (ordering.more)
		diag_add(diag, DIAG_two_sets, ordering.more_span,
			 "%zu more pairs of rules have destinations in common", ordering.more);
}
