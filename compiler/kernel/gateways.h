/*
 * gateways: the link addresses of gateways that share an interface.
 *
 * Where one interface leads to several gateways (two providers on one card, a VPN box in the LAN of
 * the main table's router), what comes in is distinguished by the link address that sent it. Where
 * an interface leads to one gateway only, nothing has to be distinguished, and no gateway is asked
 * for.
 */
#ifndef TPC_KERNEL_GATEWAYS_H
#define TPC_KERNEL_GATEWAYS_H

#include <stdbool.h>
#include <stddef.h>

#include "addr/interval.h"

struct arena;
struct ir_gateway;
struct netlink;
struct report;

/* What a set of link addresses should hold now. */
struct gateways_set {
	const char *base;
	struct interval_set addresses;
	bool is_partial; /* of some gateway the kernel knows no link address */
};

struct gateways {
	struct gateways_set *sets; /* each once, in the order of the gateways */
	size_t count;
};

/*
 * `netlink` is rtnetlink's. `asks`: the kernel is made to look for gateways that it has no link
 * address of, and waited for, a second at most. `report`, or NULL, gets a warning for each gateway
 * that cannot be distinguished from another.
 */
struct gateways gateways_find(struct arena *arena, struct netlink *netlink,
			      const struct ir_gateway *gateways, size_t count, bool asks,
			      struct report *report);

/* Whose gateways the set is for: "the table isp", "the main table". */
const char *gateways_owner(struct arena *arena, const struct ir_gateway *gateways, size_t count,
			   const char *base);

#endif
