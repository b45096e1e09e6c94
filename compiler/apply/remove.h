/*
 * remove: takes a policy off the host, without the policy's file.
 *
 * What is its own is known from its nft table and from its record. The rules go first, so that no
 * packet is marked any more, then ip rules, routes, and the sysctls it had changed.
 */
#ifndef TPC_APPLY_REMOVE_H
#define TPC_APPLY_REMOVE_H

#include <stdbool.h>
#include <stddef.h>

#include "apply/apply.h"

struct arena;
struct rundir;
struct report;

/* `name` is the policy's. APPLY_UNCHANGED: there was nothing of it. */
enum apply_outcome remove_policy(struct arena *arena, struct report *report, const char *name,
				 bool keep_connections);
/* The same in a folder that is open and locked. */
enum apply_outcome remove_locked(struct arena *arena, struct report *report, const char *name,
				 const struct rundir *folder, bool keep_connections);
/* The names of all policies that could be removed, sorted; false with a line in the report. */
bool remove_candidates(struct arena *arena, struct report *report, const char ***names,
		       size_t *count);

#endif
