/*
 * diff: the list of what has to be done so that the kernel holds a policy, and nothing more.
 *
 * Nothing is changed here. A set whose contents are in the kernel already has the name in nft that
 * it has there, and one whose contents are new gets a name that is free, its base if that is.
 */
#ifndef TPC_HOST_DIFF_H
#define TPC_HOST_DIFF_H

#include <stdbool.h>
#include <stddef.h>

#include "ir/ir.h"
#include "kernel/op.h"

struct archive;
struct arena;
struct netlink;
struct observed;

/* The names in nft of the ir's sets. `applied`: what the last apply left, or NULL. A route by an
 * interface that is not there is in the list, and left out. */
const char **diff_make(struct arena *arena, const struct ir *ir, const struct observed *observed,
		       const struct archive *applied, struct op_list *out);
/* Its part about ip rules and routes: of the ir no more than those are asked, and its protocol
 * number. */
void diff_routing(struct arena *arena, const struct ir *ir, const struct observed *observed,
		  struct op_list *ops);
/* The interface that the route goes by and that is down, or NULL. `netlink` is rtnetlink's. */
const char *diff_down_device(struct netlink *netlink, const struct ir_route *route);
/* Why the route cannot be had (route_lost_device), for a person, as a clause, and with what
 * follows; NULL where it can be had. */
const char *diff_lost_cause(struct arena *arena, const struct ir_route *route);
const char *diff_lost_words(struct arena *arena, const struct ir_route *route);

#endif
