/*
 * sets: elements into sets, and sets, counters and tables out of the kernel, by netlink.
 *
 * Text is no road for a million elements, so sets are declared by nft text and filled here, in as
 * many transactions as our rights to socket memory ask for. That is only right for sets that no
 * rule uses yet.
 */
#ifndef TPC_LIVE_SETS_H
#define TPC_LIVE_SETS_H

#include <stdbool.h>
#include <stddef.h>

struct ir_set;
struct netlink;
struct netlink_error;

/* Fills a set that is there, empty, and not in use. */
bool sets_fill(struct netlink *netlink, const char *table, const struct ir_set *set,
	       struct netlink_error *error);
/* All or none of them; one that a rule still uses is EBUSY. */
bool sets_remove(struct netlink *netlink, const char *table, const char *const *names, size_t count,
		 struct netlink_error *error);
bool sets_remove_counters(struct netlink *netlink, const char *table, const char *const *names,
			  size_t count, struct netlink_error *error);
bool sets_remove_table(struct netlink *netlink, const char *table, struct netlink_error *error);

#endif
