/*
 * host: what a policy asks of its host beside the kernel's objects: sockets that listen, users,
 * groups and cgroups, interfaces.
 */
#ifndef TPC_IR_HOST_H
#define TPC_IR_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr/addr.h"
#include "base/source.h"

/* Whom a listener waits for: what status looks for among the kernel's sockets. */
struct ir_listener {
	const char *name;
	const char *mode;
	struct addr addr[2]; /* one a family */
	bool has[ADDR_FAMILIES];
	uint16_t port;
	bool tcp, udp;
	bool on_this_host;
	unsigned int ways; /* bits of ir_listener_way: what rules send to it */
	/* Forwarded packets come by an interface that one of these of ir.asked fits; none: by any.
	 */
	size_t *ins;
	size_t in_count;
	struct span origin;
};

/* Packets of this host (local) or forwarded ones, of a family, TCP or UDP. */
static inline unsigned int ir_listener_way(bool local, enum addr_family family, bool udp)
{
	return 1U << (local * 4 + (int)family * 2 + udp);
}

/* What a connection's mark is, under ir.ct_mask, that the listener had no socket for: it went
 * direct (on_failure). */
struct ir_let_go {
	const char *listener;
	uint32_t value;
};

/*
 * Listeners in order of life: rules hand to the first that has a socket. Which that is, only the
 * host knows; no part of the digest.
 */
struct ir_row {
	struct ir_listener *listeners; /* `ways`: what the rules send to whichever it is; no `ins`
					*/
	size_t count;
	size_t chosen;
	bool is_asked;    /* the host was; else it is the first */
	const char **why; /* of each: why no socket takes what it would be handed; NULL: one does */
	struct span origin;
};

/* NULL: a socket takes what the listener would be handed, or that is not known; else why none does.
 */
typedef const char *ir_why_gone(void *user, const struct ir_listener *listener);
/* Asks for each of the row and takes the first that is not gone; where all are, the first. */
void ir_row_choose(struct ir_row *row, ir_why_gone *why_gone, void *user);

enum ir_hosted_state { IR_HOSTED_UNASKED, IR_HOSTED_THERE, IR_HOSTED_MISSING };

/* A name that matches ask for (ir_match.hosted). */
struct ir_hosted {
	const char *name; /* a cgroup's path below the root, without a slash before it */
	struct span origin;
	/* As the live engine found it; no part of the digest. */
	enum ir_hosted_state state;
	uint64_t number; /* of one that is there */
};

/* The interfaces of an `in` or `out`, groups taken apart: what status looks for on the host. */
struct ir_asked {
	const char *key; /* "in" or "out" */
	bool negated;
	const char **names; /* or patterns, with a '*' at the end */
	size_t name_count;
	struct span origin;
};

#endif
