/*
 * addresses: the addresses of this network namespace's interfaces. `netlink` is rtnetlink's; where
 * the kernel does not say, there are none.
 */
#ifndef TPC_KERNEL_ADDRESSES_H
#define TPC_KERNEL_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr/addr.h"

struct arena;
struct netlink;
struct netlink_error;

/* One of an interface, as the kernel tells it. */
struct addresses_seen {
	struct addr addr;
	struct addr_prefix network; /* that the link leads to: by a link from point to point the
				       other end's */
	unsigned int index;         /* of the interface */
	unsigned int scope;         /* RT_SCOPE_... */
	uint32_t flags;             /* IFA_F_... */
};
typedef void addresses_each_fn(const struct addresses_seen *seen, void *user);

/* Calls `each` for every one, in the kernel's order; `collected` as netlink_dump takes it. */
bool addresses_each(struct netlink *netlink, addresses_each_fn *each, void *user, size_t *collected,
		    struct netlink_error *error);

struct addresses_item {
	struct addr addr;
	const char *device;
};

struct addresses {
	struct addresses_item *items;
	size_t count;
};

struct addresses addresses_read(struct arena *arena, struct netlink *netlink);
/* Has an interface of this name, or any (NULL), the address? */
bool addresses_has(const struct addresses *addresses, struct addr addr, const char *device);
/* Has the interface an address of this host's, beside the one that IPv6 gives every link? */
bool addresses_has_own(struct netlink *netlink, unsigned int index);
/* Which addresses of the family are there, beside those for a link or this host alone? */
struct addresses_sources {
	bool here; /* of the interface */
	bool of_another;
};
struct addresses_sources addresses_sources(struct netlink *netlink, unsigned int index,
					   enum addr_family family);
/* Is it no longer used until the kernel knows that no other host has it (duplicate address
 * detection, RFC 4862 section 5.4)? One that is optimistic is used meanwhile (RFC 4429). */
bool addresses_is_tentative(const struct addresses_seen *seen);
/* Does an interface have it, and does the kernel still ask, or has it found another host? */
struct addresses_detection {
	enum { ADDRESSES_SETTLED, ADDRESSES_TENTATIVE, ADDRESSES_DUPLICATE } state;
	unsigned int index; /* the interface that has it, unless it is settled */
};
struct addresses_detection addresses_detection(struct netlink *netlink, struct addr address);

#endif
