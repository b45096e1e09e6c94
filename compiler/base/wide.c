/*
 * wide: numbers of 128 bits as bytes, which is how the kernel has them.
 */
#include "base/wide.h"

struct wide wide_get(const void *bytes, size_t count)
{
	const uint8_t *at = bytes;
	struct wide a = { 0, 0 };

	for (size_t i = 0; i < count; i++)
		a = (struct wide){ a.high << 8 | a.low >> (WIDE_WORD - 8), a.low << 8 | at[i] };
	return a;
}

void wide_put(struct wide a, void *bytes, size_t count)
{
	uint8_t *at = bytes;

	for (size_t i = 0; i < count; i++)
		at[count - 1 - i] = (uint8_t)(i < 8 ? a.low >> 8 * i : a.high >> 8 * (i - 8));
}
