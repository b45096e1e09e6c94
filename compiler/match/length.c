/*
 * length: the bytes of the whole packet with its IP header, a number or a range.
 *
 * It is the packet as netfilter holds it: fragments were put together before, and segments that the
 * kernel or the network card has joined for speed count as one.
 */
#include "base/buf.h"
#include "match/kinds.h"

/* A header without options and without contents: RFC 791 section 3.1, RFC 8200 section 3. The field
 * of 16 bits ends what a packet can be. */
enum { LEAST_IPV4 = 20, LEAST_IPV6 = 40, LENGTH_MOST = 65535 };

static bool read_length(struct decode *decode, const struct node *value,
			struct match_condition *condition)
{
	uint64_t first, last;

	if (!match_read_range(value, LENGTH_MOST, &first, &last))
		return diag_refuse(
			decode->diag, DIAG_bad_value, value->span, "this is no length of a packet",
			"write a number of bytes up to 65535, or a range such as \"1000-1500\"; the IP header counts");
	if (last < LEAST_IPV4)
		return diag_refuse(
			decode->diag, DIAG_bad_value, value->span, "no packet is as short as this",
			"the header counts: an IPv4 packet has at least 20 bytes, an IPv6 packet 40");
	interval_add(decode->arena, &condition->values, wide(first), wide(last));
	return true;
}

static void print_length(const struct ir_match *match, struct buf *out)
{
	buf_puts(out, "meta length");
	match_put_values(match, out, NULL);
}

static bool length_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	return packet->length && match_values_hold(match, wide(packet->length));
}

static const struct ir_match_ops length_ops = { "length", print_length, length_holds,
						false,    NULL,         true };

static void print_shorter(const struct ir_match *match, struct buf *out)
{
	buf_printf(out, "meta length < %u", (unsigned int)match->values.items[0].first.low);
}

static bool shorter_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	return packet->length && packet->length < match->values.items[0].first.low;
}

static const struct ir_match_ops shorter_ops = { "shorter", print_shorter, shorter_holds,
						 false,     NULL,          true };

struct ir_match shorter_match(struct arena *arena, unsigned int length)
{
	struct ir_match match = { .ops = &shorter_ops };

	interval_add(arena, &match.values, wide(length), wide(length));
	return match;
}

static void lower_length(const struct match_condition *condition, struct match_context *context,
			 struct match_alternatives *out)
{
	bool is_ipv6 = context->family == ADDR_IPV6;
	const struct interval_set *values = &condition->values;
	struct interval_set all = { 0 };

	interval_add(context->arena, &all, wide(is_ipv6 ? LEAST_IPV6 : LEAST_IPV4),
		     wide(LENGTH_MOST));
	if (condition->negated
		    ? interval_covers(values, &all)
		    : wide_less(values->items[values->count - 1].last, all.items[0].first))
		return;
	match_lower_values(condition, context, &length_ops, out);
}

static const struct match_number length_number = {
	MATCH_PACKET_FIELD(length),
	0,
	LENGTH_MOST,
	.zero_is_unknown = true,
};

const struct match_kind match_length = {
	.numbers = &length_number,
	.noun = "a length",
	.read = read_length,
	.lower = lower_length,
	.may_change = true,
};
