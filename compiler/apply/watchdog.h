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
#include <stdint.h>
#include <sys/types.h>

struct pending;

struct watchdog {
	pid_t pid;
	int socket;
	unsigned int seconds; /* how long a confirmation is waited for */
};

/* Starts it, asleep; on false errno says why there is none. */
bool watchdog_start(struct watchdog *watchdog, unsigned int seconds);
/* From now on it takes the policy's apply back at the deadline, whatever becomes of this process.
 * Fills in the pending's fields; false when it does not answer. */
bool watchdog_arm(struct watchdog *watchdog, const char *policy, struct pending *out);
/* The apply is done: the deadline is now this one, and the watchdog is on its own. */
void watchdog_release(struct watchdog *watchdog, int64_t deadline);
/* There is nothing to take back: it ends. Does nothing to one that was released. */
void watchdog_dismiss(struct watchdog *watchdog);

#endif
