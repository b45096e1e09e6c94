/*
 * trace: what became of a packet at each of the author's rules.
 *
 * One rule of the author's may be many in the ir (a family, an alternative, a chain of its own
 * each); here they are one again. Of those that did not take the packet the one counts that got
 * furthest, and its first match that did not hold is the reason. A trace is made once and used for
 * many packets.
 */
#ifndef TPC_IR_TRACE_H
#define TPC_IR_TRACE_H

#include "ir/evaluate.h"

struct arena;

/* A rule of the author's, or the policy's default. */
struct trace_rule {
	size_t number;                 /* its place among all of the ir: 0, 1 ... */
	const struct ir_rule *sample;  /* any of its rules in the ir: origin, name (remark),
					  otherwise */
	bool took;                     /* it took the packet, to decide or to go on */
	const struct ir_match *failed; /* the first match that did not hold; NULL when it took */
	size_t reach;                  /* how far the one got that `failed` belongs to */
};

/* A rule of the ir that took the packet. */
struct trace_step {
	const struct ir_rule *rule;
	size_t number; /* of the author's rule that it belongs to */
};

enum { TRACE_STEPS = 64 };

struct trace {
	struct ir_watch watch;
	const struct ir *ir;
	const struct ir_walker *walker;
	uint32_t **numbers; /* by chain and place in it: the author's rule, from 1; 0: none */
	struct trace_rule *rules;
	size_t rule_count;
	/* of the last packet: */
	struct ir_outcome outcome;
	size_t *seen; /* numbers of rules, in the order the packet came to them */
	size_t seen_count;
	bool *is_seen;
	const struct trace_rule *decided;
	struct trace_step steps[TRACE_STEPS]; /* the first so many */
	size_t step_count;
};

struct trace *trace_new(struct arena *arena, const struct ir *ir);
/* The author's rule that decided, or NULL. */
const struct trace_rule *trace_packet(struct trace *trace, const struct ir_packet *packet);
/*
 * Of a packet that no rule decided about: the guarantee that ended its way, in the words that stand
 * above it in the ir; NULL when the rules came to their end.
 */
const char *trace_guarantee(const struct trace *trace);
/* Would the author's rule with this origin take the packet, if none before it did? It stands behind
 * the rule that ended the walk. */
bool trace_fits_behind(const struct trace *trace, const struct ir_packet *packet,
		       struct span origin);

#endif
