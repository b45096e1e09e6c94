/*
 * diag_allow: the comments of a policy that allow warnings and notes in their line (diag.h).
 */
#ifndef TPC_BASE_DIAG_ALLOW_H
#define TPC_BASE_DIAG_ALLOW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag_record.h"

/* One code of a comment that allows it. */
struct diag_allow {
	struct span span;
	unsigned int line;
	enum diag_code code; /* DIAG_CODE_COUNT: there is none of that name */
	bool is_used;
};

struct diag_allows {
	struct arena *arena;
	struct diag_allow *items;
	size_t count;
};

/* Adds those of a file. */
void diag_allow_read(struct diag_allows *allows, const struct source *source);
/* Does a comment say that this is allowed? Notes that it was needed. */
bool diag_allow_find(const struct diag_allows *allows, enum diag_code code, struct span where);
/* Is the comment all there is in its line? */
bool diag_allow_stands_alone(const struct diag_allow *allow);

#endif
