/*
 * run: rules in a row that ask for the same field of a packet.
 *
 * In go the rules of a chain that a packet meets one after the other; out comes how many of them,
 * from the first on, may become one verdict map, and the other conditions of each of them.
 */
#ifndef TPC_OPT_RUN_H
#define TPC_OPT_RUN_H

#include "opt/flatten.h"

struct run {
	const struct ir_rule **rules;
	size_t count;
	const struct ir_match *key;    /* of the first rule */
	struct interval_set *members;  /* of the field's values, for each rule */
	bool *ends;                    /* what has such a value goes no further */
	size_t elements;               /* of all members */
	const struct ir_match *common; /* what all of them ask in the same words, besides */
	size_t common_count;
};

/* The last statement of a rule that has some. */
const struct ir_statement *run_last(const struct ir_rule *rule);
/* The field that most rules from here on look up, and how many; 0: the first cannot be moved. */
size_t run_longest(struct flatten *flatten, const struct ir_rule **rules, size_t count,
		   const struct ir_match **key);
struct run run_make(struct flatten *flatten, const struct ir_rule **rules, size_t count,
		    const struct ir_match *key);
/* A copy, in the arena, of the run's rule that asks only what neither the field nor the common
 * matches say. */
struct ir_rule run_rest(struct flatten *flatten, struct arena *arena, const struct run *run,
			size_t index);
#endif
