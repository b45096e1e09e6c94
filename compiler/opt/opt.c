/*
 * opt: the passes in their order, on a copy of the ir.
 */
#include "opt/opt.h"

#include "base/arena.h"
#include "ir/ir.h"
#include "opt/flatten.h"

static void copy_rules(struct arena *arena, struct ir_chain *chain)
{
	struct ir_rule *rules = arena_alloc(arena, (chain->rule_count + 1) * sizeof(*rules));

	for (size_t i = 0; i < chain->rule_count; i++)
		rules[i] = chain->rules[i];
	chain->rules = rules;
}

/* Chains that the pass makes are flattened, too, by what is left to ask in them. */
static void flatten_all(struct flatten *flatten)
{
	for (size_t i = 0; i < flatten->chain_count; i++)
		flatten_chain(flatten, flatten->chains[i]);
}

static bool asks_for(const struct ir_chain *chain, const struct ir_set *set)
{
	for (size_t i = 0; i < chain->rule_count; i++)
		for (size_t k = 0; k < chain->rules[i].match_count; k++)
			if (chain->rules[i].matches[k].set == set)
				return true;
	return false;
}

/* Others write to a set that is filled at run time, whether a rule asks for it or not. */
static bool is_wanted(const struct flatten *flatten, const struct ir_set *set)
{
	if (set->dynamic || !flatten->changed)
		return true;
	for (size_t i = 0; i < flatten->chain_count; i++)
		if (asks_for(flatten->chains[i], set))
			return true;
	return false;
}

/* Where a set of the old ir, or a map that was made, has come to. */
struct move {
	const struct ir_set *from, *to;
};

static const struct ir_set *moved(const struct move *moves, size_t count, const struct ir_set *set)
{
	for (size_t i = 0; i < count; i++)
		if (moves[i].from == set)
			return moves[i].to;
	return set;
}

static void point_rule(struct arena *arena, struct ir_rule *rule, const struct move *moves,
		       size_t count)
{
	struct ir_match *matches = arena_alloc(arena, (rule->match_count + 1) * sizeof(*matches));

	for (size_t i = 0; i < rule->match_count; i++) {
		matches[i] = rule->matches[i];
		if (matches[i].set)
			matches[i].set = moved(moves, count, matches[i].set);
	}
	rule->matches = matches;
	for (size_t i = 0; i < rule->statement_count; i++)
		if (rule->statements[i].map)
			rule->statements[i].map = moved(moves, count, rule->statements[i].map);
}

static void lay_out(const struct flatten *flatten, const struct ir *old, struct ir *ir)
{
	size_t room = old->set_count + flatten->map_count;
	struct move *moves = arena_alloc(flatten->arena, (room + 1) * sizeof(*moves));

	ir->sets = arena_alloc(flatten->arena, (room + 1) * sizeof(*ir->sets));
	ir->set_count = 0;
	for (size_t i = 0; i < room; i++) {
		const struct ir_set *set = i < old->set_count ? &old->sets[i]
							      : flatten->maps[i - old->set_count];

		if (i < old->set_count && !is_wanted(flatten, set))
			continue;
		ir->sets[ir->set_count] = *set;
		moves[ir->set_count] = (struct move){ set, &ir->sets[ir->set_count] };
		ir->set_count++;
	}
	ir->chains = arena_alloc(flatten->arena, (flatten->chain_count + 1) * sizeof(*ir->chains));
	ir->chain_count = flatten->chain_count;
	for (size_t i = 0; i < flatten->chain_count; i++) {
		ir->chains[i] = *flatten->chains[i];
		for (size_t k = 0; k < ir->chains[i].rule_count; k++)
			point_rule(flatten->arena, &ir->chains[i].rules[k], moves, ir->set_count);
	}
}

struct ir *opt_run(struct arena *arena, const struct ir *old, int level)
{
	struct flatten flatten = { .arena = arena };
	struct ir *ir = arena_new_of(arena, struct ir);

	*ir = *old;
	for (size_t i = 0; i < old->chain_count; i++) {
		struct ir_chain *chain = arena_new_of(arena, struct ir_chain);

		*chain = old->chains[i];
		copy_rules(arena, chain);
		*arena_append(arena, flatten.chains, flatten.chain_count) = chain;
	}
	if (level >= OPT_FLAT)
		flatten_all(&flatten);
	lay_out(&flatten, old, ir);
	/* Where nothing has changed, the digest has not: a long set takes its time. */
	if (flatten.changed)
		ir->digest = ir_digest(ir);
	return ir;
}
