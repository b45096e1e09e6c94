/*
 * overlay: several interval sets laid over one another: which of them hold each address.
 *
 * In go canonical sets in an order that matters, as rules have. Out come the atoms: sorted,
 * disjoint intervals whose members are in the same sets, and the few different lists of sets that
 * they share. Costs n log k for n intervals in k sets.
 */
#ifndef TPC_ADDR_OVERLAY_H
#define TPC_ADDR_OVERLAY_H

#include "addr/interval.h"

struct overlay_list {
	uint32_t *sets; /* ascending; at least one */
	size_t count;
	struct interval first; /* of the atoms that share it */
};

struct overlay_atom {
	struct interval span;
	size_t list;
};

/* Addresses in no set are in no atom; neighbours of the same list are one atom. */
struct overlay {
	struct overlay_atom *atoms;
	size_t atom_count;
	struct overlay_list *lists; /* in the order in which the atoms first meet them */
	size_t list_count;
};

/*
 * `ends` (NULL: none does) says of each set that those after it do not matter to what it holds: a
 * list ends there. False when the lists together would hold more than `most` entries; nothing of
 * *out is to be used then.
 */
bool overlay_make(struct arena *arena, const struct interval_set *const *sets, const bool *ends,
		  size_t count, size_t most, struct overlay *out);
/* The same without the atoms, for who asks only which lists there are. */
bool overlay_make_lists(struct arena *arena, const struct interval_set *const *sets,
			const bool *ends, size_t count, size_t most, struct overlay *out);
/* The list of the sets that hold the value; NULL where none does. */
const struct overlay_list *overlay_find(const struct overlay *overlay, struct wide value);

#endif
