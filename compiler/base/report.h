/*
 * report: what a look at, or a change of, the live system has to say, collected in order. Only cmd/
 * prints it.
 *
 * Messages are those of diag_record.h; a step is a line about something that was, or would be,
 * done.
 */
#ifndef TPC_BASE_REPORT_H
#define TPC_BASE_REPORT_H

#include "base/diag_record.h"

struct report {
	struct arena *arena;
	struct diag_record **records;
	size_t count;
	const char **steps;
	size_t step_count;
};

/* The message, so that a place, help and a command can be set. One that is there already is not
 * added again. */
struct diag_record *report_add(struct report *report, enum diag_severity severity,
			       enum diag_code code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void report_step(struct report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
