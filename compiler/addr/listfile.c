/*
 * listfile: a file of addresses, prefixes and ranges, one a line, into a set.
 *
 * A list is read twice at most. First it goes by piece by piece, and a good line costs its interval
 * and nothing else. A list with a line that is not good, or one that cannot go by in pieces, is
 * then read whole, as a source that messages can point into. Where the whole file is of another
 * kind one message says so. Lines with the same mistake have one message for all of them, and
 * reasons are built for those alone that are shown.
 */
#include "addr/listfile.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addr/file_kind.h"
#include "addr/list_line.h"
#include "base/arena.h"
#include "base/diag.h"
#include "base/utf8.h"

/* LISTFILE_SHOWN: how much of a bad word a message repeats. A piece stays in the processor's cache.
 */
enum { LISTFILE_ERRORS = 20, LISTFILE_SHOWN = 60, LISTFILE_PIECE = 128 * 1024 };

/* What a line is hardly ever shorter than, its end included: how many a file may hold. */
static const size_t listfile_least[ADDR_FAMILIES] = { sizeof("1.2.3.4"), sizeof("2001:db8::/32") };

/* Lines with the same mistake. */
struct list_alike {
	struct diag_record *record; /* about the first of them */
	size_t more;
};

struct listfile {
	struct arena *arena;
	struct diag *diag;
	const struct source *source; /* NULL while the list goes by in pieces */
	size_t size;                 /* of the file */
	struct span wanted_by;
	struct addr_set *set;
	size_t room[ADDR_FAMILIES]; /* intervals that still fit without asking */
	size_t errors;              /* lines; those that are alike count once */
	struct span beyond;         /* the first bad line that gets no error of its own */
	struct list_alike alike[LIST_KINDS];
	size_t numbers; /* entries with a number after them that is the length of a prefix */
	bool has_short_numbers; /* not all of these are the length of one address */
	bool is_plain;          /* an entry without such a number */
};

/* An error about these bytes of the source. */
static struct diag_record *listfile_say(struct listfile *list, struct list_word shown,
					const struct list_fault *fault)
{
	size_t length = (size_t)(shown.end - shown.begin), most = length;
	struct diag_record *record;
	struct span where;

	if (most > LISTFILE_SHOWN)
		most = LISTFILE_SHOWN;
	while (most && most < length && !utf8_begins(shown.begin[most]))
		most--;
	where.source = list->source;
	where.begin = (uint32_t)(shown.begin - list->source->text);
	where.end = where.begin + (uint32_t)length;
	record = diag_add(list->diag, DIAG_list_entry, where, "\"%.*s%s\": %s", (int)most,
			  shown.begin, most < length ? "..." : "", fault->why);
	if (fault->help)
		diag_help(record, "%s", fault->help);
	if (list->errors == 1 && list->wanted_by.source)
		diag_also(record, list->wanted_by, "the list is named here");
	return record;
}

/* A bad line of its own. Those that no message shows are counted. */
static void listfile_refuse_alone(struct listfile *list, struct list_word word)
{
	struct list_fault fault = { LIST_ALONE, NULL, NULL };
	struct addr_range range;

	list->errors++;
	if (list->errors == LISTFILE_ERRORS + 1) {
		list->beyond.source = list->source;
		list->beyond.begin = (uint32_t)(word.begin - list->source->text);
		list->beyond.end = list->beyond.begin + (uint32_t)(word.end - word.begin);
	}
	if (list->errors > LISTFILE_ERRORS)
		return;
	addr_parse_range(list->arena, word.begin, (size_t)(word.end - word.begin), &range,
			 &fault.why);
	listfile_say(list, word, &fault);
}

/* The first of a kind has an error, which the others are counted in. */
static bool listfile_is_first(struct listfile *list, const struct list_fault *fault)
{
	struct list_alike *alike = &list->alike[fault->kind];

	if (alike->record) {
		alike->more++;
		return false;
	}
	list->errors++;
	return true;
}

static void listfile_refuse_other(struct listfile *list, struct list_word word, const char *end)
{
	struct list_fault fault;
	const char *stop = word.end;

	/* Whether there is one, or how many more than are shown, needs no reason. */
	if (!list->source || list->errors > LISTFILE_ERRORS) {
		list->errors++;
		return;
	}
	while (stop < end && !list_is_comment(*stop))
		stop++;
	list_other_line(NULL, word.begin, stop, &fault);
	if (fault.kind == LIST_ALONE) {
		listfile_refuse_alone(list, word);
		return;
	}
	if (!listfile_is_first(list, &fault))
		return;
	list_other_line(list->arena, word.begin, stop, &fault);
	list->alike[fault.kind].record = listfile_say(list, word, &fault);
}

static void listfile_refuse_after(struct listfile *list, struct list_entry *entry, const char *end)
{
	struct list_fault fault;
	const char *stop = entry->end;

	list->errors += !list->source;
	if (!list->source)
		return;
	list_rest_is_remark(NULL, entry, end, &fault);
	if (!listfile_is_first(list, &fault))
		return;
	list_rest_is_remark(list->arena, entry, end, &fault);
	while (stop < end && *stop != '#')
		stop++;
	while (list_is_blank(stop[-1]))
		stop--;
	list->alike[fault.kind].record =
		listfile_say(list, (struct list_word){ entry->begin, stop }, &fault);
}

static void listfile_refuse_rest(struct listfile *list)
{
	size_t more = list->errors - LISTFILE_ERRORS;

	for (int kind = 0; kind < LIST_KINDS; kind++)
		if (list->alike[kind].more)
			diag_help(list->alike[kind].record, "%zu more %s of this file %s like it",
				  list->alike[kind].more,
				  list->alike[kind].more == 1 ? "line" : "lines",
				  list->alike[kind].more == 1 ? "is" : "are");
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

/* The word at *at as a range; *at moves after it. False when it is none. */
static bool listfile_read_word(const char **at, const char *end, struct addr_range *range)
{
	const char *begin = *at, *after = addr_scan_range(begin, end, range);

	if (after && list_ends_word(*after)) {
		*at = after;
		return true;
	}
	for (after = begin; after < end && !list_ends_word(*after); after++)
		;
	*at = after;
	return after > begin && addr_parse_range(NULL, begin, (size_t)(after - begin), range,
						 &(const char *){ NULL });
}

/* Tables of first addresses and lengths in two columns look like addresses with remarks. */
static void listfile_note_number(struct listfile *list, const struct list_entry *entry)
{
	if (!list_entry_fits(entry, entry->number)) {
		list->is_plain = true;
		return;
	}
	list->numbers++;
	list->has_short_numbers |= entry->number < addr_width(entry->range.family);
}

/* An entry, and what stands after it up to the line's end. */
static void listfile_read_rest(struct listfile *list, struct list_entry *entry, const char *end)
{
	struct list_fault fault;
	const char *at = entry->end;

	while (at < end && list_is_blank(*at))
		at++;
	if (at < end && *at != '#' && !list_rest_is_remark(NULL, entry, end, &fault)) {
		listfile_refuse_after(list, entry, end);
		return;
	}
	if (!list->is_plain)
		listfile_note_number(list, entry);
	listfile_add(list, entry->range);
}

/* One line; returns where the next one begins. */
static const char *listfile_read_line(struct listfile *list, const char *at, const char *end)
{
	struct list_entry entry;
	const char *after;
	bool is_good;

	while (at < end && list_is_blank(*at))
		at++;
	entry.begin = entry.end = at;
	entry.number = 0;
	is_good = listfile_read_word(&entry.end, end, &entry.range);
	for (after = entry.end; after < end && !list_is_end(*after); after++)
		;
	if (is_good)
		listfile_read_rest(list, &entry, after);
	else if (entry.end > entry.begin)
		listfile_refuse_other(list, (struct list_word){ entry.begin, entry.end }, after);
	return after < end ? after + 1 : end;
}

/* Whole lines. Without a source the first that is not good is the last. */
static bool listfile_read_lines(struct listfile *list, const char *at, const char *end)
{
	while (at < end && (list->source || !list->errors))
		at = listfile_read_line(list, at, end);
	return !list->errors;
}

/* ---- the file ---- */

/* What is after the last line feed of a piece waits for the next one; false also when that is all
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
	if (!good)
		list->numbers = list->errors = list->is_plain = list->has_short_numbers = 0;
	return good;
}

/* ---- what is not about a line ---- */

static bool listfile_refuse_kind(struct listfile *list, const char *path)
{
	const struct file_kind *kind = file_kind_of(list->source->text, list->size);

	if (!kind)
		return false;
	list->errors = 1;
	diag_help(diag_add(list->diag, DIAG_list_format, list->wanted_by,
			   "\"%s\" is %s, and no list of addresses", path, kind->what),
		  "%s", kind->help);
	return true;
}

static void listfile_warn_of_numbers(struct listfile *list, const char *path)
{
	if (list->is_plain || !list->has_short_numbers)
		return;
	diag_help(diag_add(list->diag, DIAG_list_lengths, list->wanted_by,
			   "the numbers after the addresses of \"%s\" would all be lengths of prefixes, and are "
			   "taken for remarks",
			   path),
		  "if they are: awk '{print $1 \"/\" $2}' OLD > NEW; if not, put a # before each");
}

/* A list with a bad line, or one that cannot go by in pieces. */
static bool listfile_read_source(struct listfile *list, const char *path)
{
	list->source = source_read(list->arena, list->diag, path, LISTFILE_LIMIT, list->wanted_by);
	if (!list->source)
		return false;
	list->size = list->source->size;
	if (listfile_refuse_kind(list, path))
		return false;
	listfile_read_lines(list, list->source->text, list->source->text + list->size);
	listfile_refuse_rest(list);
	return !list->errors;
}

/* False when it has to be read as a source, or (*is_there) cannot be. */
static bool listfile_read_file(struct listfile *list, const char *path, bool *is_there)
{
	bool is_done;
	int fd;

	/* Standard input is there once. */
	*is_there = true;
	if (source_is_stdin(path))
		return false;
	fd = source_open(list->arena, list->diag, path, LISTFILE_LIMIT, list->wanted_by,
			 &list->size);
	*is_there = fd >= 0;
	is_done = fd >= 0 && listfile_read_passing(list, fd);
	if (fd >= 0)
		close(fd);
	return is_done;
}

bool listfile_read(struct arena *arena, struct diag *diag, const char *path, struct span wanted_by,
		   struct addr_set *set)
{
	struct listfile list = { .arena = arena, .diag = diag, .wanted_by = wanted_by, .set = set };
	bool is_there;
	bool good = listfile_read_file(&list, path, &is_there) ||
		    (is_there && listfile_read_source(&list, path));

	if (good)
		listfile_warn_of_numbers(&list, path);
	return good;
}
