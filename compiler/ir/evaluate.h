/*
 * evaluate: what the chains of an ir do with one packet: the same walk that the kernel does.
 *
 * It begins in the base chain of the packet's scope (prerouting or output at the policy's
 * priority), follows goto, jump and dispatch, and ends with a verdict. A tproxy statement always
 * finds its listener here, no limit is exceeded. A packet's connection has no history: it is a
 * first packet.
 */
#ifndef TPC_IR_EVALUATE_H
#define TPC_IR_EVALUATE_H

#include "ir/ir.h"

struct arena;

enum ir_verdict { VERDICT_ACCEPT, VERDICT_DROP, VERDICT_REJECT };

struct ir_outcome {
	enum ir_verdict verdict;
	uint32_t mark, ct_mark;            /* the packet's, and its connection's, at the end */
	const struct ir_class *class;      /* what that mark means, NULL for the main table */
	const struct ir_rule *decided;     /* the last rule of the author's that took the packet, or
					      NULL */
	const struct ir_statement *choice; /* the weighted choice that gives the class: `class` and
					      `mark` are then those of its first case; or NULL */
	const struct ir_chain *base;       /* where the walk began; NULL: no rules for this scope */
	size_t last; /* the rule of it that ended the walk; its rule_count: none did */
};

/* Told of every rule that the walk comes to. */
struct ir_watch {
	/* The rule stands in ir->chains[chain], `depth` steps from the base chain; its first `held`
	 * matches hold: all of them in a rule that takes the packet. */
	void (*rule)(struct ir_watch *watch, size_t chain, const struct ir_rule *rule, size_t held,
		     size_t depth);
};

/* An ir made ready for many packets. It lives in the arena and reads the ir. */
struct ir_walker;
const struct ir_walker *ir_walker(struct arena *arena, const struct ir *ir);

/* `watch` may be NULL. */
struct ir_outcome ir_walk(const struct ir_walker *walker, const struct ir_packet *packet,
			  struct ir_watch *watch);
/* The class of the packets that a choice sends to its nth case. */
const struct ir_class *ir_walk_case(const struct ir_walker *walker, const struct ir_packet *packet,
				    const struct ir_statement *choice, size_t nth);
/* Do all matches of the rule hold? */
bool ir_rule_takes(const struct ir_rule *rule, const struct ir_packet *packet);

#endif
