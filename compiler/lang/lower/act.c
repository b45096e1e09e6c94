/*
 * lower/act: what an nft rule of the author's does: log, count, drop, refuse, or send a packet to
 * its target.
 *
 * In go a rule and the block it stands in, out come the statements at the end of an ir rule whose
 * matches are there already.
 */
#include <string.h>

#include "base/arena.h"
#include "lang/lower/lower.h"
#include "match/kinds.h"

/* ---- counters ---- */

static const char *counter_name(struct lower *lower, const struct ast_rule *rule)
{
	const char *name = rule->id;
	struct ir *ir = lower->ir;

	for (size_t i = 0; i < ir->counter_count; i++)
		if (!strcmp(ir->counters[i], name))
			return ir->counters[i];
	*arena_append(lower->arena, ir->counters, ir->counter_count) = name;
	return name;
}

static void count(struct lower *lower, const struct ast_rule *rule, struct ir_rule *out)
{
	lower_do(lower, out,
		 (struct ir_statement){ .op = IR_COUNT, .name = counter_name(lower, rule) });
}

/* Where packets of decided connections are counted too, the counter stands before the target, in a
 * chain of its own for each target. */
static const char *counted(struct lower *lower, const struct lower_block *block,
			   const struct ast_rule *rule, const char *to)
{
	size_t shares;
	const char *which = ast_shares(rule->then, &shares) && shares && to
				    ? arena_printf(lower->arena, ".%s", to)
				    : "";
	const char *name = arena_printf(lower->arena, "count_%s%s%s", rule->id,
					block->scope == SCOPE_LOCAL ? "_local" : "", which);
	struct ir_chain *chain = lower_find_chain(lower, name);
	struct ir_rule *out;

	if (chain)
		return chain->name;
	chain = lower_chain(lower, name, NULL);
	out = lower_rule(lower, chain, rule->span, rule->title);
	count(lower, rule, out);
	lower_end(lower, out, to);
	return name;
}

/* ---- targets ---- */

/* Does the rule meet what comes in by an uplink without naming the interface? */
static bool takes_uplinks(const struct lower_block *block, const struct ast_rule *rule,
			  const struct lower_target *target)
{
	return block->scope == SCOPE_FORWARD && target->open_chain && !ast_names_source(rule);
}

/* The chain of a target; NULL, the main table, for none. */
static const char *chain_of(const struct lower_block *block, const struct ast_rule *rule,
			    const struct lower_target *target)
{
	if (!target)
		return NULL;
	if (takes_uplinks(block, rule, target))
		return target->open_chain;
	return block->scope == SCOPE_LOCAL ? target->local_chain : target->chain;
}

/* NULL for `direct`. */
static struct lower_target *target_of(struct lower *lower, const struct ast_rule *rule)
{
	return rule->then->action == THEN_DIRECT ? NULL : lower_target_of(lower, rule->then);
}

static void decide(struct lower *lower, struct lower_block *block, const struct ast_rule *rule,
		   struct ir_rule *out)
{
	struct lower_target *target = target_of(lower, rule);
	const char *to = chain_of(block, rule, target), *first = NULL;

	if (rule->count && (!block->stateful || ast_fails_open(rule->then)))
		count(lower, rule, out);
	block->asks_state = ast_condition(rule, "state") != NULL;
	if (target)
		target->stateless |= !block->stateful;
	if (block->stateful) {
		if (ast_fails_open(rule->then))
			first = lower_try(lower, block, target);
		if (rule->count)
			to = counted(lower, block, rule, to);
		to = lower_decide(lower, block, target, to, first ? first : to);
	}
	lower_end(lower, out, to);
}

/* ICMP errors go where their connection goes; those about translated ones are translated with it.
 */
static void follow(struct lower *lower, const struct lower_block *block,
		   const struct ast_rule *rule, struct ir_rule *out)
{
	const struct ast_then *then = rule->then;
	bool translates = then->action == THEN_ANSWER ||
			  (ast_hands_over(then) && then->listener->mode != MODE_TPROXY);

	lower_end(lower, out, translates ? NULL : chain_of(block, rule, target_of(lower, rule)));
}

/* ---- one of several ---- */

static int64_t common_divisor(const struct ast_target *shares, size_t count)
{
	int64_t divisor = 0;

	for (size_t i = 0; i < count; i++) {
		int64_t a = shares[i].weight;

		while (divisor) {
			int64_t rest = a % divisor;

			a = divisor;
			divisor = rest;
		}
		divisor = a;
	}
	return divisor;
}

/* The chain that decides on the share for the connection. Where a listener may fail open, the rule
 * has counted the first packet. */
static const char *decide_share(struct lower *lower, struct lower_block *block,
				const struct ast_rule *rule, const struct ast_target *share)
{
	struct lower_target *target = lower_share_target(lower, share);
	const char *to = chain_of(block, rule, target), *first = NULL;

	if (ast_fails_open(rule->then))
		first = share->listener->on_failure == FAILURE_DIRECT
				? lower_try(lower, block, target)
				: to;
	if (rule->count)
		to = counted(lower, block, rule, to);
	return lower_decide(lower, block, target, to, first ? first : to);
}

/* Every number below the sum of the shares, with the chain of the target it stands for. */
static struct ir_statement shares(struct lower *lower, struct lower_block *block,
				  const struct ast_rule *rule)
{
	struct ir_statement out = { .op = IR_BALANCE, .by = (enum ir_balance)rule->then->by };
	size_t count;
	const struct ast_target *items = ast_shares(rule->then, &count);
	int64_t divisor = common_divisor(items, count);

	block->asks_state = ast_condition(rule, "state") != NULL;
	for (size_t i = 0; i < count; i++) {
		const char *to = decide_share(lower, block, rule, &items[i]);

		for (int64_t k = 0; k < items[i].weight / divisor; k++)
			*arena_append(lower->arena, out.cases, out.case_count) =
				(struct ir_case){ out.value++, to };
	}
	return out;
}

static const char *balance_chain(struct lower *lower, struct lower_block *block,
				 const struct ast_rule *rule)
{
	struct ir_statement choice = shares(lower, block, rule);
	const char *name = arena_printf(lower->arena, "balance_%s_%s", rule->id, block->name);
	struct ir_chain *chain = lower_find_chain(lower, name);

	if (chain)
		return chain->name;
	chain = lower_chain(lower, name, NULL);
	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++) {
		if (!rule->families[family] || (choice.by == IR_BY_CONNECTION && chain->rule_count))
			continue;
		choice.addr.family = choice.by == IR_BY_CONNECTION ? ADDR_IPV4 : family;
		lower_do(lower, lower_rule(lower, chain, rule->span, rule->title), choice);
	}
	return name;
}

/* ---- all of it ---- */

void lower_act(struct lower *lower, struct lower_block *block, const struct ast_rule *rule,
	       struct ir_rule *out)
{
	enum ast_action action = rule->then->action;

	out->decides = action != THEN_CONTINUE;
	if (block->errors && ast_chooses_target(rule->then)) {
		follow(lower, block, rule, out);
		return;
	}
	if (action == THEN_BALANCE || action == THEN_SPREAD) {
		if (rule->count && ast_fails_open(rule->then))
			count(lower, rule, out);
		lower_goto(lower, out, balance_chain(lower, block, rule));
		return;
	}
	if (ast_chooses_target(rule->then)) {
		decide(lower, block, rule, out);
		return;
	}
	if (rule->log && !block->errors)
		lower_do(lower, out, (struct ir_statement){ .op = IR_LOG, .name = rule->log });
	if (rule->count && !block->errors)
		count(lower, rule, out);
	if (action == THEN_DROP)
		lower_op(lower, out, IR_DROP);
	else if (action == THEN_REJECT && rule->then->reject == REJECT_DEFAULT)
		lower_goto(lower, out, lower_refuse(lower));
	else if (action == THEN_REJECT)
		lower_do(lower, out,
			 (struct ir_statement){ .op = IR_REJECT, .reject = rule->then->reject });
}

/* ---- what follows from it ---- */

static void use_target(const struct lower_block *block, const struct ast_rule *rule,
		       enum addr_family family, struct lower_target *target)
{
	target->families[family] = true;
	target->forward |= block->scope == SCOPE_FORWARD;
	target->local |= block->scope == SCOPE_LOCAL;
	target->tcp |= !rule->protocols.count ||
		       interval_contains(&rule->protocols, wide(PROTOCOL_TCP));
	target->udp |= !rule->protocols.count ||
		       interval_contains(&rule->protocols, wide(PROTOCOL_UDP));
	if (takes_uplinks(block, rule, target)) {
		target->opened = true;
		target->inbound->families[family] = true;
		target->inbound->forward = true;
	}
	if (target->syn && target->tcp && block->scope == SCOPE_LOCAL) {
		target->syn->families[family] = true;
		target->syn->local = true;
	}
}

void lower_note_use(struct lower *lower, const struct lower_block *block,
		    const struct ast_rule *rule, enum addr_family family)
{
	const struct ast_then *then = rule->then;
	size_t share_count;
	const struct ast_target *items = ast_shares(then, &share_count);

	if (then->action == THEN_DIRECT || then->action == THEN_CONTINUE)
		return;
	for (size_t i = 0; i < share_count; i++) {
		struct lower_target *target = lower_share_target(lower, &items[i]);

		if (target)
			use_target(block, rule, family, target);
	}
	if (!share_count && ast_chooses_target(then))
		use_target(block, rule, family, lower_target_of(lower, then));
}
