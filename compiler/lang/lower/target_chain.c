/*
 * lower/target_chain: the chains that send a packet to each target.
 *
 * The mark comes first: with it, a packet whose listener is gone is routed to this host and not out
 * in the clear.
 */
#include "base/arena.h"
#include "lang/lower/lower.h"
#include "match/kinds.h"

static void set_mark(struct lower *lower, struct ir_chain *chain, const struct lower_target *target)
{
	lower_set_mark(lower, lower_guarantee(lower, chain, NULL), target->mark, target->mask);
}

static void hand_over(struct lower *lower, struct ir_chain *chain,
		      const struct lower_target *target)
{
	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++) {
		struct ir_rule *rule;

		if (!target->families[family])
			continue;
		rule = lower_guarantee(lower, chain, NULL);
		lower_match(lower, rule, family_match(lower->arena, family));
		lower_match(lower, rule, lower_listener_protocols(lower, target->listener));
		lower_do(lower, rule,
			 (struct ir_statement){ .op = IR_TPROXY,
						.addr = target->listener->addr[family],
						.port = target->listener->port });
		lower_op(lower, rule, IR_ACCEPT);
	}
}

/* Errors about a proxied connection belong to the proxy's socket, which is on this host. */
static void take_errors(struct lower *lower, struct ir_chain *chain)
{
	struct ir_rule *rule;

	if (!lower->decision_count && !lower->errors)
		return;
	rule = lower_guarantee(lower, chain, NULL);
	lower_match(lower, rule, icmp_match(lower->arena));
	lower_op(lower, rule, IR_ACCEPT);
}

static void proxy_chain(struct lower *lower, const struct lower_target *target)
{
	struct ir_chain *chain = lower_chain(lower, target->chain, NULL);
	struct ir_rule *rule;

	lower_follow(lower, chain);
	set_mark(lower, chain, target);
	hand_over(lower, chain, target);
	take_errors(lower, chain);
	rule = lower_guarantee(lower, chain, "no listener");
	if (target->listener->on_failure == FAILURE_DROP)
		lower_op(lower, rule, IR_DROP);
	else
		lower_goto(lower, rule, lower_refuse(lower));
}

/* ---- listeners that fail open ---- */

/* A decision of its own for what goes direct because there is no socket: so it is distinguished
 * later from what a rule sends direct. */
static size_t fails_open(struct lower *lower, const struct lower_block *block,
			 const struct lower_target *target)
{
	const char *name = arena_printf(lower->arena, "let_go_%s", target->name);
	struct ir_chain *chain = lower_find_chain(lower, name);
	size_t number;

	if (!chain) {
		chain = lower_chain(lower, name, "connections that found no listener");
		lower_op(lower, lower_guarantee(lower, chain, NULL), IR_ACCEPT);
	}
	number = lower_decision(lower, block, name);
	lower->decisions[number - 1].failed_open = target->listener;
	return number;
}

const char *lower_try(struct lower *lower, const struct lower_block *block,
		      const struct lower_target *target)
{
	size_t direct = fails_open(lower, block, target);
	const char *name = arena_printf(lower->arena, "try_%s.%s", target->name,
					lower_decision_name(lower, direct));
	struct ir_chain *chain = lower_find_chain(lower, name);
	struct ir_rule *rule;

	if (chain)
		return name;
	chain = lower_chain(lower, name, NULL);
	set_mark(lower, chain, target);
	hand_over(lower, chain, target);
	lower_save_decision(lower, chain, block, direct);
	rule = lower_guarantee(lower, chain, "no listener: the connection goes its usual way");
	lower_set_mark(lower, rule, 0, target->mask);
	lower_op(lower, rule, IR_ACCEPT);
	return name;
}

/* ---- marks ---- */

/* What begins a connection of this host's own has a mark of its own, where the tables may refuse
 * it. */
static void mark_syn(struct lower *lower, struct ir_chain *chain, const struct lower_target *target)
{
	struct ir_rule *rule;

	if (!target->syn || !lower_is_used(target->syn))
		return;
	rule = lower_guarantee(lower, chain, "what begins a connection");
	lower_match(lower, rule, syn_match());
	lower_set_mark(lower, rule, target->syn->mark, target->syn->mask);
	lower_op(lower, rule, IR_ACCEPT);
}

/* The mark says all; routing or translation does the rest. */
static void mark_chain(struct lower *lower, struct lower_target *target, const char *name)
{
	struct ir_chain *chain = lower_chain(lower, name, NULL);

	if (target->kind != IR_CLASS_REPLY && target->kind != IR_CLASS_MEMBER)
		lower_save_target(lower, chain, target);
	if (name == target->local_chain)
		mark_syn(lower, chain, target);
	lower_follow_member(lower, chain, target);
	set_mark(lower, chain, target);
	if (target->ct_mask)
		lower_set_ct_mark(lower, lower_guarantee(lower, chain, NULL), target->mark,
				  target->ct_mask);
	lower_op(lower, lower_guarantee(lower, chain, NULL), IR_ACCEPT);
}

/* What came in by an uplink is not sent back out while the main table knows where it belongs. */
static void open_chain(struct lower *lower, const struct lower_target *target)
{
	struct ir_chain *chain = lower_chain(lower, target->open_chain, NULL);

	lower_from_uplinks(lower, chain, target->inbound->chain);
	lower_goto(lower, lower_guarantee(lower, chain, NULL), target->chain);
}

/* Do rules send to the chain that asks by which uplink packets came in? */
static bool is_opened(const struct lower_target *target)
{
	return target->open_chain && target->opened;
}

/* What is only for packets that were translated has its mark from elsewhere (lower/nat.c), and what
 * begins a connection from the chain of its target. */
static bool is_gone_to(const struct lower *lower, const struct lower_target *target)
{
	if (target->kind != IR_CLASS_INBOUND)
		return target->kind != IR_CLASS_SYN;
	for (size_t i = 0; i < lower->target_count; i++)
		if (lower->targets[i]->inbound == target)
			return is_opened(lower->targets[i]);
	return false;
}

void lower_target_chains(struct lower *lower)
{
	for (size_t i = 0; i < lower->target_count; i++) {
		struct lower_target *target = lower->targets[i];
		bool hands_over = target->listener && target->listener->mode == MODE_TPROXY;

		if (!lower_is_used(target))
			continue;
		if (hands_over && (target->forward || target->local))
			proxy_chain(lower, target);
		if (target->syn && target->forward)
			mark_chain(lower, target, target->chain);
		if ((target->local || (!hands_over && !target->syn)) && is_gone_to(lower, target))
			mark_chain(lower, target, target->local_chain);
		if (is_opened(target))
			open_chain(lower, target);
	}
}
