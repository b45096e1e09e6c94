/*
 * pending: an apply that waits for its confirmation, as a file NAME.pending of the run directory.
 *
 * It says which process takes the apply back, and when. The apply's record carries the same
 * ticket: where it does not (yet), nothing has been changed that would have to be confirmed. A file
 * of another boot is as good as none.
 */
#ifndef TPC_STATE_PENDING_H
#define TPC_STATE_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct rundir;
struct record;

struct pending {
	pid_t pid;           /* of the watchdog */
	uint64_t started;    /* when it was started, as /proc/PID/stat says; 0: not known */
	int64_t deadline;    /* nanoseconds of CLOCK_BOOTTIME */
	const char *failure; /* why the watchdog could not do it, or NULL */
};

/* What the record of the apply carries. */
const char *pending_ticket(struct arena *arena, const struct pending *pending);
bool pending_write(struct arena *arena, const struct rundir *folder, const char *name,
		   const struct pending *pending, const char **why);
/* NULL when there is none that can be used. */
struct pending *pending_read(struct arena *arena, const struct rundir *folder, const char *name);
void pending_remove(struct arena *arena, const struct rundir *folder, const char *name);
/* The apply is the record's: it may have changed something. */
bool pending_waits(struct arena *arena, const struct pending *pending, const struct record *record);
/* Whole seconds until the deadline, rounded up; 0 after it. */
unsigned int pending_left(const struct pending *pending);
/* The deadline that is so many seconds from now. */
int64_t pending_deadline(unsigned int seconds);
/* When a process was started, as /proc/PID/stat says; 0: not known. */
uint64_t pending_started(pid_t pid);
/* Is its watchdog alive? */
bool pending_lives(const struct pending *pending);
/* Ends it, unless it is this very process; false where this user may not. */
bool pending_end(const struct pending *pending);

#endif
