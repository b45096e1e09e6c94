/*
 * lower/build: chains, rules and sets under construction, and how they become the arrays of the ir.
 *
 * Chains and sets are separate objects while they grow, so that pointers to them stay good;
 * lower_finish lays them side by side and points the matches at the places they have come to.
 */
#include <string.h>

#include "base/arena.h"
#include "lang/lower/lower.h"
#include "match/kinds.h"

struct ir_chain *lower_find_chain(struct lower *lower, const char *name)
{
	for (size_t i = 0; i < lower->chain_count; i++)
		if (!strcmp(lower->chains[i]->name, name))
			return lower->chains[i];
	return NULL;
}

struct ir_chain *lower_chain(struct lower *lower, const char *name, const char *remark)
{
	struct ir_chain *chain = arena_new_of(lower->arena, struct ir_chain);

	chain->name = name;
	chain->remark = remark;
	*arena_append(lower->arena, lower->chains, lower->chain_count) = chain;
	return chain;
}

struct ir_chain *lower_base_chain(struct lower *lower, const char *name, enum ir_chain_type type,
				  enum ir_hook hook, int priority, const char *remark)
{
	struct ir_chain *chain = lower_find_chain(lower, name);

	if (chain)
		return chain;
	chain = lower_chain(lower, name, remark);
	chain->type = type;
	chain->hook = hook;
	chain->priority = priority;
	return chain;
}

struct ir_rule *lower_rule(struct lower *lower, struct ir_chain *chain, struct span origin,
			   const char *remark)
{
	struct ir_rule *rule = arena_append(lower->arena, chain->rules, chain->rule_count);

	rule->origin = origin;
	rule->remark = remark;
	return rule;
}

struct ir_rule *lower_guarantee(struct lower *lower, struct ir_chain *chain, const char *remark)
{
	return lower_rule(lower, chain, (struct span){ 0 }, remark);
}

void lower_copy_rules(struct lower *lower, struct ir_chain *chain, const struct ir_chain *from)
{
	for (size_t i = 0; i < from->rule_count; i++)
		*arena_append(lower->arena, chain->rules, chain->rule_count) = from->rules[i];
}

void lower_match(struct lower *lower, struct ir_rule *rule, struct ir_match match)
{
	*arena_append(lower->arena, rule->matches, rule->match_count) = match;
}

void lower_do(struct lower *lower, struct ir_rule *rule, struct ir_statement statement)
{
	*arena_append(lower->arena, rule->statements, rule->statement_count) = statement;
}

void lower_op(struct lower *lower, struct ir_rule *rule, enum ir_op op)
{
	lower_do(lower, rule, (struct ir_statement){ .op = op });
}

void lower_goto(struct lower *lower, struct ir_rule *rule, const char *chain)
{
	lower_do(lower, rule, (struct ir_statement){ .op = IR_GOTO, .chain = chain });
}

void lower_jump(struct lower *lower, struct ir_rule *rule, const char *chain)
{
	lower_do(lower, rule, (struct ir_statement){ .op = IR_JUMP, .chain = chain });
}

void lower_end(struct lower *lower, struct ir_rule *rule, const char *chain)
{
	if (chain)
		lower_goto(lower, rule, chain);
	else
		lower_op(lower, rule, IR_ACCEPT);
}

uint32_t lower_mark_mask(const struct lower *lower)
{
	return (uint32_t)lower->policy->settings.mark_mask;
}

void lower_set_ct_mark(struct lower *lower, struct ir_rule *rule, uint32_t value, uint32_t mask)
{
	lower_do(lower, rule,
		 (struct ir_statement){ .op = IR_SET_CT_MARK, .value = value, .mask = mask });
}

void lower_set_connmark(struct lower *lower, struct ir_rule *rule, uint32_t value)
{
	lower_set_ct_mark(lower, rule, value, lower_mark_mask(lower));
}

void lower_set_mark(struct lower *lower, struct ir_rule *rule, uint32_t value, uint32_t mask)
{
	lower_do(lower, rule,
		 (struct ir_statement){ .op = IR_SET_MARK, .value = value, .mask = mask });
}

struct ir_rule *lower_target_rule(struct lower *lower, struct ir_chain *chain,
				  const struct lower_target *target, const char *remark)
{
	struct ir_rule *rule = lower_guarantee(lower, chain, remark);

	lower_match(lower, rule, mark_match(lower->arena, MARK_PACKET, target->mark, target->mask));
	return rule;
}

struct ir_match lower_listener_protocols(struct lower *lower, const struct ast_listener *listener)
{
	struct interval_set protocols = ast_takes(lower->arena, listener);

	return protocol_match(&protocols);
}

struct ir_statement lower_new_dispatch(const struct lower *lower, bool on_ct)
{
	return (struct ir_statement){ .op = IR_DISPATCH,
				      .on_ct = on_ct,
				      .mask = lower_mark_mask(lower) };
}

void lower_add_case(struct lower *lower, struct ir_statement *dispatch, uint32_t value,
		    const char *chain)
{
	*arena_append(lower->arena, dispatch->cases, dispatch->case_count) =
		(struct ir_case){ value, chain };
}

void lower_dispatch(struct lower *lower, struct ir_chain *chain, struct ir_statement dispatch,
		    const char *remark)
{
	if (dispatch.case_count)
		lower_do(lower, lower_guarantee(lower, chain, remark), dispatch);
}

const struct ir_set *lower_add_set(struct lower *lower, struct ir_set set)
{
	struct ir_set *added = arena_new_of(lower->arena, struct ir_set);

	*added = set;
	*arena_append(lower->arena, lower->sets, lower->set_count) = added;
	return added;
}

const struct ir_set *lower_find_set(const struct lower *lower, const char *base)
{
	for (size_t i = 0; i < lower->set_count; i++)
		if (!strcmp(lower->sets[i]->base, base))
			return lower->sets[i];
	return NULL;
}

const struct ir_set *lower_set(struct lower *lower, const char *base, enum ir_set_type type,
			       const struct interval_set *elements, struct span origin)
{
	const struct ir_set *found = lower_find_set(lower, base);

	if (found)
		return found;
	return lower_add_set(lower, (struct ir_set){ .base = base,
						     .type = type,
						     .elements = *elements,
						     .origin = origin });
}

const char *lower_refuse(struct lower *lower)
{
	struct ir_chain *chain = lower_find_chain(lower, "refuse");
	struct ir_rule *rule;

	if (chain)
		return chain->name;
	chain = lower_chain(lower, "refuse", "tells the sender at once");
	rule = lower_guarantee(lower, chain, NULL);
	lower_match(lower, rule, one_protocol_match(lower->arena, PROTOCOL_TCP));
	lower_do(lower, rule, (struct ir_statement){ .op = IR_REJECT, .reject = REJECT_TCP_RESET });
	rule = lower_guarantee(lower, chain, NULL);
	lower_do(lower, rule,
		 (struct ir_statement){ .op = IR_REJECT, .reject = REJECT_PORT_UNREACHABLE });
	return chain->name;
}

/* ---- the end ---- */

static void place_sets(struct lower *lower)
{
	struct ir *ir = lower->ir;

	ir->sets = arena_alloc(lower->arena, (lower->set_count + 1) * sizeof(*ir->sets));
	ir->set_count = lower->set_count;
	for (size_t i = 0; i < lower->set_count; i++)
		ir->sets[i] = *lower->sets[i];
}

static const struct ir_set *place_of(const struct lower *lower, const struct ir_set *set)
{
	for (size_t i = 0; set && i < lower->set_count; i++)
		if (lower->sets[i] == set)
			return &lower->ir->sets[i];
	return set;
}

static void point_to_place(const struct lower *lower, struct ir_rule *rule)
{
	for (size_t i = 0; i < rule->match_count; i++)
		rule->matches[i].set = place_of(lower, rule->matches[i].set);
	for (size_t i = 0; i < rule->statement_count; i++)
		rule->statements[i].map = place_of(lower, rule->statements[i].map);
}

/* Base chains in the order a packet meets them, then the others as they were made. */
void lower_finish(struct lower *lower)
{
	struct ir *ir = lower->ir;

	place_sets(lower);
	for (size_t i = 0; i < lower->chain_count; i++)
		for (size_t k = 0; k < lower->chains[i]->rule_count; k++)
			point_to_place(lower, &lower->chains[i]->rules[k]);
	for (int base = 1; base >= 0; base--)
		for (size_t i = 0; i < lower->chain_count; i++)
			if ((lower->chains[i]->hook != IR_HOOK_NONE) == base)
				*arena_append(lower->arena, ir->chains, ir->chain_count) =
					*lower->chains[i];
}
