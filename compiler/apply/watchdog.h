/*
 * watchdog: the process that takes an apply back when no confirmation comes.
 *
 * It is started before anything is read, so that it is small, and sleeps until it is armed. It has
 * a session of its own, no terminal, no files open, and takes no signal but SIGKILL, so it outlives
 * whoever started it, in whatever way that ends. From when it is armed, only watchdog_dismiss, the
 * loss of its pending file, or its deadline end it.
 */
#ifndef TPC_APPLY_WATCHDOG_H
#define TPC_APPLY_WATCHDOG_H

#include <stdbool.h>
#include <sys/types.h>

#include "state/pending.h"

struct watchdog {
	pid_t pid;
	int socket;
	unsigned int seconds;   /* how long a confirmation is waited for */
	struct pending pending; /* once it is armed */
	bool is_released;
};

/* What it does in the end, as a process of its own: takes back the policy's apply. */
typedef void watchdog_overdue(const char *policy, const struct pending *self);

/* Starts it, asleep; on false errno says why there is none. */
bool watchdog_start(struct watchdog *watchdog, unsigned int seconds, watchdog_overdue *overdue);
/* From now on the policy's apply is overdue at the deadline, whatever becomes of this process.
 * False when it does not answer. */
bool watchdog_arm(struct watchdog *watchdog, const char *policy);
/* The apply is done: the pending's deadline is the one, and the watchdog is on its own. */
void watchdog_release(struct watchdog *watchdog);
/* There is nothing to take back: it ends. Does nothing to one that was released. */
void watchdog_dismiss(struct watchdog *watchdog);

#endif
