/*
 * socket_state: what the files of sockets share (see socket_table.h).
 */
#ifndef TPC_KERNEL_SOCKET_STATE_H
#define TPC_KERNEL_SOCKET_STATE_H

#include "kernel/socket_table.h"

enum socket_flag { FLAG_NO, FLAG_YES, FLAG_UNKNOWN };

struct socket_seen {
	struct addr addr; /* zero: every one */
	struct addr peer; /* of a connected one */
	unsigned int port;
	unsigned int device; /* the interface that it is bound to, or 0 */
	bool udp, is_connected;
	enum socket_flag transparent, only_ipv6;
};

/* The address that redirect gives what comes in by an interface: its first one that is no longer
 * tentative (nf_nat_redirect_ipv4 and _ipv6 in the kernel). */
struct socket_link {
	unsigned int device;
	bool has[ADDR_FAMILIES];
	struct addr first[ADDR_FAMILIES];
};

struct socket_table {
	struct arena *arena;
	struct socket_seen *items; /* by port */
	size_t count;
	struct socket_link *links;
	size_t link_count;
};

/* The interface's name; for one that is gone, its number. */
const char *socket_device(struct arena *arena, unsigned int device);
const struct socket_link *socket_link(const struct socket_table *sockets, unsigned int device);

#endif
