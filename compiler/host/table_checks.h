/*
 * table_checks: does a policy's nft table hold what was loaded, and nothing else? Reads only.
 *
 * Of the kernel's table its digest, its chains, rules, sets and counters are compared; what sets
 * hold is compared by its count, where the kernel tells one.
 */
#ifndef TPC_HOST_TABLE_CHECKS_H
#define TPC_HOST_TABLE_CHECKS_H

#include <stdbool.h>

struct arena;
struct ir;
struct observed;
struct record;
struct report;

struct table_checks {
	const struct observed *observed;
	const struct record *record; /* of the apply that loaded it, or NULL */
	struct ir *applied;  /* what was loaded, for table_checks_contents; its sets get their names
				in the kernel */
	bool is_open;        /* a confirmation is waited for: more is kept than was loaded */
	const char *command; /* that repairs it, or NULL */
	struct report *problems; /* what is no change of what was loaded */
	struct report *drift;
};

/* The table as a whole. */
void table_checks_find(const struct table_checks *checks);
/* Chains, rules, sets and counters: as an apply of the very same policy would compare them. */
void table_checks_contents(struct arena *arena, const struct table_checks *checks);

#endif
