/*
 * file_diff: what changed between two texts, as a unified diff that patch(1) takes.
 *
 * Common lines at both ends are set aside; for the middle the shortest edit is looked for (Myers,
 * 1986) up to DIFF_EDITS edits, which bounds time and memory. Beyond that the whole middle is shown
 * as replaced: long, but right.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"

enum { DIFF_CONTEXT = 3, DIFF_EDITS = 1500 };

struct diff_line {
	const char *text;
	size_t length; /* with its line feed, which only the last line may lack */
	uint64_t hash;
	bool changed; /* removed from the old text, or added in the new one */
};

struct diff_text {
	struct diff_line *lines;
	size_t count;
};

/* The part of both texts that is compared. */
struct diff_middle {
	struct diff_line *old_lines, *new_lines;
	long old_count, new_count;
};

static struct diff_line diff_line_at(const char *text, size_t rest)
{
	const char *feed = memchr(text, '\n', rest);
	struct diff_line line = { .text = text, .hash = 0xcbf29ce484222325u };
	size_t i;

	line.length = feed ? (size_t)(feed - text) + 1 : rest;
	for (i = 0; i < line.length; i++)
		line.hash = (line.hash ^ (unsigned char)text[i]) * 0x100000001b3u;
	return line;
}

static struct diff_text diff_split(struct arena *arena, const char *text, size_t length)
{
	struct diff_text split = { arena_alloc(arena, 0), 0 };
	struct diff_line line;
	size_t at;

	for (at = 0; at < length; at += line.length) {
		line = diff_line_at(text + at, length - at);
		*arena_append(arena, split.lines, split.count) = line;
	}
	return split;
}

static bool diff_equal(const struct diff_line *a, const struct diff_line *b)
{
	return a->hash == b->hash && a->length == b->length && !memcmp(a->text, b->text, a->length);
}

static struct diff_middle diff_trim(const struct diff_text *old, const struct diff_text *new)
{
	size_t begin = 0, old_end = old->count, new_end = new->count;

	while (begin < old_end && begin < new_end &&
	       diff_equal(&old->lines[begin], &new->lines[begin]))
		begin++;
	while (old_end > begin && new_end > begin &&
	       diff_equal(&old->lines[old_end - 1], &new->lines[new_end - 1])) {
		old_end--;
		new_end--;
	}
	return (struct diff_middle){
		.old_lines = old->lines + begin,
		.new_lines = new->lines + begin,
		.old_count = (long)(old_end - begin),
		.new_count = (long)(new_end - begin),
	};
}

/* Does the best way to diagonal k with one more edit come from the diagonal above (a line is
 * added)? */
static bool diff_comes_down(const int *reach, long k, long edits)
{
	return k == -edits || (k != edits && reach[k - 1] < reach[k + 1]);
}

/* One more edit on every diagonal; true when the end of both texts is reached. */
static bool diff_step(const struct diff_middle *middle, const int *before, int *reach, long edits)
{
	long k, x, y;

	for (k = -edits; k <= edits; k += 2) {
		if (!edits)
			x = 0;
		else
			x = diff_comes_down(before, k, edits) ? before[k + 1] : before[k - 1] + 1;
		y = x - k;
		while (x < middle->old_count && y < middle->new_count &&
		       diff_equal(&middle->old_lines[x], &middle->new_lines[y])) {
			x++;
			y++;
		}
		reach[k] = (int)x;
		if (x >= middle->old_count && y >= middle->new_count)
			return true;
	}
	return false;
}

/* Walks back from the end along the way that was found and marks its edits. */
static void diff_mark(const struct diff_middle *middle, int *const *reaches, long edits)
{
	long x = middle->old_count, y = middle->new_count, k;

	for (; edits; edits--) {
		const int *before = reaches[edits - 1];

		k = x - y;
		if (diff_comes_down(before, k, edits)) {
			x = before[k + 1];
			y = x - (k + 1);
			middle->new_lines[y].changed = true;
		} else {
			x = before[k - 1];
			y = x - (k - 1);
			middle->old_lines[x].changed = true;
		}
	}
}

static void diff_mark_all(const struct diff_middle *middle)
{
	long i;

	for (i = 0; i < middle->old_count; i++)
		middle->old_lines[i].changed = true;
	for (i = 0; i < middle->new_count; i++)
		middle->new_lines[i].changed = true;
}

/* How far each diagonal reaches, a row an edit; a row's middle is diagonal 0. */
static void diff_compare(struct arena *arena, const struct diff_middle *middle)
{
	int **reaches = arena_alloc(arena, (DIFF_EDITS + 1) * sizeof(*reaches));
	long edits;

	if (!middle->old_count || !middle->new_count) {
		diff_mark_all(middle);
		return;
	}
	for (edits = 0; edits <= DIFF_EDITS; edits++) {
		int *row = arena_alloc(arena, (2 * (size_t)edits + 1) * sizeof(*row));

		reaches[edits] = row + edits;
		if (diff_step(middle, edits ? reaches[edits - 1] : NULL, reaches[edits], edits)) {
			diff_mark(middle, reaches, edits);
			return;
		}
	}
	diff_mark_all(middle);
}

/* Lines old_begin..old_end and new_begin..new_end, from 0, ends not included. */
struct diff_hunk {
	size_t old_begin, old_end, new_begin, new_end;
};

static bool diff_is_common(const struct diff_text *old, const struct diff_text *new,
			   const struct diff_hunk *at)
{
	return at->old_end < old->count && at->new_end < new->count &&
	       !old->lines[at->old_end].changed && !new->lines[at->new_end].changed;
}

/*
 * The next hunk from `at` on, which stands after the one before: changes less than twice the
 * context apart share one. Counting goes over lines in both texts at once; they stay level between
 * changes.
 */
static bool diff_next_hunk(const struct diff_text *old, const struct diff_text *new,
			   struct diff_hunk *at)
{
	size_t common = 0, context;

	for (; diff_is_common(old, new, at); at->old_end++, at->new_end++)
		common++;
	if (at->old_end == old->count && at->new_end == new->count)
		return false;
	context = common < DIFF_CONTEXT ? common : DIFF_CONTEXT;
	at->old_begin = at->old_end - context;
	at->new_begin = at->new_end - context;
	for (common = 0; at->old_end < old->count || at->new_end < new->count;) {
		if (diff_is_common(old, new, at)) {
			if (++common > 2 * DIFF_CONTEXT)
				break;
			at->old_end++;
			at->new_end++;
			continue;
		}
		common = 0;
		while (at->old_end < old->count && old->lines[at->old_end].changed)
			at->old_end++;
		while (at->new_end < new->count &&new->lines[at->new_end].changed)
			at->new_end++;
	}
	context = common > DIFF_CONTEXT
			  ? (common > 2 * DIFF_CONTEXT ? DIFF_CONTEXT : common - DIFF_CONTEXT)
			  : 0;
	at->old_end -= context;
	at->new_end -= context;
	return true;
}

/* "12,3": where and how many; an empty range stands after the line before it. */
static void diff_put_range(struct buf *out, char sign, size_t begin, size_t end)
{
	buf_printf(out, "%c%zu", sign, end > begin ? begin + 1 : begin);
	if (end - begin != 1)
		buf_printf(out, ",%zu", end - begin);
}

static void diff_put_line(struct buf *out, char sign, const struct diff_line *line)
{
	buf_putc(out, sign);
	buf_add(out, line->text, line->length);
	if (line->text[line->length - 1] != '\n')
		buf_puts(out, "\n\\ No newline at end of file\n");
}

static void diff_put_hunk(struct buf *out, const struct diff_text *old, const struct diff_text *new,
			  const struct diff_hunk *hunk)
{
	size_t i = hunk->old_begin, j = hunk->new_begin;

	buf_puts(out, "@@ ");
	diff_put_range(out, '-', hunk->old_begin, hunk->old_end);
	buf_putc(out, ' ');
	diff_put_range(out, '+', hunk->new_begin, hunk->new_end);
	buf_puts(out, " @@\n");
	while (i < hunk->old_end || j < hunk->new_end) {
		if (i < hunk->old_end && old->lines[i].changed) {
			diff_put_line(out, '-', &old->lines[i++]);
		} else if (j < hunk->new_end && new->lines[j].changed) {
			diff_put_line(out, '+', &new->lines[j++]);
		} else {
			diff_put_line(out, ' ', &old->lines[i++]);
			j++;
		}
	}
}

void file_diff(struct buf *out, const char *old_name, const char *old_text, size_t old_length,
	       const char *new_name, const char *new_text, size_t new_length)
{
	struct arena *arena = arena_new();
	struct diff_text old = diff_split(arena, old_text, old_length);
	struct diff_text new = diff_split(arena, new_text, new_length);
	struct diff_middle middle = diff_trim(&old, &new);
	struct diff_hunk at = { 0, 0, 0, 0 };

	if (middle.old_count || middle.new_count) {
		diff_compare(arena, &middle);
		buf_printf(out, "--- %s\n+++ %s\n", old_name, new_name);
		while (diff_next_hunk(&old, &new, &at))
			diff_put_hunk(out, &old, &new, &at);
	}
	arena_free(arena);
}
