/*
 * learnt: `via: auto`: the gateway by which this host itself leaves through an interface.
 *
 * It is the one of the default route by the interface with the lowest metric, in any routing table
 * that is no policy's: DHCP clients, router advertisements and PPP put it there. By a link from
 * point to point no gateway is needed. Where there is none, the route cannot be had now, like one
 * by an interface that is missing, and the fallback of its table holds.
 */
#ifndef TPC_HOST_LEARNT_H
#define TPC_HOST_LEARNT_H

struct arena;
struct ir;
struct ir_route;
struct netlink;
struct observed;

/* Finds the gateways of the ir's next hops, and of its fills. A next hop without is left out
 * where its route has another. `netlink` is rtnetlink's; the ir's own arrays are replaced, so that
 * it may share them with another one. */
void learnt_resolve(struct arena *arena, struct netlink *netlink, const struct observed *observed,
		    struct ir *ir);
/* The same for one route. */
struct ir_route learnt_route(struct arena *arena, struct netlink *netlink,
			     const struct observed *observed, const struct ir_route *route);
#endif
