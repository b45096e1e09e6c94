/*
 * report: what a look at, or a change of, the live system has to say, collected in order. Only cmd/
 * prints it.
 *
 * Every line is a sentence for a person; `command` is what to run to mend it, ready for a shell, or
 * NULL.
 */
#ifndef TPC_BASE_REPORT_H
#define TPC_BASE_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/source.h"

struct arena;

enum report_kind {
	REPORT_REFUSED, /* why nothing was done */
	REPORT_DOUBT,   /* what could not be put right */
	REPORT_WARNING,
	REPORT_STEP, /* something that was, or would be, done */
};

struct report_line {
	enum report_kind kind;
	struct span where; /* in the policy, or no source */
	const char *text;
	const char *help; /* what to do about it, in words, or NULL */
	const char *command;
};

struct report {
	struct arena *arena;
	struct report_line *lines;
	size_t count;
};

/* The line that was added, so that a command can be set. */
struct report_line *report_add(struct report *report, enum report_kind kind, const char *format,
			       ...) __attribute__((format(printf, 3, 4)));

/* Text that lives as long as the report. */
const char *report_text(struct report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
