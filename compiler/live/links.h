/*
 * links: what kinds of interfaces this network namespace has.
 */
#ifndef TPC_LIVE_LINKS_H
#define TPC_LIVE_LINKS_H

#include <stdbool.h>

struct netlink;

/* Is there an interface of this kind, in the kernel's words: "bridge", "wireguard"? False also when
 * the kernel does not say. */
bool links_has_kind(struct netlink *netlink, const char *kind);

#endif
