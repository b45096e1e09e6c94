/*
 * lower/spoof: proxies that connect with their client's address. The replies to it come to this
 * host, and go to the proxy by a listener's mark.
 */
#include <string.h>

#include "lang/lower/lower.h"
#include "match/kinds.h"

/* Whether a rule hands it anything or not: the clients may come to it by themselves. */
static bool spoofs(const struct lower_target *target)
{
	return target->listener && target->listener->spoofs_client;
}

const struct lower_target *lower_spoofing(const struct lower *lower)
{
	for (size_t i = 0; i < lower->target_count; i++)
		if (spoofs(lower->targets[i]))
			return lower->targets[i];
	return NULL;
}

/* TCP and UDP as the listeners take them, and the ICMP errors about that. */
static struct interval_set spoofed_protocols(const struct lower *lower)
{
	struct interval_set protocols = { 0 };

	for (size_t i = 0; i < lower->target_count; i++) {
		struct interval_set takes = { 0 };

		if (spoofs(lower->targets[i]))
			takes = ast_takes(lower->arena, lower->targets[i]->listener);
		for (size_t k = 0; k < takes.count; k++)
			interval_add(lower->arena, &protocols, takes.items[k].first,
				     takes.items[k].last);
	}
	interval_add(lower->arena, &protocols, wide(PROTOCOL_ICMP), wide(PROTOCOL_ICMP));
	interval_add(lower->arena, &protocols, wide(PROTOCOL_ICMPV6), wide(PROTOCOL_ICMPV6));
	interval_normalise(&protocols);
	return protocols;
}

/* Both legs of a proxy that connects with its client's address: a transparent socket here is the
 * end of what comes for it. One listener's mark leads here as well as another's. */
void lower_take_spoofed(struct lower *lower, struct ir_chain *chain)
{
	const struct lower_target *target = lower_spoofing(lower);
	struct interval_set protocols = spoofed_protocols(lower);
	struct ir_rule *rule;

	if (!target)
		return;
	rule = lower_guarantee(lower, chain, "replies to a client's address that a proxy spoofs");
	lower_match(lower, rule, protocol_match(&protocols));
	lower_match(lower, rule, socket_match());
	lower_set_mark(lower, rule, target->mark, target->mask);
	lower_op(lower, rule, IR_ACCEPT);
}

/* A server on this host that such a proxy connects to: no socket distinguishes its replies, which
 * this host sends itself, from those to the client's own connections; that the request came by `lo`
 * does. */
void lower_note_spoofing(struct lower *lower, struct ir_chain *chain)
{
	const struct lower_target *target = lower_spoofing(lower);
	uint32_t mask = lower_mark_mask(lower);
	struct ir_chain *back;
	struct ir_rule *rule;

	if (!target)
		return;
	rule = lower_guarantee(lower, chain, "a proxy on this host asks this host as its client");
	lower_match(lower, rule, loopback_match(INTERFACE_IN, false));
	lower_match(lower, rule, mark_match(lower->arena, MARK_CONNECTION, 0, mask));
	lower_match(lower, rule, spoofed_match());
	lower_set_ct_mark(lower, rule, lower_spoofed_connmark(lower), mask);
	back = lower_chain(lower, lower_spoofed, NULL);
	rule = lower_guarantee(lower, back, NULL);
	lower_set_mark(lower, rule, target->mark, target->mask);
	lower_op(lower, rule, IR_ACCEPT);
}

void lower_use_spoofing(struct lower *lower)
{
	for (size_t i = 0; i < lower->target_count; i++) {
		struct lower_target *target = lower->targets[i];

		if (spoofs(target))
			memcpy(target->families, target->listener->has, sizeof(target->families));
	}
}
