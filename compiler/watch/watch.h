/*
 * watch: keeps a policy true while the host changes: one process that waits, and does each piece of
 * work in a child that ends.
 *
 * A change of links, addresses, ip rules, routes or nft tables is followed by a repair
 * (apply/repair.h), one of the policy's files by an apply. Changes that come together are one. A
 * host that is changed again and again by another program is repaired more and more seldom.
 */
#ifndef TPC_WATCH_WATCH_H
#define TPC_WATCH_WATCH_H

#include <stdbool.h>

#include "apply/apply.h"

struct arena;

enum watch_work {
	WATCH_NOTHING,
	WATCH_REPAIR,
	WATCH_APPLY,
	WATCH_APPLY_AGAIN, /* only while something of the policy is applied: nothing that was
			      removed comes back because its file is written */
	WATCH_WORKS
};

/* How a piece of work ended. */
enum watch_end {
	WATCH_UNCHANGED,
	WATCH_DONE,    /* something was changed */
	WATCH_GONE,    /* nothing of the policy is applied any more */
	WATCH_WRONG,   /* the policy has errors, and the one before stays */
	WATCH_REFUSED, /* the host refused, or is in doubt */
};

/*
 * Does it, in a process of its own, says what it has done, and gives the enum watch_end. `policy`:
 * the name of what is applied, "" where that is not known yet. Into `names` an apply writes that
 * name and the paths of the files that the policy was read from, each ended by a zero byte.
 */
typedef int watch_do(void *user, enum watch_work work, const char *policy, int names);
/* What the process that waits has to say: a code, and a line. */
typedef void watch_say(void *user, const char *code, const char *text);

struct watch_job {
	const char *file; /* the policy's; NULL: only what is applied is kept */
	const char *name; /* of what is applied; NULL: the file says it */
	watch_do *run;
	watch_say *say;
	void *user;
};

/* Returns on SIGTERM or SIGINT: the policy stays in force. False: it cannot
 * begin; *why says so. */
bool watch_run(struct arena *arena, const struct watch_job *job, const char **why);

#endif
