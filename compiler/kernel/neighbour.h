/*
 * neighbour: the link addresses that the kernel knows of its neighbours, or knew when it last
 * looked.
 */
#ifndef TPC_KERNEL_NEIGHBOUR_H
#define TPC_KERNEL_NEIGHBOUR_H

#include <stddef.h>
#include <stdint.h>

#include "addr/addr.h"

struct arena;
struct netlink;

struct neighbour_item {
	unsigned int device;
	struct addr addr;
	uint64_t link; /* 48 bits */
};

struct neighbour_list {
	struct neighbour_item *items;
	size_t count;
};

/* `netlink` is rtnetlink's. */
struct neighbour_list neighbour_read(struct arena *arena, struct netlink *netlink);
/* 0: not known. */
uint64_t neighbour_link(const struct neighbour_list *neighbours, const char *device,
			struct addr addr);

#endif
