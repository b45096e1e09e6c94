/*
 * static/cover: rules that no packet gets as far as, because the rules before them, together, take
 * all that they could.
 *
 * In go the rows of boxes, out comes a warning for each rule whose boxes are covered in every row.
 * Destinations are looked at a list of sets at a time (see addr/overlay.h): all destinations of a
 * list meet the same rules. On the other sides what the rules before take is cut off, box by box,
 * until nothing is left. All is bounded: a rule that would take too long is taken for reachable.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "lang/static/prove.h"
#include "lang/static/row.h"

/* Steps that a policy, and a rule at one list of sets, may cost. */
enum { STEPS_MOST = 4000000, LIST_CUTS_MOST = 2000, SCRATCH_USES = 256 };
/* Rules that are named as those which cover; more than that are not even made fewer. */
enum { SHOWN_MOST = 4, USED_MOST = 24 };
/* Of each family the usual destinations and those that rules must name. */
enum { ROWS = 2 * ADDR_FAMILIES };

/* What is known of a rule. */
struct fate {
	bool present;   /* it has a box somewhere */
	bool reached;   /* some packet may get there */
	bool spared;    /* some packet to this host itself may get there */
	bool unknown;   /* or so it is taken, because to know would take too long */
	uint64_t *used; /* the rules that cover it, a bit each; NULL: none yet */
};

struct covering {
	struct arena *arena;   /* of all proofs */
	struct arena *scratch; /* of the contexts */
	struct arena *pieces;  /* of what is cut off one box */
	size_t scratch_uses;
	const struct prove_row *row;
	struct fate *fates;
	size_t fate_count, words;
	bool *settled; /* boxes of the row that are known to be covered */
	size_t steps, cuts;
};

/* The boxes that destinations of one list meet, in order. */
struct context {
	const struct prove_box **boxes;
	const struct prove_box **covers; /* room for as many */
	size_t count;
};

/* ---- one box against others ---- */

static const struct interval_set *all_of(struct covering *covering, int side)
{
	struct interval_set *all = arena_new_of(covering->pieces, struct interval_set);

	interval_add(covering->pieces, all, wide(covering->row->first[side]),
		     wide(covering->row->last[side]));
	return all;
}

/* What is left of one side. */
static const struct interval_set *cut(struct covering *covering, int side,
				      const struct interval_set *from,
				      const struct interval_set *what, bool keep)
{
	struct interval_set *rest = arena_new_of(covering->pieces, struct interval_set);

	if (!from)
		from = all_of(covering, side);
	covering->cuts += 1 + (from->count + what->count) / 16;
	*rest = (keep ? interval_intersect : interval_subtract)(covering->pieces, from, what);
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

		if (prove_holds_side(covering->row, side, taken, rest.sides[side]))
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
		if (prove_may_cover(before, box) && prove_meet(before, box))
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

/* One of them that takes all of the box by itself, or NULL. */
static const struct prove_box *find_single(const struct covering *covering,
					   const struct prove_box *box,
					   const struct prove_box *const *covers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (prove_holds(covering->row, covers[i], box))
			return covers[i];
	return NULL;
}

/* Is the nth box of the context covered there, by the rules of `among` (NULL: all)? Notes by whom
 * in `fate`, unless that is NULL. */
static bool is_covered(struct covering *covering, const struct context *context, size_t nth,
		       const uint64_t *among, struct fate *fate)
{
	const struct prove_box *box = context->boxes[nth], *single;
	size_t count = find_covers(covering, context, nth, among, context->covers);
	bool *used, good;

	single = find_single(covering, box, context->covers, count);
	if (single && fate)
		use(covering, fate, single->order);
	if (single || !count)
		return single != NULL;
	covering->cuts = 0;
	covering->pieces = arena_new();
	used = arena_alloc(covering->pieces, count);
	good = take_all(covering, *box, context->covers, count, used);
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
	const struct prove_row *row = covering->row;
	struct context context = { 0 };
	size_t *found = NULL, count = 0;

	renew(covering);
	arena = covering->scratch;
	for (size_t i = 0; i < list->count; i++)
		for (size_t k = 0; k < row->box_counts[list->sets[i]]; k++)
			*arena_append(arena, found, count) = row->boxes_of[list->sets[i]][k];
	if (count)
		qsort(found, count, sizeof(*found), by_number);
	covering->steps += count;
	context.boxes = arena_alloc(arena, (count + 1) * sizeof(struct prove_box *));
	context.covers = arena_alloc(arena, (count + 1) * sizeof(struct prove_box *));
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
	return box->covered && !covering->settled[box - covering->row->boxes] &&
	       !covering->fates[box->order].reached;
}

/* All destinations of the second are the first's, as far as that is plain. */
static bool has_destinations(const struct prove_row *row, size_t a, size_t b)
{
	const struct interval_set *set = &row->to_sets.items[a];
	const struct interval_set *all = &row->to_sets.items[row->to_sets.count - 1];

	return a == b || (set->count == all->count &&
			  !memcmp(set->items, all->items, all->count * sizeof(*all->items)));
}

/* What a single rule takes whole, wherever it goes, is settled without a look at the lists. */
static void settle_plain(struct covering *covering)
{
	const struct prove_row *row = covering->row;

	for (size_t i = 0; i < row->box_count; i++) {
		const struct prove_box *box = &row->boxes[i];

		for (size_t k = 0; box->covered && k < i && !covering->settled[i]; k++) {
			const struct prove_box *before = &row->boxes[k];

			if (covering->steps++ > STEPS_MOST / 4)
				return;
			if (!prove_may_cover(before, box) ||
			    !prove_holds(covering->row, before, box) ||
			    !has_destinations(row, before->to, box->to))
				continue;
			covering->settled[i] = true;
			covering->fates[box->order].present = true;
			use(covering, &covering->fates[box->order], before->order);
		}
	}
}

static void judge_context(struct covering *covering, const struct context *context)
{
	const struct prove_box *end = NULL;

	for (size_t i = 0; i < context->count; i++) {
		const struct prove_box *box = context->boxes[i];
		struct fate *fate = &covering->fates[box->order];

		if (is_open(covering, box)) {
			fate->present = true;
			if (end && prove_may_cover(end, box))
				use(covering, fate, end->order);
			else if (!is_covered(covering, context, i, NULL, fate))
				*(box->apart ? &fate->spared : &fate->reached) = true;
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

/* What is not known to be covered by now is taken for reachable. */
static void give_up(struct covering *covering)
{
	const struct prove_row *row = covering->row;

	for (size_t i = 0; i < row->box_count; i++)
		if (is_open(covering, &row->boxes[i]))
			covering->fates[row->boxes[i].order].reached =
				covering->fates[row->boxes[i].order].unknown = true;
}

static void judge_row(struct covering *covering)
{
	const struct prove_row *row = covering->row;

	covering->steps = 0;
	covering->settled = arena_alloc(covering->arena, row->box_count + 1);
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

/* Is the nth box of the row, which is of a rule that is covered, so by these alone? */
static bool is_box_covered(struct covering *covering, size_t nth, const uint64_t *among,
			   struct fate *fate)
{
	const struct prove_row *row = covering->row;
	const struct prove_box *box = &row->boxes[nth];

	for (size_t i = 0; i < row->list_counts[box->to]; i++) {
		struct context context =
			make_context(covering, &row->to.lists[row->lists_of[box->to][i]]);
		size_t k = 0;

		while (context.boxes[k] != box)
			k++;
		if (covering->steps > STEPS_MOST || !is_covered(covering, &context, k, among, fate))
			return false;
	}
	return true;
}

static bool is_covered_among(struct covering *covering, const struct prove_row *rows, size_t order,
			     const uint64_t *among, struct fate *fate)
{
	for (size_t r = 0; r < ROWS; r++) {
		covering->row = &rows[r];
		for (size_t i = 0; i < rows[r].box_count; i++)
			if (rows[r].boxes[i].order == order && rows[r].boxes[i].covered &&
			    !rows[r].boxes[i].apart && !is_box_covered(covering, i, among, fate))
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
static bool find_one(struct covering *covering, const struct prove_row *rows, size_t order)
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
static void leave_out_unreached(struct covering *covering, const struct prove_row *rows,
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
static void make_fewer(struct covering *covering, const struct prove_row *rows, size_t order)
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
		     struct prove_row *rows, bool *unreached)
{
	covering->steps = 0;
	for (size_t i = 0; i < covering->fate_count; i++) {
		const struct fate *fate = &covering->fates[i];

		unreached[i] = fate->present && !fate->reached && fate->used;
		if (!unreached[i])
			continue;
		for (size_t r = 0; r < ROWS; r++)
			prove_index(&rows[r]);
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
			     struct prove_row rows[ROWS])
{
	struct prove_shared *shared = prove_share(arena, policy);
	struct covering covering = { .arena = arena,
				     .fate_count = policy->rule_count + 2 + rest_count };

	covering.words = covering.fate_count / 64 + 1;
	covering.fates = arena_alloc(arena, covering.fate_count * sizeof(*covering.fates));
	for (size_t i = 0; i < ROWS; i++) {
		rows[i] = (struct prove_row){ .arena = arena,
					      .policy = policy,
					      .family = (enum addr_family)(i / 2),
					      .host = i % 2 == 1,
					      .rests = rests,
					      .rest_count = rest_count };
		prove_fill(&rows[i], shared);
		covering.row = &rows[i];
		judge_row(&covering);
	}
	return covering;
}

void prove_cover(struct diag *diag, struct ast_policy *policy)
{
	struct arena *arena = arena_new();
	struct prove_row rows[ROWS];
	struct covering covering = judge(arena, policy, NULL, 0, rows);
	bool *unreached = arena_alloc(arena, covering.fate_count);

	for (size_t i = 0; i < ROWS; i++)
		prove_leaks(diag, &rows[i]);
	tell_all(&covering, diag, policy, rows, unreached);
	prove_order(diag, policy, rows, ROWS, unreached);
	if (covering.scratch)
		arena_free(covering.scratch);
	arena_free(arena);
}

void prove_passed(struct ast_policy *policy, const struct ast_rule *const *rests, size_t count,
		  bool *passed)
{
	struct arena *arena = arena_new();
	struct prove_row rows[ROWS];
	struct covering covering = judge(arena, policy, rests, count, rows);

	for (size_t i = 0; i < count; i++) {
		const struct fate *fate = &covering.fates[policy->rule_count + 2 + i];

		passed[i] = fate->present && fate->reached && !fate->unknown;
	}
	if (covering.scratch)
		arena_free(covering.scratch);
	arena_free(arena);
}
