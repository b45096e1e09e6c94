/*
 * links: asks rtnetlink for all interfaces and looks at their kinds (IFLA_INFO_KIND), which only
 * virtual ones have.
 */
#include "live/links.h"

#include <string.h>

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "live/netlink.h"

struct search {
	const char *kind;
	bool found;
};

static void look(const struct nlmsghdr *message, void *user)
{
	struct search *search = user;
	const struct nlattr *attribute, *inner;

	if (message->nlmsg_type != RTM_NEWLINK)
		return;
	mnl_attr_for_each(attribute, message, sizeof(struct ifinfomsg)) {
		if (mnl_attr_get_type(attribute) != IFLA_LINKINFO)
			continue;
		mnl_attr_for_each_nested(inner, attribute)
			if (mnl_attr_get_type(inner) == IFLA_INFO_KIND)
				search->found |= strcmp(mnl_attr_get_str(inner), search->kind) == 0;
	}
}

bool links_has_kind(struct netlink *netlink, const char *kind)
{
	struct search search = { .kind = kind };
	struct netlink_error error;
	char room[NETLINK_REQUEST];
	struct nlmsghdr *request = netlink_new(room, RTM_GETLINK, NLM_F_DUMP);

	mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
	netlink_ask(netlink, request, look, &search, &error);
	return search.found;
}
