/*
 * diag_record: one message, of a policy or of the host: what is wrong, where, and what to write or
 * run instead. diag collects them for a policy, report for the host; both show them alike:
 *
 *   policy.yaml:4:20: error: no listener "prxy" [unknown-name]
 *     4 |   - {to: x, then: {proxy: prxy}}
 *       |                           ^^^^
 *   policy.yaml:3:3: note: ... (diag_also)
 *   help: did you mean "proxy"?
 *   run: tpc status
 *
 * As JSON each is the object "message" of schema/output.schema.json.
 */
#ifndef TPC_BASE_DIAG_RECORD_H
#define TPC_BASE_DIAG_RECORD_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/source.h"

struct arena;
struct buf;
struct json;

/* The codes, in codes.def: DIAG_CODE(name, severity, "what it is about"). Shown as name with '-'
 * for '_'. */
enum diag_code {
#define DIAG_CODE(name, severity, about) DIAG_##name,
#include "base/codes.def"
#undef DIAG_CODE
	DIAG_CODE_COUNT
};

enum diag_severity { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_NOTE };

struct diag_note {
	struct span where;
	const char *text;
};

struct diag_record {
	struct arena *arena;
	enum diag_code code;
	enum diag_severity severity;
	size_t index;      /* in the order of discovery */
	struct span where; /* no source: no place */
	const char *text;
	struct diag_note *notes;
	size_t note_count;
	const char **helps;
	size_t help_count;
	const char *command; /* that fixes it, ready for a shell, or NULL */
};

struct diag_style {
	bool color;
	bool json;          /* one object a line instead of text */
	const char *indent; /* before each line of text; then no "tpc: " stands before it. Or NULL
			     */
};

/* A message with the severity of its code. */
struct diag_record *diag_record_new(struct arena *arena, enum diag_code code, const char *format,
				    va_list args);
/* A second place that matters: "first given here". */
void diag_also(struct diag_record *record, struct span where, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* How to fix it; may be called again for a second line. */
void diag_help(struct diag_record *record, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The same of a text that lives as long as the record; NULL: none. */
void diag_help_text(struct diag_record *record, const char *text);

const char *diag_code_name(enum diag_code code);
const char *diag_code_about(enum diag_code code);
enum diag_severity diag_code_severity(enum diag_code code);

/* As text, or as one line of JSON. */
void diag_record_show(const struct diag_record *record, struct buf *out, struct diag_style style);
/* As an object of a list. */
void diag_record_put_json(const struct diag_record *record, struct json *out);

#endif
