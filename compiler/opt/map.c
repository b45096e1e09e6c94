/*
 * map: makes a verdict map, and a chain for every list of rules that is more than a verdict.
 *
 * A map is named after its chain and its field, a list after its chain and its place there.
 */
#include "opt/map.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"

/* One that another map leads to is shared only when it stands for the same rules of the policy, so
 * that its comments stay true. */
static uint64_t digest_of(const struct ir_chain *chain)
{
	uint64_t digest = ir_rules_digest(chain, 0);

	for (size_t i = 0; i < chain->rule_count; i++)
		digest = digest * 31 + chain->rules[i].origin.begin;
	return digest;
}

/*
 * Named by its place and not by what stands in it: while `nft -f` loads a file over another one,
 * the packet that a processor is at asks the old rules and the new map. Under a name that was not
 * there before, the chain would be empty to it, and the packet would go on as if no rule were
 * there.
 */
static const char *list_chain(struct flatten *flatten, const struct run *run,
			      const struct overlay_list *list)
{
	struct ir_chain *chain = arena_new_of(flatten->arena, struct ir_chain);
	uint64_t digest;
	size_t place = 1;

	for (size_t i = 0; i < list->count; i++)
		*arena_append(flatten->arena, chain->rules, chain->rule_count) =
			run_rest(flatten, flatten->arena, run, list->sets[i]);
	digest = digest_of(chain);
	for (size_t i = 0; i < flatten->list_count; i++) {
		if (flatten->lists[i].digest == digest)
			return flatten->lists[i].chain;
		place += !strcmp(flatten->lists[i].owner, flatten->chain);
	}
	chain->name = arena_printf(flatten->arena, "%s.list%zu", flatten->chain, place);
	*arena_append(flatten->arena, flatten->lists, flatten->list_count) =
		(struct flatten_list){ chain->name, flatten->chain, digest };
	*arena_append(flatten->arena, flatten->chains, flatten->chain_count) = chain;
	return chain->name;
}

static struct ir_target target_of(struct flatten *flatten, const struct run *run,
				  const struct overlay_list *list)
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
				   list_chain(flatten, run, list) };
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

	if (count && wide_equal(wide_after(all->items[count - 1].last), element.first) &&
	    leads[count - 1] == lead && map->base) {
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
	for (struct wide value = atom.first; !wide_less(atom.last, value);
	     value = wide_after(value))
		add_element(flatten, map, (struct interval){ value, value }, lead);
}

static bool has_map(const struct flatten *flatten, const char *name)
{
	for (size_t i = 0; i < flatten->map_count; i++)
		if (!strcmp(flatten->maps[i]->base, name))
			return true;
	return false;
}

/* "prerouting.ip_daddr", or "prerouting_2.ip_daddr". A long chain is named by its digest: the
 * comment that names the map twice (emit/about.h) has room for 43 bytes each. */
static const char *map_name(struct flatten *flatten, const struct ir_match *key)
{
	enum { CHAIN = 17 };
	const char *chain = flatten->chain, *field, *name;
	struct buf out = { 0 };

	if (strlen(chain) > CHAIN)
		chain = arena_printf(flatten->arena, "map_%08" PRIx32, hash_text(HASH_TEXT, chain));
	key->ops->key->print(key, &out);
	field = arena_strdup(flatten->arena, buf_text(&out));
	for (char *c = (char *)field; *c; c++)
		if (*c == ' ')
			*c = '_';
	name = arena_printf(flatten->arena, "%s.%s", chain, field);
	for (unsigned int i = 2; has_map(flatten, name); i++)
		name = arena_printf(flatten->arena, "%s_%u.%s", chain, i, field);
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
	struct ir_set map = { 0 };
	uint32_t *leads = arena_alloc(flatten->arena, (overlay->list_count + 1) * sizeof(*leads));

	flatten->changed = true;
	if (key->type) {
		map.type = key->type(run->key);
		map.base = map_name(flatten, run->key);
	}
	for (size_t i = 0; i < overlay->list_count; i++)
		leads[i] = add_target(flatten, &map, target_of(flatten, run, &overlay->lists[i]));
	for (size_t i = 0; i < overlay->atom_count; i++)
		add_atom(flatten, &map, overlay->atoms[i].span, leads[overlay->atoms[i].list]);
	return shared_map(flatten, &map);
}
