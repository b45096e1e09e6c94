/*
 * listfile: a file of addresses, prefixes and ranges, one a line, into a set.
 *
 * A list is read twice at most. First it goes by piece by piece, and a good line costs its interval
 * and nothing else. A list with a line that is not good, or one that cannot go by in pieces, is
 * then read whole, as a source that messages can point into.
 */
#include "addr/listfile.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/diag.h"

/* LISTFILE_SHOWN: how much of a bad word a message repeats. A piece stays in the processor's cache.
 */
enum { LISTFILE_ERRORS = 20, LISTFILE_SHOWN = 60, LISTFILE_PIECE = 128 * 1024 };

/* What a line is hardly ever shorter than, its end included: how many a file may hold. */
static const size_t listfile_least[ADDR_FAMILIES] = { sizeof("1.2.3.4"), sizeof("2001:db8::/32") };

struct listfile {
	struct arena *arena;
	struct diag *diag;
	const struct source *source; /* NULL while the list goes by in pieces */
	size_t size;                 /* of the file */
	struct span wanted_by;
	struct addr_set *set;
	size_t room[ADDR_FAMILIES]; /* intervals that still fit without asking */
	size_t errors;
	struct span beyond; /* the first bad line that gets no error of its own */
};

static bool listfile_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\v' || c == '\f';
}

static bool listfile_is_comment(char c)
{
	return c == '#' || c == ';';
}

/* A line ends at a line feed or a carriage return: old lists have the one without the other. */
static bool listfile_is_end(char c)
{
	return c == '\n' || c == '\r';
}

static bool listfile_ends_word(char c)
{
	return listfile_is_end(c) || listfile_is_blank(c) || listfile_is_comment(c);
}

static void listfile_refuse(struct listfile *list, const char *begin, const char *end,
			    const char *why)
{
	size_t length = (size_t)(end - begin);
	size_t shown = length < LISTFILE_SHOWN ? length : LISTFILE_SHOWN;
	struct diag_record *record;
	struct span where;

	list->errors++;
	if (!list->source)
		return;
	where.source = list->source;
	where.begin = (uint32_t)(begin - list->source->text);
	where.end = where.begin + (uint32_t)length;
	if (list->errors == LISTFILE_ERRORS + 1)
		list->beyond = where;
	if (list->errors > LISTFILE_ERRORS)
		return;
	while (shown && shown < length && ((unsigned char)begin[shown] & 0xc0) == 0x80)
		shown--;
	record = diag_add(list->diag, DIAG_list_entry, where, "\"%.*s%s\": %s", (int)shown, begin,
			  shown < length ? "..." : "", why);
	if (list->errors == 1 && list->wanted_by.source)
		diag_also(record, list->wanted_by, "the list is named here");
}

static void listfile_refuse_rest(struct listfile *list)
{
	size_t more = list->errors - LISTFILE_ERRORS;

	if (list->errors > LISTFILE_ERRORS)
		diag_add(list->diag, DIAG_list_entry, list->beyond,
			 "and %zu more %s of this file %s wrong", more,
			 more == 1 ? "line" : "lines", more == 1 ? "is" : "are");
}

static void listfile_add(struct listfile *list, struct addr_range range)
{
	struct interval_set *set = &list->set->family[range.family];

	if (!list->room[range.family]) {
		size_t lines = list->size / listfile_least[range.family] + 1;

		list->room[range.family] = set->count > lines ? set->count : lines;
		interval_reserve(list->arena, set, list->room[range.family]);
	}
	list->room[range.family]--;
	set->items[set->count++] = (struct interval){ range.first, range.last };
}

/*
 * "first - last" would be read as one address and a remark, and the rest of the range would be lost
 * without a word. Does an address follow a dash that stands alone?
 */
static bool listfile_is_spaced_range(const struct listfile *list, const char *at, const char *end)
{
	const char *word, *why;
	struct addr addr;

	while (at < end && listfile_is_blank(*at))
		at++;
	if (at == end || *at++ != '-')
		return false;
	while (at < end && listfile_is_blank(*at))
		at++;
	for (word = at; at < end && !listfile_ends_word(*at); at++)
		;
	return addr_parse(list->arena, word, (size_t)(at - word), &addr, &why);
}

/* The word at *at, which is moved behind it, as a range. False when there is none, or a bad one. */
static bool listfile_read_word(struct listfile *list, const char **at, const char *end,
			       struct addr_range *range)
{
	const char *begin = *at, *behind = addr_scan_range(begin, end, range), *why;

	if (behind && listfile_ends_word(*behind)) {
		*at = behind;
		return true;
	}
	for (behind = begin; behind < end && !listfile_ends_word(*behind); behind++)
		;
	*at = behind;
	if (behind == begin)
		return false;
	if (addr_parse_range(list->arena, begin, (size_t)(behind - begin), range, &why))
		return true;
	listfile_refuse(list, begin, behind, why);
	return false;
}

/* One line; returns where the next one begins. */
static const char *listfile_read_line(struct listfile *list, const char *at, const char *end)
{
	const char *begin, *behind;
	struct addr_range range;
	bool is_good;

	while (at < end && listfile_is_blank(*at))
		at++;
	begin = at;
	is_good = listfile_read_word(list, &at, end, &range);
	for (behind = at; behind < end && !listfile_is_end(*behind); behind++)
		;
	if (is_good && at < behind && listfile_is_spaced_range(list, at, behind))
		listfile_refuse(list, begin, behind,
				"a range is one word: write first-last without spaces");
	else if (is_good)
		listfile_add(list, range);
	return behind < end ? behind + 1 : end;
}

/* Whole lines. Without a source the first that is not good is the last. */
static bool listfile_read_lines(struct listfile *list, const char *at, const char *end)
{
	while (at < end && (list->source || !list->errors))
		at = listfile_read_line(list, at, end);
	return !list->errors;
}

/* ---- the file ---- */

/* What is behind the last line feed of a piece waits for the next one; false also when that is all
 * of it. */
static bool listfile_read_pieces(struct listfile *list, int fd, char *piece)
{
	size_t kept = 0, read_so_far = 0;
	const char *feed;
	ssize_t got;

	while ((got = source_get(fd, piece + kept, LISTFILE_PIECE - kept)) > 0) {
		const char *end = piece + kept + got;

		read_so_far += (size_t)got;
		feed = memrchr(piece + kept, '\n', (size_t)got);
		kept = (size_t)(end - piece);
		if (read_so_far > LISTFILE_LIMIT || (!feed && kept == LISTFILE_PIECE))
			return false;
		if (!feed)
			continue;
		if (!listfile_read_lines(list, piece, feed + 1))
			return false;
		kept = (size_t)(end - feed) - 1;
		memmove(piece, feed + 1, kept);
	}
	return !got && listfile_read_lines(list, piece, piece + kept);
}

/* Reads the list as it goes by; where that cannot be done, nothing is in the set, and nothing said.
 */
static bool listfile_read_passing(struct listfile *list, int fd)
{
	size_t before[ADDR_FAMILIES];
	char *piece;
	bool good;
	int f;

	for (f = 0; f < ADDR_FAMILIES; f++)
		before[f] = list->set->family[f].count;
	piece = malloc(LISTFILE_PIECE);
	good = piece && listfile_read_pieces(list, fd, piece);
	free(piece);
	for (f = 0; f < ADDR_FAMILIES && !good; f++) {
		list->room[f] += list->set->family[f].count - before[f];
		list->set->family[f].count = before[f];
	}
	list->errors = 0;
	return good;
}

bool listfile_read(struct arena *arena, struct diag *diag, const char *path, struct span wanted_by,
		   struct addr_set *set)
{
	struct listfile list = { .arena = arena, .diag = diag, .wanted_by = wanted_by, .set = set };

	/* Standard input is there once. */
	if (!source_is_stdin(path)) {
		int fd = source_open(arena, diag, path, LISTFILE_LIMIT, wanted_by, &list.size);
		bool is_done = fd >= 0 && listfile_read_passing(&list, fd);

		if (fd < 0)
			return false;
		close(fd);
		if (is_done)
			return true;
	}
	list.source = source_read(arena, diag, path, LISTFILE_LIMIT, wanted_by);
	if (!list.source)
		return false;
	list.size = list.source->size;
	listfile_read_lines(&list, list.source->text, list.source->text + list.size);
	listfile_refuse_rest(&list);
	return !list.errors;
}
