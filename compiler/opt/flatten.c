/*
 * flatten: finds runs of rules that ask for the same field, and lays the values they ask for over
 * one another (addr/overlay.h): every value has the list of the rules that may take it, in their
 * order. Where the first of them takes it without asking more, the map says what becomes of it; a
 * longer list is a chain, which the map jumps to and which comes back when none of it takes the
 * packet. So what becomes of a packet stays the same, whatever overlaps.
 *
 * Rules about one family and rules about the other never meet the same packet: they are two rows.
 * A rule that does not fit into a run stays where it is.
 */
#include "opt/flatten.h"

#include <string.h>

#include "addr/overlay.h"
#include "base/arena.h"
#include "base/buf.h"

enum {
	RUN_LEAST = 2,
	/* Rules in chains for a run of n rules: no more than LISTS * n + LISTS_MORE. */
	LISTS = 4,
	LISTS_MORE = 64,
	/* A map holds what the sets of its rules hold: big sets stay sets, which other rules ask
	 * too, unless many rules share the map. */
	ELEMENTS_A_RULE = 1 << 16,
	/* Chains lead to chains 16 deep at most: NFT_JUMP_STACK_SIZE, linux/netfilter/nf_tables.h.
	 */
	DEPTH = 12,
};

static const struct span nowhere;

/* Rules in a row that look up one field. */
struct run {
	const struct ir_rule **rules;
	size_t count;
	const struct ir_match *key; /* of the first rule */
	struct interval_set *members;
	bool *ends;
	size_t elements;
};

/* ---- what a rule does ---- */

static const struct ir_chain *find_chain(const struct flatten *flatten, const char *name)
{
	for (size_t i = 0; i < flatten->chain_count; i++)
		if (!strcmp(flatten->chains[i]->name, name))
			return flatten->chains[i];
	return NULL;
}

static const struct ir_statement *last_statement(const struct ir_rule *rule)
{
	return rule->statement_count ? &rule->statements[rule->statement_count - 1] : NULL;
}

/* Does no packet come back from the chain? */
static bool is_final(const struct flatten *flatten, const char *name, unsigned int depth)
{
	const struct ir_chain *chain = find_chain(flatten, name);

	for (size_t i = 0; chain && depth && i < chain->rule_count; i++) {
		const struct ir_rule *rule = &chain->rules[i];
		const struct ir_statement *last = last_statement(rule);

		for (size_t k = 0; k < rule->statement_count; k++)
			if (rule->statements[k].op == IR_RETURN)
				return false;
		if (rule->match_count || rule->statement_count != 1)
			continue;
		if (last->op == IR_GOTO)
			return is_final(flatten, last->chain, depth - 1);
		if (last->op == IR_ACCEPT || last->op == IR_DROP || last->op == IR_REJECT)
			return true;
	}
	return false;
}

/* May the statement stand in a chain that the rule's own chain jumps to? What counts for itself
 * (a rate, a choice in turn) may not stand in several. */
static bool may_move(const struct flatten *flatten, const struct ir_statement *statement)
{
	switch (statement->op) {
	case IR_SET_MARK:
	case IR_SET_CT_MARK:
	case IR_COUNT:
	case IR_LOG:
	case IR_ACCEPT:
	case IR_DROP:
	case IR_REJECT:
	case IR_JUMP:
		return true;
	case IR_GOTO:
		return is_final(flatten, statement->chain, DEPTH);
	case IR_TPROXY:
	case IR_REDIRECT:
	case IR_DNAT:
	case IR_MASQUERADE:
	case IR_SNAT:
	case IR_CLAMP_MSS:
	case IR_RETURN:
	case IR_DISPATCH:
	case IR_OVER:
	case IR_BALANCE:
	case IR_LOOKUP:
		return false;
	}
	return false;
}

static bool may_move_all(const struct flatten *flatten, const struct ir_rule *rule)
{
	for (size_t i = 0; i < rule->statement_count; i++)
		if (!may_move(flatten, &rule->statements[i]))
			return false;
	return rule->statement_count > 0;
}

/* Does a packet that fits the rule go no further? */
static bool ends_packet(const struct ir_rule *rule)
{
	enum ir_op op = last_statement(rule)->op;

	for (size_t i = 0; i + 1 < rule->statement_count; i++)
		if (rule->statements[i].op == IR_JUMP)
			return false;
	return op == IR_ACCEPT || op == IR_DROP || op == IR_REJECT || op == IR_GOTO;
}

/* ---- what a rule asks ---- */

static const struct ir_match *match_of(const struct ir_rule *rule, const struct ir_match *key)
{
	for (size_t i = 0; i < rule->match_count; i++)
		if (rule->matches[i].ops->key && ir_match_same_key(&rule->matches[i], key))
			return &rule->matches[i];
	return NULL;
}

/* What the rule asks beside the values of the field, as matches; how many. */
static size_t put_rest(struct flatten *flatten, const struct ir_rule *rule,
		       const struct ir_match *match, struct ir_match *out)
{
	const struct ir_key *key = match->ops->key;
	struct ir_match rest;
	size_t count = 0;

	if (key->rest && key->rest(flatten->arena, match, &rest))
		out[count++] = rest;
	for (size_t i = 0; i < rule->match_count; i++)
		if (&rule->matches[i] != match)
			out[count++] = rule->matches[i];
	return count;
}

static bool has_rest(struct flatten *flatten, const struct ir_rule *rule,
		     const struct ir_match *match)
{
	struct ir_match rest;

	return rule->match_count > 1 ||
	       (match->ops->key->rest && match->ops->key->rest(flatten->arena, match, &rest));
}

/* A mark that a rule of the run may write cannot be looked up for all of them at once. */
static bool may_join(const struct flatten *flatten, const struct ir_rule *rule,
		     const struct ir_match *key)
{
	return may_move_all(flatten, rule) && (!key->mask || ends_packet(rule));
}

static size_t run_length(struct flatten *flatten, const struct ir_rule **rules, size_t count,
			 const struct ir_match *key)
{
	size_t length = 0;

	while (length < count) {
		const struct ir_match *match = match_of(rules[length], key);

		if (!match || !may_join(flatten, rules[length], key) ||
		    !match->ops->key->members(flatten->arena, match, NULL))
			break;
		length++;
	}
	return length;
}

/* How many of the author's rules are among them? */
static size_t count_origins(const struct ir_rule **rules, size_t count)
{
	struct span last = nowhere;
	size_t origins = 0;

	for (size_t i = 0; i < count; i++) {
		struct span origin = rules[i]->origin;

		if (!origin.source || (origin.source == last.source && origin.begin == last.begin))
			continue;
		last = origin;
		origins++;
	}
	return origins;
}

/* The field that most rules from here on look up. */
static size_t longest_run(struct flatten *flatten, const struct ir_rule **rules, size_t count,
			  const struct ir_match **key)
{
	size_t longest = 0;

	for (size_t i = 0; i < rules[0]->match_count; i++) {
		const struct ir_match *match = &rules[0]->matches[i];
		size_t length = match->ops->key ? run_length(flatten, rules, count, match) : 0;

		if (length > longest) {
			longest = length;
			*key = match;
		}
	}
	return longest;
}

static struct run make_run(struct flatten *flatten, const struct ir_rule **rules, size_t count,
			   const struct ir_match *key)
{
	struct run run = { .rules = rules, .count = count, .key = key };

	run.members = arena_alloc(flatten->arena, count * sizeof(*run.members));
	run.ends = arena_alloc(flatten->arena, count * sizeof(*run.ends));
	for (size_t i = 0; i < count; i++) {
		const struct ir_match *match = match_of(rules[i], key);

		match->ops->key->members(flatten->arena, match, &run.members[i]);
		run.elements += run.members[i].count;
		run.ends[i] = ends_packet(rules[i]) && !has_rest(flatten, rules[i], match);
	}
	return run;
}

/* ---- chains and maps ---- */

static bool same_text(const struct ir_rule *a, const struct ir_rule *b)
{
	struct buf left = { 0 }, right = { 0 };
	bool same = a->match_count == b->match_count;

	for (size_t i = 0; same && i < a->match_count; i++) {
		left.length = right.length = 0;
		a->matches[i].ops->print(&a->matches[i], &left);
		b->matches[i].ops->print(&b->matches[i], &right);
		same = !strcmp(buf_text(&left), buf_text(&right));
	}
	buf_free(&left);
	buf_free(&right);
	return same;
}

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
	    a->statement_count != b->statement_count || !same_text(a, b))
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

static struct ir_rule moved_rule(struct flatten *flatten, const struct run *run, size_t index)
{
	struct ir_rule rule = *run->rules[index];

	rule.matches = arena_alloc(flatten->arena, (rule.match_count + 1) * sizeof(*rule.matches));
	rule.match_count = put_rest(flatten, run->rules[index],
				    match_of(run->rules[index], run->key), rule.matches);
	return rule;
}

static const char *list_chain(struct flatten *flatten, const struct run *run,
			      const struct overlay_list *list, size_t first_list)
{
	struct ir_chain chain = { 0 }, *out;

	for (size_t i = 0; i < list->count; i++)
		*arena_append(flatten->arena, chain.rules, chain.rule_count) =
			moved_rule(flatten, run, list->sets[i]);
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
	const struct ir_statement *last = last_statement(first);

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

static const struct ir_set *make_map(struct flatten *flatten, const struct run *run,
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

/* ---- rules ---- */

struct row {
	const struct ir_rule **rules;
	size_t count;
};

struct result {
	struct ir_rule *rules;
	size_t count;
	bool changed;
};

static void copy_rule(struct flatten *flatten, struct result *out, const struct ir_rule *rule)
{
	*arena_append(flatten->arena, out->rules, out->count) = *rule;
}

static void put_lookup(struct flatten *flatten, struct result *out, const struct run *run,
		       const struct ir_set *map)
{
	struct ir_rule *rule = arena_append(flatten->arena, out->rules, out->count);
	struct ir_match *key = arena_new_of(flatten->arena, struct ir_match);

	*key = *run->key;
	rule->statements = arena_new_of(flatten->arena, struct ir_statement);
	rule->statement_count = 1;
	rule->statements[0] = (struct ir_statement){ .op = IR_LOOKUP, .key = key, .map = map };
	rule->origin = nowhere;
	for (size_t i = 0; i < run->count && !rule->origin.source; i++)
		rule->origin = run->rules[i]->origin;
	rule->remark =
		arena_printf(flatten->arena,
			     "and what follows: of %zu rules the first that takes the packet",
			     run->count);
	out->changed = true;
}

/* Makes a map of the run, or of as much of its beginning as fits. How many rules it takes in; 0:
 * none. */
static size_t fold(struct flatten *flatten, struct result *out, const struct ir_rule **rules,
		   size_t count, const struct ir_match *key)
{
	for (; count_origins(rules, count) >= RUN_LEAST; count /= 2) {
		struct run run = make_run(flatten, rules, count, key);
		const struct interval_set **sets =
			arena_alloc(flatten->arena, count * sizeof(struct interval_set *));
		struct overlay overlay;

		if (run.elements > count * ELEMENTS_A_RULE)
			continue;
		for (size_t i = 0; i < count; i++)
			sets[i] = &run.members[i];
		if (!overlay_make(flatten->arena, sets, run.ends, count, LISTS * count + LISTS_MORE,
				  &overlay))
			continue;
		put_lookup(flatten, out, &run, make_map(flatten, &run, &overlay));
		return count;
	}
	return 0;
}

static struct result flatten_row(struct flatten *flatten, const struct row *row)
{
	struct result out = { 0 };

	for (size_t i = 0; i < row->count;) {
		const struct ir_match *key = NULL;
		size_t length = longest_run(flatten, row->rules + i, row->count - i, &key);
		size_t folded = length ? fold(flatten, &out, row->rules + i, length, key) : 0;

		if (!folded)
			copy_rule(flatten, &out, row->rules[i]);
		i += folded ? folded : 1;
	}
	return out;
}

/* The family that the rule is about, or -1. */
static int family_of(const struct ir_rule *rule)
{
	for (size_t i = 0; i < rule->match_count; i++)
		if (rule->matches[i].ops->by_family)
			return (int)rule->matches[i].family;
	return -1;
}

static void add_row(struct flatten *flatten, struct result *out, const struct ir_chain *chain,
		    size_t from, size_t to, int family)
{
	struct row row = { 0 };
	struct result part;

	for (size_t i = from; i < to; i++)
		if (family_of(&chain->rules[i]) == family)
			*arena_append(flatten->arena, row.rules, row.count) = &chain->rules[i];
	part = flatten_row(flatten, &row);
	for (size_t i = 0; i < part.count; i++)
		copy_rule(flatten, out, &part.rules[i]);
	out->changed |= part.changed;
}

/* Where nothing became a map the rules keep the order they had. */
static void add_stretch(struct flatten *flatten, struct result *out, const struct ir_chain *chain,
			size_t from, size_t to)
{
	struct result part = { 0 };

	if (family_of(&chain->rules[from]) < 0) {
		add_row(flatten, out, chain, from, to, -1);
		return;
	}
	for (int family = 0; family < ADDR_FAMILIES; family++)
		add_row(flatten, &part, chain, from, to, family);
	for (size_t i = 0; i < to - from && !part.changed; i++)
		copy_rule(flatten, out, &chain->rules[from + i]);
	for (size_t i = 0; i < part.count && part.changed; i++)
		copy_rule(flatten, out, &part.rules[i]);
	out->changed |= part.changed;
}

void flatten_chain(struct flatten *flatten, struct ir_chain *chain)
{
	struct result out = { 0 };

	for (size_t from = 0, to; from < chain->rule_count; from = to) {
		bool bound = family_of(&chain->rules[from]) >= 0;

		for (to = from + 1; to < chain->rule_count; to++)
			if ((family_of(&chain->rules[to]) >= 0) != bound)
				break;
		add_stretch(flatten, &out, chain, from, to);
	}
	chain->rules = out.rules;
	chain->rule_count = out.count;
}
