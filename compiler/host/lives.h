/*
 * lives: which listeners of a row have a socket on this host, asked when the first is asked for.
 * Reads only.
 */
#ifndef TPC_HOST_LIVES_H
#define TPC_HOST_LIVES_H

#include <stddef.h>

struct arena;
struct buf;
struct ir_listener;
struct ir_row;
struct lives;
struct record;
struct report;

struct lives *lives_new(struct arena *arena);
void lives_close(struct lives *lives);
/* For a struct lang_host: `lives` is one of these. NULL where the kernel cannot be asked. */
const char *lives_why_gone(void *lives, const struct ir_listener *listener);

/* "one, else two" */
const char *lives_row_words(struct arena *arena, const struct ir_row *row);
/* Which one it is and why: "one, else two: two is taken: no socket listens on ...". The row was
 * asked. */
const char *lives_choice_words(struct arena *arena, const struct ir_row *row);
/* What was applied, as it is on this host now: the rows, and a warning for each that the next apply
 * would choose otherwise. */
void lives_tell(struct report *report, const char *command, const struct record *record,
		struct ir_row **rows, size_t *count);

#endif
