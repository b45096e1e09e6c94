/*
 * graph_text: texts of a policy in lines, and numbers in runs, for the pictures (see
 * graph_text.h).
 */
#include "emit/graph_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"

/* The text without what would be obeyed or hidden. */
static void put_plain(const char *text, struct buf *out)
{
	size_t length = strlen(text);

	for (size_t at = 0, size; at < length; at += size) {
		uint32_t code;

		size = utf8_decode(text + at, length - at, &code);
		if (!size || utf8_is_hidden(code))
			buf_putc(out, '?');
		else
			buf_add(out, text + at, size);
		size += !size;
	}
}

/* How many bytes of the text make the next line: up to a space if there is one, never in the middle
 * of a character. */
static size_t line_length(const char *text, size_t width)
{
	size_t characters = 0, space = 0, at = 0;

	for (; text[at]; at++) {
		if (utf8_begins(text[at]) && characters++ == width)
			return space ? space : at;
		if (text[at] == ' ')
			space = at;
	}
	return at;
}

void graph_wrap(const char *text, size_t width, void (*put)(const char *line, void *user),
		void *user)
{
	struct buf plain = { 0 }, line = { 0 };
	const char *rest;

	put_plain(text, &plain);
	for (rest = buf_text(&plain); *rest;) {
		size_t length = line_length(rest, width);

		line.length = 0;
		buf_add(&line, rest, length);
		put(buf_text(&line), user);
		rest += length;
		rest += strspn(rest, " ");
	}
	buf_free(&plain);
	buf_free(&line);
}
