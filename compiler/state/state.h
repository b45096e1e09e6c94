/*
 * state: opens and reads the files of the run folder, and sets aside those that we have not
 * written.
 *
 * What is no ordinary file of ours (a pipe, a link, a folder, another user's, too large), or does
 * not read as we write it, counts as none. It is reported, and while the folder is locked it gets
 * another name, NAME.aside-1 or the next that is free, under which it keeps its bytes.
 */
#ifndef TPC_STATE_STATE_H
#define TPC_STATE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct rundir;

/* What the largest of each kind may have; a list may have 512 MiB, and a policy several. */
#define STATE_TEXT_LIMIT (UINT64_C(256) << 20)
#define STATE_ARCHIVE_LIMIT (UINT64_C(16) << 30)

/* A descriptor, and the size; -1 when there is none: *why says what it is instead, or is NULL. */
int state_open(const struct rundir *folder, const char *name, uint64_t limit, uint64_t *size,
	       struct arena *arena, const char **why);
/* The whole text, with a NUL behind it; NULL when there is none. What is no file of ours is set
 * aside. */
char *state_read(struct arena *arena, const struct rundir *folder, const char *name, size_t *size);
/* Reports a file, and sets it aside where the folder is locked. `why`: "it is a pipe". */
void state_set_aside(struct arena *arena, const struct rundir *folder, const char *name,
		     const char *why);

/* ---- fields: numbers and words that are nothing else ---- */

/* All of the text is a number of this base, up to `most`. */
bool state_number(const char *text, int base, uint64_t most, uint64_t *number);
/* The same with a sign. */
bool state_signed(const char *text, int64_t *number);

#endif
