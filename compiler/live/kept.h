/*
 * kept: what of the old policy stays in the nft table, unused, until an apply is confirmed: its
 * sets, and the counters and chains that it had alone. So going back is a flip of the rules, and
 * what was counted or learned at run time is still there.
 */
#ifndef TPC_LIVE_KEPT_H
#define TPC_LIVE_KEPT_H

struct apply;
struct arena;
struct folder;
struct kernel;
struct record;
struct report;

/* Takes them out of what the apply is to remove, and into what the table will say of itself. */
void kept_spare(struct apply *apply);
/* Takes them away, and what an apply before that was cut off had left. What cannot be is a warning:
 * the next apply does it. */
void kept_clear(struct arena *arena, struct report *report, struct kernel *kernel,
		const struct folder *folder, const struct record *record);

#endif
