/*
 * reading: what the tests of node_parse share: a text read, its errors rendered, and checks of
 * both.
 *
 * An expectation is written "LINE:COLUMN CODE text", where the text is a part of the message, and a
 * text must have as many errors as it has expectations: one run finds them all.
 */
#ifndef TPC_TESTS_READING_H
#define TPC_TESTS_READING_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "yaml/node.h"

struct reading {
	struct arena *arena;
	struct diag *diag;
	const struct source *source;
	struct node *root;
	struct buf shown;
};

static inline void reading_open(struct reading *reading, const char *text, size_t length)
{
	memset(reading, 0, sizeof(*reading));
	reading->arena = arena_new();
	reading->diag = diag_new(reading->arena);
	reading->source = source_from(reading->arena, "p", text, length);
	reading->root = node_parse(reading->arena, reading->diag, reading->source);
	diag_render(reading->diag, &reading->shown, (struct diag_style){ 0 });
}

static inline void reading_close(struct reading *reading)
{
	buf_free(&reading->shown);
	arena_free(reading->arena);
}

/* "3:5 bad-value text" is shown as "p:3:5: error: ...text... [bad-value]". */
static inline bool is_shown(const char *shown, const char *wanted)
{
	char place[32], code[64], head[64], tail[80];
	int used = 0;
	size_t head_length;

	assert_int_equal(sscanf(wanted, "%31s %63s %n", place, code, &used), 2);
	head_length = (size_t)snprintf(head, sizeof(head), "p:%s: error: ", place);
	snprintf(tail, sizeof(tail), "[%s]", code);
	for (const char *line = shown; line; line = (line = strchr(line, '\n')) ? line + 1 : NULL) {
		size_t length = strcspn(line, "\n");

		if (strncmp(line, head, head_length) || length < strlen(tail) ||
		    strncmp(line + length - strlen(tail), tail, strlen(tail)))
			continue;
		if (memmem(line, length, wanted + used, strlen(wanted + used)))
			return true;
	}
	return false;
}

/* `help` is part of what is shown below, or NULL; the expectations end in NULL. */
static inline void check_errors(const char *text, size_t length, const char *help,
				const char *const *wanted)
{
	struct reading reading;
	size_t count = 0;

	reading_open(&reading, text, length);
	for (; wanted[count]; count++)
		if (!is_shown(buf_text(&reading.shown), wanted[count]))
			fail_msg("%s\nhas no error \"%s\" but\n%s", text, wanted[count],
				 buf_text(&reading.shown));
	if (diag_error_count(reading.diag) != count)
		fail_msg("%s\nhas %zu errors, not %zu:\n%s", text, diag_error_count(reading.diag),
			 count, buf_text(&reading.shown));
	if (help && !strstr(buf_text(&reading.shown), help))
		fail_msg("%s\ndoes not say \"%s\" but\n%s", text, help, buf_text(&reading.shown));
	reading_close(&reading);
}

#define ERRORS(text, help, ...) \
	check_errors(text, sizeof(text) - 1, help, (const char *const[]){ __VA_ARGS__, NULL })

static inline const struct node *at(const struct node *map, const char *key)
{
	struct node_entry *entry = node_find(map, key);

	assert_non_null(entry);
	return &entry->value;
}

static inline void assert_spans(const struct node *node, const char *text)
{
	size_t length = node->span.end - node->span.begin;

	if (length != strlen(text) ||
	    memcmp(node->span.source->text + node->span.begin, text, length))
		fail_msg("the span is \"%.*s\", not \"%s\"", (int)length,
			 node->span.source->text + node->span.begin, text);
}

static inline void assert_at(const struct node *node, unsigned int line, unsigned int column)
{
	struct place place = source_place(node->span.source, node->span.begin);

	assert_int_equal(place.line, line);
	assert_int_equal(place.column, column);
}

#define OPEN(reading, text)                                           \
	do {                                                          \
		reading_open(reading, text, sizeof(text) - 1);        \
		assert_string_equal(buf_text(&(reading)->shown), ""); \
		assert_non_null((reading)->root);                     \
	} while (0)

static inline void put_times(struct buf *buf, const char *text, size_t times)
{
	for (size_t i = 0; i < times; i++)
		buf_puts(buf, text);
}

#endif
