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
struct stat;

/* The codes, in codes.def: DIAG_CODE(name, severity, "what it is about"). Shown as name with '-'
 * for '_'. */
enum diag_code {
#define DIAG_CODE(name, severity, about) DIAG_##name,
#include "base/codes.def"
#undef DIAG_CODE
	DIAG_CODE_COUNT
};

enum diag_severity { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_NOTE };

/* How much is said that is no fault: nothing, what may surprise, all. */
enum diag_notes { NOTES_NONE, NOTES_SOME, NOTES_ALL };

struct diag_style {
	bool color;
	bool json; /* one object a line instead of text */
};

struct diag *diag_new(struct arena *arena);
/* Before anything is added: warnings count as errors (`strict`), and how many notes are wanted. */
void diag_wish(struct diag *diag, bool strict, enum diag_notes notes);
bool diag_wants(const struct diag *diag, enum diag_notes notes);
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
/* Errors ended the work before all was looked at. */
void diag_cut_short(struct diag *diag);
bool diag_is_cut_short(const struct diag *diag);
const char *diag_code_name(enum diag_code code);
const char *diag_code_about(enum diag_code code);
enum diag_severity diag_code_severity(enum diag_code code);
/* By a comment of the author's: warnings and notes, and the error about a mark that only the author
 * knows that no program sets. */
bool diag_may_be_allowed(enum diag_code code);

/*
 * A comment `# allow: CODE, CODE why not` at the end of a line, or `# why; allow: CODE`, silences
 * the warnings and notes of these codes whose main place is in that line. diag_read_allows finds
 * them in a file of a policy, before anything is added about it; diag_judge_allows, once all is
 * added, warns of those that silence nothing.
 */
void diag_read_allows(struct diag *diag, const struct source *source);
void diag_judge_allows(struct diag *diag);
/* What they have silenced: "2 silenced (policy.yaml:7 unused, policy.yaml:9 covered-rule)", or a
 * list of JSON objects; nothing, or an empty list, where that is none. */
void diag_put_silenced(const struct diag *diag, struct buf *out, bool json);

/* A file of which the policy was read, and the place that names it. */
void diag_note_input(struct diag *diag, const struct stat *info, struct span named_by);
/* Would writing or removing `path` destroy one of these? That is an error of `refusals`, at the
 * place that names the file. */
bool diag_refuse_output(const struct diag *diag, struct diag *refusals, const char *path);

/* All errors as JSON objects with commas between them, as a report has its own. */
void diag_put_errors(const struct diag *diag, struct buf *out);

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
