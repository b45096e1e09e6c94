/*
 * shown: text for a terminal (see shown.h). What comes out is valid UTF-8 without control
 * characters.
 */
#include "base/shown.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"

size_t shown_character(struct buf *out, const char *text, size_t length, size_t *width)
{
	size_t before = out->length, size;
	uint32_t code;

	size = utf8_decode(text, length, &code);
	*width = 1;
	if (size && !utf8_is_hidden(code)) {
		buf_add(out, text, size);
		return size;
	}
	if (!size)
		buf_printf(out, "\\x%02x", (unsigned char)text[0]);
	else
		buf_printf(out, code < 0x80 ? "\\x%02x" : "\\u%04x", code);
	*width = out->length - before;
	return size ? size : 1;
}

void shown_text(struct buf *out, const char *text)
{
	size_t length = strlen(text), at = 0, width;

	while (at < length)
		at += shown_character(out, text + at, length - at, &width);
}

void shown_lines(struct buf *out, const char *text, size_t length)
{
	size_t at = 0, width;

	while (at < length) {
		if (text[at] == '\n' || text[at] == '\t')
			buf_putc(out, text[at++]);
		else
			at += shown_character(out, text + at, length - at, &width);
	}
}
