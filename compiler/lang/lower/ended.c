/*
 * lower/ended: connections that an apply deletes (apply/flows_forget.c), and their replies.
 *
 * A reply that is in flight when its connection is deleted opens one in the other direction: for
 * connection tracking what its sender sends from then on are replies, and those never meet the
 * rules. So an apply first writes down which replies may not come any more, and what would open a
 * connection like one is dropped. The next packet of the sender opens the connection as it was, and
 * replies are replies again.
 *
 * Only where no address is translated: else replies are to another address than the sender's.
 */
#include "lang/lower/lower.h"
#include "match/kinds.h"

enum {
	SECONDS = 30, /* as long as a flow of datagrams is one: nf_conntrack_udp_timeout */
	MOST = 65536
};

/* May an apply delete connections? A foreign rule may translate what a table leads out. */
static bool may_end(const struct lower *lower)
{
	for (size_t i = 0; i < lower->target_count; i++) {
		const struct lower_target *target = lower->targets[i];

		if (lower_is_used(target) && (target->listener || target->table_count))
			return true;
	}
	return false;
}

/* Both chains ask it. */
static const struct ir_set *set_of(struct lower *lower, enum addr_family family)
{
	const char *base = ir_ended_set(family);
	const struct ir_set *found = lower_find_set(lower, base);

	if (found)
		return found;
	return lower_add_set(lower, (struct ir_set){ .base = base,
						     .type = family == ADDR_IPV4 ? IR_SET_FLOW_IPV4
										 : IR_SET_FLOW_IPV6,
						     .dynamic = true,
						     .timeout = SECONDS,
						     .size = MOST });
}

void lower_ended(struct lower *lower, struct ir_chain *chain)
{
	const char *remark = "replies of connections that an apply has deleted open none";

	for (int family = 0; may_end(lower) && family < ADDR_FAMILIES; family++) {
		struct ir_rule *rule;

		if (family == ADDR_IPV6 && lower->policy->settings.ipv6 == IPV6_OFF)
			continue;
		rule = lower_guarantee(lower, chain, remark);
		lower_match(lower, rule, state_match(lower->arena, STATE_NEW));
		lower_match(lower, rule, flow_match(set_of(lower, (enum addr_family)family)));
		lower_op(lower, rule, IR_DROP);
		remark = NULL;
	}
}
