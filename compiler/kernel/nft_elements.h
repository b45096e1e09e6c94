/*
 * nft_elements: what an interval set in the kernel holds: intervals, and the time that each has
 * left.
 *
 * Reading them is for sets that are filled at run time, which are known no other way. The kernel's
 * dump of a big set is slow: it is read only when a set has to be re-created or is added to.
 */
#ifndef TPC_KERNEL_NFT_ELEMENTS_H
#define TPC_KERNEL_NFT_ELEMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr/interval.h"
#include "ir/ir.h"

struct arena;
struct netlink;
struct netlink_error;

/* Milliseconds. Both 0: the set's own timeout counts, from now on. */
struct nft_elements_time {
	uint64_t timeout, left;
};

/* A timeout of an element that stays although the set gives its elements a time. */
#define CONTENTS_FOR_EVER UINT64_MAX

struct nft_elements {
	struct interval_set ranges;
	const struct nft_elements_time *times; /* as many as ranges; NULL: all are 0 */
};

/* The width of the set's values in the kernel. */
unsigned int nft_elements_bits(enum ir_set_type type);
/*
 * What the set holds at one generation of the ruleset, which *generation receives: read again while
 * others write. ENOENT where there is no such set.
 */
bool nft_elements_read(struct arena *arena, struct netlink *netlink, const char *table,
		       const char *name, enum ir_set_type type, struct nft_elements *out,
		       uint32_t *generation, struct netlink_error *error);
/* The element that the value lies in, alone: at most one range. No dump, however long the set is.
 */
bool nft_elements_find(struct arena *arena, struct netlink *netlink, const char *table,
		       const char *name, enum ir_set_type type, struct wide value,
		       struct nft_elements *out, struct netlink_error *error);
/* The parts of `wanted` that are not held. */
struct interval_set nft_elements_missing(struct arena *arena, const struct nft_elements *held,
					 const struct interval_set *wanted);
/* What is held, but what lies in `ranges` (disjoint) has no time. */
struct nft_elements nft_elements_keep(struct arena *arena, const struct nft_elements *held,
				      const struct interval_set *ranges);
/*
 * What was held, for a set that gives its elements `timeout` milliseconds (0: for ever): each keeps
 * the time it has left, and what had none gets the set's; and `more`, which is disjoint from it.
 */
struct nft_elements nft_elements_migrate(struct arena *arena, const struct nft_elements *held,
					 const struct interval_set *more, uint64_t timeout);

#endif
