/*
 * socket_table: which sockets of this network namespace take what the policy sends to its
 * listeners?
 *
 * The kernel is asked once for all of them: one dump a protocol and family (NETLINK_SOCK_DIAG), and
 * one of the addresses of interfaces. Where it has no such dump, /proc/net is read, which does not
 * say all: what then is not known is said as that.
 */
#ifndef TPC_KERNEL_SOCKET_TABLE_H
#define TPC_KERNEL_SOCKET_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "addr/addr.h"

struct arena;
struct ir_listener;
struct netlink;
struct nlmsghdr;
struct socket_table; /* as they were at one moment */

/* `netlink` is rtnetlink's. */
struct socket_table *socket_table_read(struct arena *arena, struct netlink *netlink);

/* Packets on their way to a listener. */
struct socket_table_way {
	const struct ir_listener *listener;
	enum addr_family family;
	bool udp;
	bool is_local; /* from this host itself */
	/* A forwarded packet's: the interface that it comes by; 0: not known. */
	unsigned int device;
};

enum socket_table_kind {
	SOCKET_TABLE_TAKEN,
	SOCKET_TABLE_UNKNOWN, /* text says why */
	SOCKET_TABLE_MISSING, /* no socket has the port */
	SOCKET_TABLE_WRONG,   /* one has it, and takes nothing of this, or not all */
};

struct socket_table_verdict {
	enum socket_table_kind kind;
	const char *text, *help; /* NULL for SOCKET_TABLE_TAKEN */
};

/* Is there a socket (listening for TCP, bound and not connected for UDP) that takes them? */
struct socket_table_verdict socket_table_judge(struct arena *arena,
					       const struct socket_table *sockets,
					       const struct socket_table_way *way);

/* Does the listener wait on this host? An address of its own may be written for a dnat. */
bool socket_table_is_here(struct netlink *netlink, const struct ir_listener *listener,
			  enum addr_family family);

/* ---- for the tests ---- */

struct socket_table *socket_table_new(struct arena *arena);
/* One answer of a dump. */
void socket_table_take(struct socket_table *sockets, bool udp, const struct nlmsghdr *message);
/* One line of a file below /proc/net. */
void socket_table_take_line(struct socket_table *sockets, bool udp, const char *line);
/* The interface's next address. */
void socket_table_take_address(struct socket_table *sockets, unsigned int device,
			       struct addr address);

#endif
