/*
 * sockets: which sockets of this network namespace take what the policy sends to its listeners?
 *
 * The kernel is asked once for all of them: one dump a protocol and family (NETLINK_SOCK_DIAG), and
 * one of the addresses of interfaces. Where it has no such dump, /proc/net is read, which does not
 * say all: what then is not known is said as that.
 */
#ifndef TPC_LIVE_SOCKETS_H
#define TPC_LIVE_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

#include "addr/addr.h"

struct arena;
struct ir_listener;
struct netlink;
struct nlmsghdr;
struct sockets; /* as they were at one moment */

/* `netlink` is rtnetlink's. */
struct sockets *sockets_read(struct arena *arena, struct netlink *netlink);

/* Packets on their way to a listener. */
struct sockets_way {
	const struct ir_listener *listener;
	enum addr_family family;
	bool udp;
	bool is_local; /* from this host itself */
	/* A forwarded packet's: the interface that it comes by; 0: not known. */
	unsigned int device;
};

enum sockets_kind {
	SOCKETS_TAKEN,
	SOCKETS_UNKNOWN, /* text says why */
	SOCKETS_MISSING, /* no socket has the port */
	SOCKETS_WRONG,   /* one has it, and takes nothing of this, or not all */
};

struct sockets_verdict {
	enum sockets_kind kind;
	const char *text, *help; /* NULL for SOCKETS_TAKEN */
};

/* Is there a socket (listening for TCP, bound and not connected for UDP) that takes them? */
struct sockets_verdict sockets_judge(struct arena *arena, const struct sockets *sockets,
				     const struct sockets_way *way);

/* Does the listener wait on this host? An address of its own may be written for a dnat. */
bool sockets_is_here(struct netlink *netlink, const struct ir_listener *listener,
		     enum addr_family family);

/* ---- for the tests ---- */

struct sockets *sockets_new(struct arena *arena);
/* One answer of a dump. */
void sockets_take(struct sockets *sockets, bool udp, const struct nlmsghdr *message);
/* One line of a file below /proc/net. */
void sockets_take_line(struct sockets *sockets, bool udp, const char *line);
/* The interface's next address. */
void sockets_take_address(struct sockets *sockets, unsigned int device, struct addr address);

#endif
