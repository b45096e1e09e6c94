/*
 * family: ipv4 or ipv6.
 */
#include <string.h>

#include "base/buf.h"
#include "match/kinds.h"

static bool read_family(struct decode *decode, const struct node *value,
			struct match_condition *condition)
{
	enum addr_family family;

	if (value->kind == NODE_SCALAR &&
	    (!strcmp(value->text, "ipv4") || !strcmp(value->text, "ipv6"))) {
		family = value->text[3] == '4' ? ADDR_IPV4 : ADDR_IPV6;
		interval_add(decode->arena, &condition->values, wide(family), wide(family));
		return true;
	}
	return diag_refuse(decode->diag, DIAG_bad_value, value->span, "this is no address family",
			   "write ipv4 or ipv6; a rule without `family` is about both");
}

static void print_family(const struct ir_match *match, struct buf *out)
{
	buf_printf(out, "meta nfproto %s", match->family == ADDR_IPV4 ? "ipv4" : "ipv6");
}

static bool family_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	return match->family == packet->family;
}

static const struct ir_match_ops family_ops = { "family", print_family, family_holds, true, NULL };

struct ir_match family_match(struct arena *arena, enum addr_family family)
{
	(void)arena;
	return (struct ir_match){ .ops = &family_ops, .family = family };
}

static void lower_family(const struct match_condition *condition, struct match_context *context,
			 struct match_alternatives *out)
{
	struct match_alternative *alternative;

	if (interval_contains(&condition->values, wide(context->family)) == condition->negated)
		return;
	alternative = match_alternative(context, out);
	*match_append(context, alternative, &family_ops) =
		family_match(context->arena, context->family);
}

const struct match_kind match_family = {
	.noun = "an address family",
	.read = read_family,
	.lower = lower_family,
	.by_family = true,
};
