/*
 * unrouted: what this host sends itself while the main table leads nowhere.
 *
 * The kernel looks for a route before the policy's chain `output` gives a packet its mark, and
 * where it finds none the program is refused at once (ENETUNREACH): no rule is asked. Routes by an
 * interface without carrier count for nothing where a table leaves by that, too.
 */
#ifndef TPC_HOST_UNROUTED_H
#define TPC_HOST_UNROUTED_H

struct arena;
struct ir;
struct netlink;
struct report;

/* A warning for each family in which main's default routes lead nowhere, and rules of the policy
 * send what this host sends by tables. */
void unrouted_tell(struct arena *arena, struct report *report, struct netlink *netlink,
		   const struct ir *ir);

#endif
