/*
 * trace: the rules of an ir, gathered under the author's they come from; see trace.h.
 *
 * A rule of the ir belongs to the author's that begins at the same byte of the same file.
 */
#include "ir/trace.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

/* A rule further down the chains outweighs any match in the one that led there. */
enum { DEPTH_WEIGHT = 1000 };

/* ---- gathering ---- */

static int compare_spans(const struct span *a, const struct span *b)
{
	if (a->source != b->source)
		return (uintptr_t)a->source < (uintptr_t)b->source ? -1 : 1;
	return a->begin < b->begin ? -1 : a->begin > b->begin;
}

static int compare_rules(const void *a, const void *b)
{
	return compare_spans(&(*(struct trace_rule *const *)a)->author->origin,
			     &(*(struct trace_rule *const *)b)->author->origin);
}

static int compare_origin(const void *origin, const void *rule)
{
	return compare_spans(origin, &(*(struct trace_rule *const *)rule)->author->origin);
}

static void list_rules(struct arena *arena, struct trace *trace)
{
	const struct ir *ir = trace->ir;
	const struct ir_authored *defaults[] = { &ir->default_forward, &ir->default_local };

	trace->rules = arena_alloc(arena, (ir->authored_count + 2) * sizeof(*trace->rules));
	for (size_t i = 0; i < ir->authored_count; i++)
		trace->rules[trace->rule_count++].author = &ir->authored[i];
	for (size_t i = 0; i < 2; i++)
		if (defaults[i]->origin.source)
			trace->rules[trace->rule_count++] =
				(struct trace_rule){ .author = defaults[i], .is_default = true };
}

/* The author's rules by their places. */
static struct trace_rule **sort_rules(struct arena *arena, const struct trace *trace)
{
	struct trace_rule **sorted =
		arena_alloc(arena, (trace->rule_count + 1) * sizeof(struct trace_rule *));

	for (size_t i = 0; i < trace->rule_count; i++)
		sorted[i] = &trace->rules[i];
	qsort(sorted, trace->rule_count, sizeof(*sorted), compare_rules);
	return sorted;
}

static void gather(struct arena *arena, struct trace *trace, size_t chain,
		   struct trace_rule *const *sorted)
{
	const struct ir_chain *from = &trace->ir->chains[chain];
	struct trace_rule **out = arena_alloc(arena, (from->rule_count + 1) * sizeof(*out));

	for (size_t i = 0; i < from->rule_count; i++) {
		const struct span *origin = &from->rules[i].origin;
		struct trace_rule *const *found =
			origin->source ? bsearch(origin, sorted, trace->rule_count, sizeof(*sorted),
						 compare_origin)
				       : NULL;

		out[i] = found ? *found : NULL;
		if (found)
			(*found)->lowered = true;
	}
	trace->rules_of[chain] = out;
}

static void rule_seen(struct ir_watch *watch, size_t chain, const struct ir_rule *rule, size_t held,
		      size_t depth);

struct trace *trace_new(struct arena *arena, const struct ir *ir)
{
	struct trace *trace = arena_new_of(arena, struct trace);
	struct trace_rule **sorted;

	trace->watch.rule = rule_seen;
	trace->ir = ir;
	trace->walker = ir_walker(arena, ir);
	trace->rules_of = arena_alloc(arena, (ir->chain_count + 1) * sizeof(*trace->rules_of));
	list_rules(arena, trace);
	sorted = sort_rules(arena, trace);
	for (size_t i = 0; i < ir->chain_count; i++)
		gather(arena, trace, i, sorted);
	return trace;
}

/* ---- watching ---- */

bool trace_came_to(const struct trace *trace, const struct trace_rule *rule)
{
	return rule->packet == trace->packet;
}

static struct trace_rule *rule_of(struct trace *trace, size_t chain, const struct ir_rule *rule)
{
	struct trace_rule *found = trace->rules_of[chain][rule - trace->ir->chains[chain].rules];

	if (!found || trace_came_to(trace, found))
		return found;
	found->packet = trace->packet;
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

static void note_taken(struct trace *trace, struct trace_rule *found, const struct ir_rule *rule)
{
	if (rule->decides)
		trace->decided = found;
	if (trace->step_count < TRACE_STEPS)
		trace->steps[trace->step_count++] = (struct trace_step){ rule, found };
}

/* Did it fail by what a packet of its family may not be? The other family's fails there, too. */
static bool is_excluded(const struct trace *trace, const struct ir_rule *rule, size_t held)
{
	return held < rule->match_count && rule->matches[held].unless &&
	       rule->matches[held].family == trace->family;
}

static void rule_seen(struct ir_watch *watch, size_t chain, const struct ir_rule *rule, size_t held,
		      size_t depth)
{
	struct trace *trace = (struct trace *)watch;
	struct trace_rule *found = rule_of(trace, chain, rule);
	bool takes = held == rule->match_count, back = takes && goes_back(rule);
	size_t reach = depth * DEPTH_WEIGHT + (takes && !back ? DEPTH_WEIGHT - 1 : held + 1);

	/* What would have led back and did not is no condition that failed. */
	if (!found || (!takes && goes_back(rule)))
		return;
	if (takes)
		note_taken(trace, found, rule);
	if (reach < found->reach || (reach == found->reach && !is_excluded(trace, rule, held)))
		return;
	found->reach = reach;
	found->took = takes && !back;
	found->failed = back    ? condition_of(&trace->ir->chains[chain], rule)
			: takes ? NULL
				: &rule->matches[held];
}

void trace_packet(struct trace *trace, const struct ir_packet *packet)
{
	trace->packet++;
	trace->family = packet->family;
	trace->step_count = 0;
	trace->decided = NULL;
	trace->outcome = ir_walk(trace->walker, packet, &trace->watch);
}

/* ---- guarantees ---- */

/* A remark stands above the first of several rules that belong together. */
const char *trace_guarantee(const struct trace *trace)
{
	const struct ir_chain *chain = trace->outcome.base;

	if (trace->decided || !chain || trace->outcome.last >= chain->rule_count)
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

bool trace_fits_after(const struct trace *trace, const struct ir_packet *packet,
		      const struct trace_rule *rule)
{
	const struct ir_chain *chain = trace->outcome.base;
	size_t number = chain ? (size_t)(chain - trace->ir->chains) : 0;

	for (size_t i = trace->outcome.last + 1; chain && i < chain->rule_count; i++)
		if (trace->rules_of[number][i] == rule && chain->rules[i].decides &&
		    ir_rule_takes(&chain->rules[i], packet))
			return true;
	return false;
}
