/*
 * evaluate: the walk of one packet through the chains; see evaluate.h.
 *
 * Chains are found by their names, so the names are sorted once for all packets.
 */
#include "ir/evaluate.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

struct ir_walker {
	const struct ir *ir;
	const struct ir_chain **chains; /* by name */
	const struct ir_chain *prerouting, *output;
	const struct ir_chain *unmarked; /* after prerouting; or NULL */
};

struct walk {
	const struct ir_walker *walker;
	struct ir_packet packet;
	struct ir_outcome outcome;
	struct ir_watch *watch;
	size_t depth;
	size_t choice; /* which case a choice gives */
	bool marked;   /* a rule of ours has set the mark */
};

/* NEXT statement or rule; the rest of the rule is skipped (BREAK); back to who jumped (RETURN). */
enum step { STEP_NEXT, STEP_BREAK, STEP_RETURN, STEP_END };

static int compare_chains(const void *a, const void *b)
{
	return strcmp((*(const struct ir_chain *const *)a)->name,
		      (*(const struct ir_chain *const *)b)->name);
}

const struct ir_walker *ir_walker(struct arena *arena, const struct ir *ir)
{
	struct ir_walker *walker = arena_new_of(arena, struct ir_walker);

	walker->ir = ir;
	walker->chains = arena_alloc(arena, (ir->chain_count + 1) * sizeof(*walker->chains));
	for (size_t i = 0; i < ir->chain_count; i++)
		walker->chains[i] = &ir->chains[i];
	qsort(walker->chains, ir->chain_count, sizeof(*walker->chains), compare_chains);
	walker->prerouting = ir_chain_find(ir, "prerouting");
	walker->output = ir_chain_find(ir, "output");
	walker->unmarked = ir_chain_find(ir, "unmarked");
	return walker;
}

static const struct ir_chain *find_chain(const struct ir_walker *walker, const char *name)
{
	size_t low = 0, high = walker->ir->chain_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, walker->chains[middle]->name);

		if (!order)
			return walker->chains[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static enum step walk_chain(struct walk *walk, const struct ir_chain *chain);

static enum step end(struct walk *walk, enum ir_verdict verdict)
{
	walk->outcome.verdict = verdict;
	return STEP_END;
}

static enum step enter(struct walk *walk, const char *name)
{
	enum step step;

	walk->depth++;
	step = walk_chain(walk, find_chain(walk->walker, name));
	walk->depth--;
	return step;
}

/* A chain that was gone to: its end is the end of the chain that went there. */
static enum step go(struct walk *walk, const char *name)
{
	return enter(walk, name) == STEP_END ? STEP_END : STEP_RETURN;
}

static enum step jump(struct walk *walk, const char *name)
{
	return enter(walk, name) == STEP_END ? STEP_END : STEP_NEXT;
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
	struct wide value;

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
	walk->outcome.choice = statement;
	return go(walk, statement->cases[walk->choice].chain);
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
	case IR_PIN:
	case IR_MASQUERADE:
	case IR_SNAT:
	case IR_CLAMP_MSS:
	case IR_COUNT:
	case IR_LOG:
	case IR_REMEMBER:
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

/* How many of the rule's matches hold before the first that does not. */
static size_t count_held(const struct ir_rule *rule, const struct ir_packet *packet)
{
	size_t held = 0;

	while (held < rule->match_count &&
	       rule->matches[held].ops->holds(&rule->matches[held], packet))
		held++;
	return held;
}

bool ir_rule_takes(const struct ir_rule *rule, const struct ir_packet *packet)
{
	return count_held(rule, packet) == rule->match_count;
}

static enum step walk_rule(struct walk *walk, const struct ir_chain *chain,
			   const struct ir_rule *rule)
{
	size_t held = count_held(rule, &walk->packet);
	enum step step = STEP_NEXT;

	if (walk->watch)
		walk->watch->rule(walk->watch, (size_t)(chain - walk->walker->ir->chains), rule,
				  held, walk->depth);
	if (held < rule->match_count)
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
	size_t i = 0;

	for (; chain && i < chain->rule_count; i++) {
		step = walk_rule(walk, chain, &chain->rules[i]);
		if (step != STEP_NEXT)
			break;
	}
	if (!walk->depth)
		walk->outcome.last = i;
	return step;
}

static const struct ir_class *class_of(const struct walk *walk)
{
	const struct ir *ir = walk->walker->ir;

	for (size_t i = 0; walk->marked && i < ir->class_count; i++) {
		const struct ir_class *class = &ir->classes[i];

		if (class->kind != IR_CLASS_DIRECT &&
		    (walk->packet.mark & class->mask) == class->mark)
			return class;
	}
	return NULL;
}

/* Its rule stands for no word of the author's, so it is not watched. */
static void mark_unmarked(struct walk *walk)
{
	walk->watch = NULL;
	walk->depth++;
	walk_chain(walk, walk->walker->unmarked);
}

static struct ir_outcome run(struct walk *walk)
{
	const struct ir_walker *walker = walk->walker;

	walk->outcome.base = walk->packet.scope == SCOPE_LOCAL ? walker->output
							       : walker->prerouting;
	walk_chain(walk, walk->outcome.base);
	walk->outcome.class = class_of(walk);
	if (walk->packet.scope != SCOPE_LOCAL && walk->outcome.verdict == VERDICT_ACCEPT)
		mark_unmarked(walk);
	walk->outcome.mark = walk->packet.mark;
	walk->outcome.ct_mark = walk->packet.ct_mark;
	return walk->outcome;
}

struct ir_outcome ir_walk(const struct ir_walker *walker, const struct ir_packet *packet,
			  struct ir_watch *watch)
{
	struct walk walk = { .walker = walker, .packet = *packet, .watch = watch };

	return run(&walk);
}

const struct ir_class *ir_walk_case(const struct ir_walker *walker, const struct ir_packet *packet,
				    const struct ir_statement *choice, size_t nth)
{
	struct walk walk = { .walker = walker, .packet = *packet };

	walk.choice = nth < choice->case_count ? nth : 0;
	return run(&walk).class;
}
