/*
 * buf: text that grows. What goes in is bytes, what comes out is one block that always ends in a
 * NUL that is not counted. A buffer owns its memory: buf_free. A zeroed struct buf is an empty
 * buffer.
 */
#ifndef TPC_BASE_BUF_H
#define TPC_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

struct buf {
	char *text; /* NULL while nothing was ever written */
	size_t length, room;
};

/* Where `most` more bytes may be written; buf_end then says where they end. */
char *buf_room(struct buf *buf, size_t most);
void buf_end(struct buf *buf, char *end);
void buf_add(struct buf *buf, const char *text, size_t length);
void buf_puts(struct buf *buf, const char *text);
void buf_putc(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The text, "" for an empty buffer. Stays the buffer's. */
const char *buf_text(const struct buf *buf);
void buf_free(struct buf *buf);
/* A copy in the arena, with a NUL after the length; the buffer is empty and free afterwards. */
const char *buf_keep(struct arena *arena, struct buf *buf);

#endif
