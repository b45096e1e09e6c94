/*
 * trace: the rules of an ir, gathered under the author's they come from; see trace.h.
 *
 * In go places: two rules of the ir are the same rule of the author's when their origins begin at
 * the same byte of the same file.
 */
#include "ir/trace.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

/* A rule further down the chains outweighs any match in the one that led there. */
enum { DEPTH_WEIGHT = 1000 };

/* ---- gathering ---- */

struct authored {
	const struct ir_rule *rule;
	uint32_t *number;
};

static int compare_origins(const void *a, const void *b)
{
	const struct span *x = &((const struct authored *)a)->rule->origin;
	const struct span *y = &((const struct authored *)b)->rule->origin;

	if (x->source != y->source)
		return x->source->order < y->source->order ? -1 : 1;
	return x->begin < y->begin ? -1 : x->begin > y->begin;
}

static struct authored *list_authored(struct arena *arena, struct trace *trace, size_t *count)
{
	const struct ir *ir = trace->ir;
	struct authored *all = NULL;

	*count = 0;
	for (size_t i = 0; i < ir->chain_count; i++) {
		const struct ir_chain *chain = &ir->chains[i];

		trace->numbers[i] =
			arena_alloc(arena, (chain->rule_count + 1) * sizeof(**trace->numbers));
		for (size_t k = 0; k < chain->rule_count; k++)
			if (chain->rules[k].origin.source)
				*arena_append(arena, all, *count) =
					(struct authored){ &chain->rules[k],
							   &trace->numbers[i][k] };
	}
	return all;
}

static void rule_seen(struct ir_watch *watch, size_t chain, const struct ir_rule *rule, size_t held,
		      size_t depth);

struct trace *trace_new(struct arena *arena, const struct ir *ir)
{
	struct trace *trace = arena_new_of(arena, struct trace);
	struct authored *all;
	size_t count;

	trace->watch.rule = rule_seen;
	trace->ir = ir;
	trace->walker = ir_walker(arena, ir);
	trace->numbers = arena_alloc(arena, (ir->chain_count + 1) * sizeof(*trace->numbers));
	all = list_authored(arena, trace, &count);
	if (count)
		qsort(all, count, sizeof(*all), compare_origins);
	for (size_t i = 0; i < count; i++) {
		struct trace_rule rule = { .number = trace->rule_count, .sample = all[i].rule };

		if (!i || compare_origins(&all[i - 1], &all[i]))
			*arena_append(arena, trace->rules, trace->rule_count) = rule;
		*all[i].number = (uint32_t)trace->rule_count;
	}
	trace->seen = arena_alloc(arena, (trace->rule_count + 1) * sizeof(*trace->seen));
	trace->is_seen = arena_alloc(arena, (trace->rule_count + 1) * sizeof(*trace->is_seen));
	return trace;
}

/* ---- watching ---- */

static struct trace_rule *rule_of(struct trace *trace, size_t chain, const struct ir_rule *rule)
{
	uint32_t number = trace->numbers[chain][rule - trace->ir->chains[chain].rules];
	struct trace_rule *found = number ? &trace->rules[number - 1] : NULL;

	if (!found || trace->is_seen[found->number])
		return found;
	trace->is_seen[found->number] = true;
	trace->seen[trace->seen_count++] = found->number;
	found->took = false;
	found->failed = NULL;
	found->reach = 0;
	return found;
}

/* The author's condition that a chain of one condition's alternatives asks about. */
static const struct ir_match *condition_of(const struct ir_chain *chain, const struct ir_rule *rule)
{
	for (; rule < chain->rules + chain->rule_count; rule++)
		for (size_t i = 0; i < rule->match_count; i++)
			if (rule->matches[i].origin.source)
				return &rule->matches[i];
	return NULL;
}

static bool goes_back(const struct ir_rule *rule)
{
	return rule->statement_count && rule->statements[rule->statement_count - 1].op == IR_RETURN;
}

static void rule_seen(struct ir_watch *watch, size_t chain, const struct ir_rule *rule, size_t held,
		      size_t depth)
{
	struct trace *trace = (struct trace *)watch;
	struct trace_rule *found = rule_of(trace, chain, rule);
	size_t reach = depth * DEPTH_WEIGHT + held + 1;
	bool takes = held == rule->match_count;

	if (!found)
		return;
	if (takes && rule->decides)
		trace->decided = found;
	if (takes && trace->step_count < TRACE_STEPS)
		trace->steps[trace->step_count++] = (struct trace_step){ rule, found->number };
	if (takes && !goes_back(rule))
		reach = depth * DEPTH_WEIGHT + DEPTH_WEIGHT - 1;
	if (reach <= found->reach)
		return;
	found->reach = reach;
	found->took = takes && !goes_back(rule);
	if (takes)
		found->failed = goes_back(rule) ? condition_of(&trace->ir->chains[chain], rule)
						: NULL;
	else
		found->failed = &rule->matches[held];
}

const struct trace_rule *trace_packet(struct trace *trace, const struct ir_packet *packet)
{
	for (size_t i = 0; i < trace->seen_count; i++)
		trace->is_seen[trace->seen[i]] = false;
	trace->seen_count = 0;
	trace->step_count = 0;
	trace->decided = NULL;
	trace->outcome = ir_walk(trace->walker, packet, &trace->watch);
	return trace->decided;
}

/* ---- guarantees ---- */

/* A remark stands above the first of several rules that belong together. */
const char *trace_guarantee(const struct trace *trace)
{
	const struct ir_chain *chain = trace->outcome.base;

	if (!chain || trace->outcome.last >= chain->rule_count)
		return NULL;
	for (size_t i = trace->outcome.last + 1; i; i--) {
		const struct ir_rule *rule = &chain->rules[i - 1];

		if (rule->origin.source)
			return NULL;
		if (rule->remark)
			return rule->remark;
	}
	return NULL;
}

bool trace_fits_behind(const struct trace *trace, const struct ir_packet *packet,
		       struct span origin)
{
	const struct ir_chain *chain = trace->outcome.base;

	for (size_t i = trace->outcome.last + 1; chain && i < chain->rule_count; i++) {
		const struct ir_rule *rule = &chain->rules[i];

		if (rule->decides && rule->origin.source == origin.source &&
		    rule->origin.begin == origin.begin && ir_rule_takes(rule, packet))
			return true;
	}
	return false;
}
