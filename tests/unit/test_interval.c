/*
 * Unit tests of addr/interval: the algebra against a model (an array of flags) at both ends of the
 * number space, and the edges that a model of 256 numbers cannot have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "addr/interval.h"
#include "base/arena.h"

enum { NUMBERS = 256, ROUNDS = 3000 };

static const addr_bits highest = ~(addr_bits)0;

struct model {
	bool member[NUMBERS];
};

static int make(void **state)
{
	*state = arena_new();
	return 0;
}

static int drop(void **state)
{
	arena_free(*state);
	return 0;
}

/* A generator of our own, so that every machine tests the same. */
static uint32_t draw(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % below;
}

/* Is the set canonical, and does it hold just what the model holds, counted from `base`? */
static void check(const struct interval_set *set, const struct model *model, addr_bits base)
{
	size_t i, n;

	for (i = 0; i < set->count; i++) {
		assert_true(set->items[i].first <= set->items[i].last);
		if (i)
			assert_true(set->items[i].first > set->items[i - 1].last + 1);
		assert_true(set->items[i].first >= base);
		assert_true(set->items[i].last - base < NUMBERS);
	}
	for (n = 0; n < NUMBERS; n++)
		assert_int_equal(interval_contains(set, base + n), model->member[n]);
}

static struct interval_set draw_set(struct arena *arena, uint64_t *seed, struct model *model,
				    addr_bits base)
{
	struct interval_set set = { NULL, 0 };
	uint32_t count = draw(seed, 4) ? draw(seed, 12) : draw(seed, 150), i, n;
	uint32_t longest = draw(seed, 2) ? 4 : 60;

	memset(model, 0, sizeof(*model));
	for (i = 0; i < count; i++) {
		uint32_t first = draw(seed, NUMBERS), last = first + draw(seed, longest);

		if (last >= NUMBERS)
			last = NUMBERS - 1;
		interval_add(arena, &set, base + first, base + last);
		for (n = first; n <= last; n++)
			model->member[n] = true;
	}
	interval_normalise(&set);
	return set;
}

static void check_algebra(uint64_t *seed, addr_bits base)
{
	struct arena *arena = arena_new();
	struct model a, b, both, common, rest;
	struct interval_set x = draw_set(arena, seed, &a, base),
			    y = draw_set(arena, seed, &b, base);
	struct interval_set made;
	bool covers = true;
	size_t n;

	for (n = 0; n < NUMBERS; n++) {
		both.member[n] = a.member[n] || b.member[n];
		common.member[n] = a.member[n] && b.member[n];
		rest.member[n] = a.member[n] && !b.member[n];
		covers = covers && (a.member[n] || !b.member[n]);
	}
	check(&x, &a, base);
	made = interval_union(arena, &x, &y);
	check(&made, &both, base);
	assert_true(interval_covers(&made, &x));
	assert_true(interval_covers(&made, &y));
	made = interval_intersect(arena, &x, &y);
	check(&made, &common, base);
	assert_true(interval_covers(&x, &made));
	made = interval_subtract(arena, &x, &y);
	check(&made, &rest, base);
	assert_int_equal(interval_covers(&x, &y), covers);
	assert_int_equal(interval_digest(&x, 0) == interval_digest(&y, 0),
			 !memcmp(&a, &b, sizeof(a)));
	arena_free(arena);
}

static void the_algebra_is_that_of_sets(void **state)
{
	uint64_t seed = 1;
	int i;

	(void)state;
	for (i = 0; i < ROUNDS; i++) {
		check_algebra(&seed, 0);
		check_algebra(&seed, highest - (NUMBERS - 1));
		check_algebra(&seed, ((addr_bits)1 << 64) - NUMBERS / 2);
	}
}

static void every_order_gives_the_same(void **state)
{
	struct interval_set up = { NULL, 0 }, down = { NULL, 0 }, mixed = { NULL, 0 };
	uint64_t seed = 9;
	size_t i;

	for (i = 0; i < 5000; i++) {
		size_t j = (i * 1999) % 5000, k = 4999 - i;

		interval_add(*state, &up, (addr_bits)i << 70, ((addr_bits)i << 70) + 5);
		interval_add(*state, &down, (addr_bits)k << 70, ((addr_bits)k << 70) + 5);
		interval_add(*state, &mixed, (addr_bits)j << 70, ((addr_bits)j << 70) + 5);
		interval_add(*state, &mixed, ((addr_bits)j << 70) + draw(&seed, 3),
			     ((addr_bits)j << 70) + 4);
	}
	interval_normalise(&up);
	interval_normalise(&down);
	interval_normalise(&mixed);
	assert_int_equal(up.count, 5000);
	assert_int_equal(down.count, 5000);
	assert_int_equal(mixed.count, 5000);
	assert_memory_equal(up.items, down.items, 5000 * sizeof(*up.items));
	assert_memory_equal(up.items, mixed.items, 5000 * sizeof(*up.items));
}

static int by_first(const void *a, const void *b)
{
	const struct interval *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Sorted by the library, then merged one by one. */
static struct interval_set merge_simply(struct arena *arena, const struct interval_set *set)
{
	struct interval_set merged = { NULL, 0 };
	struct interval *items = arena_alloc(arena, set->count * sizeof(*items)), *top;
	size_t i;

	memcpy(items, set->items, set->count * sizeof(*items));
	qsort(items, set->count, sizeof(*items), by_first);
	for (i = 0; i < set->count; i++) {
		top = merged.count ? &merged.items[merged.count - 1] : NULL;
		if (!top || (top->last < items[i].first && top->last + 1 != items[i].first))
			interval_add(arena, &merged, items[i].first, items[i].last);
		else if (top->last < items[i].last)
			top->last = items[i].last;
	}
	return merged;
}

/* Long lists whose numbers differ in some bits and not in others, up to both ends of the space. */
static void long_lists_are_sorted_and_merged(void **state)
{
	static const unsigned int widths[] = { 8, 16, 24, 32, 33, 48, 64, 65, 96, 128 };
	uint64_t seed = 4;
	size_t i, j, k;

	(void)state;
	for (i = 0; i < 20 * sizeof(widths) / sizeof(widths[0]); i++) {
		struct arena *arena = arena_new();
		struct interval_set set = { NULL, 0 }, expected;
		addr_bits most = highest >> (128 - widths[i / 20]), mask = 0;
		size_t count = i % 20 ? 65 + draw(&seed, 3000) : 60000;

		for (j = 0; j < 4; j++)
			mask = mask << 32 | (draw(&seed, 3) ? 0xffffffff : draw(&seed, 1u << 31));
		for (j = 0; j < count; j++) {
			addr_bits first = 0, length = draw(&seed, 3) ? draw(&seed, 300) : 0;

			for (k = 0; k < 8; k++)
				first = first << 16 | draw(&seed, 0x10000);
			first = draw(&seed, 500) ? first & mask & most : most;
			length = length < most - first ? length : most - first;
			interval_add(arena, &set, first, first + length);
		}
		expected = merge_simply(arena, &set);
		interval_normalise(&set);
		assert_int_equal(set.count, expected.count);
		assert_memory_equal(set.items, expected.items, set.count * sizeof(*set.items));
		arena_free(arena);
	}
}

static uint64_t digest_simply(const struct interval_set *set, uint64_t seed)
{
	uint64_t hash = seed ^ 0xcbf29ce484222325u;
	size_t i, n;

	for (i = 0; i <= set->count; i++) {
		addr_bits pair[2] = { set->count, 0 };

		if (i < set->count)
			memcpy(pair, &set->items[i], sizeof(pair));
		for (n = 0; n < (i < set->count ? 32 : 16); n++)
			hash = (hash ^ (unsigned char)(pair[n / 16] >> 8 * (n % 16))) *
			       0x100000001b3u;
	}
	return hash;
}

static void digests_are_over_every_byte(void **state)
{
	uint64_t seed = 12;
	size_t i, j;

	for (i = 0; i < 2000; i++) {
		struct interval_set set = { NULL, 0 };

		for (j = draw(&seed, 5); j; j--) {
			unsigned int shift = draw(&seed, 128), up = draw(&seed, 128);

			interval_add(*state, &set, (highest >> shift) << up, highest >> shift);
		}
		assert_int_equal(interval_digest(&set, i), digest_simply(&set, i));
	}
}

static void seeking_finds_the_first(void **state)
{
	struct interval_set set = { NULL, 0 };
	size_t from, i, value;

	for (i = 0; i < 40; i++)
		interval_add(*state, &set, 10 * i, 10 * i + i % 5);
	for (from = 0; from <= 40; from++)
		for (value = 0; value < 410; value++) {
			for (i = from; i < 40 && 10 * i + i % 5 < value; i++)
				;
			assert_int_equal(interval_seek(&set, from, value), i);
		}
}

static void the_whole_space(void **state)
{
	struct interval_set all = { NULL, 0 }, one = { NULL, 0 }, none = { NULL, 0 }, made;

	interval_add(*state, &all, 5, highest);
	interval_add(*state, &all, 0, 4);
	interval_add(*state, &all, highest, highest);
	interval_normalise(&all);
	assert_int_equal(all.count, 1);
	assert_true(all.items[0].first == 0 && all.items[0].last == highest);
	interval_add(*state, &one, highest, highest);
	made = interval_subtract(*state, &all, &one);
	assert_int_equal(made.count, 1);
	assert_true(made.items[0].last == highest - 1);
	made = interval_subtract(*state, &all, &all);
	assert_int_equal(made.count, 0);
	made = interval_union(*state, &none, &none);
	assert_int_equal(made.count, 0);
	interval_normalise(&none);
	assert_true(interval_covers(&none, &none));
	assert_false(interval_covers(&none, &one));
	assert_false(interval_contains(&none, 0));
}

static void results_stand_alone(void **state)
{
	struct interval_set a = { NULL, 0 }, none = { NULL, 0 }, made;

	interval_add(*state, &a, 1, 2);
	made = interval_union(*state, &a, &none);
	made.items[0].last = 9;
	assert_true(a.items[0].last == 2);
	interval_add(*state, &made, 20, 30);
	assert_int_equal(made.count, 2);
	assert_true(made.items[0].last == 9 && made.items[1].first == 20);
}

static void reserving_keeps_what_is_there(void **state)
{
	struct interval_set set = { NULL, 0 };
	struct interval *items;
	size_t i;

	for (i = 0; i < 20; i++)
		interval_add(*state, &set, i * 10, i * 10);
	interval_reserve(*state, &set, 1000);
	items = set.items;
	for (i = 20; i < 1020; i++)
		items[set.count++] = (struct interval){ i * 10, i * 10 };
	for (i = 1020; i < 3000; i++)
		interval_add(*state, &set, i * 10, i * 10);
	for (i = 0; i < 3000; i++)
		assert_true(set.items[i].first == i * 10);
}

/* The values were computed by another program; they are in the kernel beside the rules and may not
 * change. */
static void digests_are_for_ever(void **state)
{
	struct interval_set set = { NULL, 0 }, none = { NULL, 0 };
	uint64_t two;

	assert_int_equal(interval_digest(&none, 0), 0x88201fb960ff6465u);
	interval_add(*state, &set, 0x0a000000, 0x0affffff);
	assert_int_equal(interval_digest(&set, 0), 0x1711ddfb209b1e8du);
	two = interval_digest(&set, interval_digest(&none, 0));
	assert_int_not_equal(two, interval_digest(&none, interval_digest(&set, 0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_algebra_is_that_of_sets),
		cmocka_unit_test_setup_teardown(every_order_gives_the_same, make, drop),
		cmocka_unit_test(long_lists_are_sorted_and_merged),
		cmocka_unit_test_setup_teardown(digests_are_over_every_byte, make, drop),
		cmocka_unit_test_setup_teardown(seeking_finds_the_first, make, drop),
		cmocka_unit_test_setup_teardown(the_whole_space, make, drop),
		cmocka_unit_test_setup_teardown(results_stand_alone, make, drop),
		cmocka_unit_test_setup_teardown(reserving_keeps_what_is_there, make, drop),
		cmocka_unit_test_setup_teardown(digests_are_for_ever, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
