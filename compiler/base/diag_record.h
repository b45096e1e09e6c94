/*
 * diag_record: what diag.c collects and diag_show.c prints. Nobody else looks inside.
 */
#ifndef TPC_BASE_DIAG_RECORD_H
#define TPC_BASE_DIAG_RECORD_H

#include <stddef.h>

#include "base/diag.h"

struct diag_note {
	struct span where;
	const char *text;
};

struct diag_record {
	struct arena *arena;
	enum diag_code code;
	size_t index; /* in the order of discovery */
	struct span where;
	const char *text;
	struct diag_note *notes;
	size_t note_count;
	const char **helps;
	size_t help_count;
};

/* One record as text, or as one line of JSON. */
void diag_show_text(const struct diag_record *record, struct buf *out, bool color);
void diag_show_json(const struct diag_record *record, struct buf *out);

#endif
