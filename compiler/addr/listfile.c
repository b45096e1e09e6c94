/*
 * listfile: a file of addresses, prefixes and ranges, one a line, into a set. A good line costs its
 * interval and nothing else; only bad lines cost memory for their messages.
 */
#include "addr/listfile.h"

#include <string.h>

#include "base/arena.h"
#include "base/diag.h"

/* LISTFILE_SHOWN: how much of a bad word a message repeats. */
enum { LISTFILE_ERRORS = 20, LISTFILE_SHOWN = 60, LISTFILE_ROOM_LEAST = 1024 };

struct listfile {
	struct arena *arena;
	struct diag *diag;
	const struct source *source;
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
static size_t listfile_line_end(const struct source *source, size_t at)
{
	while (at < source->size && source->text[at] != '\n' && source->text[at] != '\r')
		at++;
	return at;
}

static void listfile_refuse(struct listfile *list, size_t begin, size_t end, const char *why)
{
	struct span where = { list->source, (uint32_t)begin, (uint32_t)end };
	size_t shown = end - begin < LISTFILE_SHOWN ? end - begin : LISTFILE_SHOWN;
	struct diag_record *record;

	list->errors++;
	if (list->errors == LISTFILE_ERRORS + 1)
		list->beyond = where;
	if (list->errors > LISTFILE_ERRORS)
		return;
	while (shown && begin + shown < end &&
	       ((unsigned char)list->source->text[begin + shown] & 0xc0) == 0x80)
		shown--;
	record = diag_add(list->diag, DIAG_list_entry, where, "\"%.*s%s\": %s", (int)shown,
			  list->source->text + begin, begin + shown < end ? "..." : "", why);
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
		size_t more = set->count > list->source->line_count ? set->count
								    : list->source->line_count;

		list->room[range.family] = more > LISTFILE_ROOM_LEAST ? more : LISTFILE_ROOM_LEAST;
		interval_reserve(list->arena, set, list->room[range.family]);
	}
	list->room[range.family]--;
	set->items[set->count++] = (struct interval){ range.first, range.last };
}

/*
 * "first - last" would be read as one address and a remark, and the rest of the range would be lost
 * without a word. Does an address follow a dash that stands alone?
 */
static bool listfile_is_spaced_range(const struct listfile *list, size_t at, size_t end)
{
	const char *text = list->source->text, *why;
	struct addr addr;
	size_t word;

	while (at < end && listfile_is_blank(text[at]))
		at++;
	if (at == end || text[at++] != '-')
		return false;
	while (at < end && listfile_is_blank(text[at]))
		at++;
	for (word = at; at < end && !listfile_is_blank(text[at]) && !listfile_is_comment(text[at]);
	     at++)
		;
	return addr_parse(list->arena, text + word, at - word, &addr, &why);
}

/* One line, from its first byte that is not blank. */
static void listfile_read_line(struct listfile *list, size_t begin, size_t end)
{
	const char *text = list->source->text, *why;
	struct addr_range range;
	size_t at = begin;

	while (at < end && !listfile_is_blank(text[at]) && !listfile_is_comment(text[at]))
		at++;
	if (at == begin)
		return;
	if (!addr_parse_range(list->arena, text + begin, at - begin, &range, &why))
		listfile_refuse(list, begin, at, why);
	else if (at < end && listfile_is_spaced_range(list, at, end))
		listfile_refuse(list, begin, end,
				"a range is one word: write first-last without spaces");
	else
		listfile_add(list, range);
}

bool listfile_read(struct arena *arena, struct diag *diag, const char *path, struct span wanted_by,
		   struct addr_set *set)
{
	struct listfile list = { .arena = arena, .diag = diag, .wanted_by = wanted_by, .set = set };
	size_t at = 0, end;

	list.source = source_read(arena, diag, path, LISTFILE_LIMIT, wanted_by);
	if (!list.source)
		return false;
	while (at < list.source->size) {
		end = listfile_line_end(list.source, at);
		while (at < end && listfile_is_blank(list.source->text[at]))
			at++;
		listfile_read_line(&list, at, end);
		at = end + 1;
	}
	listfile_refuse_rest(&list);
	return !list.errors;
}
