/*
 * reach: which ways packets can take of which only some fields are known: what a rule asks for
 * beside those is taken to hold.
 */
#ifndef TPC_IR_REACH_H
#define TPC_IR_REACH_H

#include "ir/ir.h"

struct arena;

/*
 * The ways in `ways`, one for each of ir->classes, become true that first packets can take whose
 * fields lie between those of `least` and `most`. What is not known in these may be anything, but
 * for the family, the protocol, the marks and the scope.
 */
void ir_reach(struct arena *arena, const struct ir *ir, const struct ir_packet *least,
	      const struct ir_packet *most, bool *ways);

#endif
