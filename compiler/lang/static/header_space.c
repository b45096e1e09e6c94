/*
 * static/header_space: two spaces of a slice compared: whether they share a packet, whether one
 * takes all of the other, and whether it may take from it at all.
 */
#include "lang/static/slice.h"

static bool share(const struct interval_set *a, const struct interval_set *b)
{
	return !a || !b || interval_meets(a, b);
}

bool static_meet(const struct header_space *a, const struct header_space *b)
{
	for (int dimension = 0; dimension < DIMENSIONS; dimension++)
		if (!share(a->dimensions[dimension], b->dimensions[dimension]))
			return false;
	return true;
}

static bool has_terms(const struct header_space *space, const struct header_space *wanted_by)
{
	size_t i = 0;

	for (size_t k = 0; k < wanted_by->term_count; k++) {
		while (i < space->term_count && space->terms[i] < wanted_by->terms[k])
			i++;
		if (i == space->term_count || space->terms[i] != wanted_by->terms[k])
			return false;
	}
	return true;
}

bool static_may_shadow(const struct header_space *before, const struct header_space *space)
{
	return before->shadows && before->order < space->order &&
	       !(space->every_packet && before->may_change_target) &&
	       !(space->own && !before->for_own) && has_terms(space, before);
}

bool static_holds_dimension(const struct static_slice *slice, int dimension,
			    const struct interval_set *a, const struct interval_set *b)
{
	if (!a)
		return true;
	if (b)
		return interval_covers(a, b);
	return a->count == 1 && !wide_less(wide(slice->first[dimension]), a->items[0].first) &&
	       !wide_less(a->items[0].last, wide(slice->last[dimension]));
}

bool static_holds(const struct static_slice *slice, const struct header_space *a,
		  const struct header_space *b)
{
	for (int dimension = 0; dimension < DIMENSIONS; dimension++)
		if (!static_holds_dimension(slice, dimension, a->dimensions[dimension],
					    b->dimensions[dimension]))
			return false;
	return true;
}
