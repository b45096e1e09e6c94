/*
 * bare: interfaces without an address of the family, by which a table leaves that masquerades.
 *
 * Masquerade gives such packets another address of this host's, whichever comes first: that of
 * another uplink, by which the answers would come. IPv6 packets are dropped then (lower/nat.c). The
 * kernel takes IPv4 routes away with the last address of their interface, and an apply puts none
 * there before it has one.
 */
#ifndef TPC_HOST_BARE_H
#define TPC_HOST_BARE_H

struct arena;
struct ir;
struct ir_route;
struct netlink;
struct report;

/* The interface without an address by which the route leads, or NULL: every one has one, or this
 * host has no address of the family at all. */
const char *bare_device(struct netlink *netlink, const struct ir *ir, const struct ir_route *route);
/* A warning about each by which IPv6 packets are dropped. */
void bare_tell(struct arena *arena, struct report *report, struct netlink *netlink,
	       const struct ir *ir);

#endif
