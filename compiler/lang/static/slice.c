/*
 * static/slice: rules become spaces; see static/slice.h.
 */
#include "lang/static/slice.h"

#include <string.h>

#include "addr/builtin.h"
#include "base/arena.h"
#include "lang/static/onward.h"
#include "lang/static/share.h"
#include "match/kinds.h"

/* Which entries of lists an overlay may have before it is given up. */
enum { ENTRIES_MOST = 1 << 22 };
/* Sets that would have to be put together of more intervals than this are not looked into. */
enum { COPIED_MOST = 1 << 20 };

struct filling {
	struct static_slice *slice;
	struct static_shared *shared;
	struct header_space *space;
	bool upper; /* the space is to hold all that the rule takes, not only what it takes for sure
		     */
	bool exact; /* it holds both */
	bool leaves; /* the larger space holds what the rule leaves to the next ones for sure */
	bool empty;
};

/* ---- terms ---- */

static void add_term(struct filling *filling, const struct match_condition *condition)
{
	struct header_space *space = filling->space;
	size_t term = static_term(filling->shared, condition), at;

	*arena_append(filling->slice->arena, space->terms, space->term_count) = term;
	for (at = space->term_count - 1; at && space->terms[at - 1] > term; at--)
		space->terms[at] = space->terms[at - 1];
	space->terms[at] = term;
}

/* ---- addresses ---- */

static struct interval_set whole(struct arena *arena, enum addr_family family)
{
	struct interval_set all = { 0 };

	interval_add(arena, &all, wide(0), addr_last(family));
	return all;
}

static size_t set_number(struct static_slice *slice, struct static_sets *sets,
			 struct interval_set set)
{
	for (size_t i = 0; i < sets->count; i++)
		if (sets->items[i].items == set.items)
			return i;
	for (size_t i = 0; i < sets->count; i++)
		if (static_same_numbers(&sets->items[i], &set))
			return i;
	*arena_append(slice->arena, sets->items, sets->count) = set;
	return sets->count - 1;
}

/* One more part of what a condition names. False: all of it together would be too much. */
static bool join(struct static_slice *slice, struct interval_set *known,
		 const struct interval_set *more)
{
	if (!known->count || !more->count) {
		*known = known->count ? *known : *more;
		return true;
	}
	slice->copied += known->count + more->count;
	if (slice->copied > COPIED_MOST)
		return false;
	*known = interval_union(slice->arena, known, more);
	return true;
}

/* What the condition names of a family; *open is set where that is not all it may hold. */
static struct interval_set known_part(struct filling *filling,
				      const struct match_condition *condition, bool *open)
{
	struct static_slice *slice = filling->slice;
	struct interval_set known = condition->addresses.family[slice->family];

	for (size_t i = 0; i < condition->reference_count; i++) {
		const struct ast_set *set =
			ast_set_find(slice->policy, condition->references[i].name);
		struct addr_set built_in = { 0 };

		if (!set)
			builtin_find(slice->arena, condition->references[i].name, &built_in);
		/* what a set at run time begins with may go */
		*open |= (set && set->dynamic) || !join(slice, &known,
							set ? &set->contents.family[slice->family]
							    : &built_in.family[slice->family]);
	}
	for (size_t i = 0; i < condition->masked_count; i++)
		*open |= condition->masked[i].family == slice->family;
	return known;
}

/* The bound of what the condition holds that the space asks for. */
static struct interval_set bound(struct filling *filling, const struct match_condition *condition)
{
	struct static_slice *slice = filling->slice;
	struct interval_set all = whole(slice->arena, slice->family), none = { 0 }, known;
	bool open = false;

	known = known_part(filling, condition, &open);
	if (condition->negated && known.count) {
		slice->copied += known.count;
		if (slice->copied > COPIED_MOST)
			open = true;
		known = slice->copied > COPIED_MOST ? all
						    : interval_subtract(slice->arena, &all, &known);
	} else if (condition->negated) {
		known = all;
	}
	if (!open)
		return known;
	filling->exact = false;
	if (filling->upper)
		add_term(filling, condition);
	if (condition->negated)
		return filling->upper ? known : none;
	return filling->upper ? all : known;
}

/* Destinations that only rules meet which name them: multicast and link-local addresses. */
static struct interval_set staying(struct arena *arena, enum addr_family family)
{
	struct addr_set multicast = { 0 }, link_local = { 0 };

	builtin_find(arena, "multicast", &multicast);
	builtin_find(arena, "link-local", &link_local);
	return interval_union(arena, &multicast.family[family], &link_local.family[family]);
}

static struct interval_set special_numbers(struct arena *arena, unsigned int specials)
{
	struct interval_set out = { 0 };

	for (unsigned int bit = 0; bit < 4; bit++)
		if (specials >> bit & 1)
			interval_add(arena, &out, wide(bit), wide(bit));
	interval_normalise(&out);
	return out;
}

/* What the rule names of the destinations that rules leave alone. Which of them an address is, is
 * not known. */
static struct interval_set named(struct filling *filling, const struct match_condition *condition)
{
	const struct ast_rule *rule = filling->space->rule;
	struct interval_set all = special_numbers(filling->slice->arena, 0xf);

	if (!(rule->excepts ? condition != NULL
			    : rule->means_own || rule->meant.family[filling->slice->family].count))
		return rule->excepts ? all : special_numbers(filling->slice->arena, rule->specials);
	filling->exact = false;
	if (!filling->upper)
		return special_numbers(filling->slice->arena, rule->specials);
	add_term(filling, condition);
	return all;
}

static void fill_to(struct filling *filling, const struct match_condition *condition)
{
	struct static_slice *slice = filling->slice;
	struct interval_set to, stay = { 0 };

	if (slice->host) {
		to = named(filling, condition);
	} else {
		stay = staying(slice->arena, slice->family);
		to = condition ? bound(filling, condition) : whole(slice->arena, slice->family);
	}
	filling->empty |= interval_covers(&stay, &to);
	filling->space->to = set_number(slice, &slice->to_sets, to);
}

static void fill_from(struct filling *filling, const struct match_condition *condition)
{
	struct static_slice *slice = filling->slice;
	struct interval_set from = condition ? bound(filling, condition)
					     : whole(slice->arena, slice->family);
	const struct ast_rule *rule = filling->space->rule;
	struct interval_set own = { 0 };
	size_t count = 0;
	struct onward *left = slice->rest_count ? NULL
						: onward_excepted(slice->arena, slice->policy, rule,
								  slice->family, &count);

	/* Left to the next rules, as far as it passes through. */
	for (size_t i = 0; i < count; i++)
		interval_add(slice->arena, &own, left[i].addr.bits, left[i].addr.bits);
	interval_normalise(&own);
	filling->leaves = count && rule->scopes == SCOPE_BOTH;
	if (count && !(filling->leaves && filling->upper))
		from = interval_subtract(slice->arena, &from, &own);
	filling->empty |= !from.count;
	filling->space->from = set_number(slice, &slice->from_sets, from);
}

/* ---- the other dimensions ---- */

static void set_dimension(struct filling *filling, int dimension, struct interval_set set)
{
	struct interval_set *copy = arena_new_of(filling->slice->arena, struct interval_set);

	*copy = set;
	filling->space->dimensions[dimension] = copy;
	filling->empty |= !set.count;
}

static bool fill_number(struct filling *filling, const struct match_condition *condition)
{
	size_t nth = match_number_find(condition->key);
	struct interval_set all = { 0 }, set;

	if (nth == MATCH_NUMBERS ||
	    (condition->mask && condition->mask != filling->shared->mark_mask))
		return false;
	interval_add(filling->slice->arena, &all, wide(match_number(nth)->least),
		     wide(match_number(nth)->most));
	set = condition->negated
		      ? interval_subtract(filling->slice->arena, &all, &condition->values)
		      : interval_intersect(filling->slice->arena, &all, &condition->values);
	set_dimension(filling, DIMENSION_NUMBER + (int)nth, set);
	return true;
}

static void fill_interfaces(struct filling *filling, const struct match_condition *condition)
{
	const struct static_shared *shared = filling->shared;
	struct interval_set set = { 0 };

	for (size_t i = 0; i < shared->name_count; i++) {
		bool named = false;

		for (size_t k = 0; k < condition->name_count && !named; k++)
			named = static_fits(condition->names[k], shared->names[i]);
		if (named != condition->negated)
			interval_add(filling->slice->arena, &set, wide(i), wide(i));
	}
	interval_normalise(&set);
	set_dimension(filling, condition->selector == INTERFACE_IN ? DIMENSION_IN : DIMENSION_OUT,
		      set);
}

/* The four states and, as the fifth, none: packets that nothing tracks. */
static void fill_state(struct filling *filling, const struct match_condition *condition)
{
	struct interval_set set = { 0 };

	for (unsigned int bit = 0; bit < 4; bit++)
		if ((condition->mask >> bit & 1) != condition->negated)
			interval_add(filling->slice->arena, &set, wide(bit), wide(bit));
	interval_normalise(&set);
	set_dimension(filling, DIMENSION_STATE, set);
}

static void fill_condition(struct filling *filling, const struct match_condition *condition)
{
	if (!strcmp(condition->key, "to") || !strcmp(condition->key, "from") ||
	    !strcmp(condition->key, "proto") || !strcmp(condition->key, "family"))
		return;
	if (condition->kind->names_interfaces)
		fill_interfaces(filling, condition);
	else if (condition->kind == &match_state)
		fill_state(filling, condition);
	else if (!fill_number(filling, condition))
		add_term(filling, condition);
}

static void fill_scope(struct filling *filling)
{
	struct interval_set set = { 0 };
	unsigned int scopes = filling->space->rule->scopes;

	if (scopes == SCOPE_BOTH)
		return;
	interval_add(filling->slice->arena, &set, wide(scopes == SCOPE_LOCAL),
		     wide(scopes == SCOPE_LOCAL));
	set_dimension(filling, DIMENSION_SCOPE, set);
}

/* ---- rules ---- */

/* May it leave ICMP errors to the rules after it? Then it shadows nothing. */
static bool is_apart(const struct ast_rule *rule)
{
	for (size_t i = 0; i < rule->condition_count; i++) {
		const struct match_condition *condition = rule->conditions[i];

		if (condition->kind->reads_data || condition->name_count >= MATCH_APART_LEAST ||
		    condition->values.count >= MATCH_APART_LEAST)
			return true;
	}
	return rule->protocols.count >= MATCH_APART_LEAST;
}

static bool ends(const struct ast_rule *rule)
{
	return rule->then->action != THEN_CONTINUE && rule->then->action != THEN_ANSWER &&
	       !rule->limit.rate && !is_apart(rule);
}

static void describe(struct filling *filling)
{
	struct header_space *space = filling->space;
	const struct ast_rule *rule = space->rule;
	bool names_identity = ast_names_identity(rule);

	for (size_t i = 0; i < rule->condition_count; i++)
		space->may_change_target |=
			ast_may_change(filling->slice->policy, rule->conditions[i]);
	space->may_change_target &= ast_chooses_target(rule->then);
	space->every_packet = !ast_chooses_target(rule->then);
	space->own = filling->shared->has_own && names_identity && (rule->scopes & SCOPE_LOCAL);
	space->for_own = names_identity && !ast_hands_over(rule->then);
}

static bool add_space(struct filling *filling, const struct ast_rule *rule, size_t order,
		      bool upper)
{
	struct static_slice *slice = filling->slice;

	filling->space = arena_append(slice->arena, slice->spaces, slice->space_count);
	*filling->space = (struct header_space){ .rule = rule, .order = order };
	filling->upper = upper;
	filling->exact = true;
	filling->empty = false;
	fill_to(filling, ast_condition(rule, "to"));
	fill_from(filling, ast_condition(rule, "from"));
	fill_scope(filling);
	if (rule->protocols.count)
		set_dimension(filling, DIMENSION_PROTO, rule->protocols);
	for (size_t i = 0; i < rule->condition_count; i++)
		fill_condition(filling, rule->conditions[i]);
	describe(filling);
	slice->space_count -= filling->empty;
	return !filling->empty;
}

/* Two defaults stand between the rules and the rests. */
static size_t first_rest(const struct static_slice *slice)
{
	return slice->policy->rule_count + 2;
}

/* Does it meet destinations that rules leave alone without a name of theirs: what it excepts, or
 * where one of its addresses is this host's own? */
static bool may_be_own(struct static_slice *slice, const struct ast_rule *rule)
{
	struct interval_set stay = staying(slice->arena, slice->family);

	return !rule->specials && (rule->excepts || rule->means_own ||
				   !interval_covers(&stay, &rule->meant.family[slice->family]));
}

/* A space of what the rule may take; and, where that is more than it takes for sure, one of that.
 */
static void add_rule(struct filling *filling, const struct ast_rule *rule, size_t order,
		     bool is_last)
{
	bool exact, shadows;

	if (!rule->families[filling->slice->family] || (filling->slice->host && !rule->host))
		return;
	if (!add_space(filling, rule, order, true))
		return;
	exact = filling->exact && !filling->leaves;
	shadows = !is_last && ends(rule);
	filling->space->shadowed = !filling->slice->rest_count ||
				   order >= first_rest(filling->slice);
	filling->space->apart = filling->slice->host && may_be_own(filling->slice, rule);
	filling->space->shadows = shadows && !filling->leaves;
	if (!exact && shadows && add_space(filling, rule, order, false))
		filling->space->shadows = true;
}

/* ---- sets become numbers ---- */

/* The lists of what there is; the sets may hold more. */
static bool lay(struct static_slice *slice, struct static_sets *sets, struct interval_set all,
		struct overlay *out)
{
	const struct interval_set **pointers;
	size_t last = sets->count, used = 0;

	*arena_append(slice->arena, sets->items, sets->count) = all;
	pointers = arena_alloc(slice->arena, sets->count * sizeof(struct interval_set *));
	for (size_t i = 0; i < sets->count; i++)
		pointers[i] = &sets->items[i];
	if (!overlay_make_lists(slice->arena, pointers, NULL, sets->count, ENTRIES_MOST, out))
		return false;
	for (size_t i = 0; i < out->list_count; i++)
		if (out->lists[i].sets[out->lists[i].count - 1] == last)
			out->lists[used++] = out->lists[i];
	out->list_count = used;
	return true;
}

static void set_bounds(struct static_slice *slice, size_t name_count)
{
	slice->last[DIMENSION_SCOPE] = 1;
	slice->last[DIMENSION_PROTO] = 255;
	slice->last[DIMENSION_STATE] = 4;
	slice->last[DIMENSION_IN] = slice->last[DIMENSION_OUT] = name_count - 1;
	/* What has none is one more, and the value of no condition. */
	for (size_t i = 0; i < MATCH_NUMBERS; i++) {
		const struct match_number *number = match_number(i);

		slice->first[DIMENSION_NUMBER + i] = number->least;
		slice->last[DIMENSION_NUMBER + i] = number->most + number->may_lack;
	}
}

/* Sources are distinguished only as far as the sets do it: a class for each list of sets. */
static bool class_sources(struct static_slice *slice)
{
	struct overlay classes;
	struct interval_set *of_sets;
	bool good = lay(slice, &slice->from_sets, whole(slice->arena, slice->family), &classes);

	slice->last[DIMENSION_FROM] = good ? classes.list_count - 1 : 0;
	of_sets = arena_alloc(slice->arena, slice->from_sets.count * sizeof(*of_sets));
	for (size_t list = 0; good && list < classes.list_count; list++)
		for (size_t i = 0; i < classes.lists[list].count; i++) {
			struct interval_set *set = &of_sets[classes.lists[list].sets[i]];
			struct interval *last = set->count ? &set->items[set->count - 1] : NULL;

			if (last && last->last.low + 1 == list)
				last->last = wide(list);
			else
				interval_add(slice->arena, set, wide(list), wide(list));
		}
	for (size_t i = 0; good && i < slice->space_count; i++) {
		struct header_space *space = &slice->spaces[i];
		const struct interval_set *set = &slice->from_sets.items[space->from];

		if (set->count == 1 && addr_is_whole(slice->family, set->items[0]))
			continue;
		space->dimensions[DIMENSION_FROM] = &of_sets[space->from];
	}
	return good;
}

static struct interval_set destinations(const struct static_slice *slice)
{
	struct interval_set all = whole(slice->arena, slice->family), stay;

	if (slice->host)
		return special_numbers(slice->arena, 0xf);
	stay = staying(slice->arena, slice->family);
	return interval_subtract(slice->arena, &all, &stay);
}

static void index_spaces(struct static_slice *slice)
{
	slice->spaces_of = arena_alloc(slice->arena, slice->to_sets.count * sizeof(size_t *));
	slice->space_counts = arena_alloc(slice->arena, slice->to_sets.count * sizeof(size_t));
	for (size_t i = 0; i < slice->space_count; i++) {
		size_t to = slice->spaces[i].to;

		*arena_append(slice->arena, slice->spaces_of[to], slice->space_counts[to]) = i;
	}
}

void static_index(struct static_slice *slice)
{
	if (slice->lists_of || !slice->complete)
		return;
	slice->lists_of = arena_alloc(slice->arena, slice->to_sets.count * sizeof(uint32_t *));
	slice->list_counts = arena_alloc(slice->arena, slice->to_sets.count * sizeof(size_t));
	for (size_t i = 0; i < slice->to.list_count; i++)
		for (size_t k = 0; k < slice->to.lists[i].count; k++) {
			uint32_t set = slice->to.lists[i].sets[k];

			*arena_append(slice->arena, slice->lists_of[set], slice->list_counts[set]) =
				(uint32_t)i;
		}
}

void static_fill(struct static_slice *slice, struct static_shared *shared)
{
	struct filling filling = { .slice = slice, .shared = shared };
	struct ast_policy *policy = slice->policy;

	for (size_t i = 0; i < policy->rule_count; i++)
		add_rule(&filling, &policy->rules[i], i, false);
	for (size_t i = 0; i < 2 && !slice->host; i++)
		if (policy->default_rules[i] &&
		    policy->default_rules[i]->then->action != THEN_DIRECT)
			add_rule(&filling, policy->default_rules[i], policy->rule_count + i,
				 !slice->rest_count);
	for (size_t i = 0; i < slice->rest_count; i++)
		add_rule(&filling, slice->rests[i], first_rest(slice) + i, true);
	set_bounds(slice, shared->name_count);
	slice->complete = class_sources(slice) &&
			  lay(slice, &slice->to_sets, destinations(slice), &slice->to);
	if (slice->complete)
		index_spaces(slice);
}
