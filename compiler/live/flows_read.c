/*
 * flows_read: a connection out of ctnetlink's attributes (see flows_state.h).
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include <linux/netfilter/nfnetlink_conntrack.h>

#include "live/flows_state.h"
#include "live/hops.h"

enum { ATTRIBUTES = NETLINK_ATTRIBUTES };

static bool read_end(const struct nlattr *ip[ATTRIBUTES], const struct nlattr *ports[ATTRIBUTES],
		     bool source, struct owner_end *out)
{
	const struct nlattr *v4 = ip[source ? CTA_IP_V4_SRC : CTA_IP_V4_DST];
	const struct nlattr *v6 = ip[source ? CTA_IP_V6_SRC : CTA_IP_V6_DST];
	const struct nlattr *port = ports[source ? CTA_PROTO_SRC_PORT : CTA_PROTO_DST_PORT];

	if (!port || (!v4 && !v6))
		return false;
	out->port = ntohs(mnl_attr_get_u16(port));
	out->addr = v4 ? hops_address(ADDR_IPV4, v4) : hops_address(ADDR_IPV6, v6);
	return true;
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
	*protocol = ports[CTA_PROTO_NUM] ? mnl_attr_get_u8(ports[CTA_PROTO_NUM]) : 0;
	return read_end(ip, ports, true, from) && read_end(ip, ports, false, to);
}

bool flows_read(const struct nlattr *const *attributes, struct flow *out)
{
	unsigned int back;

	*out = (struct flow){ 0 };
	if (!attributes[CTA_STATUS] || !attributes[CTA_ID] ||
	    !read_tuple(attributes[CTA_TUPLE_ORIG], &out->protocol, &out->from, &out->to) ||
	    !read_tuple(attributes[CTA_TUPLE_REPLY], &back, &out->answers_from, &out->answers_to))
		return false;
	out->status = ntohl(mnl_attr_get_u32(attributes[CTA_STATUS]));
	out->mark = attributes[CTA_MARK] ? ntohl(mnl_attr_get_u32(attributes[CTA_MARK])) : 0;
	return out->protocol == IPPROTO_TCP || out->protocol == IPPROTO_UDP;
}
