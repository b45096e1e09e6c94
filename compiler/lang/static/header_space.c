/*
 * static/box: two boxes of a row beside each other: whether they share a packet, whether one takes
 * all of the other, and whether it may take from it at all.
 */
#include "lang/static/row.h"

static bool share(const struct interval_set *a, const struct interval_set *b)
{
	return !a || !b || interval_meets(a, b);
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

bool prove_may_cover(const struct prove_box *before, const struct prove_box *box)
{
	return before->covers && before->order < box->order && !(box->cuts && before->fickle) &&
	       !(box->own && !before->for_own) && has_terms(box, before);
}

bool prove_holds_side(const struct prove_row *row, int side, const struct interval_set *a,
		      const struct interval_set *b)
{
	if (!a)
		return true;
	if (b)
		return interval_covers(a, b);
	return a->count == 1 && !wide_less(wide(row->first[side]), a->items[0].first) &&
	       !wide_less(a->items[0].last, wide(row->last[side]));
}

bool prove_holds(const struct prove_row *row, const struct prove_box *a, const struct prove_box *b)
{
	for (int side = 0; side < SIDES; side++)
		if (!prove_holds_side(row, side, a->sides[side], b->sides[side]))
			return false;
	return true;
}
