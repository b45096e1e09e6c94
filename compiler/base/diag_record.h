/*
 * diag_record: what diag.c collects and diag_show.c prints. Nobody else looks inside.
 */
#ifndef TPC_BASE_DIAG_RECORD_H
#define TPC_BASE_DIAG_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/diag.h"

struct diag_note {
	struct span where;
	const char *text;
};

struct diag_record {
	struct arena *arena;
	enum diag_code code;
	enum diag_severity severity;
	size_t index; /* in the order of discovery */
	struct span where;
	const char *text;
	struct diag_note *notes;
	size_t note_count;
	const char **helps;
	size_t help_count;
};

/* One code of a comment that allows it. */
struct diag_allow {
	struct span span;
	unsigned int line;
	enum diag_code code; /* DIAG_CODE_COUNT: there is none of that name */
	bool is_used;
};

/* A file that was read, by what no other file shares. */
struct diag_input {
	dev_t device;
	ino_t inode;
	struct span named_by;
};

struct diag {
	struct arena *arena;
	struct diag_record **records;
	size_t count, errors, warnings;
	bool strict, is_cut_short;
	enum diag_notes notes;
	struct diag_allow *allows;
	size_t allow_count;
	struct diag_record **silenced;
	size_t silenced_count;
	struct diag_input *inputs;
	size_t input_count;
};

/* diag_allow.c: does a comment say that this is allowed? Notes that it was needed. */
bool diag_is_allowed(struct diag *diag, enum diag_code code, struct span where);
/* The records in the order to show them, the first of each that is there several times. */
size_t diag_sort(const struct diag_record *const *records, size_t count,
		 const struct diag_record **sorted);
/* One record as text, or as one line of JSON. */
void diag_show_text(const struct diag_record *record, struct buf *out, bool color);
void diag_show_json(const struct diag_record *record, struct buf *out);
/* An error as one of an object's list: with the fields that a report's errors have. */
void diag_show_error(const struct diag_record *record, struct buf *out);

#endif
