/*
 * nexthop: reads a gateway and a device, or a row of them.
 */
#include "kernel/nexthop.h"

#include <net/if.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "base/arena.h"

static struct addr read_address(enum addr_family family, const void *bytes, size_t length)
{
	size_t most = addr_width(family) / 8;

	return (struct addr){ family, wide_get(bytes, length < most ? length : most) };
}

struct addr nexthop_address(enum addr_family family, const struct nlattr *attribute)
{
	return read_address(family, mnl_attr_get_payload(attribute),
			    mnl_attr_get_payload_len(attribute));
}

static void read_via(struct ir_nexthop *hop, enum addr_family family, const struct nlattr *gateway,
		     const struct nlattr *via)
{
	const struct rtvia *other = via ? mnl_attr_get_payload(via) : NULL;

	if (via && mnl_attr_get_payload_len(via) < sizeof(*other))
		other = NULL;
	hop->has_via = gateway || other;
	if (gateway)
		hop->via = nexthop_address(family, gateway);
	else if (other)
		hop->via = read_address(other->rtvia_family == AF_INET6 ? ADDR_IPV6 : ADDR_IPV4,
					other->rtvia_addr,
					mnl_attr_get_payload_len(via) - sizeof(*other));
}

static const char *device_name(struct arena *arena, unsigned int index)
{
	char name[IF_NAMESIZE];

	return if_indextoname(index, name) ? arena_strdup(arena, name) : NULL;
}

void nexthop_read_one(struct arena *arena, struct ir_route *route, const struct nlattr *gateway,
		      const struct nlattr *via, const struct nlattr *device)
{
	struct ir_nexthop *hop = arena_append(arena, route->hops, route->hop_count);

	read_via(hop, route->family, gateway, via);
	hop->weight = 1;
	if (device)
		hop->dev = device_name(arena, mnl_attr_get_u32(device));
}

static void read_next(struct arena *arena, struct ir_route *route, const struct rtnexthop *next)
{
	struct ir_nexthop *hop = arena_append(arena, route->hops, route->hop_count);
	const char *inside = (const char *)next + RTNH_LENGTH(0);
	const char *end = (const char *)next + next->rtnh_len;
	const struct nlattr *inner, *gateway = NULL, *via = NULL;

	for (inner = (const void *)inside; mnl_attr_ok(inner, (int)(end - (const char *)inner));
	     inner = mnl_attr_next(inner)) {
		if (mnl_attr_get_type(inner) == RTA_GATEWAY)
			gateway = inner;
		else if (mnl_attr_get_type(inner) == RTA_VIA)
			via = inner;
	}
	read_via(hop, route->family, gateway, via);
	hop->weight = next->rtnh_hops + 1u;
	hop->onlink = next->rtnh_flags & RTNH_F_ONLINK;
	hop->dev = device_name(arena, (unsigned int)next->rtnh_ifindex);
}

void nexthop_read_all(struct arena *arena, struct ir_route *route, const struct nlattr *attribute)
{
	const struct rtnexthop *next = mnl_attr_get_payload(attribute);
	int left = mnl_attr_get_payload_len(attribute);

	/* RTNH_OK reads a length before it asks whether there is one. */
	while (left >= (int)sizeof(*next) && RTNH_OK(next, left)) {
		read_next(arena, route, next);
		left -= (int)RTNH_ALIGN(next->rtnh_len);
		next = RTNH_NEXT(next);
	}
}
