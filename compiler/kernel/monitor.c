/*
 * monitor: the multicast groups of rtnetlink and of nftables (see monitor.h). Not everything in
 * them matters: a router that learns routes to others' networks all day is no news to a policy.
 */
#include "kernel/monitor.h"

#include <errno.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>

static bool join(struct netlink *netlink, const int *groups, size_t count,
		 struct netlink_error *error)
{
	for (size_t i = 0; i < count; i++) {
		int group = groups[i];

		if (mnl_socket_setsockopt(netlink->socket, NETLINK_ADD_MEMBERSHIP, &group,
					  sizeof(group)) < 0) {
			netlink_set_error(error, errno);
			return false;
		}
	}
	return true;
}

bool monitor_open(struct monitor *monitor, struct netlink_error *error)
{
	static const int of_route[] = { RTNLGRP_LINK,        RTNLGRP_IPV4_IFADDR,
					RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
					RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_RULE,
					RTNLGRP_IPV6_RULE };
	static const int of_nft[] = { NFNLGRP_NFTABLES };

	return netlink_open(&monitor->route, NETLINK_ROUTE, error) &&
	       netlink_open(&monitor->nft, NETLINK_NETFILTER, error) &&
	       join(&monitor->route, of_route, sizeof(of_route) / sizeof(of_route[0]), error) &&
	       join(&monitor->nft, of_nft, 1, error);
}

int monitor_route_fd(const struct monitor *monitor)
{
	return mnl_socket_get_fd(monitor->route.socket);
}

int monitor_nft_fd(const struct monitor *monitor)
{
	return mnl_socket_get_fd(monitor->nft.socket);
}

/* Of the main table's routes only those that gateways are learnt from matter, and, in IPv6, those
 * that a copy of the table has. What is in the table `local` follows the addresses. */
static unsigned int meaning_of_route(const struct nlmsghdr *message)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);

	if (header->rtm_table == RT_TABLE_LOCAL || header->rtm_flags & RTM_F_CLONED)
		return 0;
	if (header->rtm_table != RT_TABLE_MAIN)
		return MONITOR_TABLES;
	return !header->rtm_dst_len || header->rtm_family == AF_INET6 ? MONITOR_LINKS : 0;
}

static unsigned int meaning_of(const struct nlmsghdr *message)
{
	switch (message->nlmsg_type) {
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return meaning_of_route(message);
	case RTM_NEWRULE:
	case RTM_DELRULE:
		return MONITOR_TABLES;
	}
	return MONITOR_LINKS;
}

static unsigned int meaning_of_nft(const struct nlmsghdr *message)
{
	(void)message;
	return MONITOR_TABLES;
}

static unsigned int take(struct netlink *netlink,
			 unsigned int (*meaning)(const struct nlmsghdr *message))
{
	char room[16384];
	unsigned int changes = 0;

	for (;;) {
		ssize_t length =
			recv(mnl_socket_get_fd(netlink->socket), room, sizeof(room), MSG_DONTWAIT);
		const struct nlmsghdr *message = (const void *)room;
		int left = (int)length;

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return errno == ENOBUFS ? MONITOR_LINKS | MONITOR_TABLES : changes;
		for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
			changes |= meaning(message);
	}
}

unsigned int monitor_take(struct monitor *monitor)
{
	unsigned int changes = take(&monitor->route, meaning_of);

	return changes | take(&monitor->nft, meaning_of_nft);
}
