/*
 * wide: unsigned numbers of 128 bits, as a pair of words: IPv6 addresses on a machine whose
 * compiler has no such type, which are all of 32 bits. Sums wrap round as those of a word do.
 */
#ifndef TPC_BASE_WIDE_H
#define TPC_BASE_WIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WIDE_WORD = 64, WIDE_BITS = 128 };

struct wide {
	uint64_t high, low;
};

static inline struct wide wide(uint64_t low)
{
	return (struct wide){ 0, low };
}

/* The number whose low `count` bits are ones; count is at most 128. */
static inline struct wide wide_ones(unsigned int count)
{
	if (count >= WIDE_BITS)
		return (struct wide){ UINT64_MAX, UINT64_MAX };
	if (count >= WIDE_WORD)
		return (struct wide){ (UINT64_C(1) << (count - WIDE_WORD)) - 1, UINT64_MAX };
	return (struct wide){ 0, (UINT64_C(1) << count) - 1 };
}

static inline bool wide_is_zero(struct wide a)
{
	return !(a.high | a.low);
}

static inline bool wide_equal(struct wide a, struct wide b)
{
	return a.high == b.high && a.low == b.low;
}

static inline bool wide_less(struct wide a, struct wide b)
{
	return a.high != b.high ? a.high < b.high : a.low < b.low;
}

static inline struct wide wide_least(struct wide a, struct wide b)
{
	return wide_less(b, a) ? b : a;
}

static inline struct wide wide_most(struct wide a, struct wide b)
{
	return wide_less(a, b) ? b : a;
}

static inline struct wide wide_add(struct wide a, struct wide b)
{
	uint64_t low = a.low + b.low;

	return (struct wide){ a.high + b.high + (low < a.low), low };
}

static inline struct wide wide_subtract(struct wide a, struct wide b)
{
	return (struct wide){ a.high - b.high - (a.low < b.low), a.low - b.low };
}

/* The next number; after the highest comes 0. */
static inline struct wide wide_after(struct wide a)
{
	return (struct wide){ a.high + (a.low == UINT64_MAX), a.low + 1 };
}

static inline struct wide wide_before(struct wide a)
{
	return (struct wide){ a.high - !a.low, a.low - 1 };
}

static inline struct wide wide_and(struct wide a, struct wide b)
{
	return (struct wide){ a.high & b.high, a.low & b.low };
}

static inline struct wide wide_or(struct wide a, struct wide b)
{
	return (struct wide){ a.high | b.high, a.low | b.low };
}

static inline struct wide wide_xor(struct wide a, struct wide b)
{
	return (struct wide){ a.high ^ b.high, a.low ^ b.low };
}

static inline struct wide wide_not(struct wide a)
{
	return (struct wide){ ~a.high, ~a.low };
}

/* By 0 to 127 bits, as the next. */
static inline struct wide wide_left(struct wide a, unsigned int by)
{
	if (by >= WIDE_WORD)
		return (struct wide){ a.low << (by - WIDE_WORD), 0 };
	/* In two steps, since a word cannot be shifted by 64. */
	return (struct wide){ a.high << by | a.low >> 1 >> (WIDE_WORD - 1 - by), a.low << by };
}

static inline struct wide wide_right(struct wide a, unsigned int by)
{
	if (by >= WIDE_WORD)
		return (struct wide){ 0, a.high >> (by - WIDE_WORD) };
	return (struct wide){ a.high >> by, a.low >> by | a.high << 1 << (WIDE_WORD - 1 - by) };
}

/* The bytes of a number in network order, highest first: 16 of them at most; fewer are its low end.
 */
struct wide wide_get(const void *bytes, size_t count);
void wide_put(struct wide a, void *bytes, size_t count);

#endif
