/*
 * diag: records of what is wrong, collected in the order of discovery and sorted when they are
 * shown.
 *
 * Always true: a record is complete when diag_add returns; everything is the arena's; showing
 * changes nothing.
 */
#include "base/diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag_list.h"

struct diag *diag_new(struct arena *arena)
{
	struct diag *diag = arena_new_of(arena, struct diag);

	diag->arena = arena;
	return diag;
}

void diag_configure(struct diag *diag, bool strict, enum diag_notes notes)
{
	diag->strict = strict;
	diag->notes = notes;
}

bool diag_wants(const struct diag *diag, enum diag_notes notes)
{
	return notes <= diag->notes;
}

void diag_cut_short(struct diag *diag)
{
	diag->is_cut_short = true;
}

bool diag_is_cut_short(const struct diag *diag)
{
	return diag->is_cut_short;
}

/* Where the record goes: what is allowed is kept apart. */
static void diag_place(struct diag *diag, struct diag_record *record)
{
	enum diag_severity severity = diag_code_severity(record->code);

	if (diag_may_be_allowed(record->code) &&
	    diag_is_allowed(diag, record->code, record->where)) {
		*arena_append(diag->arena, diag->silenced, diag->silenced_count) = record;
		return;
	}
	if (severity == SEVERITY_WARNING && diag->strict)
		severity = SEVERITY_ERROR;
	record->severity = severity;
	diag->errors += severity == SEVERITY_ERROR;
	diag->warnings += severity == SEVERITY_WARNING;
	record->index = diag->count;
	*arena_append(diag->arena, diag->records, diag->count) = record;
}

struct diag_record *diag_add(struct diag *diag, enum diag_code code, struct span where,
			     const char *format, ...)
{
	struct diag_record *record;
	va_list args;

	va_start(args, format);
	record = diag_record_new(diag->arena, code, format, args);
	va_end(args);
	record->where = where;
	diag_place(diag, record);
	return record;
}

size_t diag_error_count(const struct diag *diag)
{
	return diag->errors;
}

size_t diag_warning_count(const struct diag *diag)
{
	return diag->warnings;
}

bool diag_may_be_allowed(enum diag_code code)
{
	return diag_code_severity(code) != SEVERITY_ERROR || code == DIAG_own_mark;
}

static int diag_order(size_t a, size_t b)
{
	return (a > b) - (a < b);
}

/* By source (what has none comes first), then by where it begins. */
static int diag_compare_places(const struct diag_record *a, const struct diag_record *b)
{
	size_t a_source = a->where.source ? a->where.source->order + 1ul : 0;
	size_t b_source = b->where.source ? b->where.source->order + 1ul : 0;
	int order = diag_order(a_source, b_source);

	return order || !a_source ? order : diag_order(a->where.begin, b->where.begin);
}

/* 0 for records that say the same of the same place. */
static int diag_compare_contents(const struct diag_record *a, const struct diag_record *b)
{
	int order = diag_compare_places(a, b);

	if (!order && a->where.source)
		order = diag_order(a->where.end, b->where.end);
	if (!order)
		order = diag_order(a->code, b->code);
	return order ? order : strcmp(a->text, b->text);
}

static int diag_by_contents(const void *a, const void *b)
{
	const struct diag_record *const *left = a, *const *right = b;
	int order = diag_compare_contents(*left, *right);

	return order ? order : diag_order((*left)->index, (*right)->index);
}

static int diag_by_place(const void *a, const void *b)
{
	const struct diag_record *const *left = a, *const *right = b;
	int order = diag_compare_places(*left, *right);

	return order ? order : diag_order((*left)->index, (*right)->index);
}

size_t diag_sort(const struct diag_record *const *records, size_t count,
		 const struct diag_record **sorted)
{
	size_t kept = 0, i;

	for (i = 0; i < count; i++)
		sorted[i] = records[i];
	qsort(sorted, count, sizeof(*sorted), diag_by_contents);
	for (i = 0; i < count; i++) {
		if (!kept || diag_compare_contents(sorted[kept - 1], sorted[i]))
			sorted[kept++] = sorted[i];
	}
	qsort(sorted, kept, sizeof(*sorted), diag_by_place);
	return kept;
}

void diag_render(const struct diag *diag, struct buf *out, struct diag_style style)
{
	const struct diag_record **sorted;
	size_t count, i;

	if (!diag->count)
		return;
	sorted = arena_alloc(diag->arena, diag->count * sizeof(*sorted));
	count = diag_sort((const struct diag_record *const *)diag->records, diag->count, sorted);
	for (i = 0; i < count; i++)
		diag_record_show(sorted[i], out, style);
}

void diag_put_json(const struct diag *diag, enum diag_severity severity, struct json *out)
{
	const struct diag_record **sorted =
		arena_alloc(diag->arena, (diag->count + 1) * sizeof(*sorted));
	size_t count =
		diag_sort((const struct diag_record *const *)diag->records, diag->count, sorted);

	for (size_t i = 0; i < count; i++)
		if (sorted[i]->severity == severity)
			diag_record_put_json(sorted[i], out);
}
