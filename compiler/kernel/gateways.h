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
struct ir_fill;
struct netlink;
struct report;

/* What a set that only the host knows should hold now. */
struct filled_set {
	const char *base;
	struct interval_set elements;
	bool is_partial; /* of some gateway the kernel knows no link address */
};

struct filled_sets {
	struct filled_set *items; /* each once, in the order of the fills */
	size_t count;
};

/* The one of that base, which is added where there is none. */
struct filled_set *filled_set_of(struct arena *arena, struct filled_sets *found, const char *base);

/*
 * The sets of those of the fills that are about gateways. `netlink` is rtnetlink's. `asks`: the
 * kernel is made to look for gateways that it has no link address of, and waited for, a second at
 * most. `report`, or NULL, gets a warning for each gateway that cannot be distinguished from
 * another.
 */
struct filled_sets gateways_find(struct arena *arena, struct netlink *netlink,
				 const struct ir_fill *fills, size_t count, bool asks,
				 struct report *report);

/* Whose gateways the fill is for: "the table isp", "the main table". */
const char *gateways_owner(struct arena *arena, const struct ir_fill *of);

#endif
