/*
 * obstacles: what of this host keeps a policy from doing what it says: an uplink without an
 * address, a main table that leads nowhere, a sysctl that silences ping, a table that another
 * program has not filled.
 */
#ifndef TPC_HOST_OBSTACLES_H
#define TPC_HOST_OBSTACLES_H

struct arena;
struct ir;
struct ir_route;
struct netlink;
struct report;

/* The interface without an address to masquerade with by which the route leads, or NULL: every one
 * has one, or this host has no address of the family at all. */
const char *obstacles_bare_device(struct netlink *netlink, const struct ir *ir,
				  const struct ir_route *route);
/* A warning about each: interfaces by which IPv6 packets are dropped, families in which main's
 * default routes lead nowhere while rules send what this host sends by tables, families in which
 * rules answer and the kernel does not, and families in which a table that another program fills
 * has no route. */
void obstacles_tell(struct arena *arena, struct report *report, struct netlink *netlink,
		    const struct ir *ir);

#endif
