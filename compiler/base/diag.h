/*
 * diag: what is wrong with a policy, collected, sorted by place and shown at the end.
 *
 * Phases add records and go on; only the verb that ran them renders. A record has a stable code
 * from codes.def, a text, a main place, more places, and help lines that say what to write instead.
 */
#ifndef TPC_BASE_DIAG_H
#define TPC_BASE_DIAG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/source.h"

struct arena;
struct buf;
struct diag;
struct diag_record;

/* The codes, in codes.def: DIAG_CODE(name, severity, "what it is about"). Shown as name with '-'
 * for '_'. */
enum diag_code {
#define DIAG_CODE(name, severity, about) DIAG_##name,
#include "base/codes.def"
#undef DIAG_CODE
	DIAG_CODE_COUNT
};

enum diag_severity { SEVERITY_ERROR, SEVERITY_WARNING };

struct diag_style {
	bool color;
	bool json; /* one object a line instead of text */
};

struct diag *diag_new(struct arena *arena);
/* Adds a record; its severity is the code's. A span without a source shows no line. */
struct diag_record *diag_add(struct diag *diag, enum diag_code code, struct span where,
			     const char *format, ...) __attribute__((format(printf, 4, 5)));
/* A second place that matters: "first given here". */
void diag_also(struct diag_record *record, struct span where, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* How to mend it; may be called again for a second line. */
void diag_help(struct diag_record *record, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

size_t diag_error_count(const struct diag *diag);
size_t diag_warning_count(const struct diag *diag);
const char *diag_code_name(enum diag_code code);
const char *diag_code_about(enum diag_code code);
enum diag_severity diag_code_severity(enum diag_code code);

/*
 * All records, sorted by source, then place, then order of discovery; equal ones once:
 *
 *   policy.yaml:4:20: error: no listener "prxy" [unknown-name]
 *     4 |   - {to: x, then: {proxy: prxy}}
 *       |                           ^^^^
 *   policy.yaml:3:3: note: ... (diag_also)
 *   help: did you mean "proxy"?
 */
void diag_render(const struct diag *diag, struct buf *out, struct diag_style style);

#endif
