/*
 * history: which elements were in a set for ever before an apply gave the set a timeout, as a file
 * NAME.held of the run directory.
 *
 * A set that is filled at run time is carried over when its declaration changes, and what had no
 * time gets the set's new one. After a rollback it would not be known what was there for ever; some
 * of it may have run out. The file names the policy that it was so under: it is of use for going
 * back to that one alone. One of another boot is as good as none.
 */
#ifndef TPC_STATE_HISTORY_H
#define TPC_STATE_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "addr/interval.h"

struct arena;
struct nft_elements;
struct rundir;

struct history_set {
	const char *base;
	struct interval_set ranges; /* as they were added: those that touch are not merged */
};

struct history {
	uint64_t digest; /* of the policy before; 0: there is none to go back to */
	struct history_set *sets;
	size_t set_count;
};

/* What a file says, or nothing. */
void history_read(struct arena *arena, const struct rundir *folder, const char *policy,
		  struct history *out);
/* The set's elements, or none. */
struct interval_set history_find(const struct history *history, const char *base);
/* Keeps those of `held` that have no time, before they get one; false: *why says why it cannot be
 * remembered. */
bool history_keep(struct arena *arena, const struct rundir *folder, const char *policy,
		  struct history *history, const char *base, const struct nft_elements *held,
		  const char **why);
/* Gone afterwards. */
void history_remove(struct arena *arena, const struct rundir *folder, const char *policy);

#endif
