/*
 * nft_set: elements into sets, and sets, counters and tables out of the kernel, by netlink.
 *
 * Text is no road for a million elements, so sets are declared by nft text and filled here, in as
 * many transactions as our rights to socket memory ask for. A set that rules use gets only what it
 * may have beside what it holds.
 */
#ifndef TPC_KERNEL_NFT_SET_H
#define TPC_KERNEL_NFT_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/nft_elements.h"

struct netlink;
struct netlink_batch;
struct netlink_error;

/* Elements for a set, or to be taken out of it. */
struct nft_set_change {
	const char *table, *name;
	enum ir_set_type type;
	struct nft_elements contents;
	const struct ir_set *map; /* a verdict map, whose elements the contents are; or NULL */
	bool is_first;            /* the set is empty */
	bool is_removal;
	uint32_t generation; /* not 0: only if no nft rule or set has changed since; else ERESTART
			      */
};

bool nft_set_change(struct netlink *netlink, const struct nft_set_change *change,
		    struct netlink_error *error);
/* Adds the change's messages, all of them, to the batch. */
void nft_set_put(struct netlink_batch *batch, const struct nft_set_change *change);
/*
 * Makes a set that no rule uses anew in one transaction: with the declaration of another one,
 * `like`, which is there, and with the change's contents (with as many of them as fit into one
 * transaction, the rest follows).
 */
bool nft_set_replace(struct netlink *netlink, const struct nft_set_change *change, const char *like,
		     struct netlink_error *error);
/* Adds the removal of one thing in the table. */
typedef void nft_set_put_removal_fn(struct netlink_batch *batch, const char *table,
				    const char *name);
nft_set_put_removal_fn nft_set_put_removal;       /* of a set; EBUSY: a rule still uses it */
nft_set_put_removal_fn nft_set_put_chain_removal; /* EBUSY: it holds rules, or is led to */
nft_set_put_removal_fn nft_set_put_counter_removal;
/* All or none of them. */
bool nft_set_remove(struct netlink *netlink, nft_set_put_removal_fn *put, const char *table,
		    const char *const *names, size_t count, struct netlink_error *error);
bool nft_set_remove_table(struct netlink *netlink, const char *table, struct netlink_error *error);

#endif
