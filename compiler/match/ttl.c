/*
 * ttl: how many hops the packet may still make, as it arrives or is sent: IPv4's time to live and
 * IPv6's hop limit, a number or a range.
 */
#include "base/buf.h"
#include "match/kinds.h"

/* RFC 1122 section 3.2.1.7: no host sends a packet with none left. */
enum { TTL_LEAST = 1, TTL_MOST = 255 };

static bool read_ttl(struct decode *decode, const struct node *value,
		     struct match_condition *condition)
{
	uint64_t first, last;

	if (!match_read_range(value, TTL_MOST, &first, &last) || first < TTL_LEAST)
		return diag_refuse(decode->diag, DIAG_bad_value, value->span,
				   "this is no number of hops",
				   "write a number from 1 to 255, or a range such as \"1-5\"");
	interval_add(decode->arena, &condition->values, wide(first), wide(last));
	return true;
}

static void print_ttl(const struct ir_match *match, struct buf *out)
{
	buf_puts(out, match->family == ADDR_IPV4 ? "ip ttl" : "ip6 hoplimit");
	match_put_values(match, out, NULL);
}

static bool ttl_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	return match->family == packet->family && packet->ttl &&
	       match_values_hold(match, wide(packet->ttl));
}

static const struct ir_match_ops ttl_ops = { "ttl", print_ttl, ttl_holds, true, NULL, true };

static void lower_ttl(const struct match_condition *condition, struct match_context *context,
		      struct match_alternatives *out)
{
	match_lower_header(condition, context, &ttl_ops, out);
}

static const struct match_number ttl_number = {
	MATCH_PACKET_FIELD(ttl),
	TTL_LEAST,
	TTL_MOST,
	.zero_is_unknown = true,
};

const struct match_kind match_ttl = {
	.numbers = &ttl_number,
	.noun = "a number of hops",
	.read = read_ttl,
	.lower = lower_ttl,
	.may_change = true,
	.by_family = true,
};
