/*
 * addresses: every address of this network namespace, and the interfaces that have it.
 */
#ifndef TPC_KERNEL_ADDRESSES_H
#define TPC_KERNEL_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>

#include "addr/addr.h"

struct arena;
struct netlink;

struct addresses_item {
	struct addr addr;
	const char *device;
};

struct addresses {
	struct addresses_item *items;
	size_t count;
};

/* `netlink` is rtnetlink's. None where the kernel does not say. */
struct addresses addresses_read(struct arena *arena, struct netlink *netlink);
/* Has an interface of this name, or any (NULL), the address? */
bool addresses_has(const struct addresses *addresses, struct addr addr, const char *device);

#endif
