/*
 * neighbour: one dump of rtnetlink's (see neighbour.h).
 */
#include "kernel/neighbour.h"

#include <net/if.h>
#include <sys/socket.h>

#include <linux/if_ether.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "base/arena.h"
#include "kernel/netlink.h"
#include "kernel/nexthop.h"

struct look {
	struct arena *arena;
	struct neighbour_list found;
};

static bool is_known(uint16_t state)
{
	return state &
	       (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP);
}

static void read_neighbour(const struct nlmsghdr *message, void *user)
{
	const struct ndmsg *head = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute, *address = NULL, *link = NULL;
	struct look *look = user;

	if (message->nlmsg_type != RTM_NEWNEIGH || !is_known(head->ndm_state) ||
	    (head->ndm_family != AF_INET && head->ndm_family != AF_INET6))
		return;
	mnl_attr_for_each(attribute, message, sizeof(*head)) {
		if (mnl_attr_get_type(attribute) == NDA_DST)
			address = attribute;
		else if (mnl_attr_get_type(attribute) == NDA_LLADDR)
			link = attribute;
	}
	if (!address || !link || mnl_attr_get_payload_len(link) != ETH_ALEN)
		return;
	*arena_append(look->arena, look->found.items, look->found.count) = (struct neighbour_item){
		(unsigned int)head->ndm_ifindex,
		nexthop_address(head->ndm_family == AF_INET6 ? ADDR_IPV6 : ADDR_IPV4, address),
		wide_get(mnl_attr_get_payload(link), ETH_ALEN).low
	};
}

struct neighbour_list neighbour_read(struct arena *arena, struct netlink *netlink)
{
	struct look look = { .arena = arena };
	struct netlink_error error;
	char room[NETLINK_REQUEST];
	struct nlmsghdr *request = netlink_new(room, RTM_GETNEIGH, NLM_F_DUMP);

	mnl_nlmsg_put_extra_header(request, sizeof(struct ndmsg));
	netlink_dump(netlink, request, read_neighbour, &look, &look.found.count, &error);
	return look.found;
}

uint64_t neighbour_link(const struct neighbour_list *neighbours, const char *device,
			struct addr addr)
{
	unsigned int index = if_nametoindex(device);

	for (size_t i = 0; i < neighbours->count; i++)
		if (neighbours->items[i].device == index &&
		    addr_equal(neighbours->items[i].addr, addr))
			return neighbours->items[i].link;
	return 0;
}
