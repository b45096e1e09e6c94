/*
 * interfaces: those of a policy's `in` and `out` that no packet has on this host.
 */
#ifndef TPC_HOST_INTERFACES_H
#define TPC_HOST_INTERFACES_H

#include <stddef.h>

struct ir_asked;
struct netlink;
struct report;

/* A warning for each, with what to write instead. `netlink` is rtnetlink's. */
void interfaces_tell(struct report *report, struct netlink *netlink, const struct ir_asked *asked,
		     size_t count);

#endif
