/*
 * mac: the link address of the neighbour that handed the packet over, one or a range FIRST-LAST.
 *
 * nft asks for it only of packets that came by an Ethernet link (it adds `meta iiftype ether`). A
 * packet from a tunnel has no such address, so it is from none that a rule names: negated, that is
 * an alternative of its own.
 */
#include <string.h>

#include "base/buf.h"
#include "match/kinds.h"

/* Six bytes as two digits each, with a separator between them: linux/if_ether.h, ETH_ALEN. */
enum { BYTES = 6, TEXT_LENGTH = 3 * BYTES - 1, BITS = 8 * BYTES };

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 'a' - 'A' : c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static bool parse_address(const char *text, uint64_t *address)
{
	if (text[2] != ':' && text[2] != '-')
		return false;
	*address = 0;
	for (int i = 0; i < TEXT_LENGTH; i++) {
		if (i % 3 == 2 ? text[i] != text[2] : digit(text[i]) < 0)
			return false;
		if (i % 3 != 2)
			*address = *address << 4 | (unsigned int)digit(text[i]);
	}
	return true;
}

static bool parse_range(const struct node *value, uint64_t *first, uint64_t *last)
{
	if (value->kind != NODE_SCALAR || value->length < TEXT_LENGTH ||
	    !parse_address(value->text, first))
		return false;
	*last = *first;
	if (value->length == TEXT_LENGTH)
		return true;
	return value->length == 2 * TEXT_LENGTH + 1 && value->text[TEXT_LENGTH] == '-' &&
	       parse_address(value->text + TEXT_LENGTH + 1, last) && *first <= *last;
}

/* IEEE 802-2014, 8.2.2: the lowest bit of the first byte makes it the address of a group. */
static bool is_group(uint64_t address)
{
	return address >> (BITS - 8) & 1;
}

static const char *parse_mac(const struct node *value, struct interval *out)
{
	uint64_t first, last;

	if (!parse_range(value, &first, &last))
		return "this is no MAC address";
	*out = (struct interval){ wide(first), wide(last) };
	if (!first)
		return "no packet has this MAC address as its source: it stands for no device";
	if (is_group(first) || is_group(last))
		return "no packet has this MAC address as its source: it stands for a group of receivers";
	return NULL;
}

static bool read_mac(struct decode *decode, const struct node *value,
		     struct match_condition *condition)
{
	struct interval range;
	uint64_t first, last;
	const char *why = parse_mac(value, &range);
	bool is_address = parse_range(value, &first, &last);

	if (!why) {
		interval_add(decode->arena, &condition->values, range.first, range.last);
		return true;
	}
	if (!is_address && match_read_list_name(decode, value, condition))
		return true;
	diag_help(diag_add(decode->diag, DIAG_bad_value, value->span, "%s", why),
		  is_address
			  ? "write the device's own address, as `ip neigh` shows it; what goes to a group is "
			    "`to: multicast` or `to: broadcast`"
			  : "write it as `ip neigh` shows it, such as 02:00:5e:10:00:01, or a range of two of them, "
			    "FIRST-LAST");
	return false;
}

static void print_mac(const struct ir_match *match, struct buf *out)
{
	buf_puts(out, "ether saddr");
	match_put_values(match, out, ir_put_link);
}

static bool mac_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	return packet->mac && match_values_hold(match, wide(packet->mac));
}

static void put_single(struct buf *out, struct wide address)
{
	ir_put_link(out, address.low);
}

static void print_field(const struct ir_match *match, struct buf *out)
{
	(void)match;
	buf_puts(out, "ether saddr");
}

static bool mac_value(const struct ir_match *match, const struct ir_packet *packet,
		      struct wide *out)
{
	(void)match;
	*out = wide(packet->mac);
	return packet->mac;
}

static const struct ir_key mac_key = {
	.put = put_single,
	.members = match_single_members,
	.print = print_field,
	.value = mac_value,
};

static const struct ir_match_ops mac_ops = { "mac", print_mac, mac_holds, false, &mac_key, true };

static void print_link(const struct ir_match *match, struct buf *out)
{
	(void)match;
	buf_puts(out, "meta iiftype != ether");
}

/* A packet whose link address is not known is taken for one that has none. */
static bool link_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	(void)match;
	return !packet->mac;
}

static const struct ir_match_ops link_ops = { "link", print_link, link_holds, false, NULL, true };

static void lower_mac(const struct match_condition *condition, struct match_context *context,
		      struct match_alternatives *out)
{
	match_lower_values(condition, context, &mac_ops, out);
	if (condition->negated)
		match_append(context, match_alternative(context, out), &link_ops);
}

/* Packets of links without such addresses have none. */
static const struct match_number mac_number = {
	MATCH_PACKET_FIELD(mac), 0, ((uint64_t)1 << 48) - 1, .may_lack = true,
	.zero_is_unknown = true,
};

const struct match_kind match_mac = {
	.numbers = &mac_number,
	.noun = "a MAC address",
	.lists = "macs",
	.parse = parse_mac,
	.put = ir_put_link,
	.read = read_mac,
	.lower = lower_mac,
	.scopes = SCOPE_FORWARD,
	.elsewhere = "packets of this host have no source link address",
};
