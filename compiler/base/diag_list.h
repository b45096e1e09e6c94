/*
 * diag_list: what diag.c, diag_allow.c and diag_input.c share. Nothing else includes it.
 */
#ifndef TPC_BASE_DIAG_LIST_H
#define TPC_BASE_DIAG_LIST_H

#include <sys/types.h>

#include "base/diag.h"

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

#endif
