/*
 * lower_mask: the values that fit into the bits of a mask. Those of a mask may be apart; the nth
 * value is the bits of n laid into them from the lowest on, and 0 is none.
 */
#include "lang/lower.h"

uint32_t lower_mask_value(uint32_t mask, uint32_t n)
{
	uint32_t value = 0;

	for (int bit = 0; bit < 32; bit++) {
		if (!(mask >> bit & 1))
			continue;
		value |= (n & 1) << bit;
		n >>= 1;
	}
	return n ? 0 : value;
}

uint32_t lower_mask_room(uint32_t mask)
{
	return (uint32_t)((1ull << __builtin_popcount(mask)) - 1);
}
