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

/* A rule of the author's, or a default. */
struct trace_rule {
	const struct ir_authored *author;
	bool is_default;
	bool lowered;        /* there are rules of the ir for it; if not, no packet can fit it */
	unsigned int packet; /* the last one that came to it; what follows is about that */
	bool took;           /* it took the packet, to decide or to go on */
	const struct ir_match *failed; /* the first match that did not hold; NULL when it took */
	size_t reach;                  /* how far the one got that `failed` belongs to */
};

/* A rule of the ir that took the packet. */
struct trace_step {
	const struct ir_rule *rule;
	const struct trace_rule *of;
};

enum { TRACE_STEPS = 64 };

struct trace {
	struct ir_watch watch;
	const struct ir *ir;
	const struct ir_walker *walker;
	enum addr_family family;       /* of the packet */
	struct trace_rule ***rules_of; /* by chain and place in it; NULL: none of the author's */
	struct trace_rule *rules;      /* in the author's order, the defaults last */
	size_t rule_count;
	/* of the last packet: */
	unsigned int packet; /* its number */
	struct ir_outcome outcome;
	const struct trace_rule *decided;     /* the author's rule that decided, or NULL */
	struct trace_step steps[TRACE_STEPS]; /* the first so many */
	size_t step_count;
};

struct trace *trace_new(struct arena *arena, const struct ir *ir);
void trace_packet(struct trace *trace, const struct ir_packet *packet);
/* Did the last packet come to the rule? */
bool trace_came_to(const struct trace *trace, const struct trace_rule *rule);
/*
 * Of a packet that no rule decided about: the guarantee that ended its way, in the words that stand
 * above it in the ir; NULL when the rules came to their end.
 */
const char *trace_guarantee(const struct trace *trace);
/* Would the author's rule take the packet, if none before it did? It stands after the rule that
 * ended the walk. */
bool trace_fits_after(const struct trace *trace, const struct ir_packet *packet,
		      const struct trace_rule *rule);

#endif
