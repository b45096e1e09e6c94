/*
 * undo: what an apply has changed so far, as the ops that take it back, last first.
 */
#ifndef TPC_APPLY_UNDO_H
#define TPC_APPLY_UNDO_H

#include <stdbool.h>

struct arena;
struct kernel;
struct op_list;
struct report;

/* Runs them and empties the list. True when everything is as it was. What could not be taken back
 * is in the report as doubt, with the command that does it. */
bool undo_run(struct arena *arena, struct op_list *inverses, struct kernel *kernel,
	      struct report *report);

#endif
