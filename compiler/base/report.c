/*
 * report: collects messages about the host. In go sentences, out comes the list in the order they
 * were said; a sentence that was said already is not said again.
 */
#include "base/report.h"

#include <string.h>

#include "base/arena.h"

struct diag_record *report_add(struct report *report, enum diag_severity severity,
			       enum diag_code code, const char *format, ...)
{
	struct diag_record *record;
	va_list args;

	va_start(args, format);
	record = diag_record_new(report->arena, code, format, args);
	va_end(args);
	record->severity = severity;
	for (size_t i = 0; i < report->count; i++)
		if (report->records[i]->severity == severity &&
		    strcmp(report->records[i]->text, record->text) == 0)
			return record;
	*arena_append(report->arena, report->records, report->count) = record;
	return record;
}

void report_step(struct report *report, const char *format, ...)
{
	const char *text;
	va_list args;

	va_start(args, format);
	text = arena_vprintf(report->arena, format, args);
	va_end(args);
	for (size_t i = 0; i < report->step_count; i++)
		if (strcmp(report->steps[i], text) == 0)
			return;
	*arena_append(report->arena, report->steps, report->step_count) = text;
}
