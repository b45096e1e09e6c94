/*
 * foreign_load: what has come to a policy's table from somewhere that this run directory knows
 * nothing of: another user's tpc, or a person with nft.
 *
 * Locks, records and confirmations are seen by one run directory alone; what the table says of
 * itself (emit/about.h) is seen by all. It is asked before anything of it is taken over or taken
 * back.
 */
#ifndef TPC_HOST_FOREIGN_LOAD_H
#define TPC_HOST_FOREIGN_LOAD_H

#include <stdbool.h>

struct arena;
struct rundir;
struct pending;
struct record;
struct report;
struct nft_table;

/* The line by which a table says that it waits. */
const char *foreign_load_line(struct arena *arena, const struct pending *pending);
/* Does the table hold a policy that the last apply of this folder did not load, nor, where it did
 * not come to its end, found there? One that is gone, or says nothing, holds none. */
bool foreign_load_supersedes(struct arena *arena, const struct rundir *folder,
			     const struct nft_table *table, const struct record *record);
/* Why nothing is done then, for a report. */
extern const char foreign_load_superseded[];
/* True, with a line in the report, when the table waits for a confirmation that was asked for from
 * another run directory, and a watchdog may take it back. */
bool foreign_load_waits(struct report *report, const struct nft_table *table,
			const struct record *record);
/* Ends that wait; false, with a line in the report, where this user may not. */
bool foreign_load_end(struct report *report, const struct nft_table *table,
		      const struct record *record);

#endif
