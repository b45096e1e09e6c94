/*
 * Unit tests of base/wide: the carries between the two words, and every shift. Where the compiler
 * has a number of 128 bits of its own, that says what is right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/wide.h"

static const struct wide highest = { UINT64_MAX, UINT64_MAX };

static void assert_wide(struct wide found, uint64_t high, uint64_t low)
{
	assert_int_equal(found.high, high);
	assert_int_equal(found.low, low);
}

static void words_carry(void **state)
{
	(void)state;
	assert_wide(wide_after(wide(UINT64_MAX)), 1, 0);
	assert_wide(wide_before((struct wide){ 1, 0 }), 0, UINT64_MAX);
	assert_wide(wide_after(highest), 0, 0);
	assert_wide(wide_before(wide(0)), UINT64_MAX, UINT64_MAX);
	assert_wide(wide_add(wide(UINT64_MAX), wide(UINT64_MAX)), 1, UINT64_MAX - 1);
	assert_wide(wide_subtract((struct wide){ 2, 3 }, wide(4)), 1, UINT64_MAX);
}

static void order_asks_the_upper_word_first(void **state)
{
	struct wide low = { 1, 9 }, high = { 2, 3 };

	(void)state;
	assert_true(wide_less(low, high));
	assert_false(wide_less(high, low));
	assert_false(wide_less(low, low));
	assert_true(wide_less(wide(1), wide(2)));
	assert_wide(wide_least(high, low), 1, 9);
	assert_wide(wide_most(high, low), 2, 3);
	assert_false(wide_equal(low, (struct wide){ 1, 8 }));
	assert_false(wide_is_zero((struct wide){ 1, 0 }));
}

static void ones_and_shifts_fit_together(void **state)
{
	(void)state;
	assert_wide(wide_ones(0), 0, 0);
	assert_wide(wide_ones(64), 0, UINT64_MAX);
	assert_wide(wide_ones(128), UINT64_MAX, UINT64_MAX);
	for (unsigned int by = 0; by < WIDE_BITS; by++) {
		assert_true(wide_equal(wide_right(highest, by), wide_ones(WIDE_BITS - by)));
		assert_true(wide_equal(wide_left(highest, by), wide_not(wide_ones(by))));
		assert_true(wide_equal(wide_after(wide_ones(by)), wide_left(wide(1), by)));
	}
}

static void bytes_are_in_network_order(void **state)
{
	unsigned char bytes[16], expected[16] = { 0x20, 1, 0x0d, 0xb8, [15] = 7 };

	(void)state;
	assert_wide(wide_get(expected, 16), 0x20010db800000000u, 7);
	assert_wide(wide_get(expected, 4), 0, 0x20010db8u);
	wide_put((struct wide){ 0x20010db800000000u, 7 }, bytes, 16);
	assert_memory_equal(bytes, expected, 16);
	wide_put(wide(0xc0000201u), bytes, 4);
	assert_memory_equal(bytes, "\xc0\x00\x02\x01", 4);
}

#ifdef __SIZEOF_INT128__
static uint64_t draw(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	/* Words full of ones and of zeros are where carries go on. */
	return *seed >> 62 == 0 ? 0 : *seed >> 62 == 1 ? UINT64_MAX : *seed * 0x9e3779b97f4a7c15u;
}

static void assert_native(struct wide found, unsigned __int128 expected)
{
	assert_wide(found, (uint64_t)(expected >> 64), (uint64_t)expected);
}

static void the_compiler_counts_the_same(void **state)
{
	uint64_t seed = 5;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct wide a = { draw(&seed), draw(&seed) }, b = { draw(&seed), draw(&seed) };
		unsigned __int128 x = (unsigned __int128)a.high << 64 | a.low;
		unsigned __int128 y = (unsigned __int128)b.high << 64 | b.low;
		unsigned int by = (unsigned int)i % WIDE_BITS;

		assert_native(wide_add(a, b), x + y);
		assert_native(wide_subtract(a, b), x - y);
		assert_native(wide_after(a), x + 1);
		assert_native(wide_before(a), x - 1);
		assert_native(wide_left(a, by), x << by);
		assert_native(wide_right(a, by), x >> by);
		assert_native(wide_xor(wide_and(a, b), wide_or(a, b)), x ^ y);
		assert_int_equal(wide_less(a, b), x < y);
	}
}
#else
static void the_compiler_counts_the_same(void **state)
{
	(void)state;
	skip();
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_carry),
		cmocka_unit_test(order_asks_the_upper_word_first),
		cmocka_unit_test(ones_and_shifts_fit_together),
		cmocka_unit_test(bytes_are_in_network_order),
		cmocka_unit_test(the_compiler_counts_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
