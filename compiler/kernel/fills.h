/*
 * fills: what sets hold that only the host knows: link addresses of gateways (kernel/gateways.h),
 * and an interface's own addresses or their networks.
 *
 * Own addresses are those that the interface has now, but for the one that IPv6 gives every link
 * (fe80::/10), and those that are not used yet or never will be (duplicate address detection). A
 * network is what the kernel itself has a route for: the address of the other end by a link from
 * point to point. What another one covers is left out, neighbours stay two: the script
 * (emit/script.sh) leaves the same elements.
 */
#ifndef TPC_KERNEL_FILLS_H
#define TPC_KERNEL_FILLS_H

#include "ir/ir.h"
#include "kernel/gateways.h"

/* As gateways_find takes them; `report` gets a warning for interfaces without an address, too. */
struct filled_sets fills_find(struct arena *arena, struct netlink *netlink,
			      const struct ir_fill *fills, size_t count, bool asks,
			      struct report *report);

#endif
