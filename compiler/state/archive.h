/*
 * archive: a policy as it was applied, in a file of the run directory: what its sets hold, its
 * rules as nft has them, its ip rules, routes and settings.
 *
 * It is what a later apply compares the contents of sets with, since the kernel's own dump of a big
 * set takes minutes, and what a rollback goes back to, whatever has become of the policy's file. An
 * archive of another boot, of another version or cut short is as good as none.
 */
#ifndef TPC_STATE_ARCHIVE_H
#define TPC_STATE_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct rundir;
struct ir;

struct archive {
	struct ir *ir;      /* its rules are text: to be loaded and counted, not to be evaluated */
	const char *policy; /* the policy's path, for the record */
	uint64_t shape;     /* ir_shape's */
};

/* Which of a policy's archives. */
enum archive_kind {
	ARCHIVE_APPLIED,  /* what the last apply left */
	ARCHIVE_PREVIOUS, /* what was there before */
};

/* The file's name in the folder. */
const char *archive_file(struct arena *arena, const char *policy, enum archive_kind kind);
/* Is there such a file, and of which contents (ir_digest's; 0: it is not there, or broken)? One of
 * another boot is none. */
enum archive_state { ARCHIVE_NONE, ARCHIVE_BROKEN, ARCHIVE_THERE };
enum archive_state archive_look(struct arena *arena, const struct rundir *folder,
				const char *policy, enum archive_kind kind, uint64_t *digest);
/* What was applied becomes the previous one; where nothing was, there is none. */
void archive_keep(struct arena *arena, const struct rundir *folder, const char *policy);
/* The previous one is what is applied; there is no previous one any more. */
void archive_return(struct arena *arena, const struct rundir *folder, const char *policy);
/* Those that are no archives of ours are set aside (state.h): before an apply or a removal would
 * replace them. */
void archive_settle(struct arena *arena, const struct rundir *folder, const char *policy);
/* Both are gone afterwards. */
void archive_remove(struct arena *arena, const struct rundir *folder, const char *policy);
/* What the last apply left, whole or not at all. */
bool archive_write(struct arena *arena, const struct rundir *folder, const char *policy,
		   const struct archive *archive, const char **why);
/* NULL when there is none that can be used. */
struct archive *archive_read(struct arena *arena, const struct rundir *folder, const char *policy,
			     enum archive_kind kind);

#endif
