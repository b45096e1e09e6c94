/*
 * link: asks rtnetlink for interfaces and their kinds (IFLA_INFO_KIND), which only virtual ones
 * have, and for the route to an address. Nothing found and no answer are the same here.
 */
#include "kernel/link.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "base/arena.h"
#include "base/names.h"
#include "kernel/netlink.h"
#include "kernel/nexthop.h"
#include "kernel/route.h"

struct search {
	struct arena *arena;
	const char *kind;
	const char **names;
	size_t count;
};

static bool is_of_kind(const struct nlattr *info, const char *kind)
{
	const struct nlattr *inner;

	mnl_attr_for_each_nested(inner, info)
		if (mnl_attr_get_type(inner) == IFLA_INFO_KIND)
			return strcmp(mnl_attr_get_str(inner), kind) == 0;
	return false;
}

static void look(const struct nlmsghdr *message, void *user)
{
	struct search *search = user;
	const struct nlattr *attribute, *name = NULL, *info = NULL;

	if (message->nlmsg_type != RTM_NEWLINK)
		return;
	mnl_attr_for_each(attribute, message, sizeof(struct ifinfomsg)) {
		if (mnl_attr_get_type(attribute) == IFLA_IFNAME)
			name = attribute;
		else if (mnl_attr_get_type(attribute) == IFLA_LINKINFO)
			info = attribute;
	}
	if (name && info && is_of_kind(info, search->kind))
		*arena_append(search->arena, search->names, search->count) =
			arena_strdup(search->arena, mnl_attr_get_str(name));
}

const char **link_of_kind(struct arena *arena, struct netlink *netlink, const char *kind,
			  size_t *count)
{
	struct search search = { .arena = arena, .kind = kind };
	struct netlink_error error;
	char room[NETLINK_REQUEST];
	struct nlmsghdr *request = netlink_new(room, RTM_GETLINK, NLM_F_DUMP);

	mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
	netlink_dump(netlink, request, look, &search, &search.count, &error);
	*count = search.count;
	return search.names;
}

/* ---- routes ---- */

static bool is_advertised(const struct route_seen *seen)
{
	return seen->is_advertised;
}

static bool is_default(const struct route_seen *seen)
{
	return !seen->route.to.length;
}

/* Of the main table, those that are meant; none where the kernel does not say. */
static struct route_list main_routes(struct arena *arena, struct netlink *netlink,
				     enum addr_family family,
				     bool (*is_meant)(const struct route_seen *seen))
{
	struct route_list all = { 0 }, meant = { 0 };
	struct netlink_error error;

	if (!route_observe(arena, netlink, family, IR_TABLE_MAIN, &all, &error))
		return meant;
	for (size_t i = 0; i < all.count; i++)
		if (is_meant(&all.items[i]))
			*arena_append(arena, meant.items, meant.count) = all.items[i];
	return meant;
}

static const char **devices_of(struct arena *arena, const struct route_list *list, size_t *count)
{
	const char **names = NULL;

	*count = 0;
	for (size_t i = 0; i < list->count; i++)
		for (size_t k = 0; k < list->items[i].route.hop_count; k++)
			if (list->items[i].route.hops[k].dev)
				names_add(arena, &names, count, list->items[i].route.hops[k].dev);
	return names;
}

const char **link_advertised(struct arena *arena, struct netlink *netlink, size_t *count)
{
	struct route_list list = main_routes(arena, netlink, ADDR_IPV6, is_advertised);

	return devices_of(arena, &list, count);
}

bool link_has_default(struct arena *arena, struct netlink *netlink, enum addr_family family)
{
	return main_routes(arena, netlink, family, is_default).count > 0;
}

const char **link_defaults(struct arena *arena, struct netlink *netlink, enum addr_family family,
			   size_t *count)
{
	struct route_list list = main_routes(arena, netlink, family, is_default);

	return devices_of(arena, &list, count);
}

struct ir_nexthop *link_gateways(struct arena *arena, struct netlink *netlink,
				 enum addr_family family, size_t *count)
{
	struct route_list list = main_routes(arena, netlink, family, is_default);
	struct ir_nexthop *hops = NULL;

	*count = 0;
	for (size_t i = 0; i < list.count; i++)
		for (size_t k = 0; k < list.items[i].route.hop_count; k++)
			if (list.items[i].route.hops[k].has_via && list.items[i].route.hops[k].dev)
				*arena_append(arena, hops, *count) = list.items[i].route.hops[k];
	return hops;
}

struct way {
	bool is_local, has_gateway;
	unsigned char type; /* RTN_ */
	uint32_t table;
	int code;            /* an errno */
	unsigned int device; /* 0: none */
	const struct addr *to;
	bool has_source;
	struct addr source;
};

static void take_way(const struct nlmsghdr *message, void *user)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute;
	struct way *way = user;

	if (message->nlmsg_type != RTM_NEWROUTE)
		return;
	way->is_local = header->rtm_type == RTN_LOCAL;
	way->type = header->rtm_type;
	way->table = header->rtm_table;
	mnl_attr_for_each(attribute, message, sizeof(*header))
		if (mnl_attr_get_type(attribute) == RTA_OIF) {
			way->device = mnl_attr_get_u32(attribute);
		} else if (mnl_attr_get_type(attribute) == RTA_TABLE) {
			way->table = mnl_attr_get_u32(attribute);
		} else if (mnl_attr_get_type(attribute) == RTA_PREFSRC) {
			way->has_source = true;
			way->source = nexthop_address(way->to->family, attribute);
		} else if (mnl_attr_get_type(attribute) == RTA_GATEWAY ||
			   mnl_attr_get_type(attribute) == RTA_VIA) {
			way->has_gateway = true;
		}
}

/* `device`: by this one alone, and only where a route says so; 0: by any. */
/* A question for the way to an address; NULL: it is none. */
static struct nlmsghdr *route_request(char *room, struct addr to, unsigned int flags)
{
	int family = netlink_family(to.family);
	struct nlmsghdr *request;
	struct rtmsg *header;
	char text[ADDR_TEXT];
	unsigned char bytes[16];

	if (inet_pton(family, addr_format(to, text), bytes) != 1)
		return NULL;
	request = netlink_new(room, RTM_GETROUTE, 0);
	header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	header->rtm_family = (unsigned char)family;
	header->rtm_dst_len = (unsigned char)addr_width(to.family);
	/* IPv6 says the table unasked, and takes the flag for a mistake. */
	header->rtm_flags = flags | (to.family == ADDR_IPV6 ? 0 : RTM_F_LOOKUP_TABLE);
	mnl_attr_put(request, RTA_DST, addr_width(to.family) / 8, bytes);
	return request;
}

static struct way probe_way(struct netlink *netlink, struct addr to, unsigned int device)
{
	struct way way = { .to = &to };
	struct netlink_error error;
	char room[NETLINK_REQUEST];
	struct nlmsghdr *request = route_request(room, to, device ? RTM_F_FIB_MATCH : 0);

	if (!request)
		return way;
	if (device)
		mnl_attr_put_u32(request, RTA_OIF, device);
	if (!netlink_ask(netlink, request, take_way, &way, &error))
		way.code = error.code;
	way.to = NULL;
	return way;
}

bool link_knows(struct arena *arena, struct netlink *netlink, struct addr to)
{
	unsigned int shortest = to.family == ADDR_IPV6 ? IR_SPECIFIC_IPV6 : IR_SPECIFIC_IPV4;
	char room[NETLINK_REQUEST];
	struct nlmsghdr *request = route_request(room, to, RTM_F_FIB_MATCH);
	struct route_list list = { 0 };
	struct netlink_error error;

	return request && route_ask(arena, netlink, request, to.family, &list, &error) &&
	       list.count && list.items[0].route.type == IR_ROUTE_UNICAST &&
	       list.items[0].route.to.length >= shortest;
}

/* Without ip rules but the kernel's own the tables `local` and `main` are one, and the kernel names
 * it main (fib_unmerge): as it does for the address that is in every table `local`. */
static bool is_in_local(struct netlink *netlink, const struct way *way)
{
	const struct addr loopback = { ADDR_IPV4, wide(0x7f000001) };
	struct way known;

	if (way->table != RT_TABLE_MAIN)
		return way->table == RT_TABLE_LOCAL;
	known = probe_way(netlink, loopback, 0);
	return known.is_local && known.table == RT_TABLE_MAIN;
}

/* IPv4's fib takes an address for local or broadcast that is so in the table `local`, whatever
 * other tables say (inet_addr_type in the kernel). */
struct link_fib link_fib(struct arena *arena, struct netlink *netlink, struct addr to)
{
	struct way way = probe_way(netlink, to, 0);
	bool counts = to.family == ADDR_IPV6 || is_in_local(netlink, &way);
	char name[IF_NAMESIZE];

	return (struct link_fib){
		.is_local = counts && way.type == RTN_LOCAL,
		.is_broadcast = counts && way.type == RTN_BROADCAST,
		.is_anycast = counts && way.type == RTN_ANYCAST,
		.device = way.device && way.type == RTN_UNICAST && if_indextoname(way.device, name)
				  ? arena_strdup(arena, name)
				  : NULL,
		.has_source = way.has_source,
		.source = way.source,
	};
}

static void put_addr(struct nlmsghdr *request, uint16_t type, struct addr addr)
{
	unsigned char bytes[16];
	size_t length = addr_width(addr.family) / 8;

	wide_put(addr.bits, bytes, length);
	mnl_attr_put(request, type, length, bytes);
}

const char *link_leads(struct arena *arena, struct netlink *netlink,
		       const struct link_packet *packet)
{
	struct way way = { .to = &packet->to };
	struct netlink_error error;
	char room[NETLINK_REQUEST], name[IF_NAMESIZE];
	struct nlmsghdr *request = route_request(room, packet->to, 0);
	struct rtmsg *header;

	if (!request)
		return NULL;
	header = mnl_nlmsg_get_payload(request);
	header->rtm_src_len = (unsigned char)addr_width(packet->from.family);
	put_addr(request, RTA_SRC, packet->from);
	if (packet->in)
		mnl_attr_put_u32(request, RTA_IIF, if_nametoindex(packet->in));
	if (packet->mark)
		mnl_attr_put_u32(request, RTA_MARK, packet->mark);
	if (!netlink_ask(netlink, request, take_way, &way, &error))
		return NULL;
	if (way.is_local)
		return "lo";
	if (way.type != RTN_UNICAST || !way.device || !if_indextoname(way.device, name))
		return NULL;
	return arena_strdup(arena, name);
}

const char *link_towards(struct arena *arena, struct netlink *netlink, struct addr to)
{
	struct way way = probe_way(netlink, to, 0);
	char name[IF_NAMESIZE];

	if (!way.device || way.is_local || !if_indextoname(way.device, name))
		return NULL;
	return arena_strdup(arena, name);
}

bool link_has_address(struct netlink *netlink, struct addr address)
{
	return probe_way(netlink, address, 0).is_local;
}

bool link_is_far(struct netlink *netlink, struct addr gateway, const char *device)
{
	struct way way;

	if (addr_is_link_local(gateway))
		return false;
	way = probe_way(netlink, gateway, device ? if_nametoindex(device) : 0);
	return way.code == ENETUNREACH || way.code == EHOSTUNREACH || way.has_gateway;
}

struct state_look {
	struct arena *arena;
	struct link_state *state;
};

/* The kinds that hand their ports' packets on as their own (rx_handler in the kernel). A VRF does
 * not: rules see the port first. */
static bool takes_packets(const char *kind)
{
	static const char *const kinds[] = { "bridge",      "bond", "team",
					     "openvswitch", "hsr",  "batadv" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	return false;
}

static void take_state(const struct nlmsghdr *message, void *user)
{
	const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute, *inner, *master = NULL, *info = NULL;
	struct state_look *look = user;
	char name[IF_NAMESIZE];

	if (message->nlmsg_type != RTM_NEWLINK)
		return;
	look->state->index = (unsigned int)header->ifi_index;
	look->state->is_up = header->ifi_flags & IFF_UP;
	look->state->is_point_to_point = header->ifi_flags & IFF_POINTOPOINT;
	look->state->has_carrier = true;
	mnl_attr_for_each(attribute, message, sizeof(*header)) {
		if (mnl_attr_get_type(attribute) == IFLA_CARRIER)
			look->state->has_carrier = mnl_attr_get_u8(attribute);
		else if (mnl_attr_get_type(attribute) == IFLA_MASTER)
			master = attribute;
		else if (mnl_attr_get_type(attribute) == IFLA_LINKINFO)
			info = attribute;
	}
	look->state->is_bridge = info && is_of_kind(info, "bridge");
	if (!master || !info || !if_indextoname(mnl_attr_get_u32(master), name))
		return;
	mnl_attr_for_each_nested(inner, info) {
		if (mnl_attr_get_type(inner) != IFLA_INFO_SLAVE_KIND ||
		    !takes_packets(mnl_attr_get_str(inner)))
			continue;
		look->state->master = arena_strdup(look->arena, name);
		look->state->kind = arena_strdup(look->arena, mnl_attr_get_str(inner));
	}
}

struct link_state link_state(struct arena *arena, struct netlink *netlink, const char *name)
{
	char room[NETLINK_REQUEST];
	struct nlmsghdr *request = netlink_new(room, RTM_GETLINK, 0);
	struct ifinfomsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	struct link_state state = { 0 };
	struct state_look look = { arena, &state };
	struct netlink_error error;

	header->ifi_index = (int)if_nametoindex(name);
	if (header->ifi_index)
		netlink_ask(netlink, request, take_state, &look, &error);
	return state;
}

bool link_is_down(struct netlink *netlink, const char *name)
{
	struct arena *arena = arena_new();
	struct link_state state = link_state(arena, netlink, name);

	arena_free(arena);
	return state.index && !state.is_up;
}

struct names_look {
	struct arena *arena;
	struct link_names *names;
};

static void take_name(const struct nlmsghdr *message, void *user)
{
	const struct nlattr *attribute;
	struct names_look *look = user;

	if (message->nlmsg_type != RTM_NEWLINK)
		return;
	mnl_attr_for_each(attribute, message, sizeof(struct ifinfomsg))
		if (mnl_attr_get_type(attribute) == IFLA_IFNAME)
			*arena_append(look->arena, look->names->items, look->names->count) =
				arena_strdup(look->arena, mnl_attr_get_str(attribute));
}

struct link_names link_names(struct arena *arena, struct netlink *netlink)
{
	struct link_names names = { 0 };
	struct names_look look = { arena, &names };
	struct netlink_error error;
	char room[NETLINK_REQUEST];
	struct nlmsghdr *request = netlink_new(room, RTM_GETLINK, NLM_F_DUMP);

	mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
	netlink_dump(netlink, request, take_name, &look, &names.count, &error);
	return names;
}
