/*
 * lower/target_chain: the chains that send a packet to each target.
 *
 * The mark comes first: with it, a packet whose listener is gone is routed to this host and not out
 * in the clear.
 */
#include "base/arena.h"
#include "lang/lower/lower.h"
#include "match/kinds.h"

static void set_mark(struct lower *lower, struct ir_chain *chain, const struct lower_class *way)
{
	lower_set_mark(lower, lower_guarantee(lower, chain, NULL), way->mark, way->mask);
}

static void hand_over(struct lower *lower, struct ir_chain *chain, const struct lower_class *way)
{
	for (int family = 0; family < ADDR_FAMILIES; family++) {
		struct ir_rule *rule;

		if (!way->families[family])
			continue;
		rule = lower_guarantee(lower, chain, NULL);
		lower_match(lower, rule, family_match(lower->arena, (enum addr_family)family));
		lower_match(lower, rule, lower_listener_protocols(lower, way->listener));
		lower_do(lower, rule,
			 (struct ir_statement){ .op = IR_TPROXY,
						.addr = way->listener->addr[family],
						.port = way->listener->port });
		lower_op(lower, rule, IR_ACCEPT);
	}
}

/* Errors about a proxied connection belong to the proxy's socket, which is on this host. */
static void take_errors(struct lower *lower, struct ir_chain *chain)
{
	struct ir_rule *rule;

	if (!lower->way_count && !lower->errors)
		return;
	rule = lower_guarantee(lower, chain, NULL);
	lower_match(lower, rule, icmp_match(lower->arena));
	lower_op(lower, rule, IR_ACCEPT);
}

static void proxy_chain(struct lower *lower, const struct lower_class *way)
{
	struct ir_chain *chain = lower_chain(lower, way->chain, NULL);
	struct ir_rule *rule;

	lower_follow(lower, chain);
	set_mark(lower, chain, way);
	hand_over(lower, chain, way);
	take_errors(lower, chain);
	rule = lower_guarantee(lower, chain, "no listener");
	if (way->listener->on_failure == FAILURE_DROP)
		lower_op(lower, rule, IR_DROP);
	else
		lower_goto(lower, rule, lower_refuse(lower));
}

/* ---- listeners that fail open ---- */

/* A way of its own for what goes direct without its socket: so it is known later from what a rule
 * has sent so. */
static size_t let_go(struct lower *lower, const struct lower_walk *walk,
		     const struct lower_class *way)
{
	const char *name = arena_printf(lower->arena, "let_go_%s", way->name);
	struct ir_chain *chain = lower_find_chain(lower, name);
	size_t number;

	if (!chain) {
		chain = lower_chain(lower, name, "connections that found no listener");
		lower_op(lower, lower_guarantee(lower, chain, NULL), IR_ACCEPT);
	}
	number = lower_way(lower, walk, name);
	lower->ways[number - 1].let_go = way->listener;
	return number;
}

const char *lower_try(struct lower *lower, const struct lower_walk *walk,
		      const struct lower_class *way)
{
	size_t direct = let_go(lower, walk, way);
	const char *name =
		arena_printf(lower->arena, "try_%s.%s", way->name, lower_way_name(lower, direct));
	struct ir_chain *chain = lower_find_chain(lower, name);
	struct ir_rule *rule;

	if (chain)
		return name;
	chain = lower_chain(lower, name, NULL);
	set_mark(lower, chain, way);
	hand_over(lower, chain, way);
	lower_keep(lower, chain, walk, direct);
	rule = lower_guarantee(lower, chain, "no listener: the connection goes its usual way");
	lower_set_mark(lower, rule, 0, way->mask);
	lower_op(lower, rule, IR_ACCEPT);
	return name;
}

/* ---- marks ---- */

/* What begins a connection of this host's own has a mark of its own, where the way may refuse it.
 */
static void mark_syn(struct lower *lower, struct ir_chain *chain, const struct lower_class *way)
{
	struct ir_rule *rule;

	if (!way->syn || !lower_is_used(way->syn))
		return;
	rule = lower_guarantee(lower, chain, "what begins a connection");
	lower_match(lower, rule, syn_match());
	lower_set_mark(lower, rule, way->syn->mark, way->syn->mask);
	lower_op(lower, rule, IR_ACCEPT);
}

/* The mark says all; routing or translation does the rest. */
static void mark_chain(struct lower *lower, struct lower_class *way, const char *name)
{
	struct ir_chain *chain = lower_chain(lower, name, NULL);

	if (way->kind != IR_CLASS_REPLY && way->kind != IR_CLASS_MEMBER)
		lower_note_way(lower, chain, way);
	if (name == way->local_chain)
		mark_syn(lower, chain, way);
	lower_follow_member(lower, chain, way);
	set_mark(lower, chain, way);
	if (way->ct_mask)
		lower_set_ct_mark(lower, lower_guarantee(lower, chain, NULL), way->mark,
				  way->ct_mask);
	lower_op(lower, lower_guarantee(lower, chain, NULL), IR_ACCEPT);
}

/* What came in by an uplink is not sent back out while the main table knows where it belongs. */
static void open_chain(struct lower *lower, const struct lower_class *way)
{
	struct ir_chain *chain = lower_chain(lower, way->open_chain, NULL);

	lower_from_uplinks(lower, chain, way->inbound->chain);
	lower_goto(lower, lower_guarantee(lower, chain, NULL), way->chain);
}

/* Do rules send to the chain that tells by which uplink packets came? */
static bool is_opened(const struct lower_class *way)
{
	return way->open_chain && way->opened;
}

/* What is only for packets that were translated has its mark from elsewhere (lower/nat.c), and what
 * begins a connection from the chain of its way. */
static bool is_gone_to(const struct lower *lower, const struct lower_class *way)
{
	if (way->kind != IR_CLASS_INBOUND)
		return way->kind != IR_CLASS_SYN;
	for (size_t i = 0; i < lower->class_count; i++)
		if (lower->classes[i]->inbound == way)
			return is_opened(lower->classes[i]);
	return false;
}

void lower_way_chains(struct lower *lower)
{
	for (size_t i = 0; i < lower->class_count; i++) {
		struct lower_class *way = lower->classes[i];
		bool hands_over = way->listener && way->listener->mode == MODE_TPROXY;

		if (!lower_is_used(way))
			continue;
		if (hands_over && (way->forward || way->local))
			proxy_chain(lower, way);
		if (way->syn && way->forward)
			mark_chain(lower, way, way->chain);
		if ((way->local || (!hands_over && !way->syn)) && is_gone_to(lower, way))
			mark_chain(lower, way, way->local_chain);
		if (is_opened(way))
			open_chain(lower, way);
	}
}
