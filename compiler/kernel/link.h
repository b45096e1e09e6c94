/*
 * link: what this network namespace's interfaces are, and which of them leads where.
 */
#ifndef TPC_KERNEL_LINK_H
#define TPC_KERNEL_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr/addr.h"

struct arena;
struct netlink;

/* The interfaces of this kind, in the kernel's words: "bridge", "wireguard". None also when the
 * kernel does not say. */
const char **link_of_kind(struct arena *arena, struct netlink *netlink, const char *kind,
			  size_t *count);

/* Interfaces that IPv6 routes go by which routers have advertised. */
const char **link_advertised(struct arena *arena, struct netlink *netlink, size_t *count);

/* Does the main table have a default route for the family? */
bool link_has_default(struct arena *arena, struct netlink *netlink, enum addr_family family);
/* Interfaces that such routes go by. */
const char **link_defaults(struct arena *arena, struct netlink *netlink, enum addr_family family,
			   size_t *count);
/* Has an unmarked packet of this host more than a default route to the address? */
bool link_knows(struct arena *arena, struct netlink *netlink, struct addr to);

/* And their gateways, where they have one: each hop has both. */
struct ir_nexthop *link_gateways(struct arena *arena, struct netlink *netlink,
				 enum addr_family family, size_t *count);

/* What the kernel's fib says of the address of an unmarked packet. */
struct link_fib {
	bool is_local, is_broadcast, is_anycast;
	const char *device; /* by which the packet leaves; NULL: by none */
	bool has_source;    /* the address that this host sends from */
	struct addr source;
};
struct link_fib link_fib(struct arena *arena, struct netlink *netlink, struct addr to);

/* Which way the kernel gives a packet: forwarded where it comes by an interface, else this host's
 * own. */
struct link_packet {
	struct addr from, to;
	const char *in; /* NULL: this host sends it */
	uint32_t mark;
};
/* The interface by which it leaves: `lo` where it stays here; NULL: by none. */
const char *link_leads(struct arena *arena, struct netlink *netlink,
		       const struct link_packet *packet);

/* The interface by which an unmarked packet of this host goes to the address, or NULL. */
const char *link_towards(struct arena *arena, struct netlink *netlink, struct addr to);
/* Is the address this host's own? */
bool link_has_address(struct netlink *netlink, struct addr address);

struct link_state {
	unsigned int index; /* 0: there is no such interface */
	bool is_up, has_carrier;
	bool is_point_to_point; /* what leaves by it needs no gateway */
	/* The bridge, bond or team that takes the interface's packets before any rule of the IP
	 * families; or NULL. */
	const char *master;
	const char *kind; /* of that: "bridge" */
	bool is_bridge;   /* itself */
};
struct link_state link_state(struct arena *arena, struct netlink *netlink, const char *name);
/* Of all interfaces, in the kernel's order. */
struct link_names {
	const char **items;
	size_t count;
};
struct link_names link_names(struct arena *arena, struct netlink *netlink);
/* Is the interface there, and down? */
bool link_is_down(struct netlink *netlink, const char *name);
/* Does the kernel know no way to the gateway but by another gateway, or none at all? `device` may
 * be NULL: any. */
bool link_is_far(struct netlink *netlink, struct addr gateway, const char *device);

#endif
