/*
 * old: reads the text files that tpc wrote before format 15 (snapshot.h), so that what is applied
 * when tpc is updated is still known afterwards. They are of this boot, as all of the run
 * directory.
 *
 * What such a record says of classes, rules, routes and listeners is not read: it stands in the
 * archive of what was applied, too.
 */
#ifndef TPC_STATE_OLD_H
#define TPC_STATE_OLD_H

#include <stdbool.h>

struct arena;
struct history;
struct pending;
struct record;
struct rundir;

/* Each: NULL or false for a file of another boot, and, reported and set aside, for one that is cut
 * off or altered. */
struct record *old_record_read(struct arena *arena, const struct rundir *folder, const char *name);
bool old_pending_read(struct arena *arena, const struct rundir *folder, const char *file,
		      struct pending *out);
bool old_history_read(struct arena *arena, const struct rundir *folder, const char *file,
		      struct history *out);

#endif
