/*
 * lower/block: a block of the author's rules: one chain in the making, and what drops and rejects
 * in it (struct lower_block).
 */
#include "base/arena.h"
#include "lang/lower/lower.h"

struct lower_block lower_new_block(struct lower *lower, enum ir_scope scope, const char *name)
{
	bool local = scope == SCOPE_LOCAL;

	return (struct lower_block){ .scope = scope,
				     .name = name,
				     .needs_state = lower->needs_state[local],
				     .stateful = lower->owner_may_exit[local] };
}

static void add_filter(struct lower *lower, struct lower_block *block, const struct ast_rule *rule)
{
	struct lower_prefilter *prefilter = lower_prefilter(lower, block);
	struct lower_block alone = *block;

	alone.chain = arena_new_of(lower->arena, struct ir_chain);
	alone.chain->name = rule->id;
	lower_author_rule(lower, &alone, rule);
	*arena_append(lower->arena, prefilter->filters, prefilter->filter_count) = alone.chain;
	block->filters++;
}

/* Of decided connections too: what drops, what rejects, and what writes down the data that packets
 * carry. */
static bool meets_every_packet(const struct ast_rule *rule)
{
	enum ast_action action = rule->then->action;

	for (size_t i = 0; action == THEN_CONTINUE && i < rule->condition_count; i++)
		if (rule->conditions[i]->kind->reads_data)
			return true;
	return action == THEN_DROP || action == THEN_REJECT;
}

void lower_block_rule(struct lower *lower, struct lower_block *block, const struct ast_rule *rule)
{
	block->stateful |= block->needs_state && lower_changes(lower, rule);
	lower_author_rule(lower, block, rule);
	if (block->needs_state && meets_every_packet(rule))
		add_filter(lower, block, rule);
}

struct ast_rule lower_default_rule(struct lower *lower, const struct ast_then *then,
				   enum ir_scope scope)
{
	struct ast_rule rule = ast_default_rule(lower->arena, lower->policy, then, scope);

	rule.id = "default";
	if (then->span.source)
		rule.title = arena_printf(lower->arena, "the default, %s",
					  lower_then_words(lower, then));
	return rule;
}
