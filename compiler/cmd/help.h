/*
 * help: what --help shows, from the same tables that the command line is read by.
 */
#ifndef TPC_CMD_HELP_H
#define TPC_CMD_HELP_H

#include <stddef.h>

struct arena;
struct buf;
struct cmd_verb;

/* `tpc --help`: all verbs. */
void help_put_all(const struct cmd_verb *const *verbs, size_t count, struct buf *out);
/* `tpc VERB --help`. */
void help_put_verb(const struct cmd_verb *verb, struct arena *arena, struct buf *out);
/* "usage: tpc VERB [OPTIONS] ...", without a line's end. */
const char *help_usage(const struct cmd_verb *verb, struct arena *arena);

/* Lines of at most 90 columns (the text is ASCII); line ends of the text's own are mere spaces. */
void help_put_wrapped(const char *text, struct buf *out);

#endif
