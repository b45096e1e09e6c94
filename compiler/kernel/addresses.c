/*
 * addresses: one dump of rtnetlink's, and what is asked of it (see addresses.h).
 */
#include "kernel/addresses.h"

#include <net/if.h>
#include <string.h>

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "base/arena.h"
#include "kernel/netlink.h"
#include "kernel/nexthop.h"

/* ---- the dump ---- */

struct each {
	addresses_each_fn *call;
	void *user;
};

static struct addr_prefix network_of(enum addr_family family, const struct nlattr *address,
				     unsigned int length)
{
	struct addr_prefix network = { nexthop_address(family, address), length };

	network.addr.bits = wide_and(network.addr.bits, wide_not(addr_host_bits(family, length)));
	return network;
}

/* IFA_LOCAL is this host's where the other end of the link has one, too: that is IFA_ADDRESS. */
static void take(const struct nlmsghdr *message, void *user)
{
	const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
	enum addr_family family = header->ifa_family == AF_INET6 ? ADDR_IPV6 : ADDR_IPV4;
	const struct nlattr *attribute, *own = NULL, *other = NULL;
	struct addresses_seen seen = { .index = header->ifa_index,
				       .scope = header->ifa_scope,
				       .flags = header->ifa_flags };
	const struct each *each = user;

	if (message->nlmsg_type != RTM_NEWADDR)
		return;
	mnl_attr_for_each(attribute, message, sizeof(*header)) {
		uint16_t type = mnl_attr_get_type(attribute);

		if (type == IFA_FLAGS)
			seen.flags = mnl_attr_get_u32(attribute);
		else if (type == IFA_LOCAL || (type == IFA_ADDRESS && !own))
			own = attribute;
		if (type == IFA_ADDRESS)
			other = attribute;
	}
	if (!own)
		return;
	seen.addr = nexthop_address(family, own);
	seen.network = network_of(family, other ? other : own, header->ifa_prefixlen);
	each->call(&seen, each->user);
}

bool addresses_each(struct netlink *netlink, addresses_each_fn *call, void *user, size_t *collected,
		    struct netlink_error *error)
{
	struct each each = { call, user };
	char room[NETLINK_REQUEST];
	struct nlmsghdr *request = netlink_new(room, RTM_GETADDR, NLM_F_DUMP);

	mnl_nlmsg_put_extra_header(request, sizeof(struct ifaddrmsg));
	return netlink_dump(netlink, request, take, &each, collected, error);
}

/* ---- all ---- */

struct look {
	struct arena *arena;
	struct addresses found;
};

static void keep(const struct addresses_seen *seen, void *user)
{
	struct look *look = user;
	char name[IF_NAMESIZE];

	if (if_indextoname(seen->index, name))
		*arena_append(look->arena, look->found.items, look->found.count) =
			(struct addresses_item){ seen->addr, arena_strdup(look->arena, name) };
}

struct addresses addresses_read(struct arena *arena, struct netlink *netlink)
{
	struct look look = { .arena = arena };
	struct netlink_error error;

	addresses_each(netlink, keep, &look, &look.found.count, &error);
	return look.found;
}

bool addresses_has(const struct addresses *addresses, struct addr addr, const char *device)
{
	for (size_t i = 0; i < addresses->count; i++)
		if (addr_equal(addresses->items[i].addr, addr) &&
		    (!device || !strcmp(addresses->items[i].device, device)))
			return true;
	return false;
}

/* ---- questions ---- */

struct own_look {
	unsigned int index;
	bool is_found;
};

/* IPv6 gives every interface an address of its link. */
static void find_own(const struct addresses_seen *seen, void *user)
{
	struct own_look *look = user;

	look->is_found |= seen->index == look->index && seen->scope != RT_SCOPE_LINK;
}

bool addresses_has_own(struct netlink *netlink, unsigned int index)
{
	struct own_look look = { .index = index };
	struct netlink_error error;

	return !addresses_each(netlink, find_own, &look, NULL, &error) || look.is_found;
}

struct sources_look {
	unsigned int index;
	enum addr_family family;
	struct addresses_sources found;
};

static void find_sources(const struct addresses_seen *seen, void *user)
{
	struct sources_look *look = user;

	if (seen->scope >= RT_SCOPE_LINK || seen->addr.family != look->family)
		return;
	look->found.here |= seen->index == look->index;
	look->found.of_another |= seen->index != look->index;
}

struct addresses_sources addresses_sources(struct netlink *netlink, unsigned int index,
					   enum addr_family family)
{
	struct sources_look look = { .index = index, .family = family };
	struct netlink_error error;

	if (addresses_each(netlink, find_sources, &look, NULL, &error))
		return look.found;
	return (struct addresses_sources){ .here = true };
}

bool addresses_is_tentative(const struct addresses_seen *seen)
{
	return seen->flags & IFA_F_TENTATIVE && !(seen->flags & IFA_F_OPTIMISTIC);
}

struct detection_look {
	struct addr address;
	struct addresses_detection found;
};

/* One that fails stays tentative, too. */
static void find_detection(const struct addresses_seen *seen, void *user)
{
	struct detection_look *look = user;

	if (!addr_equal(seen->addr, look->address) || !addresses_is_tentative(seen))
		return;
	look->found.state = seen->flags & IFA_F_DADFAILED ? ADDRESSES_DUPLICATE
							  : ADDRESSES_TENTATIVE;
	look->found.index = seen->index;
}

/* IPv4 addresses are this host's at once. */
struct addresses_detection addresses_detection(struct netlink *netlink, struct addr address)
{
	struct detection_look look = { .address = address };
	struct netlink_error error;

	if (address.family == ADDR_IPV6)
		addresses_each(netlink, find_detection, &look, NULL, &error);
	return look.found;
}
