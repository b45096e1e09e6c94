/*
 * evaluate: the walk of one packet through the chains; see evaluate.h.
 */
#include "ir/evaluate.h"

#include <string.h>

struct walk {
	const struct ir *ir;
	struct ir_packet packet;
	struct ir_outcome outcome;
	bool marked; /* a rule of ours has set the mark */
};

/* NEXT statement or rule; the rest of the rule is skipped (BREAK); back to who jumped (RETURN). */
enum step { STEP_NEXT, STEP_BREAK, STEP_RETURN, STEP_END };

static enum step walk_chain(struct walk *walk, const struct ir_chain *chain);

static enum step end(struct walk *walk, enum ir_verdict verdict)
{
	walk->outcome.verdict = verdict;
	return STEP_END;
}

/* A chain that was gone to: its end is the end of the chain that went there. */
static enum step go(struct walk *walk, const char *name)
{
	enum step step = walk_chain(walk, ir_chain_find(walk->ir, name));

	return step == STEP_END ? STEP_END : STEP_RETURN;
}

static enum step jump(struct walk *walk, const char *name)
{
	return walk_chain(walk, ir_chain_find(walk->ir, name)) == STEP_END ? STEP_END : STEP_NEXT;
}

static enum step dispatch(struct walk *walk, const struct ir_statement *statement)
{
	uint32_t mark = (statement->on_ct ? walk->packet.ct_mark : walk->packet.mark) &
			statement->mask;

	for (size_t i = 0; i < statement->case_count; i++) {
		if (statement->cases[i].value != mark)
			continue;
		return statement->cases[i].chain ? go(walk, statement->cases[i].chain)
						 : end(walk, VERDICT_ACCEPT);
	}
	return STEP_NEXT;
}

static enum step lookup(struct walk *walk, const struct ir_statement *statement)
{
	const struct ir_match *key = statement->key;
	const struct ir_target *target = NULL;
	addr_bits value;

	if (key->ops->key->value(key, &walk->packet, &value))
		target = ir_map_find(statement->map, value);
	if (!target)
		return STEP_BREAK;
	switch (target->verdict) {
	case TARGET_ACCEPT:
		return end(walk, VERDICT_ACCEPT);
	case TARGET_DROP:
		return end(walk, VERDICT_DROP);
	case TARGET_GOTO:
		return go(walk, target->chain);
	case TARGET_JUMP:
		return jump(walk, target->chain);
	}
	return STEP_BREAK;
}

static enum step balance(struct walk *walk, const struct ir_statement *statement)
{
	if (statement->by != IR_BY_CONNECTION && statement->addr.family != walk->packet.family)
		return STEP_BREAK;
	walk->outcome.balanced = true;
	return go(walk, statement->cases[0].chain);
}

static enum step apply(struct walk *walk, const struct ir_statement *statement)
{
	switch (statement->op) {
	case IR_SET_MARK:
		walk->packet.mark = (walk->packet.mark & ~statement->mask) | statement->value;
		walk->marked = true;
		return STEP_NEXT;
	case IR_SET_CT_MARK:
		walk->packet.ct_mark = (walk->packet.ct_mark & ~statement->mask) | statement->value;
		return STEP_NEXT;
	case IR_TPROXY:
	case IR_REDIRECT:
	case IR_DNAT:
	case IR_MASQUERADE:
	case IR_SNAT:
	case IR_CLAMP_MSS:
	case IR_COUNT:
	case IR_LOG:
		return STEP_NEXT;
	case IR_ACCEPT:
		return end(walk, VERDICT_ACCEPT);
	case IR_DROP:
		return end(walk, VERDICT_DROP);
	case IR_REJECT:
		return end(walk, VERDICT_REJECT);
	case IR_GOTO:
		return go(walk, statement->chain);
	case IR_JUMP:
		return jump(walk, statement->chain);
	case IR_RETURN:
		return STEP_RETURN;
	case IR_DISPATCH:
		return dispatch(walk, statement);
	case IR_OVER:
		return STEP_BREAK;
	case IR_LOOKUP:
		return lookup(walk, statement);
	case IR_BALANCE:
		return balance(walk, statement);
	}
	return STEP_NEXT;
}

static bool takes(const struct ir_rule *rule, const struct ir_packet *packet)
{
	for (size_t i = 0; i < rule->match_count; i++)
		if (!rule->matches[i].ops->holds(&rule->matches[i], packet))
			return false;
	return true;
}

static enum step walk_rule(struct walk *walk, const struct ir_rule *rule)
{
	enum step step = STEP_NEXT;

	if (!takes(rule, &walk->packet))
		return STEP_NEXT;
	if (rule->origin.source && rule->decides)
		walk->outcome.decided = rule;
	for (size_t i = 0; i < rule->statement_count && step == STEP_NEXT; i++)
		step = apply(walk, &rule->statements[i]);
	return step == STEP_BREAK ? STEP_NEXT : step;
}

static enum step walk_chain(struct walk *walk, const struct ir_chain *chain)
{
	enum step step = STEP_NEXT;

	for (size_t i = 0; chain && i < chain->rule_count && step == STEP_NEXT; i++)
		step = walk_rule(walk, &chain->rules[i]);
	return step;
}

static const struct ir_class *class_of(const struct walk *walk)
{
	for (size_t i = 0; walk->marked && i < walk->ir->class_count; i++) {
		const struct ir_class *way = &walk->ir->classes[i];

		if ((walk->packet.mark & way->mask) == way->mark)
			return way;
	}
	return NULL;
}

struct ir_outcome ir_evaluate(const struct ir *ir, const struct ir_packet *packet)
{
	struct walk walk = { .ir = ir, .packet = *packet };

	walk_chain(&walk,
		   ir_chain_find(ir, packet->scope == SCOPE_LOCAL ? "output" : "prerouting"));
	walk.outcome.mark = walk.packet.mark;
	walk.outcome.way = class_of(&walk);
	return walk.outcome;
}
