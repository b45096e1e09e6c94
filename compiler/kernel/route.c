/*
 * route: reads and writes routes, compares them, and prints the `ip route` command that does the
 * same.
 */
#include "kernel/route.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/rtnetlink.h>

#include "base/arena.h"
#include "base/buf.h"
#include "emit/ipbatch.h"
#include "ir/ir_codec.h"
#include "kernel/netlink.h"
#include "kernel/nexthop.h"

static const uint8_t kernel_types[] = {
	[IR_ROUTE_UNICAST] = RTN_UNICAST,     [IR_ROUTE_LOCAL] = RTN_LOCAL,
	[IR_ROUTE_BLACKHOLE] = RTN_BLACKHOLE, [IR_ROUTE_UNREACHABLE] = RTN_UNREACHABLE,
	[IR_ROUTE_PROHIBIT] = RTN_PROHIBIT,   [IR_ROUTE_THROW] = RTN_THROW,
};

/* Does a packet on this route leave by a device? The others refuse it, whatever device the kernel
 * reports with them. */
static bool has_hops(enum ir_route_type type)
{
	return type == IR_ROUTE_UNICAST || type == IR_ROUTE_LOCAL;
}

/* ---- reading ---- */

struct reader {
	struct arena *arena;
	struct route_list *list;
	enum addr_family family;
	uint32_t table; /* 0: any */
	bool only_defaults;
};

static bool read_type(uint8_t type, enum ir_route_type *out)
{
	for (size_t i = 0; i < sizeof(kernel_types) / sizeof(kernel_types[0]); i++)
		if (kernel_types[i] == type) {
			*out = (enum ir_route_type)i;
			return true;
		}
	return false;
}

static void read_metrics(struct route_seen *seen, const struct nlattr *metrics)
{
	const struct nlattr *attribute;

	mnl_attr_for_each_nested(attribute, metrics) {
		if (mnl_attr_get_type(attribute) == RTAX_MTU)
			seen->route.mtu = mnl_attr_get_u32(attribute);
		else
			seen->is_other = true;
	}
}

/* Attributes that a route of ours may carry, or that the kernel adds to any. */
static bool is_ours_to_give(unsigned int type)
{
	switch (type) {
	case RTA_DST:
	case RTA_OIF:
	case RTA_GATEWAY:
	case RTA_VIA:
	case RTA_PRIORITY:
	case RTA_PREFSRC:
	case RTA_METRICS:
	case RTA_MULTIPATH:
	case RTA_TABLE:
	case RTA_CACHEINFO:
	case RTA_PREF:
	case RTA_PAD:
		return true;
	}
	return false;
}

/* The kernel's own routes end some time only if they come from a prefix that a router advertises.
 */
static bool is_advertised(const struct rtmsg *header, const struct nlattr *cache)
{
	const struct rta_cacheinfo *info = cache ? mnl_attr_get_payload(cache) : NULL;

	return header->rtm_protocol == RTPROT_RA ||
	       (header->rtm_protocol == RTPROT_KERNEL && info && info->rta_expires);
}

static void read_hops(struct reader *reader, struct ir_route *route, const struct rtmsg *header,
		      const struct nlattr *const *attributes)
{
	if (!has_hops(route->type))
		return;
	if (attributes[RTA_MULTIPATH]) {
		nexthop_read_all(reader->arena, route, attributes[RTA_MULTIPATH]);
		return;
	}
	nexthop_read_one(reader->arena, route, attributes[RTA_GATEWAY], attributes[RTA_VIA],
			 attributes[RTA_OIF]);
	route->hops[0].onlink = header->rtm_flags & RTNH_F_ONLINK;
}

static const char *describe(struct arena *arena, const struct route_seen *seen)
{
	struct buf out = { 0 };

	ipbatch_put_route(&seen->route, seen->protocol, &out);
	return buf_keep(arena, &out);
}

static void read_route(const struct nlmsghdr *message, void *user)
{
	struct reader *reader = user;
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);
	const struct nlattr *attributes[RTA_MAX + 1] = { NULL }, *attribute;
	struct route_seen seen = { .protocol = header->rtm_protocol };
	struct ir_route *route = &seen.route;

	if (message->nlmsg_type != RTM_NEWROUTE ||
	    header->rtm_family != netlink_family(reader->family) ||
	    header->rtm_flags & RTM_F_CLONED)
		return;
	mnl_attr_for_each(attribute, message, sizeof(*header)) {
		unsigned int type = mnl_attr_get_type(attribute);

		if (type <= RTA_MAX)
			attributes[type] = attribute;
		seen.is_other |= !is_ours_to_give(type);
	}
	route->family = reader->family;
	route->table = attributes[RTA_TABLE] ? mnl_attr_get_u32(attributes[RTA_TABLE])
					     : header->rtm_table;
	if ((reader->table && route->table != reader->table) ||
	    (reader->only_defaults && header->rtm_dst_len))
		return;
	seen.is_other |= !read_type(header->rtm_type, &route->type) || header->rtm_tos ||
			 header->rtm_src_len;
	route->to.length = header->rtm_dst_len;
	route->to.addr.family = reader->family;
	if (attributes[RTA_DST])
		route->to.addr = nexthop_address(reader->family, attributes[RTA_DST]);
	if (attributes[RTA_PREFSRC]) {
		route->has_src = true;
		route->src = nexthop_address(reader->family, attributes[RTA_PREFSRC]);
	}
	if (attributes[RTA_PRIORITY])
		route->metric = mnl_attr_get_u32(attributes[RTA_PRIORITY]);
	if (attributes[RTA_METRICS])
		read_metrics(&seen, attributes[RTA_METRICS]);
	read_hops(reader, route, header, attributes);
	seen.is_advertised = is_advertised(header, attributes[RTA_CACHEINFO]);
	seen.text = describe(reader->arena, &seen);
	*arena_append(reader->arena, reader->list->items, reader->list->count) = seen;
}

static bool dump(struct netlink *netlink, struct reader *reader, struct netlink_error *error)
{
	char room[NETLINK_REQUEST];
	struct nlmsghdr *request = netlink_new(room, RTM_GETROUTE, NLM_F_DUMP);
	struct rtmsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));

	header->rtm_family = netlink_family(reader->family);
	if (reader->table)
		mnl_attr_put_u32(request, RTA_TABLE, reader->table);
	/* No such table, or a kernel without IPv6: no routes. */
	return netlink_dump(netlink, request, read_route, reader, &reader->list->count, error) ||
	       error->code == ENOENT || error->code == EAFNOSUPPORT || error->code == EOPNOTSUPP;
}

bool route_observe(struct arena *arena, struct netlink *netlink, enum addr_family family,
		   uint32_t table, struct route_list *list, struct netlink_error *error)
{
	struct reader reader = { .arena = arena, .list = list, .family = family, .table = table };

	return dump(netlink, &reader, error);
}

bool route_defaults(struct arena *arena, struct netlink *netlink, enum addr_family family,
		    struct route_list *list, struct netlink_error *error)
{
	struct reader reader = {
		.arena = arena, .list = list, .family = family, .only_defaults = true
	};

	return dump(netlink, &reader, error);
}

bool route_ask(struct arena *arena, struct netlink *netlink, struct nlmsghdr *request,
	       enum addr_family family, struct route_list *list, struct netlink_error *error)
{
	struct reader reader = { .arena = arena, .list = list, .family = family };

	return netlink_ask(netlink, request, read_route, &reader, error);
}

/* ---- changing ---- */

/* The scope that iproute2 gives such a route, so that both leave the same state. */
static uint8_t kernel_scope(const struct ir_route *route)
{
	if (route->family == ADDR_IPV6)
		return RT_SCOPE_UNIVERSE;
	if (route->type == IR_ROUTE_LOCAL)
		return RT_SCOPE_HOST;
	if (route->type == IR_ROUTE_UNICAST && route->hop_count == 1 && !route->hops[0].has_via)
		return RT_SCOPE_LINK;
	return RT_SCOPE_UNIVERSE;
}

static size_t write_addr(struct addr addr, uint8_t *bytes)
{
	size_t length = addr_width(addr.family) / 8;

	wide_put(addr.bits, bytes, length);
	return length;
}

static void put_addr(struct nlmsghdr *request, uint16_t type, struct addr addr)
{
	uint8_t bytes[16];

	mnl_attr_put(request, type, write_addr(addr, bytes), bytes);
}

static void put_via(struct nlmsghdr *request, const struct ir_nexthop *hop, enum addr_family family)
{
	uint8_t bytes[sizeof(struct rtvia) + 16];
	struct rtvia *via = (void *)bytes;

	if (!hop->has_via)
		return;
	if (hop->via.family == family) {
		put_addr(request, RTA_GATEWAY, hop->via);
		return;
	}
	via->rtvia_family = netlink_family(hop->via.family);
	mnl_attr_put(request, RTA_VIA, sizeof(*via) + write_addr(hop->via, via->rtvia_addr), bytes);
}

static void put_multipath(struct nlmsghdr *request, const struct ir_route *route)
{
	struct nlattr *nest = mnl_attr_nest_start(request, RTA_MULTIPATH);

	for (size_t i = 0; i < route->hop_count; i++) {
		const struct ir_nexthop *hop = &route->hops[i];
		struct rtnexthop *next = mnl_nlmsg_get_payload_tail(request);

		memset(next, 0, sizeof(*next));
		request->nlmsg_len += sizeof(*next);
		next->rtnh_hops = (uint8_t)(hop->weight - 1);
		next->rtnh_flags = hop->onlink ? RTNH_F_ONLINK : 0;
		next->rtnh_ifindex = hop->dev ? (int)if_nametoindex(hop->dev) : 0;
		put_via(request, hop, route->family);
		next->rtnh_len =
			(uint16_t)((char *)mnl_nlmsg_get_payload_tail(request) - (char *)next);
	}
	mnl_attr_nest_end(request, nest);
}

static void put_hops(struct nlmsghdr *request, struct rtmsg *header, const struct ir_route *route)
{
	const struct ir_nexthop *hop = route->hops;

	if (route->hop_count > 1) {
		put_multipath(request, route);
	} else if (route->hop_count == 1) {
		put_via(request, hop, route->family);
		if (hop->dev)
			mnl_attr_put_u32(request, RTA_OIF, if_nametoindex(hop->dev));
		if (hop->onlink)
			header->rtm_flags |= RTNH_F_ONLINK;
	}
}

const char *route_lost_device(const struct ir_route *route)
{
	for (size_t i = 0; i < route->hop_count; i++)
		if (route->hops[i].dev && !if_nametoindex(route->hops[i].dev))
			return route->hops[i].dev;
	return ir_route_is_open(route) ? route->hops[0].dev : NULL;
}

static bool change(struct netlink *netlink, uint16_t type, uint16_t flags,
		   const struct ir_route *route, uint32_t protocol, struct netlink_error *error)
{
	char room[NETLINK_REQUEST];
	struct nlmsghdr *request = netlink_new(room, type, flags);
	struct rtmsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	const char *missing = route_lost_device(route);

	if (missing) {
		error->code = ENODEV;
		snprintf(error->text, sizeof(error->text), "there is no interface %s", missing);
		return false;
	}
	header->rtm_family = netlink_family(route->family);
	header->rtm_type = kernel_types[route->type];
	header->rtm_protocol = (uint8_t)protocol;
	header->rtm_scope = type == RTM_DELROUTE ? RT_SCOPE_NOWHERE : kernel_scope(route);
	header->rtm_table = route->table < 256 ? (uint8_t)route->table : RT_TABLE_UNSPEC;
	header->rtm_dst_len = (uint8_t)route->to.length;
	mnl_attr_put_u32(request, RTA_TABLE, route->table);
	if (route->to.length)
		put_addr(request, RTA_DST, route->to.addr);
	if (route->has_src)
		put_addr(request, RTA_PREFSRC, route->src);
	if (route->metric)
		mnl_attr_put_u32(request, RTA_PRIORITY, route->metric);
	if (route->mtu) {
		struct nlattr *nest = mnl_attr_nest_start(request, RTA_METRICS);

		mnl_attr_put_u32(request, RTAX_MTU, route->mtu);
		mnl_attr_nest_end(request, nest);
	}
	put_hops(request, header, route);
	return type == RTM_DELROUTE ? netlink_insist(netlink, request, error)
				    : netlink_ask(netlink, request, NULL, NULL, error);
}

bool route_add(struct netlink *netlink, const struct ir_route *route, uint32_t protocol,
	       enum route_place place, struct netlink_error *error)
{
	static const uint16_t flags[] = { NLM_F_EXCL, NLM_F_REPLACE, NLM_F_APPEND };

	return change(netlink, RTM_NEWROUTE, NLM_F_CREATE | flags[place], route, protocol, error);
}

bool route_remove(struct netlink *netlink, const struct ir_route *route, uint32_t protocol,
		  struct netlink_error *error)
{
	return change(netlink, RTM_DELROUTE, 0, route, protocol, error);
}

/* ---- comparing ---- */

/* IPv6 routes without a metric get IP6_RT_PRIO_USER, 1024 (net/ip6_route.h). */
static uint32_t effective_metric(const struct ir_route *route)
{
	return route->metric || route->family == ADDR_IPV4 ? route->metric : 1024;
}

bool route_same_place(const struct ir_route *a, const struct ir_route *b)
{
	return a->family == b->family && a->table == b->table && a->to.length == b->to.length &&
	       wide_equal(a->to.addr.bits, b->to.addr.bits) &&
	       effective_metric(a) == effective_metric(b);
}

/* Its bytes but for the next hops; what is not there, or not a route's own, is the same in all. */
static void put_head(const struct ir_route *route, struct buf *out)
{
	struct codec codec = { .out = out };
	struct ir_route plain = *route;

	plain.hop_count = 0;
	plain.masquerades = false;
	plain.metric = effective_metric(route);
	if (!plain.has_src)
		plain.src = (struct addr){ 0 };
	ir_codec_route(&codec, &plain);
}

static void put_hop(const struct ir_nexthop *hop, struct buf *out)
{
	struct codec codec = { .out = out };
	struct ir_nexthop plain = *hop;

	plain.learnt = IR_GIVEN;
	if (!plain.has_via)
		plain.via = (struct addr){ 0 };
	ir_codec_nexthop(&codec, &plain);
}

void route_put_key(const struct ir_route *route, struct buf *out)
{
	put_head(route, out);
	for (size_t i = 0; i < route->hop_count; i++)
		put_hop(&route->hops[i], out);
}

/* As far as something else was wanted. */
static struct ir_nexthop as_wanted(const struct ir_nexthop *held, const struct ir_nexthop *wanted,
				   bool is_single)
{
	struct ir_nexthop hop = *held;

	if (!wanted->dev)
		hop.dev = NULL;
	if (is_single)
		hop.weight = wanted->weight;
	return hop;
}

bool route_fulfil(const struct ir_route *held, const struct ir_route *wanted)
{
	size_t count = has_hops(wanted->type) ? wanted->hop_count : 0;
	struct buf is = { 0 }, should = { 0 };
	bool same = !has_hops(wanted->type) || held->hop_count == wanted->hop_count;

	put_head(held, &is);
	put_head(wanted, &should);
	for (size_t i = 0; same && i < count; i++) {
		struct ir_nexthop hop = as_wanted(&held->hops[i], &wanted->hops[i], count == 1);

		put_hop(&hop, &is);
		put_hop(&wanted->hops[i], &should);
	}
	same = same && is.length == should.length &&
	       memcmp(buf_text(&is), buf_text(&should), is.length) == 0;
	buf_free(&is);
	buf_free(&should);
	return same;
}

void route_put_command(struct buf *out, const char *verb, const struct ir_route *route,
		       uint32_t protocol)
{
	buf_printf(out, "ip -%c route %s ", addr_digit(route->family), verb);
	ipbatch_put_route(route, protocol, out);
}
