/*
 * show: in goes a report, out come lines of text or JSON. What a person can run is on a line of its
 * own, so that it can be copied.
 */
#include "cmd/show.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/shown.h"
#include "base/source.h"
#include "host/lives.h"

static const char *word_for(enum report_kind kind)
{
	switch (kind) {
	case REPORT_REFUSED:
	case REPORT_DOUBT:
		return "error";
	case REPORT_WARNING:
		return "warning";
	case REPORT_STEP:
		return "note";
	}
	return "";
}

static void put_more(struct buf *out, const char *indent, const char *word, const char *text)
{
	if (!text)
		return;
	buf_printf(out, "%s  %s: ", indent, word);
	shown_text(out, text);
	buf_putc(out, '\n');
}

void show_line(struct buf *out, const struct report_line *line, const char *indent)
{
	buf_puts(out, indent);
	if (line->where.source) {
		struct place place = source_place(line->where.source, line->where.begin);

		shown_text(out, line->where.source->name);
		buf_printf(out, ":%u:%u: ", place.line, place.column);
	} else if (!*indent) {
		buf_puts(out, "tpc: ");
	}
	buf_printf(out, "%s: ", word_for(line->kind));
	shown_text(out, line->text);
	buf_putc(out, '\n');
	put_more(out, indent, "help", line->help);
	put_more(out, indent, "run", line->command);
}

void show_problems(const struct report *report)
{
	struct buf out = { 0 };

	for (size_t i = 0; i < report->count; i++)
		if (report->lines[i].kind != REPORT_STEP)
			show_line(&out, &report->lines[i], "");
	fputs(buf_text(&out), stderr);
	buf_free(&out);
}

void show_steps(struct buf *out, const struct report *report, const char *begin)
{
	for (size_t i = 0; i < report->count; i++)
		if (report->lines[i].kind == REPORT_STEP &&
		    strncmp(report->lines[i].text, begin, strlen(begin)) == 0)
			buf_printf(out, "  %s\n", report->lines[i].text);
}

void show_names(struct buf *out, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "%s%s", i ? ", " : "; applied here: ", names[i]);
}

void show_json_text(struct buf *out, const char *key, const char *text)
{
	buf_printf(out, "\"%s\":", key);
	if (text)
		buf_json_string(out, text, strlen(text));
	else
		buf_puts(out, "null");
}

static void put_object(struct buf *out, const struct report_line *line)
{
	buf_putc(out, '{');
	show_json_text(out, "text", line->text);
	buf_putc(out, ',');
	show_json_text(out, "file", line->where.source ? line->where.source->name : NULL);
	if (line->where.source) {
		struct place place = source_place(line->where.source, line->where.begin);

		buf_printf(out, ",\"line\":%u,\"column\":%u,", place.line, place.column);
	} else {
		buf_puts(out, ",\"line\":null,\"column\":null,");
	}
	show_json_text(out, "code", NULL);
	buf_putc(out, ',');
	show_json_text(out, "help", line->help);
	buf_putc(out, ',');
	show_json_text(out, "command", line->command);
	buf_putc(out, '}');
}

void show_json(struct buf *out, const struct report *report, enum report_kind kind)
{
	const char *gap = "";

	buf_putc(out, '[');
	for (size_t i = 0; i < report->count; i++) {
		const struct report_line *line = &report->lines[i];

		if (line->kind != kind)
			continue;
		buf_puts(out, gap);
		if (kind == REPORT_STEP)
			buf_json_string(out, line->text, strlen(line->text));
		else
			put_object(out, line);
		gap = ",";
	}
	buf_putc(out, ']');
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

void show_json_end(struct buf *out, const struct diag *diag, const struct report *report,
		   enum apply_outcome outcome)
{
	struct buf errors = { 0 };

	buf_puts(out, ",\"warnings\":");
	show_json(out, report, REPORT_WARNING);
	buf_puts(out, ",\"errors\":[");
	if (diag)
		diag_put_errors(diag, out);
	show_json(&errors, report, outcome == APPLY_IN_DOUBT ? REPORT_DOUBT : REPORT_REFUSED);
	if (diag && diag_error_count(diag) && errors.length > strlen("[]"))
		buf_putc(out, ',');
	buf_puts(out, buf_text(&errors) + 1);
	buf_puts(out, "}\n");
	buf_free(&errors);
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
		printed = cmd_print(out);
	else if (!cmd_print_done(out, is_json, done, next) && is_json)
		printed = CMD_IN_DOUBT;
	buf_free(out);
	return status != CMD_DONE ? status : printed;
}

void show_rows(struct buf *out, struct arena *arena, const struct ir_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "  in a row: %s\n", lives_choice_words(arena, &rows[i]));
}

static void put_row(struct arena *arena, const struct ir_row *row, struct buf *out)
{
	buf_puts(out, "{\"listeners\":[");
	for (size_t i = 0; i < row->count; i++)
		buf_printf(out, "%s\"%s\"", i ? "," : "", row->listeners[i].name);
	buf_puts(out, "],");
	show_json_text(out, "listener", row->listeners[row->chosen].name);
	buf_putc(out, ',');
	show_json_text(out, "why", row->is_asked ? lives_choice_words(arena, row) : NULL);
	buf_putc(out, '}');
}

void show_json_row(struct arena *arena, const struct ir_row *row, struct buf *out)
{
	buf_puts(out, ",\"row\":");
	if (row)
		put_row(arena, row, out);
	else
		buf_puts(out, "null");
}

void show_json_rows(struct arena *arena, const struct ir_row *rows, size_t count, struct buf *out)
{
	buf_puts(out, "\"rows\":[");
	for (size_t i = 0; i < count; i++) {
		buf_puts(out, i ? "," : "");
		put_row(arena, &rows[i], out);
	}
	buf_puts(out, "],");
}
