/*
 * neighbours: the link addresses that the kernel knows of its neighbours, or knew when it last
 * looked.
 */
#ifndef TPC_LIVE_NEIGHBOURS_H
#define TPC_LIVE_NEIGHBOURS_H

#include <stddef.h>
#include <stdint.h>

#include "addr/addr.h"

struct arena;
struct netlink;

struct neighbours_item {
	unsigned int device;
	struct addr addr;
	uint64_t link; /* 48 bits */
};

struct neighbours {
	struct neighbours_item *items;
	size_t count;
};

/* `netlink` is rtnetlink's. */
struct neighbours neighbours_read(struct arena *arena, struct netlink *netlink);
/* 0: not known. */
uint64_t neighbours_link(const struct neighbours *neighbours, const char *device, struct addr addr);

#endif
