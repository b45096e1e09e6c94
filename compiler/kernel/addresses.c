/*
 * addresses: one dump of rtnetlink's (see addresses.h).
 */
#include "kernel/addresses.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "base/arena.h"
#include "kernel/netlink.h"
#include "kernel/nexthop.h"

struct look {
	struct arena *arena;
	struct addresses found;
};

/* IFA_LOCAL is this host's where the other end of the link has one, too. */
static void take(const struct nlmsghdr *message, void *user)
{
	const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute, *found = NULL;
	struct look *look = user;
	enum addr_family family = header->ifa_family == AF_INET6 ? ADDR_IPV6 : ADDR_IPV4;
	char name[IF_NAMESIZE];

	if (message->nlmsg_type != RTM_NEWADDR || !if_indextoname(header->ifa_index, name))
		return;
	mnl_attr_for_each(attribute, message, sizeof(*header))
		if (mnl_attr_get_type(attribute) == IFA_LOCAL ||
		    (mnl_attr_get_type(attribute) == IFA_ADDRESS && !found))
			found = attribute;
	if (found)
		*arena_append(look->arena, look->found.items, look->found.count) =
			(struct addresses_item){ nexthop_address(family, found),
						 arena_strdup(look->arena, name) };
}

struct addresses addresses_read(struct arena *arena, struct netlink *netlink)
{
	struct look look = { .arena = arena };
	struct netlink_error error;
	char room[NETLINK_REQUEST];
	struct nlmsghdr *request = netlink_new(room, RTM_GETADDR, NLM_F_DUMP);

	mnl_nlmsg_put_extra_header(request, sizeof(struct ifaddrmsg));
	netlink_dump(netlink, request, take, &look, &look.found.count, &error);
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
