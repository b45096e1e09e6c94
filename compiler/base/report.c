/*
 * report: collects lines for a person. In go sentences, out comes the list in the order they were
 * said; a sentence that was said already is not said again.
 */
#include "base/report.h"

#include <stdarg.h>
#include <string.h>

#include "base/arena.h"

struct report_line *report_add(struct report *report, enum report_kind kind, const char *format,
			       ...)
{
	struct report_line *line;
	const char *text;
	va_list args;

	va_start(args, format);
	text = arena_vprintf(report->arena, format, args);
	va_end(args);
	for (size_t i = 0; i < report->count; i++)
		if (report->lines[i].kind == kind && strcmp(report->lines[i].text, text) == 0)
			return &report->lines[i];
	line = arena_append(report->arena, report->lines, report->count);
	line->kind = kind;
	line->text = text;
	return line;
}

const char *report_text(struct report *report, const char *format, ...)
{
	const char *text;
	va_list args;

	va_start(args, format);
	text = arena_vprintf(report->arena, format, args);
	va_end(args);
	return text;
}
