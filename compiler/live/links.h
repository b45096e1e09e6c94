/*
 * links: what this network namespace's interfaces are, and which of them leads where.
 */
#ifndef TPC_LIVE_LINKS_H
#define TPC_LIVE_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr/addr.h"

struct arena;
struct netlink;

/* The interfaces of this kind, in the kernel's words: "bridge", "wireguard". None also when the
 * kernel does not say. */
const char **links_of_kind(struct arena *arena, struct netlink *netlink, const char *kind,
			   size_t *count);

/* Interfaces that IPv6 routes go by which routers have advertised. */
const char **links_advertised(struct arena *arena, struct netlink *netlink, size_t *count);

/* Does the main table have a default route for the family? */
bool links_has_default(struct arena *arena, struct netlink *netlink, enum addr_family family);
/* Interfaces that such routes go by. */
const char **links_defaults(struct arena *arena, struct netlink *netlink, enum addr_family family,
			    size_t *count);
/* Has an unmarked packet of this host more than a default route to the address? */
bool links_knows(struct arena *arena, struct netlink *netlink, struct addr to);

/* And their gateways, where they have one: each hop has both. */
struct ir_nexthop *links_gateways(struct arena *arena, struct netlink *netlink,
				  enum addr_family family, size_t *count);

/* What the kernel's fib says of the address of an unmarked packet. */
struct links_fib {
	bool is_local, is_broadcast, is_anycast;
	const char *device; /* by which the packet leaves; NULL: by none */
	bool has_source;    /* the address that this host sends from */
	struct addr source;
};
struct links_fib links_fib(struct arena *arena, struct netlink *netlink, struct addr to);

/* Which way the kernel gives a packet: forwarded where it comes by an interface, else this host's
 * own. */
struct links_packet {
	struct addr from, to;
	const char *in; /* NULL: this host sends it */
	uint32_t mark;
};
/* The interface by which it leaves: `lo` where it stays here; NULL: by none. */
const char *links_leads(struct arena *arena, struct netlink *netlink,
			const struct links_packet *packet);

/* The interface by which an unmarked packet of this host goes to the address, or NULL. */
const char *links_towards(struct arena *arena, struct netlink *netlink, struct addr to);
/* Is the address this host's own? */
bool links_has_address(struct netlink *netlink, struct addr address);
/* Does an interface have it, and does the kernel still ask whether another host has it, too, or has
 * it found one (duplicate address detection, RFC 4862 section 5.4)? */
struct links_detection {
	enum { LINKS_SETTLED, LINKS_TENTATIVE, LINKS_DUPLICATE } state;
	unsigned int index; /* the interface that has it, unless it is settled */
};
struct links_detection links_detection(struct netlink *netlink, struct addr address);

struct links_state {
	unsigned int index; /* 0: there is no such interface */
	bool is_up, has_carrier;
	/* The bridge, bond or team that takes the interface's packets before any rule of the IP
	 * families; or NULL. */
	const char *master;
	const char *kind; /* of that: "bridge" */
	bool is_bridge;   /* itself */
};
struct links_state links_state(struct arena *arena, struct netlink *netlink, const char *name);
/* Of all interfaces, in the kernel's order. */
struct links_names {
	const char **items;
	size_t count;
};
struct links_names links_names(struct arena *arena, struct netlink *netlink);
/* Has the interface an address of this host's, beside the one that IPv6 gives every link? */
bool links_has_own(struct netlink *netlink, unsigned int index);
/* Which addresses of the family are there, beside those for a link or this host alone? */
struct links_sources {
	bool here;      /* of the interface */
	bool elsewhere; /* of another one */
};
struct links_sources links_sources(struct netlink *netlink, unsigned int index,
				   enum addr_family family);
/* Is the interface there, and down? */
bool links_is_down(struct netlink *netlink, const char *name);
/* Does the kernel know no way to the gateway but by another gateway, or none at all? `device` may
 * be NULL: any. */
bool links_is_far(struct netlink *netlink, struct addr gateway, const char *device);

#endif
