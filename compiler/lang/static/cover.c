/*
 * static/cover: rules that no packet gets as far as, because the rules before them, together, take
 * all that they could.
 *
 * In go the rows of spaces, out comes a warning for each rule whose spaces are covered in every
 * row. Destinations are compared a list of sets at a time (see addr/overlay.h): all destinations
 * of a list meet the same rules. On the other dimensions what the rules before take is cut off,
 * space by space, until nothing is left. All is bounded: a rule that would take too long is taken
 * for reachable.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "lang/static/static.h"
#include "lang/static/row.h"

/* Steps that a policy, and a rule at one list of sets, may cost. */
enum { STEPS_MOST = 4000000, LIST_CUTS_MOST = 2000, SCRATCH_USES = 256 };
/* Rules that are named as those which cover; more than that are not even made fewer. */
enum { SHOWN_MOST = 4, USED_MOST = 24 };
/* Of each family the usual destinations and those that rules must name. */
enum { ROWS = 2 * ADDR_FAMILIES };

/* What is known of a rule. */
struct fate {
	bool present;   /* it has a space somewhere */
	bool reached;   /* some packet may get there */
	bool spared;    /* some packet to this host itself may get there */
	bool unknown;   /* or so it is taken, because to know would take too long */
	uint64_t *used; /* the rules that cover it, a bit each; NULL: none yet */
};

struct covering {
	struct arena *arena;   /* of all proofs */
	struct arena *scratch; /* of the contexts */
	struct arena *pieces;  /* of what is cut off one space */
	size_t scratch_uses;
	const struct static_row *row;
	struct fate *fates;
	size_t fate_count, words;
	bool *settled; /* spaces of the row that are known to be covered */
	size_t steps, cuts;
};

/* The spaces that destinations of one list meet, in order. */
struct context {
	const struct header_space **spaces;
	const struct header_space **covers; /* room for as many */
	size_t count;
};

/* ---- one space against others ---- */

static const struct interval_set *all_of(struct covering *covering, int dimension)
{
	struct interval_set *all = arena_new_of(covering->pieces, struct interval_set);

	interval_add(covering->pieces, all, wide(covering->row->first[dimension]),
		     wide(covering->row->last[dimension]));
	return all;
}

/* What is left of one dimension. */
static const struct interval_set *cut(struct covering *covering, int dimension,
				      const struct interval_set *from,
				      const struct interval_set *what, bool keep)
{
	struct interval_set *rest = arena_new_of(covering->pieces, struct interval_set);

	if (!from)
		from = all_of(covering, dimension);
	covering->cuts += 1 + (from->count + what->count) / 16;
	*rest = (keep ? interval_intersect : interval_subtract)(covering->pieces, from, what);
	return rest;
}

/*
 * Do the rows of spaces from `next` on take all of the rest? Each cuts the rest into what it takes
 * and, a dimension at a time, what is outside of it, which the ones behind must take.
 */
static bool take_all(struct covering *covering, struct header_space rest,
		     const struct header_space *const *covers, size_t count, bool *used)
{
	size_t next = 0;

	while (next < count && !static_meet(covers[next], &rest))
		next++;
	if (next == count || covering->cuts > LIST_CUTS_MOST)
		return false;
	for (int dimension = 0; dimension < DIMENSIONS; dimension++) {
		const struct interval_set *taken = covers[next]->dimensions[dimension];
		struct header_space outside = rest;

		if (static_holds_dimension(covering->row, dimension, taken,
					   rest.dimensions[dimension]))
			continue;
		outside.dimensions[dimension] =
			cut(covering, dimension, rest.dimensions[dimension], taken, false);
		if (!take_all(covering, outside, covers + next + 1, count - next - 1,
			      used + next + 1))
			return false;
		rest.dimensions[dimension] =
			cut(covering, dimension, rest.dimensions[dimension], taken, true);
	}
	used[next] = true;
	return true;
}

/* The spaces that may take from the nth of a context, without `without` (a rule, or none). */
static size_t find_covers(struct covering *covering, const struct context *context, size_t nth,
			  const uint64_t *among, const struct header_space **covers)
{
	const struct header_space *space = context->spaces[nth];
	size_t count = 0;

	for (size_t i = 0; i < nth; i++) {
		const struct header_space *before = context->spaces[i];

		covering->steps++;
		if (among && !(among[before->order / 64] >> before->order % 64 & 1))
			continue;
		if (static_may_cover(before, space) && static_meet(before, space))
			covers[count++] = before;
	}
	return count;
}

static void use(struct covering *covering, struct fate *fate, size_t order)
{
	if (!fate->used)
		fate->used = arena_alloc(covering->arena, covering->words * sizeof(*fate->used));
	fate->used[order / 64] |= (uint64_t)1 << order % 64;
}

/* Memory for what is forgotten at once; a new arena now and then, for one gives nothing back. */
static void renew(struct covering *covering)
{
	if (covering->scratch && covering->scratch_uses++ < SCRATCH_USES)
		return;
	if (covering->scratch)
		arena_free(covering->scratch);
	covering->scratch = arena_new();
	covering->scratch_uses = 0;
}

/* One of them that takes all of the space by itself, or NULL. */
static const struct header_space *find_single(const struct covering *covering,
					      const struct header_space *space,
					      const struct header_space *const *covers,
					      size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (static_holds(covering->row, covers[i], space))
			return covers[i];
	return NULL;
}

/* Is the nth space of the context covered there, by the rules of `among` (NULL: all)? Notes by whom
 * in `fate`, unless that is NULL. */
static bool is_covered(struct covering *covering, const struct context *context, size_t nth,
		       const uint64_t *among, struct fate *fate)
{
	const struct header_space *space = context->spaces[nth], *single;
	size_t count = find_covers(covering, context, nth, among, context->covers);
	bool *used, good;

	single = find_single(covering, space, context->covers, count);
	if (single && fate)
		use(covering, fate, single->order);
	if (single || !count)
		return single != NULL;
	covering->cuts = 0;
	covering->pieces = arena_new();
	used = arena_alloc(covering->pieces, count);
	good = take_all(covering, *space, context->covers, count, used);
	for (size_t i = 0; good && fate && i < count; i++)
		if (used[i])
			use(covering, fate, context->covers[i]->order);
	covering->steps += covering->cuts;
	arena_free(covering->pieces);
	return good;
}

/* ---- lists of sets ---- */

static int by_number(const void *a, const void *b)
{
	size_t left = *(const size_t *)a, right = *(const size_t *)b;

	return (left > right) - (left < right);
}

static struct context make_context(struct covering *covering, const struct overlay_list *list)
{
	struct arena *arena;
	const struct static_row *row = covering->row;
	struct context context = { 0 };
	size_t *found = NULL, count = 0;

	renew(covering);
	arena = covering->scratch;
	for (size_t i = 0; i < list->count; i++)
		for (size_t k = 0; k < row->space_counts[list->sets[i]]; k++)
			*arena_append(arena, found, count) = row->spaces_of[list->sets[i]][k];
	if (count)
		qsort(found, count, sizeof(*found), by_number);
	covering->steps += count;
	context.spaces = arena_alloc(arena, (count + 1) * sizeof(struct header_space *));
	context.covers = arena_alloc(arena, (count + 1) * sizeof(struct header_space *));
	for (size_t i = 0; i < count; i++)
		context.spaces[context.count++] = &covering->row->spaces[found[i]];
	return context;
}

/* Takes whatever gets there: nothing gets past it but what does not meet it at all. */
static bool takes_everything(const struct header_space *space)
{
	for (int dimension = 0; dimension < DIMENSIONS; dimension++)
		if (space->dimensions[dimension])
			return false;
	return space->covers && !space->term_count;
}

static bool is_open(const struct covering *covering, const struct header_space *space)
{
	return space->covered && !covering->settled[space - covering->row->spaces] &&
	       !covering->fates[space->order].reached;
}

/* All destinations of the second are the first's, as far as that is plain. */
static bool has_destinations(const struct static_row *row, size_t a, size_t b)
{
	const struct interval_set *set = &row->to_sets.items[a];
	const struct interval_set *all = &row->to_sets.items[row->to_sets.count - 1];

	return a == b || (set->count == all->count &&
			  !memcmp(set->items, all->items, all->count * sizeof(*all->items)));
}

/* What a single rule takes whole, wherever it goes, is settled without a look at the lists. */
static void settle_plain(struct covering *covering)
{
	const struct static_row *row = covering->row;

	for (size_t i = 0; i < row->space_count; i++) {
		const struct header_space *space = &row->spaces[i];

		for (size_t k = 0; space->covered && k < i && !covering->settled[i]; k++) {
			const struct header_space *before = &row->spaces[k];

			if (covering->steps++ > STEPS_MOST / 4)
				return;
			if (!static_may_cover(before, space) ||
			    !static_holds(covering->row, before, space) ||
			    !has_destinations(row, before->to, space->to))
				continue;
			covering->settled[i] = true;
			covering->fates[space->order].present = true;
			use(covering, &covering->fates[space->order], before->order);
		}
	}
}

static void judge_context(struct covering *covering, const struct context *context)
{
	const struct header_space *end = NULL;

	for (size_t i = 0; i < context->count; i++) {
		const struct header_space *space = context->spaces[i];
		struct fate *fate = &covering->fates[space->order];

		if (is_open(covering, space)) {
			fate->present = true;
			if (end && static_may_cover(end, space))
				use(covering, fate, end->order);
			else if (!is_covered(covering, context, i, NULL, fate))
				*(space->apart ? &fate->spared : &fate->reached) = true;
		}
		if (!end && takes_everything(space))
			end = space;
	}
}

static bool has_open(struct covering *covering, const struct overlay_list *list)
{
	const struct static_row *row = covering->row;

	for (size_t i = 0; i < list->count; i++)
		for (size_t k = 0; k < row->space_counts[list->sets[i]]; k++) {
			covering->steps++;
			if (is_open(covering, &row->spaces[row->spaces_of[list->sets[i]][k]]))
				return true;
		}
	return false;
}

/* What is not known to be covered by now is taken for reachable. */
static void give_up(struct covering *covering)
{
	const struct static_row *row = covering->row;

	for (size_t i = 0; i < row->space_count; i++)
		if (is_open(covering, &row->spaces[i]))
			covering->fates[row->spaces[i].order].reached =
				covering->fates[row->spaces[i].order].unknown = true;
}

static void judge_row(struct covering *covering)
{
	const struct static_row *row = covering->row;

	covering->steps = 0;
	covering->settled = arena_alloc(covering->arena, row->space_count + 1);
	if (!row->complete) {
		give_up(covering);
		return;
	}
	settle_plain(covering);
	for (size_t i = 0; i < row->to.list_count; i++) {
		struct context context;

		covering->steps += row->to.lists[i].count;
		if (!has_open(covering, &row->to.lists[i]))
			continue;
		if (covering->steps > STEPS_MOST) {
			give_up(covering);
			return;
		}
		context = make_context(covering, &row->to.lists[i]);
		judge_context(covering, &context);
	}
}

/* ---- who covers ---- */

/* Is the nth space of the row, which is of a rule that is covered, so by these alone? */
static bool is_box_covered(struct covering *covering, size_t nth, const uint64_t *among,
			   struct fate *fate)
{
	const struct static_row *row = covering->row;
	const struct header_space *space = &row->spaces[nth];

	for (size_t i = 0; i < row->list_counts[space->to]; i++) {
		struct context context =
			make_context(covering, &row->to.lists[row->lists_of[space->to][i]]);
		size_t k = 0;

		while (context.spaces[k] != space)
			k++;
		if (covering->steps > STEPS_MOST || !is_covered(covering, &context, k, among, fate))
			return false;
	}
	return true;
}

static bool is_covered_among(struct covering *covering, const struct static_row *rows, size_t order,
			     const uint64_t *among, struct fate *fate)
{
	for (size_t r = 0; r < ROWS; r++) {
		covering->row = &rows[r];
		for (size_t i = 0; i < rows[r].space_count; i++)
			if (rows[r].spaces[i].order == order && rows[r].spaces[i].covered &&
			    !rows[r].spaces[i].apart && !is_box_covered(covering, i, among, fate))
				return false;
	}
	return true;
}

static size_t count_used(const struct covering *covering, const uint64_t *used)
{
	size_t count = 0;

	for (size_t i = 0; used && i < covering->words; i++)
		count += (size_t)__builtin_popcountll(used[i]);
	return count;
}

/* Is there one that covers all by itself? Then it is the only one to name. */
static bool find_one(struct covering *covering, const struct static_row *rows, size_t order)
{
	uint64_t *used = covering->fates[order].used;
	uint64_t *one = arena_alloc(covering->arena, covering->words * sizeof(*one));
	bool is_only = count_used(covering, used) == 1;

	for (size_t i = 0; i < order; i++) {
		if (!(used[i / 64] >> i % 64 & 1) || !covering->fates[i].reached)
			continue;
		if (is_only)
			return true;
		one[i / 64] = (uint64_t)1 << i % 64;
		if (is_covered_among(covering, rows, order, one, NULL)) {
			covering->fates[order].used = one;
			return true;
		}
		one[i / 64] = 0;
	}
	return false;
}

/* What unreachable rules cover, other rules cover as well. */
static void leave_out_unreached(struct covering *covering, const struct static_row *rows,
				size_t order)
{
	uint64_t *reached = arena_alloc(covering->arena, covering->words * sizeof(*reached));
	struct fate fate = { 0 };

	for (size_t i = 0; i < covering->fate_count; i++)
		if (covering->fates[i].reached)
			reached[i / 64] |= (uint64_t)1 << i % 64;
	if (is_covered_among(covering, rows, order, reached, &fate) && fate.used)
		covering->fates[order].used = fate.used;
}

/* Leaves out each rule that the others can do without. */
static void make_fewer(struct covering *covering, const struct static_row *rows, size_t order)
{
	uint64_t *used;

	if (find_one(covering, rows, order))
		return;
	leave_out_unreached(covering, rows, order);
	used = covering->fates[order].used;
	if (find_one(covering, rows, order) || count_used(covering, used) > USED_MOST)
		return;
	for (size_t i = 0; i < order; i++) {
		if (!(used[i / 64] >> i % 64 & 1))
			continue;
		used[i / 64] ^= (uint64_t)1 << i % 64;
		if (!is_covered_among(covering, rows, order, used, NULL))
			used[i / 64] ^= (uint64_t)1 << i % 64;
	}
}

/* ---- what is said ---- */

static void tell(struct diag *diag, const struct ast_policy *policy,
		 const struct covering *covering, size_t order, struct span span)
{
	const uint64_t *used = covering->fates[order].used;
	size_t count = count_used(covering, used), shown = 0;
	bool is_rule = order < policy->rule_count;
	struct diag_record *record =
		diag_add(diag, DIAG_shadowed_rule, span, "no packet gets as far as %s%s",
			 is_rule ? "this rule" : "the default",
			 covering->fates[order].spared ? ", unless it goes to this host itself"
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

static void tell_all(struct covering *covering, struct diag *diag, struct ast_policy *policy,
		     struct static_row *rows, bool *unreached)
{
	covering->steps = 0;
	for (size_t i = 0; i < covering->fate_count; i++) {
		const struct fate *fate = &covering->fates[i];

		unreached[i] = fate->present && !fate->reached && fate->used;
		if (!unreached[i])
			continue;
		for (size_t r = 0; r < ROWS; r++)
			static_index(&rows[r]);
		make_fewer(covering, rows, i);
		if (i < policy->rule_count)
			tell(diag, policy, covering, i, policy->rules[i].span);
		else if (i == policy->rule_count)
			tell(diag, policy, covering, i, policy->default_forward->span);
		else
			tell(diag, policy, covering, i, policy->default_local->span);
	}
}

/* All rows, and the fate of what they are asked of: the rests, or, without any, the rules. */
static struct covering judge(struct arena *arena, struct ast_policy *policy,
			     const struct ast_rule *const *rests, size_t rest_count,
			     struct static_row rows[ROWS])
{
	struct static_shared *shared = static_share(arena, policy);
	struct covering covering = { .arena = arena,
				     .fate_count = policy->rule_count + 2 + rest_count };

	covering.words = covering.fate_count / 64 + 1;
	covering.fates = arena_alloc(arena, covering.fate_count * sizeof(*covering.fates));
	for (size_t i = 0; i < ROWS; i++) {
		rows[i] = (struct static_row){ .arena = arena,
					       .policy = policy,
					       .family = (enum addr_family)(i / 2),
					       .host = i % 2 == 1,
					       .rests = rests,
					       .rest_count = rest_count };
		static_fill(&rows[i], shared);
		covering.row = &rows[i];
		judge_row(&covering);
	}
	return covering;
}

void static_cover(struct diag *diag, struct ast_policy *policy)
{
	struct arena *arena = arena_new();
	struct static_row rows[ROWS];
	struct covering covering = judge(arena, policy, NULL, 0, rows);
	bool *unreached = arena_alloc(arena, covering.fate_count);

	for (size_t i = 0; i < ROWS; i++)
		static_leaks(diag, &rows[i]);
	tell_all(&covering, diag, policy, rows, unreached);
	static_order(diag, policy, rows, ROWS, unreached);
	if (covering.scratch)
		arena_free(covering.scratch);
	arena_free(arena);
}

void static_passed(struct ast_policy *policy, const struct ast_rule *const *rests, size_t count,
		   bool *passed)
{
	struct arena *arena = arena_new();
	struct static_row rows[ROWS];
	struct covering covering = judge(arena, policy, rests, count, rows);

	for (size_t i = 0; i < count; i++) {
		const struct fate *fate = &covering.fates[policy->rule_count + 2 + i];

		passed[i] = fate->present && fate->reached && !fate->unknown;
	}
	if (covering.scratch)
		arena_free(covering.scratch);
	arena_free(arena);
}
