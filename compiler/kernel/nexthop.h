/*
 * nexthop: the next hops of a route, out of the attributes that rtnetlink reports it with.
 *
 * Nothing is read outside of an attribute, whatever lengths stand in it.
 */
#ifndef TPC_KERNEL_NEXTHOP_H
#define TPC_KERNEL_NEXTHOP_H

#include "ir/ir.h"

struct arena;
struct nlattr;

/* The address in an attribute; of one that is too long the first bytes. */
struct addr nexthop_address(enum addr_family family, const struct nlattr *attribute);
/* Appends the one next hop of a plain route. Each of the attributes (RTA_GATEWAY, RTA_VIA, RTA_OIF)
 * may be NULL. */
void nexthop_read_one(struct arena *arena, struct ir_route *route, const struct nlattr *gateway,
		      const struct nlattr *via, const struct nlattr *device);
/* Appends those in RTA_MULTIPATH. */
void nexthop_read_all(struct arena *arena, struct ir_route *route, const struct nlattr *attribute);

#endif
