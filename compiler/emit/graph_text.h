/*
 * graph_text: texts of a policy in lines, for the pictures.
 */
#ifndef TPC_EMIT_GRAPH_TEXT_H
#define TPC_EMIT_GRAPH_TEXT_H

#include <stddef.h>

/*
 * The text in lines of at most `width` characters, at its spaces where it has them: calls `put` for
 * each. What a terminal or a browser would obey or hide becomes '?'; an empty text has no line.
 */
void graph_wrap(const char *text, size_t width, void (*put)(const char *line, void *user),
		void *user);

#endif
