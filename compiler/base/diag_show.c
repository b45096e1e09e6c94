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

static void diag_put_excerpt(struct span where, struct buf *out, const char *paint, const char *end)
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
	buf_printf(out, "  %u | ", number);
	margin = out->length - margin;
	buf_printf(out, "%s%s\n", buf_text(&line), part.cut_behind ? "..." : "");
	buf_printf(out, "%*s| %s%s%s\n", (int)margin - 2, "", paint, buf_text(&carets), end);
	buf_free(&line);
	buf_free(&carets);
}

/* "file:line:column: ", or "tpc: " for what has no place. */
static void diag_put_place(struct span where, struct buf *out, const struct diag_paint *paint)
{
	struct place place;

	buf_puts(out, paint->place);
	if (where.source) {
		place = source_place(where.source, where.begin);
		shown_text(out, where.source->name);
		buf_printf(out, ":%u:%u:", place.line, place.column);
	} else {
		buf_puts(out, "tpc:");
	}
	buf_printf(out, "%s ", paint->end);
}

static const char *diag_severity_word(enum diag_severity severity)
{
	static const char *const words[] = { "error", "warning", "note" };

	return words[severity];
}

void diag_show_text(const struct diag_record *record, struct buf *out, bool color)
{
	const struct diag_paint *paint = color ? &diag_colored : &diag_plain;
	const char *const severities[] = { paint->error, paint->warning, paint->note };
	const char *severity = severities[record->severity];
	size_t i;

	diag_put_place(record->where, out, paint);
	buf_printf(out, "%s%s:%s ", severity, diag_severity_word(record->severity), paint->end);
	shown_text(out, record->text);
	buf_printf(out, " [%s]\n", diag_code_name(record->code));
	if (record->where.source)
		diag_put_excerpt(record->where, out, severity, paint->end);
	for (i = 0; i < record->note_count; i++) {
		diag_put_place(record->notes[i].where, out, paint);
		buf_printf(out, "%snote:%s ", paint->note, paint->end);
		shown_text(out, record->notes[i].text);
		buf_putc(out, '\n');
	}
	for (i = 0; i < record->help_count; i++) {
		buf_printf(out, "%shelp:%s ", paint->help, paint->end);
		shown_text(out, record->helps[i]);
		buf_putc(out, '\n');
	}
}

static void diag_put_json_text(struct buf *out, const char *text)
{
	buf_json_string(out, text, strlen(text));
}

static void diag_put_json_place(struct span where, struct buf *out)
{
	struct place begin;
	size_t line, end;

	if (!where.source) {
		buf_puts(out, "\"file\":null,\"line\":null,\"column\":null,\"end_column\":null");
		return;
	}
	begin = source_place(where.source, where.begin);
	end = diag_least(diag_line_end(where.source, where.begin, &line), where.end);
	if (end < where.begin)
		end = where.begin;
	buf_puts(out, "\"file\":");
	diag_put_json_text(out, where.source->name);
	buf_printf(out, ",\"line\":%u,\"column\":%u,\"end_column\":%u", begin.line, begin.column,
		   source_place(where.source, (uint32_t)end).column);
}

void diag_show_json(const struct diag_record *record, struct buf *out)
{
	size_t i;

	buf_printf(out, "{\"severity\":\"%s\",\"code\":\"%s\",",
		   diag_severity_word(record->severity), diag_code_name(record->code));
	diag_put_json_place(record->where, out);
	buf_puts(out, ",\"message\":");
	diag_put_json_text(out, record->text);
	buf_puts(out, ",\"notes\":[");
	for (i = 0; i < record->note_count; i++) {
		buf_puts(out, i ? ",{" : "{");
		diag_put_json_place(record->notes[i].where, out);
		buf_puts(out, ",\"message\":");
		diag_put_json_text(out, record->notes[i].text);
		buf_putc(out, '}');
	}
	buf_puts(out, "],\"help\":[");
	for (i = 0; i < record->help_count; i++) {
		if (i)
			buf_putc(out, ',');
		diag_put_json_text(out, record->helps[i]);
	}
	buf_puts(out, "]}\n");
}

void diag_show_error(const struct diag_record *record, struct buf *out)
{
	struct buf help = { 0 };

	buf_puts(out, "{\"text\":");
	diag_put_json_text(out, record->text);
	buf_puts(out, ",\"file\":");
	if (record->where.source) {
		struct place begin = source_place(record->where.source, record->where.begin);

		diag_put_json_text(out, record->where.source->name);
		buf_printf(out, ",\"line\":%u,\"column\":%u", begin.line, begin.column);
	} else {
		buf_puts(out, "null,\"line\":null,\"column\":null");
	}
	buf_printf(out, ",\"code\":\"%s\",\"help\":", diag_code_name(record->code));
	for (size_t i = 0; i < record->help_count; i++)
		buf_printf(&help, "%s%s", i ? "; " : "", record->helps[i]);
	if (record->help_count)
		diag_put_json_text(out, buf_text(&help));
	else
		buf_puts(out, "null");
	buf_puts(out, ",\"command\":null}");
	buf_free(&help);
}
