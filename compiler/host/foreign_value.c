/*
 * foreign_value: what the expressions of a foreign rule load into registers (see foreign_packet.h).
 *
 * Numbers lie in registers as nft_meta_get_eval, nft_ct_get_eval and nft_fib_store_result of the
 * kernel put them: most in the host's order, addresses and ports in the network's.
 */
#include "host/foreign_packet.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>

#include "kernel/netlink.h"

/* ---- registers ---- */

bool foreign_register(uint32_t number, size_t length, size_t *at)
{
	if (number >= NFT_REG_1 && number <= NFT_REG_4)
		*at = (number - NFT_REG_1) * (size_t)16;
	else if (number >= NFT_REG32_00 && number <= NFT_REG32_15)
		*at = (number - NFT_REG32_00) * (size_t)4;
	else
		return false;
	return length <= 64 - *at;
}

/* Words are filled up with zeros. */
void foreign_put(struct foreign_registers *registers, uint32_t number, const void *bytes,
		 size_t length)
{
	size_t at, whole = (length + 3) / 4 * 4;

	if (!foreign_register(number, whole, &at))
		return;
	memset(registers->bytes + at, 0, whole);
	memcpy(registers->bytes + at, bytes, length);
	memset(registers->known + at, 0xff, whole);
	for (size_t i = at / 4; i < (at + whole) / 4; i++)
		registers->fields[i] = FOREIGN_NONE;
}

void foreign_forget(struct foreign_registers *registers, uint32_t number, size_t length,
		    const char *why)
{
	size_t at;

	if (!length || !foreign_register(number, length, &at))
		return;
	memset(registers->known + at, 0, length);
	for (size_t i = at / 4; i <= (at + length - 1) / 4; i++) {
		registers->why[i] = why;
		registers->fields[i] = FOREIGN_NONE;
	}
}

static void tag(struct foreign_registers *registers, uint32_t number, enum foreign_field field)
{
	size_t at;

	if (foreign_register(number, 1, &at))
		registers->fields[at / 4] = field;
}

const char *foreign_unknown(const struct foreign_registers *registers, size_t at, size_t length)
{
	for (size_t i = at; i < at + length; i++)
		if (registers->known[i] != 0xff)
			return registers->why[i / 4] ? registers->why[i / 4] : "an unknown operand";
	return NULL;
}

static void put_word(struct foreign_registers *registers, uint32_t number, uint32_t value)
{
	foreign_put(registers, number, &value, sizeof(value));
}

/* ---- meta ---- */

static void put_name(struct foreign_registers *registers, uint32_t to, const char *name,
		     const char *why)
{
	char text[IFNAMSIZ] = { 0 };

	if (!name) {
		foreign_forget(registers, to, sizeof(text), why);
		return;
	}
	memcpy(text, name, strnlen(name, sizeof(text) - 1));
	foreign_put(registers, to, text, sizeof(text));
}

static void put_index(struct foreign_registers *registers, uint32_t to, const char *name,
		      const char *why)
{
	if (name)
		put_word(registers, to, if_nametoindex(name));
	else
		foreign_forget(registers, to, 4, why);
}

static void put_account(struct foreign_registers *registers, uint32_t to, const char *account)
{
	char *end = NULL;
	unsigned long number = account ? strtoul(account, &end, 10) : 0;

	if (account && !*end)
		put_word(registers, to, (uint32_t)number);
	else
		foreign_forget(registers, to, 4, "user= is not given as a number");
}

static void load_in(const struct foreign_packet *packet, uint32_t to,
		    struct foreign_registers *registers)
{
	put_name(registers, to, packet->in, "in= is not given");
	if (!packet->in)
		tag(registers, to, FOREIGN_IN);
}

static void load_meta(const struct foreign_packet *packet, uint32_t key, uint32_t to,
		      struct foreign_registers *registers)
{
	static const char no_out[] = "the outgoing interface is not known";
	bool is_ipv6 = packet->packet->family == ADDR_IPV6;
	uint8_t protocol = (uint8_t)packet->packet->protocol;
	uint8_t family = is_ipv6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
	uint16_t ethertype = htons(is_ipv6 ? ETH_P_IPV6 : ETH_P_IP), ethernet = ARPHRD_ETHER;

	if (key == NFT_META_MARK)
		put_word(registers, to, packet->mark);
	else if (key == NFT_META_IIFNAME)
		load_in(packet, to, registers);
	else if (key == NFT_META_OIFNAME)
		put_name(registers, to, packet->out, no_out);
	else if (key == NFT_META_IIF)
		put_index(registers, to, packet->in, "in= is not given");
	else if (key == NFT_META_OIF)
		put_index(registers, to, packet->out, no_out);
	else if (key == NFT_META_NFPROTO)
		foreign_put(registers, to, &family, 1);
	else if (key == NFT_META_PROTOCOL)
		foreign_put(registers, to, &ethertype, 2);
	else if (key == NFT_META_L4PROTO && protocol)
		foreign_put(registers, to, &protocol, 1);
	else if (key == NFT_META_L4PROTO)
		foreign_forget(registers, to, 1, "proto= is not given");
	else if (key == NFT_META_TIME_NS && packet->now)
		foreign_put(registers, to, &packet->now, sizeof(packet->now));
	else if (key == NFT_META_IIFTYPE && packet->packet->mac)
		foreign_put(registers, to, &ethernet, sizeof(ethernet));
	else if (key == NFT_META_SKUID && packet->sender)
		put_word(registers, to, packet->sender->user);
	else if (key == NFT_META_SKUID)
		put_account(registers, to, packet->packet->user);
	else if (key == NFT_META_SKGID)
		put_account(registers, to, packet->packet->group);
	else
		foreign_forget(registers, to, 16, "a field of `meta` that is not given");
}

/* ---- payload ---- */

struct header {
	uint8_t bytes[64], known[64];
	const char *why;
};

static void set(struct header *header, size_t at, size_t length, struct wide value)
{
	wide_put(value, header->bytes + at, length);
	memset(header->known + at, 0xff, length);
}

static void make_network(const struct foreign_packet *packet, size_t offset, struct header *header)
{
	const struct ir_packet *asked = packet->packet;
	bool is_ipv6 = asked->family == ADDR_IPV6;
	size_t width = is_ipv6 ? 16 : 4, from = is_ipv6 ? 8 : 12;

	header->why = "a field of the IP header that is not given";
	if (offset >= from && offset < from + width)
		header->why = "from= is not given";
	else if (offset >= from + width)
		header->why = "to= is not given";
	set(header, 0, 1, wide(is_ipv6 ? 0x60 : 0x45));
	header->known[0] = is_ipv6 ? 0xf0 : 0xff;
	if (packet->has_from)
		set(header, from, width, packet->from);
	if (packet->has_to)
		set(header, from + width, width, packet->to);
	if (asked->protocol)
		set(header, is_ipv6 ? 6 : 9, 1, wide(asked->protocol));
	if (asked->ttl)
		set(header, is_ipv6 ? 7 : 8, 1, wide(asked->ttl));
	/* A packet that is about to be sent is no fragment. */
	if (!is_ipv6)
		set(header, 6, 2, wide(0)), header->known[6] = 0x3f;
}

/* What begins a connection of ICMP's is an echo request. */
static void make_transport(const struct foreign_packet *packet, struct header *header)
{
	const struct ir_packet *asked = packet->packet;

	header->why = "the payload is not given";
	if (asked->state == STATE_NEW && asked->protocol == IPPROTO_ICMP)
		set(header, 0, 2, wide(ICMP_ECHO << 8));
	else if (asked->state == STATE_NEW && asked->protocol == IPPROTO_ICMPV6)
		set(header, 0, 2, wide(ICMP6_ECHO_REQUEST << 8));
	if (asked->protocol != IPPROTO_TCP && asked->protocol != IPPROTO_UDP &&
	    asked->protocol != IPPROTO_SCTP && asked->protocol != IPPROTO_DCCP)
		return;
	header->why = "port= or sport= is not given";
	if (asked->source_port)
		set(header, 0, 2, wide(asked->source_port));
	if (packet->port)
		set(header, 2, 2, wide(packet->port));
	/* The first packet of a connection: SYN, of TCP's flags. */
	if (asked->protocol == IPPROTO_TCP && asked->state == STATE_NEW)
		set(header, 13, 1, wide(2));
}

/* Which field begins there, where it is not known. */
static enum foreign_field field_at(const struct foreign_packet *packet, uint32_t base,
				   uint32_t offset)
{
	bool is_ipv6 = packet->packet->family == ADDR_IPV6;

	if (base == NFT_PAYLOAD_NETWORK_HEADER && offset == (is_ipv6 ? 8 : 12) && !packet->has_from)
		return FOREIGN_FROM;
	if (base == NFT_PAYLOAD_NETWORK_HEADER && offset == (is_ipv6 ? 24 : 16) && !packet->has_to)
		return FOREIGN_TO;
	if (base == NFT_PAYLOAD_TRANSPORT_HEADER && offset == 2 && !packet->port)
		return FOREIGN_PORT;
	return FOREIGN_NONE;
}

static void load_payload(const struct foreign_packet *packet, const struct nlattr *const *data,
			 uint32_t to, struct foreign_registers *registers)
{
	uint32_t base = netlink_u32(data[NFTA_PAYLOAD_BASE]),
		 offset = netlink_u32(data[NFTA_PAYLOAD_OFFSET]),
		 length = netlink_u32(data[NFTA_PAYLOAD_LEN]);
	struct header header = { .why = "the link layer is not given" };
	size_t at;

	if (base == NFT_PAYLOAD_LL_HEADER && packet->packet->mac)
		set(&header, ETH_ALEN, ETH_ALEN, wide(packet->packet->mac));
	else if (base == NFT_PAYLOAD_NETWORK_HEADER)
		make_network(packet, offset, &header);
	else if (base == NFT_PAYLOAD_TRANSPORT_HEADER)
		make_transport(packet, &header);
	foreign_forget(registers, to, length, header.why);
	tag(registers, to, field_at(packet, base, offset));
	if (offset > sizeof(header.bytes) || length > sizeof(header.bytes) - offset ||
	    !foreign_register(to, length, &at))
		return;
	memcpy(registers->bytes + at, header.bytes + offset, length);
	memcpy(registers->known + at, header.known + offset, length);
	/* The rest of the last word is zero. */
	for (size_t i = at + length; i % 4; i++) {
		registers->bytes[i] = 0;
		registers->known[i] = 0xff;
	}
}

/* ---- ct and fib ---- */

uint32_t foreign_state(enum ir_state state)
{
	uint32_t bits = 0;

	if (state & STATE_NEW)
		bits |= NF_CT_STATE_BIT(IP_CT_NEW);
	if (state & STATE_ESTABLISHED)
		bits |= NF_CT_STATE_BIT(IP_CT_ESTABLISHED);
	if (state & STATE_RELATED)
		bits |= NF_CT_STATE_BIT(IP_CT_RELATED);
	if (state & STATE_INVALID)
		bits |= NF_CT_STATE_INVALID_BIT;
	return bits;
}

/* Of the status of a connection that is only asked about, whether the destination was translated.
 */
static void load_status(const struct foreign_packet *packet, uint32_t to,
			struct foreign_registers *registers)
{
	uint32_t value = packet->is_translated ? IPS_DST_NAT : 0, known = IPS_DST_NAT;
	size_t at;

	if (packet->is_tracked) {
		put_word(registers, to, (packet->status & ~IPS_DST_NAT) | value);
		return;
	}
	foreign_forget(registers, to, 4, "the connection state is not given");
	if (!foreign_register(to, 4, &at))
		return;
	memcpy(registers->bytes + at, &value, 4);
	memcpy(registers->known + at, &known, 4);
}

static void load_ct(const struct foreign_packet *packet, uint32_t key, uint32_t to,
		    struct foreign_registers *registers)
{
	uint8_t original = 0;

	if (key == NFT_CT_STATE)
		put_word(registers, to, foreign_state(packet->packet->state));
	else if (key == NFT_CT_MARK)
		put_word(registers, to, packet->ct_mark);
	else if (key == NFT_CT_DIRECTION)
		foreign_put(registers, to, &original, 1);
	else if (key == NFT_CT_STATUS)
		load_status(packet, to, registers);
	else
		foreign_forget(registers, to, 16, "a field of the connection that is not given");
}

static void load_fib(const struct foreign_packet *packet, const struct nlattr *const *data,
		     uint32_t to, struct foreign_registers *registers)
{
	uint32_t flags = netlink_u32(data[NFTA_FIB_FLAGS]);
	bool asks_type = netlink_u32(data[NFTA_FIB_RESULT]) == NFT_FIB_RESULT_ADDRTYPE;

	if (asks_type && flags == NFTA_FIB_F_DADDR && packet->type)
		put_word(registers, to, packet->type);
	else if (asks_type && flags == NFTA_FIB_F_SADDR && packet->source_type)
		put_word(registers, to, packet->source_type);
	else
		foreign_forget(registers, to, 16, "it looks up routes (fib)");
}

bool foreign_load(const struct foreign_packet *packet, const char *name,
		  const struct nlattr *const *data, struct foreign_registers *registers)
{
	if (!strcmp(name, "meta") && data[NFTA_META_DREG])
		load_meta(packet, netlink_u32(data[NFTA_META_KEY]),
			  netlink_u32(data[NFTA_META_DREG]), registers);
	else if (!strcmp(name, "payload") && data[NFTA_PAYLOAD_DREG])
		load_payload(packet, data, netlink_u32(data[NFTA_PAYLOAD_DREG]), registers);
	else if (!strcmp(name, "ct") && data[NFTA_CT_DREG])
		load_ct(packet, netlink_u32(data[NFTA_CT_KEY]), netlink_u32(data[NFTA_CT_DREG]),
			registers);
	else if (!strcmp(name, "fib") && data[NFTA_FIB_DREG])
		load_fib(packet, data, netlink_u32(data[NFTA_FIB_DREG]), registers);
	else
		return false;
	return true;
}

bool foreign_choose(const struct foreign_packet *packet, const char *table, const char *name,
		    const struct nlattr *const *data, struct foreign_registers *registers)
{
	static const uint32_t first;
	const struct nlattr *dreg = !strcmp(name, "numgen") ? data[NFTA_NG_DREG]
				    : !strcmp(name, "hash") ? data[NFTA_HASH_DREG]
							    : NULL;

	if (!dreg || !packet->choosing || strcmp(packet->choosing, table) != 0)
		return false;
	foreign_put(registers, netlink_u32(dreg), &first, sizeof(first));
	*packet->has_chosen = true;
	return true;
}
