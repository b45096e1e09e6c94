/*
 * stale_fills: sets that do not hold what only this host knows (kernel/fills.h): addresses have
 * changed since the apply, or another program has changed the set.
 */
#ifndef TPC_HOST_STALE_FILLS_H
#define TPC_HOST_STALE_FILLS_H

#include <stddef.h>

struct arena;
struct ir;
struct kernel;
struct report;

/* A line for each set, *count of them. `report` gets the warnings of fills_find. */
const char *const *stale_fills(struct arena *arena, struct kernel *kernel, const struct ir *ir,
			       struct report *report, size_t *count);

#endif
