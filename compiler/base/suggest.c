/*
 * suggest: "did you mean". Distances are counted with insertions, deletions, replacements and
 * swapped neighbours as one step each; upper and lower case are the same letter.
 */
#include "base/suggest.h"

#include <string.h>

enum { SUGGEST_LONGEST = 64 };

static char suggest_fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t suggest_least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Optimal string alignment; three rows of the matrix are enough. Both words have at most
 * SUGGEST_LONGEST bytes. */
static size_t suggest_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t rows[3][SUGGEST_LONGEST + 1], i, j;
	size_t *before = rows[0], *above = rows[1], *row = rows[2], *spare;

	for (j = 0; j <= b_length; j++)
		above[j] = before[j] = j;
	for (i = 1; i <= a_length; i++) {
		row[0] = i;
		for (j = 1; j <= b_length; j++) {
			char x = suggest_fold(a[i - 1]), y = suggest_fold(b[j - 1]);

			row[j] = suggest_least(above[j], row[j - 1]) + 1;
			row[j] = suggest_least(row[j], above[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == suggest_fold(b[j - 2]) &&
			    y == suggest_fold(a[i - 2]))
				row[j] = suggest_least(row[j], before[j - 2] + 1);
		}
		spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[b_length];
}

const char *suggest_nearest(const char *word, const char *const *candidates, size_t count)
{
	size_t length = strlen(word), best = length / 3 > 1 ? length / 3 : 1, i;
	const char *nearest = NULL;

	if (length > SUGGEST_LONGEST)
		return NULL;
	for (i = 0; i < count; i++) {
		size_t other = strlen(candidates[i]), distance;

		/* Lengths that differ by more than the best distance cannot be near; neither is a
		 * word of which nothing is left. */
		if (other > SUGGEST_LONGEST ||
		    (other > length ? other - length : length - other) > best)
			continue;
		distance = suggest_distance(word, length, candidates[i], other);
		if (distance > best || distance >= length || distance >= other ||
		    (nearest && distance == best))
			continue;
		nearest = candidates[i];
		best = distance;
	}
	return nearest;
}
