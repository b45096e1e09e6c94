/*
 * build_report: errors of a document that may be read in several runs: each is added once, and
 * after BUILD_REPORTS the reading stops.
 */
#include <stdarg.h>

#include "base/arena.h"
#include "yaml/build.h"

struct span build_span(const struct build *build, size_t begin, size_t end)
{
	return (struct span){ build->source, (uint32_t)begin,
			      (uint32_t)(end < begin ? begin : end) };
}

bool build_counts(struct build *build)
{
	if (++build->reports >= BUILD_REPORTS)
		build->stopped = true;
	return build->event > build->quiet;
}

struct diag_record *build_report(struct build *build, enum diag_code code, struct span span,
				 const char *format, ...)
{
	struct diag_record *record;
	const char *text;
	va_list args;

	if (!build_counts(build))
		return NULL;
	va_start(args, format);
	text = arena_vprintf(build->arena, format, args);
	va_end(args);
	record = diag_add(build->diag, code, span, "%s", text);
	if (build->stopped)
		diag_help(record, "these are %d errors; what follows them was not read",
			  BUILD_REPORTS);
	return record;
}
