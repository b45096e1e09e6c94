/*
 * show: in goes a report, out come lines of text or JSON (see show.h).
 */
#include "cmd/show.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/shown.h"
#include "host/lives.h"

void show_problems(const struct cmd_call *call, const struct report *report)
{
	struct diag_style style = { .color = call->color_err, .json = call->format == CMD_JSON };
	struct buf out = { 0 };

	for (size_t i = 0; i < report->count; i++)
		diag_record_show(report->records[i], &out, style);
	fputs(buf_text(&out), stderr);
	buf_free(&out);
}

void show_messages(struct buf *out, const struct report *report)
{
	for (size_t i = 0; i < report->count; i++)
		diag_record_show(report->records[i], out, (struct diag_style){ .indent = "  " });
}

void show_steps(struct buf *out, const struct report *report, const char *begin)
{
	for (size_t i = 0; i < report->step_count; i++)
		if (strncmp(report->steps[i], begin, strlen(begin)) == 0)
			buf_printf(out, "  %s\n", report->steps[i]);
}

void show_names(struct buf *out, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "%s%s", i ? ", " : "; applied here: ", names[i]);
}

static void put_messages(const struct report *report, enum diag_severity severity, struct json *out)
{
	for (size_t i = 0; i < report->count; i++)
		if (report->records[i]->severity == severity)
			diag_record_put_json(report->records[i], out);
}

void show_json_messages(struct json *out, const char *key, const struct report *report)
{
	json_list(out, key);
	put_messages(report, SEVERITY_ERROR, out);
	put_messages(report, SEVERITY_WARNING, out);
	json_end(out);
}

void show_json_steps(struct json *out, const char *key, const struct report *report)
{
	json_list(out, key);
	for (size_t i = 0; i < report->step_count; i++)
		json_text(out, NULL, report->steps[i]);
	json_end(out);
}

enum cmd_status show_status(enum apply_outcome outcome)
{
	switch (outcome) {
	case APPLY_UNCHANGED:
	case APPLY_DONE:
		return CMD_DONE;
	case APPLY_REFUSED:
		return CMD_SYSTEM_REFUSED;
	case APPLY_IN_DOUBT:
		return CMD_IN_DOUBT;
	}
	return CMD_IN_DOUBT;
}

void show_json_end(struct json *out, const struct diag *diag, const struct report *report)
{
	static const struct {
		const char *key;
		enum diag_severity severity;
	} lists[] = { { "warnings", SEVERITY_WARNING }, { "errors", SEVERITY_ERROR } };

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		json_list(out, lists[i].key);
		if (diag)
			diag_put_json(diag, lists[i].severity, out);
		put_messages(report, lists[i].severity, out);
		json_end(out);
	}
	json_end(out);
	buf_putc(out->out, '\n');
}

enum cmd_status show_end(const struct cmd_call *call, struct buf *out, enum apply_outcome outcome,
			 const char *done, const char *next)
{
	enum cmd_status status = show_status(outcome), printed = CMD_DONE;
	bool is_json = call->format == CMD_JSON;

	if (!out->length)
		return status;
	if (!is_json) {
		struct buf shown = { 0 };

		shown_lines(&shown, buf_text(out), out->length);
		buf_free(out);
		*out = shown;
	}
	if (outcome != APPLY_DONE || !done)
		printed = cmd_print(call, out);
	else if (!cmd_print_done(call, out, is_json, done, next) && is_json)
		printed = CMD_IN_DOUBT;
	buf_free(out);
	return status != CMD_DONE ? status : printed;
}

void show_rows(struct buf *out, struct arena *arena, const struct ir_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "  in a row: %s\n", lives_choice_words(arena, &rows[i]));
}

static void put_row(struct arena *arena, const struct ir_row *row, const char *key,
		    struct json *out)
{
	json_object(out, key);
	json_list(out, "listeners");
	for (size_t i = 0; i < row->count; i++)
		json_text(out, NULL, row->listeners[i].name);
	json_end(out);
	json_text(out, "listener", row->listeners[row->chosen].name);
	json_text(out, "why", row->is_asked ? lives_choice_words(arena, row) : NULL);
	json_end(out);
}

void show_json_row(struct arena *arena, const struct ir_row *row, struct json *out)
{
	if (row)
		put_row(arena, row, "row", out);
	else
		json_null(out, "row");
}

void show_json_rows(struct arena *arena, const struct ir_row *rows, size_t count, struct json *out)
{
	json_list(out, "rows");
	for (size_t i = 0; i < count; i++)
		put_row(arena, &rows[i], NULL, out);
	json_end(out);
}
