/*
 * dscp: the upper six bits of IPv4's type of service and IPv6's traffic class, by name, number or
 * range. The two bits below them are for congestion notification and never asked for.
 *
 * Names are a table of ours and numbers go to nft, whose own names have changed between versions.
 */
#include "base/buf.h"
#include "match/kinds.h"

static const struct match_word classes[] = {
	/* RFC 2474, section 4.2.2: class selectors; cs0 is the default, best effort */
	{ "cs0", 0 },
	{ "be", 0 },
	{ "df", 0 },
	{ "cs1", 8 },
	{ "cs2", 16 },
	{ "cs3", 24 },
	{ "cs4", 32 },
	{ "cs5", 40 },
	{ "cs6", 48 },
	{ "cs7", 56 },
	/* RFC 2597, section 6: assured forwarding */
	{ "af11", 10 },
	{ "af12", 12 },
	{ "af13", 14 },
	{ "af21", 18 },
	{ "af22", 20 },
	{ "af23", 22 },
	{ "af31", 26 },
	{ "af32", 28 },
	{ "af33", 30 },
	{ "af41", 34 },
	{ "af42", 36 },
	{ "af43", 38 },
	{ "ef", 46 }, /* RFC 3246, section 2.7: expedited forwarding */
	{ "va", 44 }, /* RFC 5865, section 2.3: voice-admit */
	{ "le", 1 },  /* RFC 8622, section 4: lower effort */
};

enum { CLASSES = sizeof(classes) / sizeof(classes[0]), DSCP_MOST = 63 };

static const struct match_words words = {
	"DSCP class",
	classes,
	CLASSES,
	DSCP_MOST,
	"this is no DSCP value",
	"write a number from 0 to 63, a range such as \"8-15\", or a name such as ef, af41 or cs1; the whole "
	"byte (type of service, traffic class) is four times that",
};

static bool read_dscp(struct decode *decode, const struct node *value,
		      struct match_condition *condition)
{
	return match_read_words(decode, value, condition, &words);
}

static void print_dscp(const struct ir_match *match, struct buf *out)
{
	buf_puts(out, match->family == ADDR_IPV4 ? "ip dscp" : "ip6 dscp");
	match_put_values(match, out, NULL);
}

static bool dscp_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	return match->family == packet->family && match_values_hold(match, wide(packet->dscp));
}

static const struct ir_match_ops dscp_ops = { "dscp", print_dscp, dscp_holds, true, NULL, true };

static void lower_dscp(const struct match_condition *condition, struct match_context *context,
		       struct match_alternatives *out)
{
	match_lower_header(condition, context, &dscp_ops, out);
}

static const struct match_number dscp_number = { MATCH_PACKET_FIELD(dscp), 0, DSCP_MOST };

const struct match_kind match_dscp = {
	.numbers = &dscp_number,
	.noun = "a DSCP class",
	.read = read_dscp,
	.lower = lower_dscp,
	.may_change = true,
	.by_family = true,
};
