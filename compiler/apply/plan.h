/*
 * plan: what an apply would change on this host, thing by thing, for whoever looks at it before it
 * happens.
 *
 * Filled by a dry run of apply (apply.h). All of it is the job's arena's.
 */
#ifndef TPC_APPLY_PLAN_H
#define TPC_APPLY_PLAN_H

#include <stddef.h>

struct apply;
struct ir_set;

enum plan_section { PLAN_SETS, PLAN_NFT, PLAN_IP_RULES, PLAN_ROUTES, PLAN_SETTINGS, PLAN_FLOWS };
enum plan_sign { PLAN_ADD, PLAN_CHANGE, PLAN_REMOVE };

struct plan_item {
	enum plan_section section;
	enum plan_sign sign;
	const char *text; /* "set foreign_v4", or the command that does it */
	const char *why;  /* or NULL */
	/* Of a set: the elements that come and go; NULL where there are none or nobody knows. */
	const struct ir_set *added, *removed;
};

struct plan {
	struct plan_item *items; /* in the order of the sections */
	size_t count;
	/* All nft rules as text, before and after; NULL where what was applied is not known, or
	 * they stay. */
	const char *old_rules, *new_rules;
};

void plan_make(const struct apply *apply, struct plan *out);

#endif
