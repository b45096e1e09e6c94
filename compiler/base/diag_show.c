/*
 * diag_show: one record as text with its line and a caret, or as a line of JSON.
 *
 * Whatever a policy holds, what comes out is valid UTF-8 without control characters other than line
 * feeds, tabs and our own colours: anything else is shown as \xNN or \uNNNN, as wide in the line of
 * carets as it is above.
 */
#include <string.h>

#include "base/buf.h"
#include "base/diag_record.h"
#include "base/json.h"
#include "base/shown.h"

/*
 * Lines longer than DIAG_WIDEST characters are cut to DIAG_WINDOW, with DIAG_BEFORE of them before
 * the span. DIAG_BYTES bounds what is no text at all and has no characters to count.
 */
enum { DIAG_WIDEST = 160, DIAG_WINDOW = 140, DIAG_BEFORE = 50, DIAG_BYTES = 4 * DIAG_WIDEST };
/* How much of a broken line is shown before the span. */
enum { DIAG_BYTES_BEFORE = 4 * DIAG_BEFORE };

struct diag_paint {
	const char *place, *error, *warning, *note, *help, *end;
};

static const struct diag_paint diag_plain = { "", "", "", "", "", "" };
static const struct diag_paint diag_colored = {
	.place = "\x1b[1m",
	.error = "\x1b[1;31m",
	.warning = "\x1b[1;35m",
	.note = "\x1b[1;36m",
	.help = "\x1b[1;32m",
	.end = "\x1b[0m",
};

/* A part of one line: bytes first..last are shown, begin..end of them are underlined. */
struct diag_excerpt {
	size_t first, last, begin, end;
	bool cut_before, cut_behind;
};

/* The end of the line that holds the offset, without its line break. */
static size_t diag_line_end(const struct source *source, size_t offset, size_t *begin)
{
	size_t length;
	const char *line =
		source_line(source, source_place(source, (uint32_t)offset).line, &length);

	*begin = (size_t)(line - source->text);
	return *begin + length;
}

static size_t diag_least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Cuts a long line to the characters around the span. */
static void diag_cut(const struct source *source, struct diag_excerpt *part)
{
	size_t total = source_place(source, (uint32_t)part->last).column - 1;
	size_t column = source_place(source, (uint32_t)part->begin).column - 1;
	size_t line = part->first, line_end = part->last, start;

	if (total > DIAG_WIDEST) {
		start = column > DIAG_BEFORE ? column - DIAG_BEFORE : 0;
		start = diag_least(start, total - DIAG_WINDOW);
		part->first = source_walk(source, (uint32_t)line, (ptrdiff_t)start);
		part->last = source_walk(source, (uint32_t)line,
					 (ptrdiff_t)diag_least(start + DIAG_WINDOW, total));
	}
	if (part->begin - part->first > DIAG_BYTES)
		part->first = part->begin - DIAG_BYTES_BEFORE;
	if (part->last - part->first > DIAG_BYTES)
		part->last = part->first + DIAG_BYTES;
	part->end = diag_least(part->end, part->last);
	part->cut_before = part->first > line;
	part->cut_behind = part->last < line_end;
}

static struct diag_excerpt diag_excerpt(struct span where)
{
	struct diag_excerpt part;

	part.last = diag_line_end(where.source, where.begin, &part.first);
	part.begin = diag_least(where.begin, part.last);
	part.end = diag_least(where.end > part.begin ? where.end : part.begin, part.last);
	diag_cut(where.source, &part);
	return part;
}

/* The shown line goes to `line`, what stands below it to `carets`: tabs stay tabs, so that both
 * line up. */
static void diag_put_both(const struct source *source, const struct diag_excerpt *part,
			  struct buf *line, struct buf *carets)
{
	size_t at = part->first, width;

	while (at < part->last) {
		bool marked = at >= part->begin && at < part->end;

		if (source->text[at] == '\t') {
			buf_putc(line, '\t');
			if (at < part->end)
				buf_putc(carets, '\t');
			at++;
			continue;
		}
		at += shown_character(line, source->text + at, part->last - at, &width);
		while ((marked || at <= part->begin) && width--)
			buf_putc(carets, marked ? '^' : ' ');
	}
	if (part->end == part->begin)
		buf_putc(carets, '^');
}

static void diag_put_excerpt(struct span where, const char *indent, struct buf *out,
			     const char *paint, const char *end)
{
	struct diag_excerpt part = diag_excerpt(where);
	unsigned int number = source_place(where.source, where.begin).line;
	struct buf line = { 0 }, carets = { 0 };
	size_t margin = out->length;

	if (part.cut_before) {
		buf_puts(&line, "...");
		buf_puts(&carets, "   ");
	}
	diag_put_both(where.source, &part, &line, &carets);
	buf_printf(out, "%s  %u | ", indent, number);
	margin = out->length - margin;
	buf_printf(out, "%s%s\n", buf_text(&line), part.cut_behind ? "..." : "");
	buf_printf(out, "%*s| %s%s%s\n", (int)margin - 2, "", paint, buf_text(&carets), end);
	buf_free(&line);
	buf_free(&carets);
}

/* "file:line:column: ", or `none` for what has no place. */
static void diag_put_place(struct span where, const char *none, struct buf *out,
			   const struct diag_paint *paint)
{
	struct place place;

	if (!where.source && !*none)
		return;
	buf_puts(out, paint->place);
	if (where.source) {
		place = source_place(where.source, where.begin);
		shown_text(out, where.source->name);
		buf_printf(out, ":%u:%u:", place.line, place.column);
	} else {
		buf_puts(out, none);
	}
	buf_printf(out, "%s ", paint->end);
}

static const char *diag_severity_word(enum diag_severity severity)
{
	static const char *const words[] = { "error", "warning", "note" };

	return words[severity];
}

/* "help: text" and the like. */
static void diag_put_labelled(const char *indent, const char *label, const char *text,
			      const struct diag_paint *paint, struct buf *out)
{
	buf_printf(out, "%s%s%s:%s ", indent, paint->help, label, paint->end);
	shown_text(out, text);
	buf_putc(out, '\n');
}

static void diag_show_text(const struct diag_record *record, struct buf *out,
			   const struct diag_paint *paint, const char *indent)
{
	const char *const severities[] = { paint->error, paint->warning, paint->note };
	const char *severity = severities[record->severity], *none = *indent ? "" : "tpc:";

	buf_puts(out, indent);
	diag_put_place(record->where, none, out, paint);
	buf_printf(out, "%s%s:%s ", severity, diag_severity_word(record->severity), paint->end);
	shown_text(out, record->text);
	buf_printf(out, " [%s]\n", diag_code_name(record->code));
	if (record->where.source)
		diag_put_excerpt(record->where, indent, out, severity, paint->end);
	for (size_t i = 0; i < record->note_count; i++) {
		buf_puts(out, indent);
		diag_put_place(record->notes[i].where, none, out, paint);
		buf_printf(out, "%snote:%s ", paint->note, paint->end);
		shown_text(out, record->notes[i].text);
		buf_putc(out, '\n');
	}
	for (size_t i = 0; i < record->help_count; i++)
		diag_put_labelled(indent, "help", record->helps[i], paint, out);
	if (record->command)
		diag_put_labelled(indent, "run", record->command, paint, out);
}

/* ---- JSON ---- */

static void diag_put_json_place(struct span where, struct json *out)
{
	struct place begin;
	size_t line, end;

	if (!where.source) {
		json_null(out, "file");
		json_null(out, "line");
		json_null(out, "column");
		json_null(out, "end_column");
		return;
	}
	begin = source_place(where.source, where.begin);
	end = diag_least(diag_line_end(where.source, where.begin, &line), where.end);
	if (end < where.begin)
		end = where.begin;
	json_text(out, "file", where.source->name);
	json_number(out, "line", begin.line);
	json_number(out, "column", begin.column);
	json_number(out, "end_column", source_place(where.source, (uint32_t)end).column);
}

void diag_record_put_json(const struct diag_record *record, struct json *out)
{
	json_object(out, NULL);
	json_text(out, "severity", diag_severity_word(record->severity));
	json_text(out, "code", diag_code_name(record->code));
	diag_put_json_place(record->where, out);
	json_text(out, "message", record->text);
	json_list(out, "notes");
	for (size_t i = 0; i < record->note_count; i++) {
		json_object(out, NULL);
		diag_put_json_place(record->notes[i].where, out);
		json_text(out, "message", record->notes[i].text);
		json_end(out);
	}
	json_end(out);
	json_list(out, "help");
	for (size_t i = 0; i < record->help_count; i++)
		json_text(out, NULL, record->helps[i]);
	json_end(out);
	json_text(out, "command", record->command);
	json_end(out);
}

void diag_record_show(const struct diag_record *record, struct buf *out, struct diag_style style)
{
	struct json json = { .out = out };

	if (!style.json) {
		diag_show_text(record, out, style.color ? &diag_colored : &diag_plain,
			       style.indent ? style.indent : "");
		return;
	}
	diag_record_put_json(record, &json);
	buf_putc(out, '\n');
}
