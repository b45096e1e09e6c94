/*
 * translators: foreign nft rules that translate the destination of what a policy has marked, where
 * the policy's own chains are no cure.
 *
 * A way by tables sends what was translated after its mark where the main table knows the new
 * destination (lang/lower/nat.c), but for a strict one, and one for which no mark was left. A
 * listener gets what no foreign chain has translated before it.
 */
#ifndef TPC_HOST_TRANSLATORS_H
#define TPC_HOST_TRANSLATORS_H

#include <stdbool.h>

struct arena;
struct ir;
struct kernel;
struct report;

struct translators_job {
	struct arena *arena;
	struct report *report;
	struct kernel *kernel;
	const struct ir *ir;
	bool is_applied; /* the policy's rules are asked in the kernel, for `ir` is what an archive
			    has kept, or those of `ir` */
};

/* Warnings about each. Foreign rules are read only where the policy has such ways. */
void translators_tell(const struct translators_job *job);

#endif
