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

enum ir_verdict { VERDICT_ACCEPT, VERDICT_DROP, VERDICT_REJECT };

struct ir_outcome {
	enum ir_verdict verdict;
	uint32_t mark;                 /* the packet's mark at the end */
	const struct ir_class *way;    /* what that mark means, NULL for the main table */
	const struct ir_rule *decided; /* the last rule of the author's that took the packet, or
					  NULL */
	bool balanced;                 /* the way is one of several that a weighted choice gives */
};

struct ir_outcome ir_evaluate(const struct ir *ir, const struct ir_packet *packet);

#endif
