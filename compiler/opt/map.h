/*
 * map: the verdict map of a run of rules.
 */
#ifndef TPC_OPT_MAP_H
#define TPC_OPT_MAP_H

#include "addr/overlay.h"
#include "opt/run.h"

/*
 * The map that does to every value what the rules of the run do: `overlay` is of their members.
 * Chains that it needs are added. A map that another chain has already is given again.
 */
const struct ir_set *map_make(struct flatten *flatten, const struct run *run,
			      const struct overlay *overlay);

#endif
