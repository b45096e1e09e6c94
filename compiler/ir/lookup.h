/*
 * lookup: which ip rule and which route of an ir a packet meets: the kernel's walk through the
 * rules of its policy routing, as far as it is the policy's own.
 *
 * What the main table holds is the host's and not known here.
 */
#ifndef TPC_IR_LOOKUP_H
#define TPC_IR_LOOKUP_H

#include "ir/ir.h"

struct lookup {
	const struct ir_ip_rule *rule; /* the one that ends it; NULL: the packet goes on to the
					  host's own rules */
	const struct ir_route *route;  /* in the rule's table; NULL for a rule that refuses, and
					  for main and the table of another program, whose routes
					  only the host knows */
	bool after_main; /* what the main table knows more than a default route for went before */
	bool after_default; /* what it has any route for, too */
};

struct lookup lookup_route(const struct ir *ir, enum addr_family family, uint32_t mark,
			   struct wide to);
/* The route of one table that the destination meets; NULL where it has none, or says `throw`. */
const struct ir_route *lookup_in_table(const struct ir *ir, enum addr_family family, uint32_t table,
				       struct wide to);

#endif
