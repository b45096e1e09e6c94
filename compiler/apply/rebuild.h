/*
 * rebuild: makes a record anew that was set aside, from what the kernel has and the archive of what
 * was applied, so that a rollback, a confirmation and the watchdog still find their way.
 */
#ifndef TPC_APPLY_REBUILD_H
#define TPC_APPLY_REBUILD_H

struct arena;
struct rundir;
struct kernel;
struct pending;
struct record;

/*
 * The policy's record, which is written into the folder, too; NULL where the kernel has no table of
 * the policy's. What no one else knows is lost: the values of settings before, and when and with
 * which options it was applied.
 */
struct record *rebuild_record(struct arena *arena, const struct rundir *folder,
			      struct kernel *kernel, const char *policy,
			      const struct pending *pending);

#endif
