/*
 * owner: the socket of this network namespace that has one end of a connection, and who sends by
 * it.
 */
#ifndef TPC_KERNEL_OWNER_H
#define TPC_KERNEL_OWNER_H

#include <stdbool.h>
#include <stdint.h>

#include "addr/addr.h"

struct netlink;

struct owner_end {
	struct addr addr;
	uint16_t port;
};

enum owner_state {
	OWNER_THERE,
	OWNER_NONE,   /* no socket takes what comes to that end */
	OWNER_UNKNOWN /* the kernel does not say */
};

struct owner {
	uint32_t user, mark; /* as its rules see them */
	uint64_t cgroup;     /* its number; 0: not known */
	bool is_left;        /* its program has closed it; what remains says goodbye */
};

/* The kernel looks for the socket as for a packet from `peer` to `here` (inet_diag). `diag` is
 * NETLINK_SOCK_DIAG's. */
enum owner_state owner_find(struct netlink *diag, bool udp, struct owner_end here,
			    struct owner_end peer, struct owner *out);

#endif
