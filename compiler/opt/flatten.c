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

#include "base/arena.h"
#include "opt/map.h"
#include "opt/run.h"

enum {
	RUN_LEAST = 2,
	/* Rules in chains for a run of n rules: no more than LISTS * n + LISTS_MORE. */
	LISTS = 4,
	LISTS_MORE = 64,
	/* A map holds what the sets of its rules hold: big sets stay sets, which other rules ask
	 * too, unless many rules share the map. */
	ELEMENTS_A_RULE = 1 << 16,
};

static const struct span nowhere;

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

/* The row stands in the place of its first rule. */
static void describe(struct flatten *flatten, struct ir_rule *rule, const struct run *run)
{
	const struct ir_rule *first = NULL, *last = NULL;

	for (size_t i = 0; i < run->count; i++) {
		if (!run->rules[i]->origin.source)
			continue;
		first = first ? first : run->rules[i];
		last = run->rules[i];
	}
	rule->origin = first ? first->origin : nowhere;
	if (first && first->remark && last->remark)
		rule->remark =
			arena_printf(flatten->arena,
				     "\"%s\" to \"%s\": the first rule that takes the packet",
				     first->remark, last->remark);
}

static void put_lookup(struct flatten *flatten, struct result *out, const struct run *run,
		       const struct ir_set *map)
{
	struct ir_rule *rule = arena_append(flatten->arena, out->rules, out->count);
	struct ir_match *key = arena_new_of(flatten->arena, struct ir_match);

	*key = *run->key;
	rule->match_count = run->common_count;
	rule->matches = (struct ir_match *)run->common;
	rule->statements = arena_new_of(flatten->arena, struct ir_statement);
	rule->statement_count = 1;
	rule->statements[0] = (struct ir_statement){ .op = IR_LOOKUP, .key = key, .map = map };
	describe(flatten, rule, run);
	out->changed = true;
}

/* Makes a map of the run, or of as much of its beginning as fits. How many rules it takes in; 0:
 * none. */
static bool fold_run(struct flatten *flatten, struct result *out, const struct ir_rule **rules,
		     size_t count, const struct ir_match *key)
{
	struct run run = run_make(flatten, rules, count, key);
	const struct interval_set **sets =
		arena_alloc(flatten->scratch, count * sizeof(struct interval_set *));
	struct overlay overlay;

	if (run.elements > count * ELEMENTS_A_RULE)
		return false;
	for (size_t i = 0; i < count; i++)
		sets[i] = &run.members[i];
	if (!overlay_make(flatten->scratch, sets, run.ends, count, LISTS * count + LISTS_MORE,
			  &overlay))
		return false;
	put_lookup(flatten, out, &run, map_make(flatten, &run, &overlay));
	return true;
}

static size_t fold(struct flatten *flatten, struct result *out, const struct ir_rule **rules,
		   size_t count, const struct ir_match *key)
{
	bool done = false;

	while (!done && count_origins(rules, count) >= RUN_LEAST) {
		flatten->scratch = arena_new();
		done = fold_run(flatten, out, rules, count, key);
		arena_free(flatten->scratch);
		count = done ? count : count / 2;
	}
	return done ? count : 0;
}

/* Where a long run did not fit into a map, the next attempt begins with twice what did. */
static struct result flatten_row(struct flatten *flatten, const struct row *row)
{
	struct result out = { 0 };
	size_t most = row->count;

	for (size_t i = 0; i < row->count;) {
		const struct ir_match *key = NULL;
		size_t length = run_longest(flatten, row->rules + i, row->count - i, &key);
		size_t begin = length < most ? length : most;
		size_t folded = length ? fold(flatten, &out, row->rules + i, begin, key) : 0;

		if (!folded)
			copy_rule(flatten, &out, row->rules[i]);
		else
			most = 2 * folded;
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

	flatten->chain = chain->name;
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
