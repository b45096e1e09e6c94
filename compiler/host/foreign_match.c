/*
 * foreign_match: the matches of iptables that say most of what a packet is (see foreign_packet.h).
 * In go the kernel's structures, as iptables-nft keeps them in a rule.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_state.h>
#include <linux/netfilter/xt_tcpudp.h>

#include "host/foreign_packet.h"

enum { NO, YES, UNKNOWN = -1 };

/* `least`..`most`, of a port that may not be known: 0. */
static int port_in(unsigned int port, const uint16_t range[2], bool is_inverted)
{
	if (range[0] == 0 && range[1] == UINT16_MAX)
		return !is_inverted;
	if (!port)
		return UNKNOWN;
	return (port >= range[0] && port <= range[1]) != is_inverted;
}

static int both(int one, int other)
{
	if (one == NO || other == NO)
		return NO;
	return one == UNKNOWN || other == UNKNOWN ? UNKNOWN : YES;
}

static int match_tcp(const struct foreign_packet *packet, const struct xt_tcp *info)
{
	int ports = both(port_in(packet->packet->source_port, info->spts,
				 info->invflags & XT_TCP_INV_SRCPT),
			 port_in(packet->port, info->dpts, info->invflags & XT_TCP_INV_DSTPT));

	if (packet->packet->protocol != IPPROTO_TCP)
		return packet->packet->protocol ? NO : UNKNOWN;
	return info->flg_mask || info->option ? both(ports, UNKNOWN) : ports;
}

static int match_udp(const struct foreign_packet *packet, const struct xt_udp *info)
{
	if (packet->packet->protocol != IPPROTO_UDP)
		return packet->packet->protocol ? NO : UNKNOWN;
	return both(port_in(packet->packet->source_port, info->spts,
			    info->invflags & XT_UDP_INV_SRCPT),
		    port_in(packet->port, info->dpts, info->invflags & XT_UDP_INV_DSTPT));
}

static int match_conntrack(const struct foreign_packet *packet,
			   const struct xt_conntrack_mtinfo3 *info)
{
	uint32_t state = foreign_state(packet->packet->state);

	if (packet->is_translated)
		state |= XT_CONNTRACK_STATE_DNAT;
	if (info->match_flags & ~(XT_CONNTRACK_STATE | XT_CONNTRACK_STATE_ALIAS))
		return UNKNOWN;
	return !(info->state_mask & state) == !!(info->invert_flags & XT_CONNTRACK_STATE);
}

static int match_mark(const struct foreign_packet *packet, const struct xt_mark_mtinfo1 *info)
{
	return ((packet->mark & info->mask) == info->mark) != info->invert;
}

static int match_addrtype(const struct foreign_packet *packet,
			  const struct xt_addrtype_info_v1 *info)
{
	if (info->source || !info->dest || !packet->type ||
	    info->flags & ~(uint32_t)XT_ADDRTYPE_INVERT_DEST)
		return UNKNOWN;
	return !(info->dest & 1u << packet->type) == !!(info->flags & XT_ADDRTYPE_INVERT_DEST);
}

int foreign_match(const struct foreign_packet *packet, const char *name, uint32_t revision,
		  const void *info, size_t length)
{
	if (!strcmp(name, "comment"))
		return YES;
	if (!strcmp(name, "tcp") && length >= sizeof(struct xt_tcp))
		return match_tcp(packet, info);
	if (!strcmp(name, "udp") && length >= sizeof(struct xt_udp))
		return match_udp(packet, info);
	if (!strcmp(name, "conntrack") && revision == 3 &&
	    length >= sizeof(struct xt_conntrack_mtinfo3))
		return match_conntrack(packet, info);
	if (!strcmp(name, "state") && length >= sizeof(struct xt_state_info))
		return (((const struct xt_state_info *)info)->statemask &
			foreign_state(packet->packet->state)) != 0;
	if (!strcmp(name, "mark") && revision == 1 && length >= sizeof(struct xt_mark_mtinfo1))
		return match_mark(packet, info);
	if (!strcmp(name, "addrtype") && revision == 1 &&
	    length >= sizeof(struct xt_addrtype_info_v1))
		return match_addrtype(packet, info);
	return UNKNOWN;
}

static unsigned int port_of(unsigned int flags, const union nf_conntrack_man_proto *least,
			    const union nf_conntrack_man_proto *most)
{
	bool is_one = (flags & NF_NAT_RANGE_PROTO_SPECIFIED) && least->all == most->all &&
		      !(flags & NF_NAT_RANGE_PROTO_OFFSET);

	return is_one ? ntohs(least->all) : 0;
}

/* The first revision is IPv4's alone; the structures of the later ones begin alike. */
bool foreign_dnat(enum addr_family family, uint32_t revision, const void *info, size_t length,
		  struct wide *to, unsigned int *port)
{
	const struct nf_nat_ipv4_multi_range_compat *old = info;
	const struct nf_nat_range *range = info;
	size_t width = family == ADDR_IPV6 ? 16 : 4;

	if (!revision && family == ADDR_IPV4) {
		if (length < sizeof(*old) || !(old->range[0].flags & NF_NAT_RANGE_MAP_IPS) ||
		    old->range[0].min_ip != old->range[0].max_ip)
			return false;
		*to = wide_get(&old->range[0].min_ip, width);
		*port = port_of(old->range[0].flags, &old->range[0].min, &old->range[0].max);
		return true;
	}
	if (!revision || length < sizeof(*range) || !(range->flags & NF_NAT_RANGE_MAP_IPS) ||
	    memcmp(&range->min_addr, &range->max_addr, width) != 0)
		return false;
	*to = wide_get(&range->min_addr, width);
	*port = port_of(range->flags, &range->min_proto, &range->max_proto);
	return true;
}
