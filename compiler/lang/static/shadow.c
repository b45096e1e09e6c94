/*
 * static/shadow: rules that no packet gets as far as, because the rules before them, together, take
 * all that they could.
 *
 * In go the slices of spaces, out comes a warning for each rule whose spaces are shadowed in every
 * slice. Destinations are compared a list of sets at a time (see addr/overlay.h): all destinations
 * of a list meet the same rules. On the other dimensions what the rules before take is cut off,
 * space by space, until nothing is left. All is bounded: a rule that would take too long is taken
 * for reachable.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "lang/static/static.h"
#include "lang/static/slice.h"

/* Steps that a policy, and a rule at one list of sets, may cost. */
enum { STEPS_MOST = 4000000, LIST_SPLITS_MOST = 2000, SCRATCH_USES = 256 };
/* Rules that are named as shadowing it; more than that are not even made fewer. */
enum { SHOWN_MOST = 4, USED_MOST = 24 };
/* Of each family the usual destinations and those that rules must name. */
enum { SLICES = 2 * ADDR_FAMILIES };

/* What is known of a rule. */
struct reach {
	bool present;   /* it has a space somewhere */
	bool reached;   /* some packet may get there */
	bool spared;    /* some packet to this host itself may get there */
	bool unknown;   /* or so it is taken, because to know would take too long */
	uint64_t *used; /* the rules that shadow it, a bit each; NULL: none yet */
};

struct shadowing {
	struct arena *arena;   /* of all checks */
	struct arena *scratch; /* of the contexts */
	struct arena *pieces;  /* of what is cut off one space */
	size_t scratch_uses;
	const struct static_slice *slice;
	struct reach *asked;
	size_t asked_count, words;
	bool *settled; /* spaces of the slice that are known to be shadowed */
	size_t steps, splits;
};

/* The spaces that destinations of one list meet, in order. */
struct context {
	const struct header_space **spaces;
	const struct header_space **shadows; /* room for as many */
	size_t count;
};

/* ---- one space against others ---- */

static const struct interval_set *all_of(struct shadowing *shadowing, int dimension)
{
	struct interval_set *all = arena_new_of(shadowing->pieces, struct interval_set);

	interval_add(shadowing->pieces, all, wide(shadowing->slice->first[dimension]),
		     wide(shadowing->slice->last[dimension]));
	return all;
}

/* What is left of one dimension. */
static const struct interval_set *split(struct shadowing *shadowing, int dimension,
					const struct interval_set *from,
					const struct interval_set *what, bool inside)
{
	struct interval_set *rest = arena_new_of(shadowing->pieces, struct interval_set);

	if (!from)
		from = all_of(shadowing, dimension);
	shadowing->splits += 1 + (from->count + what->count) / 16;
	*rest = (inside ? interval_intersect : interval_subtract)(shadowing->pieces, from, what);
	return rest;
}

/*
 * Do the slices of spaces from `next` on take all of the rest? Each splits the rest into what it
 * takes and, a dimension at a time, what is outside of it, which the ones after it must take.
 */
static bool take_all(struct shadowing *shadowing, struct header_space rest,
		     const struct header_space *const *shadows, size_t count, bool *used)
{
	size_t next = 0;

	while (next < count && !static_meet(shadows[next], &rest))
		next++;
	if (next == count || shadowing->splits > LIST_SPLITS_MOST)
		return false;
	for (int dimension = 0; dimension < DIMENSIONS; dimension++) {
		const struct interval_set *taken = shadows[next]->dimensions[dimension];
		struct header_space outside = rest;

		if (static_holds_dimension(shadowing->slice, dimension, taken,
					   rest.dimensions[dimension]))
			continue;
		outside.dimensions[dimension] =
			split(shadowing, dimension, rest.dimensions[dimension], taken, false);
		if (!take_all(shadowing, outside, shadows + next + 1, count - next - 1,
			      used + next + 1))
			return false;
		rest.dimensions[dimension] =
			split(shadowing, dimension, rest.dimensions[dimension], taken, true);
	}
	used[next] = true;
	return true;
}

/* The spaces that may take from the nth of a context, without `without` (a rule, or none). */
static size_t find_shadowing(struct shadowing *shadowing, const struct context *context, size_t nth,
			     const uint64_t *among, const struct header_space **shadows)
{
	const struct header_space *space = context->spaces[nth];
	size_t count = 0;

	for (size_t i = 0; i < nth; i++) {
		const struct header_space *before = context->spaces[i];

		shadowing->steps++;
		if (among && !(among[before->order / 64] >> before->order % 64 & 1))
			continue;
		if (static_may_shadow(before, space) && static_meet(before, space))
			shadows[count++] = before;
	}
	return count;
}

static void use(struct shadowing *shadowing, struct reach *reach, size_t order)
{
	if (!reach->used)
		reach->used =
			arena_alloc(shadowing->arena, shadowing->words * sizeof(*reach->used));
	reach->used[order / 64] |= (uint64_t)1 << order % 64;
}

/* Memory for what is forgotten at once; a new arena now and then, for one gives nothing back. */
static void renew(struct shadowing *shadowing)
{
	if (shadowing->scratch && shadowing->scratch_uses++ < SCRATCH_USES)
		return;
	if (shadowing->scratch)
		arena_free(shadowing->scratch);
	shadowing->scratch = arena_new();
	shadowing->scratch_uses = 0;
}

/* One of them that takes all of the space by itself, or NULL. */
static const struct header_space *find_single(const struct shadowing *shadowing,
					      const struct header_space *space,
					      const struct header_space *const *shadows,
					      size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (static_holds(shadowing->slice, shadows[i], space))
			return shadows[i];
	return NULL;
}

/* Is the nth space of the context shadowed there, by the rules of `among` (NULL: all)? Notes by
 * whom in `reach`, unless that is NULL. */
static bool is_shadowed(struct shadowing *shadowing, const struct context *context, size_t nth,
			const uint64_t *among, struct reach *reach)
{
	const struct header_space *space = context->spaces[nth], *single;
	size_t count = find_shadowing(shadowing, context, nth, among, context->shadows);
	bool *used, good;

	single = find_single(shadowing, space, context->shadows, count);
	if (single && reach)
		use(shadowing, reach, single->order);
	if (single || !count)
		return single != NULL;
	shadowing->splits = 0;
	shadowing->pieces = arena_new();
	used = arena_alloc(shadowing->pieces, count);
	good = take_all(shadowing, *space, context->shadows, count, used);
	for (size_t i = 0; good && reach && i < count; i++)
		if (used[i])
			use(shadowing, reach, context->shadows[i]->order);
	shadowing->steps += shadowing->splits;
	arena_free(shadowing->pieces);
	return good;
}

/* ---- lists of sets ---- */

static int by_number(const void *a, const void *b)
{
	size_t left = *(const size_t *)a, right = *(const size_t *)b;

	return (left > right) - (left < right);
}

static struct context make_context(struct shadowing *shadowing, const struct overlay_list *list)
{
	struct arena *arena;
	const struct static_slice *slice = shadowing->slice;
	struct context context = { 0 };
	size_t *found = NULL, count = 0;

	renew(shadowing);
	arena = shadowing->scratch;
	for (size_t i = 0; i < list->count; i++)
		for (size_t k = 0; k < slice->space_counts[list->sets[i]]; k++)
			*arena_append(arena, found, count) = slice->spaces_of[list->sets[i]][k];
	if (count)
		qsort(found, count, sizeof(*found), by_number);
	shadowing->steps += count;
	context.spaces = arena_alloc(arena, (count + 1) * sizeof(struct header_space *));
	context.shadows = arena_alloc(arena, (count + 1) * sizeof(struct header_space *));
	for (size_t i = 0; i < count; i++)
		context.spaces[context.count++] = &shadowing->slice->spaces[found[i]];
	return context;
}

/* Takes whatever gets there: nothing gets past it but what does not meet it at all. */
static bool takes_everything(const struct header_space *space)
{
	for (int dimension = 0; dimension < DIMENSIONS; dimension++)
		if (space->dimensions[dimension])
			return false;
	return space->shadows && !space->term_count;
}

static bool is_open(const struct shadowing *shadowing, const struct header_space *space)
{
	return space->shadowed && !shadowing->settled[space - shadowing->slice->spaces] &&
	       !shadowing->asked[space->order].reached;
}

/* All destinations of the second are the first's, as far as that is plain. */
static bool has_destinations(const struct static_slice *slice, size_t a, size_t b)
{
	const struct interval_set *set = &slice->to_sets.items[a];
	const struct interval_set *all = &slice->to_sets.items[slice->to_sets.count - 1];

	return a == b || (set->count == all->count &&
			  !memcmp(set->items, all->items, all->count * sizeof(*all->items)));
}

/* What a single rule takes whole, wherever it goes, is settled without a look at the lists. */
static void settle_plain(struct shadowing *shadowing)
{
	const struct static_slice *slice = shadowing->slice;

	for (size_t i = 0; i < slice->space_count; i++) {
		const struct header_space *space = &slice->spaces[i];

		for (size_t k = 0; space->shadowed && k < i && !shadowing->settled[i]; k++) {
			const struct header_space *before = &slice->spaces[k];

			if (shadowing->steps++ > STEPS_MOST / 4)
				return;
			if (!static_may_shadow(before, space) ||
			    !static_holds(shadowing->slice, before, space) ||
			    !has_destinations(slice, before->to, space->to))
				continue;
			shadowing->settled[i] = true;
			shadowing->asked[space->order].present = true;
			use(shadowing, &shadowing->asked[space->order], before->order);
		}
	}
}

static void judge_context(struct shadowing *shadowing, const struct context *context)
{
	const struct header_space *end = NULL;

	for (size_t i = 0; i < context->count; i++) {
		const struct header_space *space = context->spaces[i];
		struct reach *reach = &shadowing->asked[space->order];

		if (is_open(shadowing, space)) {
			reach->present = true;
			if (end && static_may_shadow(end, space))
				use(shadowing, reach, end->order);
			else if (!is_shadowed(shadowing, context, i, NULL, reach))
				*(space->apart ? &reach->spared : &reach->reached) = true;
		}
		if (!end && takes_everything(space))
			end = space;
	}
}

static bool has_open(struct shadowing *shadowing, const struct overlay_list *list)
{
	const struct static_slice *slice = shadowing->slice;

	for (size_t i = 0; i < list->count; i++)
		for (size_t k = 0; k < slice->space_counts[list->sets[i]]; k++) {
			shadowing->steps++;
			if (is_open(shadowing, &slice->spaces[slice->spaces_of[list->sets[i]][k]]))
				return true;
		}
	return false;
}

/* What is not known to be shadowed by now is taken for reachable. */
static void give_up(struct shadowing *shadowing)
{
	const struct static_slice *slice = shadowing->slice;

	for (size_t i = 0; i < slice->space_count; i++)
		if (is_open(shadowing, &slice->spaces[i]))
			shadowing->asked[slice->spaces[i].order].reached =
				shadowing->asked[slice->spaces[i].order].unknown = true;
}

static void judge_slice(struct shadowing *shadowing)
{
	const struct static_slice *slice = shadowing->slice;

	shadowing->steps = 0;
	shadowing->settled = arena_alloc(shadowing->arena, slice->space_count + 1);
	if (!slice->complete) {
		give_up(shadowing);
		return;
	}
	settle_plain(shadowing);
	for (size_t i = 0; i < slice->to.list_count; i++) {
		struct context context;

		shadowing->steps += slice->to.lists[i].count;
		if (!has_open(shadowing, &slice->to.lists[i]))
			continue;
		if (shadowing->steps > STEPS_MOST) {
			give_up(shadowing);
			return;
		}
		context = make_context(shadowing, &slice->to.lists[i]);
		judge_context(shadowing, &context);
	}
}

/* ---- which rules shadow ---- */

/* Is the nth space of the slice, which is of a rule that is shadowed, so by these alone? */
static bool is_space_shadowed(struct shadowing *shadowing, size_t nth, const uint64_t *among,
			      struct reach *reach)
{
	const struct static_slice *slice = shadowing->slice;
	const struct header_space *space = &slice->spaces[nth];

	for (size_t i = 0; i < slice->list_counts[space->to]; i++) {
		struct context context =
			make_context(shadowing, &slice->to.lists[slice->lists_of[space->to][i]]);
		size_t k = 0;

		while (context.spaces[k] != space)
			k++;
		if (shadowing->steps > STEPS_MOST ||
		    !is_shadowed(shadowing, &context, k, among, reach))
			return false;
	}
	return true;
}

static bool is_shadowed_among(struct shadowing *shadowing, const struct static_slice *slices,
			      size_t order, const uint64_t *among, struct reach *reach)
{
	for (size_t r = 0; r < SLICES; r++) {
		shadowing->slice = &slices[r];
		for (size_t i = 0; i < slices[r].space_count; i++)
			if (slices[r].spaces[i].order == order && slices[r].spaces[i].shadowed &&
			    !slices[r].spaces[i].apart &&
			    !is_space_shadowed(shadowing, i, among, reach))
				return false;
	}
	return true;
}

static size_t count_used(const struct shadowing *shadowing, const uint64_t *used)
{
	size_t count = 0;

	for (size_t i = 0; used && i < shadowing->words; i++)
		count += (size_t)__builtin_popcountll(used[i]);
	return count;
}

/* Is there one that shadows all by itself? Then it is the only one to name. */
static bool find_one(struct shadowing *shadowing, const struct static_slice *slices, size_t order)
{
	uint64_t *used = shadowing->asked[order].used;
	uint64_t *one = arena_alloc(shadowing->arena, shadowing->words * sizeof(*one));
	bool is_only = count_used(shadowing, used) == 1;

	for (size_t i = 0; i < order; i++) {
		if (!(used[i / 64] >> i % 64 & 1) || !shadowing->asked[i].reached)
			continue;
		if (is_only)
			return true;
		one[i / 64] = (uint64_t)1 << i % 64;
		if (is_shadowed_among(shadowing, slices, order, one, NULL)) {
			shadowing->asked[order].used = one;
			return true;
		}
		one[i / 64] = 0;
	}
	return false;
}

/* What unreachable rules shadow, other rules shadow as well. */
static void leave_out_unreached(struct shadowing *shadowing, const struct static_slice *slices,
				size_t order)
{
	uint64_t *reached = arena_alloc(shadowing->arena, shadowing->words * sizeof(*reached));
	struct reach reach = { 0 };

	for (size_t i = 0; i < shadowing->asked_count; i++)
		if (shadowing->asked[i].reached)
			reached[i / 64] |= (uint64_t)1 << i % 64;
	if (is_shadowed_among(shadowing, slices, order, reached, &reach) && reach.used)
		shadowing->asked[order].used = reach.used;
}

/* Leaves out each rule that the others can do without. */
static void make_fewer(struct shadowing *shadowing, const struct static_slice *slices, size_t order)
{
	uint64_t *used;

	if (find_one(shadowing, slices, order))
		return;
	leave_out_unreached(shadowing, slices, order);
	used = shadowing->asked[order].used;
	if (find_one(shadowing, slices, order) || count_used(shadowing, used) > USED_MOST)
		return;
	for (size_t i = 0; i < order; i++) {
		if (!(used[i / 64] >> i % 64 & 1))
			continue;
		used[i / 64] ^= (uint64_t)1 << i % 64;
		if (!is_shadowed_among(shadowing, slices, order, used, NULL))
			used[i / 64] ^= (uint64_t)1 << i % 64;
	}
}

/* ---- what is said ---- */

static void report(struct diag *diag, const struct ast_policy *policy,
		   const struct shadowing *shadowing, size_t order, struct span span)
{
	const uint64_t *used = shadowing->asked[order].used;
	size_t count = count_used(shadowing, used), shown = 0;
	bool is_rule = order < policy->rule_count;
	struct diag_record *record =
		diag_add(diag, DIAG_shadowed_rule, span, "no packet gets as far as %s%s",
			 is_rule ? "this rule" : "the default",
			 shadowing->asked[order].spared ? ", unless it goes to this host itself"
							: "");

	for (size_t i = 0; i < order && i < policy->rule_count && shown < SHOWN_MOST; i++) {
		if (!(used[i / 64] >> i % 64 & 1))
			continue;
		shown++;
		if (count == 1)
			diag_also(record, policy->rules[i].span,
				  "this one takes all that it could match");
		else if (shown == SHOWN_MOST && count > shown)
			diag_also(record, policy->rules[i].span,
				  "this one takes a part, too, and %zu more do", count - shown);
		else
			diag_also(record, policy->rules[i].span,
				  shown == 1 ? "this one takes a part of what it could match"
					     : "this one takes a part, too");
	}
	if (is_rule)
		diag_help(record, "put it before %s, or remove it",
			  count == 1 ? "that rule" : "those rules");
	else
		diag_help(record, "remove it, or leave it something");
}

static void report_all(struct shadowing *shadowing, struct diag *diag, struct ast_policy *policy,
		       struct static_slice *slices, bool *unreached)
{
	shadowing->steps = 0;
	for (size_t i = 0; i < shadowing->asked_count; i++) {
		const struct reach *reach = &shadowing->asked[i];

		unreached[i] = reach->present && !reach->reached && reach->used;
		if (!unreached[i])
			continue;
		for (size_t r = 0; r < SLICES; r++)
			static_index(&slices[r]);
		make_fewer(shadowing, slices, i);
		if (i < policy->rule_count)
			report(diag, policy, shadowing, i, policy->rules[i].span);
		else if (i == policy->rule_count)
			report(diag, policy, shadowing, i, policy->default_forward->span);
		else
			report(diag, policy, shadowing, i, policy->default_local->span);
	}
}

/* All slices, and the reach of what they are asked of: the rests, or, without any, the rules. */
static struct shadowing judge(struct arena *arena, struct ast_policy *policy,
			      const struct ast_rule *const *rests, size_t rest_count,
			      struct static_slice slices[SLICES])
{
	struct static_shared *shared = static_share(arena, policy);
	struct shadowing shadowing = { .arena = arena,
				       .asked_count = policy->rule_count + 2 + rest_count };

	shadowing.words = shadowing.asked_count / 64 + 1;
	shadowing.asked = arena_alloc(arena, shadowing.asked_count * sizeof(*shadowing.asked));
	for (size_t i = 0; i < SLICES; i++) {
		slices[i] = (struct static_slice){ .arena = arena,
						   .policy = policy,
						   .family = (enum addr_family)(i / 2),
						   .host = i % 2 == 1,
						   .rests = rests,
						   .rest_count = rest_count };
		static_fill(&slices[i], shared);
		shadowing.slice = &slices[i];
		judge_slice(&shadowing);
	}
	return shadowing;
}

void static_shadowed(struct diag *diag, struct ast_policy *policy)
{
	struct arena *arena = arena_new();
	struct static_slice slices[SLICES];
	struct shadowing shadowing = judge(arena, policy, NULL, 0, slices);
	bool *unreached = arena_alloc(arena, shadowing.asked_count);

	for (size_t i = 0; i < SLICES; i++)
		static_leaks(diag, &slices[i]);
	report_all(&shadowing, diag, policy, slices, unreached);
	static_order(diag, policy, slices, SLICES, unreached);
	if (shadowing.scratch)
		arena_free(shadowing.scratch);
	arena_free(arena);
}

void static_passed(struct ast_policy *policy, const struct ast_rule *const *rests, size_t count,
		   bool *passed)
{
	struct arena *arena = arena_new();
	struct static_slice slices[SLICES];
	struct shadowing shadowing = judge(arena, policy, rests, count, slices);

	for (size_t i = 0; i < count; i++) {
		const struct reach *reach = &shadowing.asked[policy->rule_count + 2 + i];

		passed[i] = reach->present && reach->reached && !reach->unknown;
	}
	if (shadowing.scratch)
		arena_free(shadowing.scratch);
	arena_free(arena);
}
