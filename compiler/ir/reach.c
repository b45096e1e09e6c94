/*
 * reach: a walk through the chains along all rules that may take a packet; see reach.h.
 *
 * A rule ends the walk only where it surely takes all of the packets. Each chain is gone through
 * once.
 */
#include "ir/reach.h"

#include <string.h>

#include "base/arena.h"

struct reach {
	struct arena *arena;
	const struct ir *ir;
	const struct ir_packet *least, *most;
	bool *ways;
	bool *seen; /* chains */
};

/* The rest of the chain is not for these packets (RETURN), nor is any other rule (END). */
enum step { STEP_NEXT, STEP_RETURN, STEP_END };

enum answer { NEVER, PERHAPS, SURELY };

static enum step walk_chain(struct reach *reach, const char *name);

/* Matches that ask for nothing but what is known of every packet. */
static bool is_plain(const struct ir_match *match)
{
	return !match->tracked &&
	       (!strcmp(match->ops->name, "family") || !strcmp(match->ops->name, "protocol"));
}

/* Does any value between those of both packets hold? */
static enum answer ask_between(const struct reach *reach, const struct ir_match *match)
{
	const struct ir_key *key = match->ops->key;
	struct interval_set members = { 0 };
	struct wide least, most;

	if (!key || !key->value(match, reach->least, &least) ||
	    !key->value(match, reach->most, &most))
		return PERHAPS;
	if (wide_equal(least, most))
		return match->ops->holds(match, reach->least) ? SURELY : NEVER;
	if (!key->members(reach->arena, match, &members))
		return PERHAPS;
	for (size_t i = 0; i < members.count; i++)
		if (!wide_less(members.items[i].last, least) &&
		    !wide_less(most, members.items[i].first))
			return PERHAPS;
	return NEVER;
}

static enum answer ask(const struct reach *reach, const struct ir_match *match)
{
	if (is_plain(match))
		return match->ops->holds(match, reach->least) ? SURELY : NEVER;
	if (match->ops->by_family && match->family != reach->least->family)
		return NEVER;
	/* Those are of connections that were here before. */
	if (match->set && ir_set_holds_flows(match->set))
		return NEVER;
	if (match->set && match->set->dynamic)
		return PERHAPS;
	return ask_between(reach, match);
}

static void note_mark(const struct reach *reach, const struct ir_statement *statement)
{
	for (size_t i = 0; i < reach->ir->class_count; i++) {
		const struct ir_class *class = &reach->ir->classes[i];

		reach->ways[i] |= class->mark == statement->value && class->mask == statement->mask;
	}
}

/* Where a chain that was gone to ends, so does the one that went there. */
static enum step go(struct reach *reach, const char *chain)
{
	return !chain || walk_chain(reach, chain) == STEP_END ? STEP_END : STEP_RETURN;
}

static void go_to_target(struct reach *reach, const struct ir_target *target)
{
	if (target->verdict == TARGET_GOTO || target->verdict == TARGET_JUMP)
		walk_chain(reach, target->chain);
}

/* What it leads to depends on the packet: the rules after it may be for some. */
static void look_up(struct reach *reach, const struct ir_statement *statement)
{
	const struct ir_key *key = statement->key->ops->key;
	const struct ir_target *target = NULL;
	struct wide least, most;

	if (key->value(statement->key, reach->least, &least) &&
	    key->value(statement->key, reach->most, &most) && wide_equal(least, most)) {
		target = ir_map_find(statement->map, least);
		if (target)
			go_to_target(reach, target);
		return;
	}
	for (size_t i = 0; i < statement->map->target_count; i++)
		go_to_target(reach, &statement->map->targets[i]);
}

static enum step dispatch(struct reach *reach, const struct ir_statement *statement)
{
	uint32_t mark = (statement->on_ct ? reach->least->ct_mark : reach->least->mark) &
			statement->mask;

	for (size_t i = 0; i < statement->case_count; i++)
		if (statement->cases[i].value == mark)
			return go(reach, statement->cases[i].chain);
	return STEP_NEXT;
}

static enum step choose(struct reach *reach, const struct ir_statement *statement)
{
	for (size_t i = 0; i < statement->case_count; i++)
		go(reach, statement->cases[i].chain);
	return STEP_NEXT;
}

static enum step follow(struct reach *reach, const struct ir_statement *statement)
{
	switch (statement->op) {
	case IR_SET_MARK:
		note_mark(reach, statement);
		return STEP_NEXT;
	case IR_ACCEPT:
	case IR_DROP:
	case IR_REJECT:
		return STEP_END;
	case IR_GOTO:
		return go(reach, statement->chain);
	case IR_JUMP:
		return walk_chain(reach, statement->chain);
	case IR_RETURN:
		return STEP_RETURN;
	case IR_DISPATCH:
		return dispatch(reach, statement);
	case IR_LOOKUP:
		look_up(reach, statement);
		return STEP_NEXT;
	case IR_BALANCE:
		return choose(reach, statement);
	case IR_SET_CT_MARK:
	case IR_TPROXY:
	case IR_REDIRECT:
	case IR_DNAT:
	case IR_PIN:
	case IR_MASQUERADE:
	case IR_SNAT:
	case IR_CLAMP_MSS:
	case IR_COUNT:
	case IR_LOG:
	case IR_OVER:
	case IR_REMEMBER:
		return STEP_NEXT;
	}
	return STEP_NEXT;
}

static enum step walk_rule(struct reach *reach, const struct ir_rule *rule)
{
	enum step step = STEP_NEXT;
	bool is_sure = true;

	for (size_t i = 0; i < rule->match_count; i++) {
		enum answer answer = ask(reach, &rule->matches[i]);

		if (answer == NEVER)
			return STEP_NEXT;
		is_sure &= answer == SURELY;
	}
	for (size_t i = 0; i < rule->statement_count && step == STEP_NEXT; i++) {
		step = follow(reach, &rule->statements[i]);
		is_sure &= rule->statements[i].op != IR_OVER;
	}
	return is_sure ? step : STEP_NEXT;
}

static enum step walk_chain(struct reach *reach, const char *name)
{
	const struct ir_chain *chain = ir_chain_find(reach->ir, name);
	enum step step = STEP_NEXT;

	if (!chain || reach->seen[chain - reach->ir->chains])
		return STEP_NEXT;
	reach->seen[chain - reach->ir->chains] = true;
	for (size_t i = 0; i < chain->rule_count && step == STEP_NEXT; i++)
		step = walk_rule(reach, &chain->rules[i]);
	return step == STEP_END ? STEP_END : STEP_NEXT;
}

void ir_reach(struct arena *arena, const struct ir *ir, const struct ir_packet *least,
	      const struct ir_packet *most, bool *ways)
{
	struct reach reach = { .arena = arena, .ir = ir, .least = least, .most = most };

	reach.ways = ways;
	reach.seen = arena_alloc(arena, (ir->chain_count + 1) * sizeof(*reach.seen));
	memset(reach.seen, 0, (ir->chain_count + 1) * sizeof(*reach.seen));
	walk_chain(&reach, least->scope == SCOPE_LOCAL ? "output" : "prerouting");
}
