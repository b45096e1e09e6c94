/*
 * list_words: a file of ports or MAC addresses, one a line, into numbers.
 *
 * The grammar of a line is that of lists of addresses: '#' and ';' begin comments, and after white
 * space a remark may follow. A remark that holds a value of the kind is no remark, but an entry
 * that would be lost. Every bad line is an error at its place; after so many one line says how many
 * more.
 */
#include <string.h>

#include "addr/file_kind.h"
#include "addr/list_line.h"
#include "addr/listfile.h"
#include "base/arena.h"
#include "base/diag.h"
#include "lang/ast/lists.h"
#include "yaml/decode.h"

enum { ERRORS_SHOWN = 20 };

struct list_words {
	struct arena *arena;
	struct diag *diag;
	const struct match_kind *kind;
	const struct source *source;
	struct span wanted_by;
	size_t errors;
	struct span beyond; /* the first bad line that gets no error of its own */
	struct interval_set *out;
};

static struct span span_of(const struct list_words *words, struct list_word word)
{
	uint32_t begin = (uint32_t)(word.begin - words->source->text);

	return (struct span){ words->source, begin, begin + (uint32_t)(word.end - word.begin) };
}

static void refuse(struct list_words *words, struct list_word word, const char *why,
		   const char *help)
{
	struct span where = span_of(words, word);
	struct diag_record *record;

	if (++words->errors > ERRORS_SHOWN) {
		if (!words->beyond.source)
			words->beyond = where;
		return;
	}
	record = diag_add(words->diag, DIAG_list_entry, where, "\"%s\": %s",
			  node_excerpt(words->arena, word.begin, (size_t)(word.end - word.begin)),
			  why);
	diag_help(record, "%s", help);
	if (words->errors == 1)
		diag_also(record, words->wanted_by, "the list is named here");
}

/* NULL, or why the word is no value. */
static const char *parse(struct list_words *words, struct list_word word, struct interval *out)
{
	struct node node = { .kind = NODE_SCALAR };

	node.length = (size_t)(word.end - word.begin);
	node.text = arena_strndup(words->arena, word.begin, node.length);
	return words->kind->parse(&node, out);
}

static struct list_word word_at(const char *at, const char *end)
{
	struct list_word word;

	while (at < end && list_is_blank(*at))
		at++;
	word.begin = word.end = at;
	while (word.end < end && !list_ends_word(*word.end))
		word.end++;
	return word;
}

/* What stands between the entry and the line's end. One that says the entry again is a remark. */
static void read_remark(struct list_words *words, struct list_word entry, struct interval value,
			const char *end)
{
	struct list_word word = word_at(entry.end, end);
	struct interval other;

	for (; word.end > word.begin; word = word_at(word.end, end)) {
		if (parse(words, word, &other) || interval_equal(value, other))
			continue;
		refuse(words, word, "a second entry on the line",
		       "write one entry a line; before a remark that looks like one write a #");
		return;
	}
}

static void read_line(struct list_words *words, const char *at, const char *end)
{
	struct list_word entry = word_at(at, end);
	struct interval value;
	const char *why;

	if (entry.end == entry.begin)
		return;
	why = parse(words, entry, &value);
	if (why) {
		refuse(words, entry, why,
		       arena_printf(words->arena, "write %s, or a range FIRST-LAST, in each line",
				    words->kind->noun));
		return;
	}
	interval_add(words->arena, words->out, value.first, value.last);
	read_remark(words, entry, value, end);
}

static bool is_other_kind(struct list_words *words, const char *path)
{
	const struct file_kind *other = file_kind_of(words->source->text, words->source->size);

	if (!other)
		return false;
	diag_help(diag_add(words->diag, DIAG_list_format, words->wanted_by,
			   "\"%s\" is %s, and no list of %s", path, other->what,
			   words->kind->lists),
		  "%s", other->help);
	return true;
}

bool list_words_read(struct arena *arena, struct diag *diag, const struct match_kind *kind,
		     const char *path, struct span wanted_by, struct interval_set *out)
{
	struct list_words words = {
		.arena = arena, .diag = diag, .kind = kind, .wanted_by = wanted_by, .out = out
	};
	const char *at, *end, *next;

	words.source = source_read(arena, diag, path, LISTFILE_LIMIT, wanted_by);
	if (!words.source || is_other_kind(&words, path))
		return false;
	end = words.source->text + words.source->size;
	for (at = words.source->text; at < end; at = next + 1) {
		for (next = at; next < end && !list_is_end(*next); next++)
			;
		read_line(&words, at, next);
	}
	if (words.errors > ERRORS_SHOWN)
		diag_add(diag, DIAG_list_entry, words.beyond,
			 "and %zu more lines of this file are wrong", words.errors - ERRORS_SHOWN);
	return !words.errors;
}
