/*
 * prove_cover: rules that no packet gets as far as, because the rules before them, together, take
 * all that they could.
 *
 * In go the rows of boxes, out comes a warning for each rule whose boxes are covered in every row.
 * Destinations are looked at a list of sets at a time (see addr/overlay.h): all destinations of a
 * list meet the same rules. On the other sides what the rules before take is cut off, box by box,
 * until nothing is left. All is bounded: a rule that would take too long is taken for reachable.
 */
#include <stdlib.h>

#include "base/arena.h"
#include "base/diag.h"
#include "lang/prove.h"
#include "lang/prove_row.h"

/* Steps that a policy, and a rule at one list of sets, may cost. */
enum { STEPS_MOST = 4000000, LIST_CUTS_MOST = 2000 };
/* Rules that are named as those which cover; more than that are not even made fewer. */
enum { SHOWN_MOST = 4, USED_MOST = 24 };
/* Of each family the usual destinations and those that rules must name. */
enum { ROWS = 2 * ADDR_FAMILIES };

/* What is known of a rule. */
struct fate {
	bool present;   /* it has a box somewhere */
	bool reached;   /* some packet may get there */
	uint64_t *used; /* the rules that cover it, a bit each; NULL: none yet */
};

struct covering {
	struct arena *arena; /* of all proofs */
	struct arena *scratch;
	const struct prove_row *row;
	struct fate *fates;
	size_t fate_count, words;
	size_t steps, cuts;
};

/* The boxes that destinations of one list meet, in order. */
struct context {
	const struct prove_box **boxes;
	size_t count;
};

/* ---- one box against others ---- */

static bool share(const struct interval_set *a, const struct interval_set *b)
{
	size_t i = 0, j = 0;

	if (!a || !b)
		return true;
	while (i < a->count && j < b->count) {
		if (a->items[i].last < b->items[j].first)
			i++;
		else if (b->items[j].last < a->items[i].first)
			j++;
		else
			return true;
	}
	return false;
}

bool prove_meet(const struct prove_box *a, const struct prove_box *b)
{
	for (int side = 0; side < SIDES; side++)
		if (!share(a->sides[side], b->sides[side]))
			return false;
	return true;
}

static bool has_terms(const struct prove_box *box, const struct prove_box *wanted_by)
{
	size_t i = 0;

	for (size_t k = 0; k < wanted_by->term_count; k++) {
		while (i < box->term_count && box->terms[i] < wanted_by->terms[k])
			i++;
		if (i == box->term_count || box->terms[i] != wanted_by->terms[k])
			return false;
	}
	return true;
}

/* May the first take from the second? Connections that have their way do not meet rules that choose
 * one, and listeners' own traffic meets only rules that name an identity. */
static bool may_cover(const struct prove_box *before, const struct prove_box *box)
{
	return before->covers && before->order < box->order && !(box->cuts && before->fickle) &&
	       !(box->own && !before->for_own) && has_terms(box, before);
}

static const struct interval_set *all_of(struct covering *covering, int side)
{
	struct interval_set *all = arena_new_of(covering->scratch, struct interval_set);

	interval_add(covering->scratch, all, side == SIDE_TTL, covering->row->last[side]);
	return all;
}

/* Is the first all of the second? */
static bool holds(struct covering *covering, int side, const struct interval_set *a,
		  const struct interval_set *b)
{
	return !a || interval_covers(a, b ? b : all_of(covering, side));
}

/* What is left of one side, in the scratch arena. */
static const struct interval_set *cut(struct covering *covering, int side,
				      const struct interval_set *from,
				      const struct interval_set *what, bool keep)
{
	struct interval_set *rest = arena_new_of(covering->scratch, struct interval_set);

	covering->cuts++;
	if (!from)
		from = all_of(covering, side);
	*rest = (keep ? interval_intersect : interval_subtract)(covering->scratch, from, what);
	return rest;
}

/*
 * Do the rows of boxes from `next` on take all of the rest? Each cuts the rest into what it takes
 * and, a side at a time, what is outside of it, which the ones behind must take.
 */
static bool take_all(struct covering *covering, struct prove_box rest,
		     const struct prove_box *const *covers, size_t count, bool *used)
{
	size_t next = 0;

	while (next < count && !prove_meet(covers[next], &rest))
		next++;
	if (next == count || covering->cuts > LIST_CUTS_MOST)
		return false;
	for (int side = 0; side < SIDES; side++) {
		const struct interval_set *taken = covers[next]->sides[side];
		struct prove_box outside = rest;

		if (holds(covering, side, taken, rest.sides[side]))
			continue;
		outside.sides[side] = cut(covering, side, rest.sides[side], taken, false);
		if (!take_all(covering, outside, covers + next + 1, count - next - 1,
			      used + next + 1))
			return false;
		rest.sides[side] = cut(covering, side, rest.sides[side], taken, true);
	}
	used[next] = true;
	return true;
}

/* The boxes that may take from the nth of a context, without `without` (a rule, or none). */
static size_t find_covers(struct covering *covering, const struct context *context, size_t nth,
			  const uint64_t *among, const struct prove_box **covers)
{
	const struct prove_box *box = context->boxes[nth];
	size_t count = 0;

	for (size_t i = 0; i < nth; i++) {
		const struct prove_box *before = context->boxes[i];

		covering->steps++;
		if (among && !(among[before->order / 64] >> before->order % 64 & 1))
			continue;
		if (may_cover(before, box) && prove_meet(before, box))
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

/* Is the nth box of the context covered there? Notes by whom, unless only `among` is asked. */
static bool is_covered(struct covering *covering, const struct context *context, size_t nth,
		       const uint64_t *among)
{
	const struct prove_box *box = context->boxes[nth], **covers;
	bool *used, good;
	size_t count;

	covering->scratch = arena_new();
	covering->cuts = 0;
	covers = arena_alloc(covering->scratch, (nth + 1) * sizeof(struct prove_box *));
	used = arena_alloc(covering->scratch, nth + 1);
	count = find_covers(covering, context, nth, among, covers);
	good = take_all(covering, *box, covers, count, used);
	for (size_t i = 0; good && !among && i < count; i++)
		if (used[i])
			use(covering, &covering->fates[box->order], covers[i]->order);
	covering->steps += covering->cuts;
	arena_free(covering->scratch);
	return good;
}

/* ---- lists of sets ---- */

static int by_number(const void *a, const void *b)
{
	size_t left = *(const size_t *)a, right = *(const size_t *)b;

	return (left > right) - (left < right);
}

static struct context make_context(struct covering *covering, struct arena *arena,
				   const struct overlay_list *list)
{
	const struct prove_row *row = covering->row;
	struct context context = { 0 };
	size_t *found = NULL, count = 0;

	for (size_t i = 0; i < list->count; i++)
		for (size_t k = 0; k < row->box_counts[list->sets[i]]; k++)
			*arena_append(arena, found, count) = row->boxes_of[list->sets[i]][k];
	if (count)
		qsort(found, count, sizeof(*found), by_number);
	covering->steps += count;
	context.boxes = arena_alloc(arena, (count + 1) * sizeof(struct prove_box *));
	for (size_t i = 0; i < count; i++)
		context.boxes[context.count++] = &covering->row->boxes[found[i]];
	return context;
}

/* Takes whatever gets there: nothing gets past it but what does not meet it at all. */
static bool takes_everything(const struct prove_box *box)
{
	for (int side = 0; side < SIDES; side++)
		if (box->sides[side])
			return false;
	return box->covers && !box->term_count;
}

static bool is_open(const struct covering *covering, const struct prove_box *box)
{
	return box->covered && !covering->fates[box->order].reached;
}

static void judge_context(struct covering *covering, const struct context *context)
{
	const struct prove_box *end = NULL;

	for (size_t i = 0; i < context->count; i++) {
		const struct prove_box *box = context->boxes[i];
		struct fate *fate = &covering->fates[box->order];

		if (is_open(covering, box)) {
			fate->present = true;
			if (end && may_cover(end, box))
				use(covering, fate, end->order);
			else if (!is_covered(covering, context, i, NULL))
				fate->reached = true;
		}
		if (!end && takes_everything(box))
			end = box;
	}
}

static bool has_open(struct covering *covering, const struct overlay_list *list)
{
	const struct prove_row *row = covering->row;

	for (size_t i = 0; i < list->count; i++)
		for (size_t k = 0; k < row->box_counts[list->sets[i]]; k++) {
			covering->steps++;
			if (is_open(covering, &row->boxes[row->boxes_of[list->sets[i]][k]]))
				return true;
		}
	return false;
}

static void give_up(struct covering *covering)
{
	for (size_t i = 0; i < covering->fate_count; i++)
		covering->fates[i].reached = true;
}

static void judge_row(struct covering *covering)
{
	const struct prove_row *row = covering->row;

	if (!row->complete) {
		give_up(covering);
		return;
	}
	for (size_t i = 0; i < row->to.list_count; i++) {
		struct arena *arena;
		struct context context;

		covering->steps += row->to.lists[i].count;
		if (!has_open(covering, &row->to.lists[i]))
			continue;
		if (covering->steps > STEPS_MOST) {
			give_up(covering);
			return;
		}
		arena = arena_new();
		context = make_context(covering, arena, &row->to.lists[i]);
		judge_context(covering, &context);
		arena_free(arena);
	}
}

/* ---- who covers ---- */

/* Is the rule still covered everywhere by these alone? */
static bool is_covered_among(struct covering *covering, size_t order, const uint64_t *among)
{
	const struct prove_row *row = covering->row;
	bool good = true;

	for (size_t i = 0; good && i < row->to.list_count; i++) {
		struct arena *arena = arena_new();
		struct context context = make_context(covering, arena, &row->to.lists[i]);

		for (size_t k = 0; good && k < context.count; k++)
			if (context.boxes[k]->order == order && context.boxes[k]->covered)
				good = is_covered(covering, &context, k, among);
		arena_free(arena);
	}
	return good && covering->steps < 2 * STEPS_MOST;
}

static size_t count_used(const struct covering *covering, const uint64_t *used)
{
	size_t count = 0;

	for (size_t i = 0; used && i < covering->words; i++)
		count += (size_t)__builtin_popcountll(used[i]);
	return count;
}

/* Leaves out each rule that the others can do without. */
static void make_fewer(struct covering *covering, const struct prove_row *rows, size_t row_count,
		       size_t order)
{
	uint64_t *used = covering->fates[order].used;

	for (size_t i = 0; i < order; i++) {
		bool good = true;

		if (!(used[i / 64] >> i % 64 & 1) || count_used(covering, used) > USED_MOST ||
		    count_used(covering, used) < 2)
			continue;
		used[i / 64] ^= (uint64_t)1 << i % 64;
		for (size_t r = 0; good && r < row_count; r++) {
			covering->row = &rows[r];
			good = is_covered_among(covering, order, used);
		}
		if (!good)
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
	struct diag_record *record = diag_add(diag, DIAG_covered_rule, span,
					      is_rule ? "no packet gets as far as this rule"
						      : "no packet gets as far as the default");

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
		     const struct prove_row *rows, size_t row_count, bool *unreached)
{
	covering->steps = 0;
	for (size_t i = 0; i < covering->fate_count; i++) {
		const struct fate *fate = &covering->fates[i];

		unreached[i] = fate->present && !fate->reached && fate->used;
		if (!unreached[i])
			continue;
		make_fewer(covering, rows, row_count, i);
		if (i < policy->rule_count)
			tell(diag, policy, covering, i, policy->rules[i].span);
		else if (i == policy->rule_count)
			tell(diag, policy, covering, i, policy->default_forward->span);
		else
			tell(diag, policy, covering, i, policy->default_local->span);
	}
}

void prove_cover(struct diag *diag, struct ast_policy *policy)
{
	struct arena *arena = arena_new();
	struct prove_shared *shared = prove_share(arena, policy);
	struct prove_row rows[ROWS];
	struct covering covering = { .arena = arena, .fate_count = policy->rule_count + 2 };
	bool *unreached;

	covering.words = covering.fate_count / 64 + 1;
	covering.fates = arena_alloc(arena, covering.fate_count * sizeof(*covering.fates));
	for (size_t i = 0; i < ROWS; i++) {
		rows[i] = (struct prove_row){ .arena = arena,
					      .policy = policy,
					      .family = (enum addr_family)(i / 2),
					      .host = i % 2 == 1 };
		prove_fill(&rows[i], shared);
		covering.row = &rows[i];
		judge_row(&covering);
		prove_leaks(diag, &rows[i]);
	}
	unreached = arena_alloc(arena, covering.fate_count);
	tell_all(&covering, diag, policy, rows, ROWS, unreached);
	prove_order(diag, policy, rows, ROWS, unreached);
	arena_free(arena);
}
