/*
 * diag: what is wrong with a policy, collected, sorted by place and shown at the end.
 *
 * Phases add records and go on; only the verb that ran them renders.
 */
#ifndef TPC_BASE_DIAG_H
#define TPC_BASE_DIAG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag_record.h"

struct diag;
struct stat;

/* How much is said that is no fault: nothing, what may surprise, all. */
enum diag_notes { NOTES_NONE, NOTES_SOME, NOTES_ALL };

struct diag *diag_new(struct arena *arena);
/* Before anything is added: warnings count as errors (`strict`), and how many notes are wanted. */
void diag_configure(struct diag *diag, bool strict, enum diag_notes notes);
bool diag_wants(const struct diag *diag, enum diag_notes notes);
/* Adds a record; its severity is the code's. A span without a source shows no line. */
struct diag_record *diag_add(struct diag *diag, enum diag_code code, struct span where,
			     const char *format, ...) __attribute__((format(printf, 4, 5)));
/* An error and its help, both as they stand. False. */
bool diag_refuse(struct diag *diag, enum diag_code code, struct span where, const char *text,
		 const char *help);

size_t diag_error_count(const struct diag *diag);
size_t diag_warning_count(const struct diag *diag);
/* Errors ended the work before all was checked. */
void diag_cut_short(struct diag *diag);
bool diag_is_cut_short(const struct diag *diag);

/*
 * A comment `# allow: CODE, CODE why not` at the end of a line, or `# why; allow: CODE`, silences
 * the warnings and notes of these codes whose main place is in that line. diag_read_allows finds
 * them in a file of a policy, before anything is added about it; diag_judge_allows, once all is
 * added, warns of those that silence nothing.
 */
void diag_read_allows(struct diag *diag, const struct source *source);
void diag_judge_allows(struct diag *diag);
/* What they have silenced: "2 silenced (policy.yaml:7 unused, policy.yaml:9 shadowed-rule)", or
 * nothing where that is none; or a list of objects. */
void diag_put_silenced(const struct diag *diag, struct buf *out);
void diag_put_silenced_json(const struct diag *diag, struct json *out, const char *key);

/* A file of which the policy was read, and the place that names it. */
void diag_note_input(struct diag *diag, const char *path, const struct stat *info,
		     struct span named_by);
/* The path of the nth of them, from 0; NULL after the last. */
const char *diag_input(const struct diag *diag, size_t nth);
/* Would writing or removing `path` destroy one of these? That is an error of `refusals`, at the
 * place that names the file. */
bool diag_refuse_output(const struct diag *diag, struct diag *refusals, const char *path);

/* Those of one severity as objects of a list. */
void diag_put_json(const struct diag *diag, enum diag_severity severity, struct json *out);

/* All records, sorted by source, then place, then order of discovery; equal ones once. */
void diag_render(const struct diag *diag, struct buf *out, struct diag_style style);

#endif
