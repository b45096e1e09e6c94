/*
 * flows_read: a connection out of ctnetlink's attributes (see flows_state.h).
 */
#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include <linux/netfilter/nfnetlink_conntrack.h>

#include "host/flows_state.h"
#include "kernel/nexthop.h"

enum { ATTRIBUTES = NETLINK_ATTRIBUTES };

static bool read_end(const struct nlattr *ip[ATTRIBUTES], const struct nlattr *ports[ATTRIBUTES],
		     bool source, struct owner_end *out)
{
	const struct nlattr *v4 = ip[source ? CTA_IP_V4_SRC : CTA_IP_V4_DST];
	const struct nlattr *v6 = ip[source ? CTA_IP_V6_SRC : CTA_IP_V6_DST];
	const struct nlattr *port = ports[source ? CTA_PROTO_SRC_PORT : CTA_PROTO_DST_PORT];

	if (!v4 && !v6)
		return false;
	out->port = port ? ntohs(mnl_attr_get_u16(port)) : 0; /* ICMP has none */
	out->addr = v4 ? nexthop_address(ADDR_IPV4, v4) : nexthop_address(ADDR_IPV6, v6);
	return true;
}

static bool has_type(const struct nlattr *type, uint8_t request, uint8_t reply)
{
	return type && (mnl_attr_get_u8(type) == request || mnl_attr_get_u8(type) == reply);
}

/* TCP, UDP, and of ICMP ping; else 0. */
static unsigned int known_protocol(const struct nlattr *ports[ATTRIBUTES])
{
	unsigned int protocol = ports[CTA_PROTO_NUM] ? mnl_attr_get_u8(ports[CTA_PROTO_NUM]) : 0;

	if (protocol == IPPROTO_ICMP)
		return has_type(ports[CTA_PROTO_ICMP_TYPE], ICMP_ECHO, ICMP_ECHOREPLY) ? protocol
										       : 0;
	if (protocol == IPPROTO_ICMPV6)
		return has_type(ports[CTA_PROTO_ICMPV6_TYPE], ICMP6_ECHO_REQUEST, ICMP6_ECHO_REPLY)
			       ? protocol
			       : 0;
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP ? protocol : 0;
}

static bool read_tuple(const struct nlattr *tuple, unsigned int *protocol, struct owner_end *from,
		       struct owner_end *to)
{
	const struct nlattr *parts[ATTRIBUTES], *ip[ATTRIBUTES], *ports[ATTRIBUTES];

	if (!tuple)
		return false;
	netlink_read_nested(tuple, parts);
	if (!parts[CTA_TUPLE_IP] || !parts[CTA_TUPLE_PROTO])
		return false;
	netlink_read_nested(parts[CTA_TUPLE_IP], ip);
	netlink_read_nested(parts[CTA_TUPLE_PROTO], ports);
	*protocol = known_protocol(ports);
	return *protocol && read_end(ip, ports, true, from) && read_end(ip, ports, false, to);
}

bool flows_read(const struct nlattr *const *attributes, struct flow *out)
{
	unsigned int back;

	*out = (struct flow){ 0 };
	if (!attributes[CTA_STATUS] || !attributes[CTA_ID] ||
	    !read_tuple(attributes[CTA_TUPLE_ORIG], &out->protocol, &out->from, &out->to) ||
	    !read_tuple(attributes[CTA_TUPLE_REPLY], &back, &out->answers_from, &out->answers_to))
		return false;
	out->status = netlink_u32(attributes[CTA_STATUS]);
	out->mark = netlink_u32(attributes[CTA_MARK]);
	return true;
}
