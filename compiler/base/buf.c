/*
 * buf: text that grows. The room doubles, so that a text of n bytes costs O(n); a NUL always
 * follows the text.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

/* Room for `more` bytes and a NUL after the text. */
static void buf_reserve(struct buf *buf, size_t more)
{
	size_t room = buf->room ? buf->room : 256;

	if (more < buf->room - buf->length && buf->text)
		return;
	if (more > SIZE_MAX / 2 - buf->length)
		arena_exhausted(more);
	while (room - buf->length <= more)
		room *= 2;
	buf->text = realloc(buf->text, room);
	if (!buf->text)
		arena_exhausted(room);
	arena_prefer_huge(buf->text, room);
	buf->room = room;
}

char *buf_room(struct buf *buf, size_t most)
{
	buf_reserve(buf, most);
	return buf->text + buf->length;
}

void buf_end(struct buf *buf, char *end)
{
	*end = '\0';
	buf->length = (size_t)(end - buf->text);
}

void buf_add(struct buf *buf, const char *text, size_t length)
{
	buf_reserve(buf, length);
	if (length)
		memcpy(buf->text + buf->length, text, length);
	buf->length += length;
	buf->text[buf->length] = '\0';
}

void buf_puts(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void buf_putc(struct buf *buf, char c)
{
	buf_add(buf, &c, 1);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args, again;
	int length;

	va_start(args, format);
	va_copy(again, args);
	buf_reserve(buf, 0);
	length = vsnprintf(buf->text + buf->length, buf->room - buf->length, format, args);
	if (length < 0)
		arena_exhausted(0);
	if ((size_t)length >= buf->room - buf->length) {
		buf_reserve(buf, (size_t)length);
		vsnprintf(buf->text + buf->length, buf->room - buf->length, format, again);
	}
	buf->length += (size_t)length;
	va_end(again);
	va_end(args);
}

const char *buf_text(const struct buf *buf)
{
	return buf->text ? buf->text : "";
}

void buf_free(struct buf *buf)
{
	free(buf->text);
	*buf = (struct buf){ 0 };
}

const char *buf_keep(struct arena *arena, struct buf *buf)
{
	const char *kept = arena_strndup(arena, buf_text(buf), buf->length);

	buf_free(buf);
	return kept;
}
