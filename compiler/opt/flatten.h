/*
 * flatten: runs of rules that differ in one field become one verdict map, so that a packet costs
 * the same however many rules there are.
 */
#ifndef TPC_OPT_FLATTEN_H
#define TPC_OPT_FLATTEN_H

#include "ir/ir.h"

/* A chain that maps lead to, and what stands in it as one number. */
struct flatten_list {
	const char *chain;
	const char *owner; /* the chain whose map leads to it first */
	uint64_t digest;
};

/* Chains and sets while they grow; pointers to them stay good. */
struct flatten {
	struct arena *arena, *scratch; /* the second: for one attempt at one run */
	struct ir_chain **chains;
	size_t chain_count;
	struct ir_set **maps;
	size_t map_count;
	const char *chain; /* that is being flattened */
	bool changed;      /* something became a map */
	struct flatten_list *lists;
	size_t list_count;
};

/* Flattens the chain in place; chains that this makes are added after the others. */
void flatten_chain(struct flatten *flatten, struct ir_chain *chain);

#endif
