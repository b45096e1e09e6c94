/*
 * shown: text for a terminal. Names of files, interfaces and users, comments of other programs'
 * tables and lines of lists may hold any byte; what a terminal would obey or hide is shown as \xNN
 * or \uNNNN. All that tpc prints for people goes through here.
 */
#ifndef TPC_BASE_SHOWN_H
#define TPC_BASE_SHOWN_H

#include <stddef.h>

struct buf;

/* The next character; *width receives how many columns it takes. Returns the bytes it took. */
size_t shown_character(struct buf *out, const char *text, size_t length, size_t *width);
/* One line: a line feed in it is shown, too. */
void shown_text(struct buf *out, const char *text);
/* Line feeds and tabs stay. */
void shown_lines(struct buf *out, const char *text, size_t length);

#endif
