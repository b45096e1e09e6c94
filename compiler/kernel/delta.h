/*
 * delta: what is to be taken out of a set and put into it so that it holds what it should, interval
 * by interval, as the kernel keeps them.
 */
#ifndef TPC_KERNEL_DELTA_H
#define TPC_KERNEL_DELTA_H

#include "ir/ir.h"

struct delta {
	size_t set;                   /* its number in the ir */
	struct ir_set removed, added; /* of the set's own type and targets; only elements and leads
					 are of use */
};

/*
 * From what `old` holds to what `wanted` does. False where more than `most` intervals differ, or
 * where the kernel's elements at the edges of the whole space would: then the set is better filled
 * anew.
 */
bool delta_make(struct arena *arena, const struct ir_set *old, const struct ir_set *wanted,
		size_t most, struct delta *out);
/* The same in any case: of a set that is filled by hand, element by element. */
void delta_all(struct arena *arena, const struct ir_set *old, const struct ir_set *wanted,
	       struct delta *out);

#endif
