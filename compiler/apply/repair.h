/*
 * repair: puts back what the last apply of a policy left, where the host has lost it: routes that
 * went with their link, ip rules, sysctls of an interface that was re-created, the nft table.
 *
 * Nothing of the policy's file is read: what is put back is what was archived, with the gateways
 * and addresses that the host has now.
 */
#ifndef TPC_APPLY_REPAIR_H
#define TPC_APPLY_REPAIR_H

#include <stdbool.h>

#include "apply/apply.h"

struct repair {
	struct arena *arena;
	struct report *report;
	const char *policy; /* its name */
	struct apply_counts counts;
	bool is_gone; /* nothing of that name is applied, or its apply was cut off: nothing is done
		       */
};

/* APPLY_UNCHANGED: nothing was missing. */
enum apply_outcome repair_run(struct repair *repair);

#endif
