/*
 * diag: records of what is wrong, collected in the order of discovery and sorted when they are
 * shown; what comments allow of them; and the files that were read.
 *
 * Always true: a record is complete when diag_add returns; everything is the arena's; showing
 * changes nothing.
 */
#include "base/diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag_allow.h"
#include "base/json.h"
#include "base/suggest.h"

/* A file that was read, by what no other file shares. */
struct diag_input {
	dev_t device;
	ino_t inode;
	const char *path;
	struct span named_by;
};

struct diag {
	struct arena *arena;
	struct diag_record **records;
	size_t count, errors, warnings;
	bool strict, is_cut_short;
	enum diag_notes notes;
	struct diag_allows allows;
	struct diag_record **silenced;
	size_t silenced_count;
	struct diag_input *inputs;
	size_t input_count;
};

struct diag *diag_new(struct arena *arena)
{
	struct diag *diag = arena_new_of(arena, struct diag);

	diag->arena = diag->allows.arena = arena;
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

/* By a comment of the author's: warnings and notes, and the error about a mark that only the author
 * knows that no program sets. */
static bool diag_may_be_allowed(enum diag_code code)
{
	return diag_code_severity(code) != SEVERITY_ERROR || code == DIAG_own_mark;
}

/* Where the record goes: what is allowed is kept apart. */
static void diag_place(struct diag *diag, struct diag_record *record)
{
	enum diag_severity severity = diag_code_severity(record->code);

	if (diag_may_be_allowed(record->code) &&
	    diag_allow_find(&diag->allows, record->code, record->where)) {
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

bool diag_refuse(struct diag *diag, enum diag_code code, struct span where, const char *text,
		 const char *help)
{
	diag_help_text(diag_add(diag, code, where, "%s", text), help);
	return false;
}

size_t diag_error_count(const struct diag *diag)
{
	return diag->errors;
}

size_t diag_warning_count(const struct diag *diag)
{
	return diag->warnings;
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

/* The records in the order to show them, the first of each that is there several times. */
static size_t diag_sort(struct arena *arena, struct diag_record *const *records, size_t count,
			const struct diag_record ***out)
{
	const struct diag_record **sorted = arena_alloc(arena, (count + 1) * sizeof(*sorted));
	size_t kept = 0, i;

	*out = sorted;
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
	size_t count = diag_sort(diag->arena, diag->records, diag->count, &sorted);

	for (size_t i = 0; i < count; i++)
		diag_record_show(sorted[i], out, style);
}

void diag_put_json(const struct diag *diag, enum diag_severity severity, struct json *out)
{
	const struct diag_record **sorted;
	size_t count = diag_sort(diag->arena, diag->records, diag->count, &sorted);

	for (size_t i = 0; i < count; i++)
		if (sorted[i]->severity == severity)
			diag_record_put_json(sorted[i], out);
}

/* ---- comments that allow: what they are worth ---- */

static void judge_unknown(struct diag *diag, const struct diag_allow *allow)
{
	const char *names[DIAG_CODE_COUNT], *nearest;
	size_t length = allow->span.end - allow->span.begin, count = 0;
	const char *word =
		arena_strndup(diag->arena, allow->span.source->text + allow->span.begin, length);
	struct diag_record *record;

	for (int code = 0; code < DIAG_CODE_COUNT; code++)
		if (diag_may_be_allowed((enum diag_code)code))
			names[count++] = diag_code_name((enum diag_code)code);
	record = diag_add(diag, DIAG_unneeded_allow, allow->span, "no warning has the code \"%s\"",
			  word);
	nearest = suggest_nearest(word, names, count);
	if (nearest)
		diag_help(record, "did you mean \"%s\"?", nearest);
	else
		diag_help(record, "the code of a warning stands in brackets at its end");
}

static void judge(struct diag *diag, const struct diag_allow *allow)
{
	const char *name;

	if (allow->code == DIAG_CODE_COUNT) {
		judge_unknown(diag, allow);
		return;
	}
	name = diag_code_name(allow->code);
	if (!diag_may_be_allowed(allow->code))
		diag_help(diag_add(diag, DIAG_unneeded_allow, allow->span,
				   "\"%s\" is no warning of a policy, so it cannot be allowed",
				   name),
			  "fix what it reports, and remove this");
	else
		diag_help(diag_add(diag, DIAG_unneeded_allow, allow->span,
				   "this line has no warning \"%s\"", name),
			  diag_allow_stands_alone(allow)
				  ? "put it at the end of the next line, if it is meant for that"
				  : "remove it, or put it at the end of the line that the warning names");
}

void diag_read_allows(struct diag *diag, const struct source *source)
{
	diag_allow_read(&diag->allows, source);
}

void diag_judge_allows(struct diag *diag)
{
	for (size_t i = 0; i < diag->allows.count; i++) {
		const struct diag_allow *allow = &diag->allows.items[i];
		bool was_looked_at = allow->code == DIAG_CODE_COUNT ||
				     diag_code_severity(allow->code) != SEVERITY_NOTE ||
				     diag_wants(diag, NOTES_ALL);

		if (!allow->is_used && was_looked_at && allow->code != DIAG_unneeded_allow)
			judge(diag, allow);
	}
}

static void put_text(const struct diag_record *record, struct buf *out)
{
	buf_printf(out, "%s:%u %s", record->where.source->name,
		   source_place(record->where.source, record->where.begin).line,
		   diag_code_name(record->code));
}

void diag_put_silenced(const struct diag *diag, struct buf *out)
{
	const struct diag_record **sorted;
	size_t count = diag_sort(diag->arena, diag->silenced, diag->silenced_count, &sorted);

	if (!count)
		return;
	buf_printf(out, "%zu silenced (", count);
	for (size_t i = 0; i < count; i++) {
		buf_puts(out, i ? ", " : "");
		put_text(sorted[i], out);
	}
	buf_putc(out, ')');
}

void diag_put_silenced_json(const struct diag *diag, struct json *out, const char *key)
{
	const struct diag_record **sorted;
	size_t count = diag_sort(diag->arena, diag->silenced, diag->silenced_count, &sorted);

	json_list(out, key);
	for (size_t i = 0; i < count; i++) {
		struct span where = sorted[i]->where;

		json_object(out, NULL);
		json_text(out, "file", where.source->name);
		json_number(out, "line", source_place(where.source, where.begin).line);
		json_text(out, "code", diag_code_name(sorted[i]->code));
		json_end(out);
	}
	json_end(out);
}

/* ---- files that were read, which no output may replace ---- */

/* Through a symbolic link, or by another of its names, it is the same. */
static const struct diag_input *diag_find_input(const struct diag *diag, const struct stat *info)
{
	for (size_t i = 0; i < diag->input_count; i++)
		if (diag->inputs[i].device == info->st_dev && diag->inputs[i].inode == info->st_ino)
			return &diag->inputs[i];
	return NULL;
}

void diag_note_input(struct diag *diag, const char *path, const struct stat *info,
		     struct span named_by)
{
	if (!diag_find_input(diag, info))
		*arena_append(diag->arena, diag->inputs, diag->input_count) =
			(struct diag_input){ info->st_dev, info->st_ino,
					     arena_strdup(diag->arena, path), named_by };
}

const char *diag_input(const struct diag *diag, size_t nth)
{
	return nth < diag->input_count ? diag->inputs[nth].path : NULL;
}

bool diag_refuse_output(const struct diag *diag, struct diag *refusals, const char *path)
{
	const struct diag_input *input;
	struct diag_record *record;
	struct stat info;

	if (stat(path, &info))
		return false;
	input = diag_find_input(diag, &info);
	if (!input)
		return false;
	record = diag_add(refusals, DIAG_overwrites_input, input->named_by,
			  "the output \"%s\" would overwrite %s", path,
			  input->named_by.source ? "the file that is read here"
						 : "the policy itself");
	diag_help(record, "choose another folder or name for the output; nothing was written");
	return true;
}
