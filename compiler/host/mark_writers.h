/*
 * mark_writers: foreign nft rules that write the policy's marks.
 *
 * A rule that gives one of them to packets (or connections) that the policy has not given it to
 * makes them take a way that no rule has chosen: a conflict. One that takes marks away before the
 * packet is routed sends it past the policy: a warning, since only whoever wrote the rule knows
 * which packets it is for.
 */
#ifndef TPC_HOST_MARK_WRITERS_H
#define TPC_HOST_MARK_WRITERS_H

#include <stdbool.h>

struct arena;
struct diag;
struct ir;
struct netlink;
struct observed;
struct report;

struct mark_writers_job {
	struct arena *arena;
	struct diag *diag;
	struct report *report;
	struct netlink *nft;
	const struct ir *ir;
	const struct observed *observed;
	/* Rules that turn no mark of the policy's into another are left there, with a warning. */
	bool allow_foreign;
};

/* False when there is a conflict, or the rules cannot be read; all that is found is said. */
bool mark_writers_check(const struct mark_writers_job *job);

#endif
