/*
 * ecn: the two bits of explicit congestion notification, the lower ones of IPv4's type of service
 * and IPv6's traffic class, by name or number.
 *
 * Numbers go to nft, as for dscp.
 */
#include "base/buf.h"
#include "match/kinds.h"

/* RFC 3168, section 5. */
static const struct match_word codepoints[] = {
	{ "not-ect", 0 },
	{ "ect1", 1 },
	{ "ect0", 2 },
	{ "ce", 3 },
};

enum { CODEPOINTS = sizeof(codepoints) / sizeof(codepoints[0]), ECN_MOST = 3 };

static const struct match_words words = {
	"ECN codepoint",
	codepoints,
	CODEPOINTS,
	ECN_MOST,
	"this is no ECN codepoint",
	"write not-ect, ect0, ect1 or ce, or a number from 0 to 3",
};

static bool read_ecn(struct decode *decode, const struct node *value,
		     struct match_condition *condition)
{
	return match_read_words(decode, value, condition, &words);
}

static void print_ecn(const struct ir_match *match, struct buf *out)
{
	buf_puts(out, match->family == ADDR_IPV4 ? "ip ecn" : "ip6 ecn");
	match_put_values(match, out, NULL);
}

static bool ecn_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	return match->family == packet->family && match_values_hold(match, wide(packet->ecn));
}

static const struct ir_match_ops ecn_ops = { "ecn", print_ecn, ecn_holds, true, NULL, true };

static void lower_ecn(const struct match_condition *condition, struct match_context *context,
		      struct match_alternatives *out)
{
	match_lower_header(condition, context, &ecn_ops, out);
}

static const struct match_number ecn_number = { MATCH_PACKET_FIELD(ecn), 0, ECN_MOST };

const struct match_kind match_ecn = {
	.numbers = &ecn_number,
	.noun = "an ECN codepoint",
	.read = read_ecn,
	.lower = lower_ecn,
	.may_change = true,
	.by_family = true,
};
