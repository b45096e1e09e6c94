/*
 * retained_sets: what of the old policy stays in the nft table, unused, until an apply is
 * confirmed: its sets, and the counters and chains that it had alone. So going back is a commit of
 * the rules, and what was counted or learned at run time is still there.
 */
#ifndef TPC_APPLY_RETAINED_SETS_H
#define TPC_APPLY_RETAINED_SETS_H

struct apply;
struct arena;
struct rundir;
struct kernel;
struct record;
struct report;

/* Takes them out of what the apply is to remove, and into what the table will say of itself. */
void retained_sets_spare(struct apply *apply);
/* Takes them away, and what an apply before that was cut off had left. What cannot be is a warning:
 * the next apply does it. */
void retained_sets_clear(struct arena *arena, struct report *report, struct kernel *kernel,
			 const struct rundir *folder, const struct record *record);

#endif
