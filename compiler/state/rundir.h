/*
 * rundir: where we remember, per network namespace, what was applied: one file a policy, and a
 * lock.
 *
 * $TPC_RUN_DIR, else /run/tpc, else (but for root) $XDG_RUNTIME_DIR/tpc, else /tmp/tpc-UID; in it a
 * folder named after the network namespace (its inode, and the cookie that no other namespace gets
 * until the next boot). Folders are ours alone (0700): one that belongs to another user, or that
 * others may write to, is refused.
 */
#ifndef TPC_STATE_RUNDIR_H
#define TPC_STATE_RUNDIR_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

struct report;

struct rundir {
	const char *base;      /* the folder that holds those of all namespaces */
	const char *path;      /* this namespace's */
	int lock;              /* -1: not held */
	struct report *report; /* gets what is set aside (state.h); NULL: nothing is said */
};

/*
 * Opens the folder. With `make`, creates it if need be and takes the lock, waiting some seconds for
 * another run; on failure *why says what stands in the way. Without, finds the folder only: path is
 * NULL when there is none, and that is no failure.
 */
bool rundir_open(struct arena *arena, struct rundir *folder, bool make, const char **why);
/* Gives the lock back, and takes the folder away when nothing but the lock is in it. */
void rundir_close(struct arena *arena, struct rundir *folder);
/* The names of the policies that it has files of, sorted. Files beside a policy's own have its
 * name with a dot and a word after it. */
const char **rundir_list(struct arena *arena, const struct rundir *folder, size_t *count);

#endif
