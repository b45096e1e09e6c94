/*
 * route: routes of numbered tables, read from and written to the kernel by rtnetlink.
 *
 * Whole tables are read, and of all tables only the default routes. What was read keeps apart what
 * a policy can ask for (an ir_route) and whatever else a route carries.
 */
#ifndef TPC_KERNEL_ROUTE_H
#define TPC_KERNEL_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ir/ir.h"

struct arena;
struct buf;
struct netlink;
struct netlink_error;
struct nlmsghdr;

struct route_seen {
	struct ir_route route;
	uint32_t protocol;
	bool is_other;      /* carries something that no route of ours has */
	bool is_advertised; /* a router has told of it (IPv6) */
	const char *text;   /* "default via 192.0.2.1 dev eth0 table 100" */
};

struct route_list {
	struct route_seen *items;
	size_t count;
};

/* Appends the routes of one table of one family; a table that is not there has none. */
bool route_observe(struct arena *arena, struct netlink *netlink, enum addr_family family,
		   uint32_t table, struct route_list *list, struct netlink_error *error);
/* Appends the default routes of all tables. */
bool route_defaults(struct arena *arena, struct netlink *netlink, enum addr_family family,
		    struct route_list *list, struct netlink_error *error);
/* Appends the route that answers a request of the caller's (RTM_GETROUTE with RTM_F_FIB_MATCH). */
bool route_ask(struct arena *arena, struct netlink *netlink, struct nlmsghdr *request,
	       enum addr_family family, struct route_list *list, struct netlink_error *error);
/*
 * What becomes of a route that is there already, with the same destination and metric: the new one
 * is refused (EEXIST), takes its place, or stands beside it (IPv6, by another interface).
 */
enum route_place { ROUTE_NEW, ROUTE_REPLACE, ROUTE_BESIDE };
bool route_add(struct netlink *netlink, const struct ir_route *route, uint32_t protocol,
	       enum route_place place, struct netlink_error *error);
bool route_remove(struct netlink *netlink, const struct ir_route *route, uint32_t protocol,
		  struct netlink_error *error);
/* Same family, table, destination and metric: the kernel holds one of them at most. */
bool route_same_place(const struct ir_route *a, const struct ir_route *b);
/* Bytes that are the same for two routes which differ in nothing that the kernel holds. */
void route_put_key(const struct ir_route *route, struct buf *out);
/* Is what the kernel holds what was wanted? A device that was not wanted is the kernel's to
 * find. */
bool route_fulfil(const struct ir_route *held, const struct ir_route *wanted);
/* "ip -4 route VERB ...": the command that does the same. */
void route_put_command(struct buf *out, const char *verb, const struct ir_route *route,
		       uint32_t protocol);
/* The interface that the route goes by and that is not there, or has no gateway to be learnt; or
 * NULL. */
const char *route_lost_device(const struct ir_route *route);

#endif
