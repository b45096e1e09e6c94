/*
 * listening: does a socket of this host take what the policy hands to its listeners (see
 * socket_table.h)?
 */
#ifndef TPC_HOST_LISTENING_H
#define TPC_HOST_LISTENING_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct ir_asked;
struct ir_listener;
struct netlink;
struct report;

/* A warning for each listener whose packets no socket takes. */
struct listening_job {
	struct report *report;
	struct netlink *netlink; /* rtnetlink's */
	const struct ir_listener *listeners;
	size_t count;
	const struct ir_asked *asked; /* what `ins` of the listeners means */
	size_t asked_count;
	bool only_wrong; /* of sockets that are there, and not of missing ones */
};
void listening_check(const struct listening_job *job);

#endif
