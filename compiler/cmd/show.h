/*
 * show: reports of the live engine for people and for programs.
 */
#ifndef TPC_CMD_SHOW_H
#define TPC_CMD_SHOW_H

#include "apply/apply.h"
#include "base/report.h"
#include "cmd/cmd.h"
#include "ir/ir.h"

struct json;

/* All messages on standard error, in the call's format: they are no progress, so -q does not hide
 * them. */
void show_problems(const struct cmd_call *call, const struct report *report);
/* The same as text, two columns to the right. */
void show_messages(struct buf *out, const struct report *report);
/* "key": [...], of messages, errors first, and of steps. */
void show_json_messages(struct json *out, const char *key, const struct report *report);
void show_json_steps(struct json *out, const char *key, const struct report *report);
/* The exit status that says it. */
enum cmd_status show_status(enum apply_outcome outcome);
/* The end of an object about what was done, and of its line: its warnings and errors; `diag` (may
 * be NULL) has more of those. */
void show_json_end(struct json *out, const struct diag *diag, const struct report *report);
/*
 * Prints what was done, and gives the exit status. `done` says it in short ("the policy x is
 * applied"; NULL: nothing was), for when standard output cannot be written: then it is a warning,
 * since it is done; in doubt where it was to be read by a program.
 */
enum cmd_status show_end(const struct cmd_call *call, struct buf *out, enum apply_outcome outcome,
			 const char *done, const char *next);
/* The steps that begin so, a line each. */
void show_steps(struct buf *out, const struct report *report, const char *begin);
/* "; applied here: a, b", or nothing where there is nothing. */
void show_names(struct buf *out, const char *const *names, size_t count);
/* For people: which of listeners in a row it is, and why, a line each. */
void show_rows(struct buf *out, struct arena *arena, const struct ir_row *rows, size_t count);
/* "row": {...} or null, and a list of them, "rows": [...]. */
void show_json_row(struct arena *arena, const struct ir_row *row, struct json *out);
void show_json_rows(struct arena *arena, const struct ir_row *rows, size_t count, struct json *out);

#endif
