/*
 * run: what a rule does and what it asks, for who wants to move it.
 */
#include "opt/run.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"

/* Chains lead to chains 16 deep at most: NFT_JUMP_STACK_SIZE, linux/netfilter/nf_tables.h. */
enum { DEPTH = 12 };

/* ---- what a rule does ---- */

static const struct ir_chain *find_chain(const struct flatten *flatten, const char *name)
{
	for (size_t i = 0; i < flatten->chain_count; i++)
		if (!strcmp(flatten->chains[i]->name, name))
			return flatten->chains[i];
	return NULL;
}

const struct ir_statement *run_last(const struct ir_rule *rule)
{
	return rule->statement_count ? &rule->statements[rule->statement_count - 1] : NULL;
}

/* Does no packet come back from the chain? */
static bool is_final(const struct flatten *flatten, const char *name, unsigned int depth)
{
	const struct ir_chain *chain = find_chain(flatten, name);

	for (size_t i = 0; chain && depth && i < chain->rule_count; i++) {
		const struct ir_rule *rule = &chain->rules[i];
		const struct ir_statement *last = run_last(rule);

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
	case IR_PIN:
	case IR_MASQUERADE:
	case IR_SNAT:
	case IR_CLAMP_MSS:
	case IR_RETURN:
	case IR_DISPATCH:
	case IR_OVER:
	case IR_BALANCE:
	case IR_LOOKUP:
	case IR_REMEMBER:
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
	enum ir_op op = run_last(rule)->op;

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

/* Do both print the same? */
static bool same_words(const struct ir_match *a, size_t a_count, const struct ir_match *b,
		       size_t b_count)
{
	struct buf left = { 0 }, right = { 0 };
	bool same = a_count == b_count;

	for (size_t i = 0; same && i < a_count; i++) {
		left.length = right.length = 0;
		a[i].ops->print(&a[i], &left);
		b[i].ops->print(&b[i], &right);
		same = a[i].set == b[i].set && !strcmp(buf_text(&left), buf_text(&right));
	}
	buf_free(&left);
	buf_free(&right);
	return same;
}

/* The rule's conditions other than the field, as matches; how many. */
static size_t put_rest(struct flatten *flatten, const struct ir_rule *rule,
		       const struct ir_match *match, struct ir_match *out)
{
	const struct ir_key *key = match->ops->key;
	struct ir_match rest;
	size_t count = 0;

	for (size_t i = 0; i < rule->match_count; i++)
		if (&rule->matches[i] != match)
			out[count++] = rule->matches[i];
	if (!key->rest || !key->rest(flatten->arena, match, &rest))
		return count;
	for (size_t i = 0; i < count; i++)
		if (same_words(&out[i], 1, &rest, 1))
			return count;
	out[count++] = rest;
	return count;
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

size_t run_longest(struct flatten *flatten, const struct ir_rule **rules, size_t count,
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

/* Do all rules have the same other conditions? Then they are matched once, before the map. */
static void find_common(struct flatten *flatten, struct run *run)
{
	struct ir_match *common = NULL;
	size_t count = 0;

	for (size_t i = 0; i < run->count; i++) {
		const struct ir_match *match = match_of(run->rules[i], run->key);
		struct ir_match *rest = arena_alloc(flatten->arena, (run->rules[i]->match_count +
								     1) * sizeof(*rest));
		size_t rest_count = put_rest(flatten, run->rules[i], match, rest);

		if (i && !same_words(common, count, rest, rest_count))
			return;
		common = rest;
		count = rest_count;
	}
	run->common = common;
	run->common_count = count;
}

struct run run_make(struct flatten *flatten, const struct ir_rule **rules, size_t count,
		    const struct ir_match *key)
{
	struct run run = { .rules = rules, .count = count, .key = key };

	find_common(flatten, &run);
	run.members = arena_alloc(flatten->scratch, count * sizeof(*run.members));
	run.ends = arena_alloc(flatten->scratch, count * sizeof(*run.ends));
	for (size_t i = 0; i < count; i++) {
		const struct ir_match *match = match_of(rules[i], key);

		match->ops->key->members(flatten->scratch, match, &run.members[i]);
		run.elements += run.members[i].count;
		run.ends[i] = ends_packet(rules[i]) &&
			      !run_rest(flatten, flatten->scratch, &run, i).match_count;
	}
	return run;
}

struct ir_rule run_rest(struct flatten *flatten, struct arena *arena, const struct run *run,
			size_t index)
{
	struct ir_rule rule = *run->rules[index];

	rule.matches = arena_alloc(arena, (rule.match_count + 1) * sizeof(*rule.matches));
	rule.match_count = 0;
	if (!run->common)
		rule.match_count = put_rest(flatten, run->rules[index],
					    match_of(run->rules[index], run->key), rule.matches);
	return rule;
}
