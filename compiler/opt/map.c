/*
 * map: makes a verdict map, and a chain for every list of rules that is more than a verdict.
 */
#include "opt/map.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"

static bool same_statement(const struct ir_statement *a, const struct ir_statement *b)
{
	const char *names[] = { a->name, b->name, a->chain, b->chain };

	for (size_t i = 0; i < 4; i += 2)
		if (names[i] != names[i + 1] &&
		    (!names[i] || !names[i + 1] || strcmp(names[i], names[i + 1]) != 0))
			return false;
	return a->op == b->op && a->value == b->value && a->mask == b->mask &&
	       a->reject == b->reject;
}

/* Those of the same place in the policy with the same words; a chain that other maps lead to is
 * shared only then, so that its comments stay true. */
static bool same_rule(const struct ir_rule *a, const struct ir_rule *b)
{
	if (a->origin.source != b->origin.source || a->origin.begin != b->origin.begin ||
	    a->statement_count != b->statement_count ||
	    !run_same_words(a->matches, a->match_count, b->matches, b->match_count))
		return false;
	for (size_t i = 0; i < a->statement_count; i++)
		if (!same_statement(&a->statements[i], &b->statements[i]))
			return false;
	return true;
}

static bool same_rules(const struct ir_chain *a, const struct ir_chain *b)
{
	if (a->rule_count != b->rule_count)
		return false;
	for (size_t i = 0; i < a->rule_count; i++)
		if (!same_rule(&a->rules[i], &b->rules[i]))
			return false;
	return true;
}

static const char *list_chain(struct flatten *flatten, const struct run *run,
			      const struct overlay_list *list, size_t first_list)
{
	struct ir_chain chain = { 0 }, *out;

	for (size_t i = 0; i < list->count; i++)
		*arena_append(flatten->arena, chain.rules, chain.rule_count) =
			run_rest(flatten, run, list->sets[i]);
	for (size_t i = 0; i < flatten->chain_count; i++)
		if (!strncmp(flatten->chains[i]->name, "map", 3) &&
		    same_rules(flatten->chains[i], &chain))
			return flatten->chains[i]->name;
	chain.name = arena_printf(flatten->arena, "map%u.list%zu", flatten->number,
				  flatten->chain_count - first_list + 1);
	out = arena_new_of(flatten->arena, struct ir_chain);
	*out = chain;
	*arena_append(flatten->arena, flatten->chains, flatten->chain_count) = out;
	return out->name;
}

static struct ir_target target_of(struct flatten *flatten, const struct run *run,
				  const struct overlay_list *list, size_t first_list)
{
	const struct ir_rule *first = run->rules[list->sets[0]];
	const struct ir_statement *last = run_last(first);

	if (run->ends[list->sets[0]] && first->statement_count == 1) {
		if (last->op == IR_ACCEPT)
			return (struct ir_target){ TARGET_ACCEPT, NULL };
		if (last->op == IR_DROP)
			return (struct ir_target){ TARGET_DROP, NULL };
		if (last->op == IR_GOTO)
			return (struct ir_target){ TARGET_GOTO, last->chain };
	}
	return (struct ir_target){ run->ends[list->sets[list->count - 1]] ? TARGET_GOTO
									  : TARGET_JUMP,
				   list_chain(flatten, run, list, first_list) };
}

static uint32_t add_target(struct flatten *flatten, struct ir_set *map, struct ir_target target)
{
	struct ir_target *targets = (struct ir_target *)map->targets;

	for (size_t i = 0; i < map->target_count; i++)
		if (targets[i].verdict == target.verdict &&
		    (targets[i].chain == target.chain ||
		     (target.chain && !strcmp(targets[i].chain, target.chain))))
			return (uint32_t)i;
	*arena_append(flatten->arena, targets, map->target_count) = target;
	map->targets = targets;
	return (uint32_t)map->target_count - 1;
}

static void add_element(struct flatten *flatten, struct ir_set *map, struct interval element,
			uint32_t lead)
{
	struct interval_set *all = &map->elements;
	uint32_t *leads = (uint32_t *)map->leads;
	size_t count = all->count;

	if (count && all->items[count - 1].last + 1 == element.first && leads[count - 1] == lead &&
	    map->base) {
		all->items[count - 1].last = element.last;
		return;
	}
	interval_add(flatten->arena, all, element.first, element.last);
	*arena_append(flatten->arena, leads, count) = lead;
	map->leads = leads;
}

/* Fields of single values have no intervals: each value of an atom is an element of its own. */
static void add_atom(struct flatten *flatten, struct ir_set *map, struct interval atom,
		     uint32_t lead)
{
	if (map->base) {
		add_element(flatten, map, atom, lead);
		return;
	}
	for (addr_bits value = atom.first; value <= atom.last; value++)
		add_element(flatten, map, (struct interval){ value, value }, lead);
}

/* "map3.ip_daddr" */
static const char *map_name(struct flatten *flatten, const struct ir_match *key)
{
	struct buf out = { 0 };
	const char *name;

	buf_printf(&out, "map%u.", flatten->number);
	key->ops->key->print(key, &out);
	name = arena_strdup(flatten->arena, buf_text(&out));
	for (char *c = (char *)name; *c; c++)
		if (*c == ' ')
			*c = '_';
	buf_free(&out);
	return name;
}

/* Another chain may have the same map: where both ask of the same rules. */
static const struct ir_set *shared_map(struct flatten *flatten, const struct ir_set *map)
{
	uint64_t digest = ir_set_digest(map, 0);
	struct ir_set *out;

	for (size_t i = 0; map->base && i < flatten->map_count; i++)
		if (flatten->maps[i]->type == map->type &&
		    flatten->maps[i]->elements.count == map->elements.count &&
		    ir_set_digest(flatten->maps[i], 0) == digest)
			return flatten->maps[i];
	out = arena_new_of(flatten->arena, struct ir_set);
	*out = *map;
	if (map->base)
		*arena_append(flatten->arena, flatten->maps, flatten->map_count) = out;
	return out;
}

const struct ir_set *map_make(struct flatten *flatten, const struct run *run,
			      const struct overlay *overlay)
{
	const struct ir_key *key = run->key->ops->key;
	size_t first_list = flatten->chain_count;
	struct ir_set map = { 0 };
	uint32_t *leads = arena_alloc(flatten->arena, (overlay->list_count + 1) * sizeof(*leads));

	flatten->number++;
	if (key->type) {
		map.type = key->type(run->key);
		map.base = map.name = map_name(flatten, run->key);
	}
	for (size_t i = 0; i < overlay->list_count; i++)
		leads[i] = add_target(flatten, &map,
				      target_of(flatten, run, &overlay->lists[i], first_list));
	for (size_t i = 0; i < overlay->atom_count; i++)
		add_atom(flatten, &map, overlay->atoms[i].span, leads[overlay->atoms[i].list]);
	return shared_map(flatten, &map);
}
