/*
 * monitor: says when something of the host changes that a policy may depend on: links, addresses,
 * ip rules, routes, nft tables.
 */
#ifndef TPC_KERNEL_MONITOR_H
#define TPC_KERNEL_MONITOR_H

#include <stdbool.h>

#include "kernel/netlink.h"

/* Two sockets to wait for; what comes is read by monitor_take alone. */
struct monitor {
	struct netlink route, nft;
};

bool monitor_open(struct monitor *monitor, struct netlink_error *error);
int monitor_route_fd(const struct monitor *monitor);
int monitor_nft_fd(const struct monitor *monitor);
/* What changed, as bits. */
enum {
	MONITOR_LINKS = 1,  /* links, addresses, default routes: what a policy follows */
	MONITOR_TABLES = 2, /* ip rules, other routes, nft tables: what may be the policy's own */
};
/* Reads all that has come, without waiting. 0 where nothing of it may matter; what was lost may. */
unsigned int monitor_take(struct monitor *monitor);

#endif
