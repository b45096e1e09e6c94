/*
 * plan: what an apply would change on this host, op by op, for whoever looks at it before it
 * happens.
 *
 * Filled by a dry run of apply (apply.h). All of it is the job's arena's.
 */
#ifndef TPC_APPLY_PLAN_H
#define TPC_APPLY_PLAN_H

#include <stddef.h>

struct apply;
struct op;

struct plan {
	/* By their kinds, without those that are details of other ops. Those of sets have the
	 * elements that come and go, where they are known. */
	const struct op **items;
	size_t count;
	/* All nft rules as text, before and after; NULL where what was applied is not known, or
	 * they stay. */
	const char *old_rules, *new_rules;
};

void plan_make(const struct apply *apply, struct plan *out);

#endif
