/*
 * show: reports of the live engine for people and for programs.
 */
#ifndef TPC_CMD_SHOW_H
#define TPC_CMD_SHOW_H

#include "apply/apply.h"
#include "base/report.h"
#include "cmd/cmd.h"
#include "ir/ir.h"

/* Refusals, doubts and warnings on standard error: they are no progress, so -q does not hide them.
 */
void show_problems(const struct report *report);
/* "warning: text" and the command below it, after `indent`. */
void show_line(struct buf *out, const struct report_line *line, const char *indent);
/* The lines of a kind as a JSON list: strings for steps, else objects with text, file, line and
 * command. */
void show_json(struct buf *out, const struct report *report, enum report_kind kind);
/* The exit status that says it. */
enum cmd_status show_status(enum apply_outcome outcome);
/* The end of an object about what was done: its warnings and errors; `diag` (may be NULL) has more
 * of those. */
void show_json_end(struct buf *out, const struct diag *diag, const struct report *report,
		   enum apply_outcome outcome);
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
/* ,"row": {...} or null. And a list of them: "rows": [...], and a comma. */
void show_json_row(struct arena *arena, const struct ir_row *row, struct buf *out);
void show_json_rows(struct arena *arena, const struct ir_row *rows, size_t count, struct buf *out);
/* "key": "text" or null. */
void show_json_text(struct buf *out, const char *key, const char *text);

#endif
