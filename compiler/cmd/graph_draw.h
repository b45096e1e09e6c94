/*
 * graph_draw: has Graphviz draw a picture.
 */
#ifndef TPC_CMD_GRAPH_DRAW_H
#define TPC_CMD_GRAPH_DRAW_H

#include <stdbool.h>

struct buf;
struct cmd_call;

/*
 * Runs `dot -TFORMAT` on the text and adds what it draws to `out`. False when it is not there or
 * fails, which is reported on standard error; `out` may hold a part of the picture then.
 */
bool graph_draw(const struct cmd_call *call, const struct buf *text, const char *format,
		struct buf *out);

#endif
