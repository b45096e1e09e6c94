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

static const struct wide highest = { UINT64_MAX, UINT64_MAX };

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
static void check(const struct interval_set *set, const struct model *model, struct wide base)
{
	size_t i, n;

	for (i = 0; i < set->count; i++) {
		assert_false(wide_less(set->items[i].last, set->items[i].first));
		if (i)
			assert_true(
				wide_less(wide_after(set->items[i - 1].last), set->items[i].first));
		assert_false(wide_less(set->items[i].first, base));
		assert_true(wide_less(wide_subtract(set->items[i].last, base), wide(NUMBERS)));
	}
	for (n = 0; n < NUMBERS; n++)
		assert_int_equal(interval_contains(set, wide_add(base, wide(n))), model->member[n]);
}

static struct interval_set draw_set(struct arena *arena, uint64_t *seed, struct model *model,
				    struct wide base)
{
	struct interval_set set = { NULL, 0 };
	uint32_t count = draw(seed, 4) ? draw(seed, 12) : draw(seed, 150), i, n;
	uint32_t longest = draw(seed, 2) ? 4 : 60;

	memset(model, 0, sizeof(*model));
	for (i = 0; i < count; i++) {
		uint32_t first = draw(seed, NUMBERS), last = first + draw(seed, longest);

		if (last >= NUMBERS)
			last = NUMBERS - 1;
		interval_add(arena, &set, wide_add(base, wide(first)), wide_add(base, wide(last)));
		for (n = first; n <= last; n++)
			model->member[n] = true;
	}
	interval_normalise(&set);
	return set;
}

static void check_algebra(uint64_t *seed, struct wide base)
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
		check_algebra(&seed, wide(0));
		check_algebra(&seed, wide_subtract(highest, wide(NUMBERS - 1)));
		check_algebra(&seed, wide_subtract((struct wide){ 1, 0 }, wide(NUMBERS / 2)));
	}
}

/* In the i-th of networks that only the upper word tells apart. */
static struct wide far(size_t i, uint64_t low)
{
	return (struct wide){ (uint64_t)i << 6, low };
}

static void every_order_gives_the_same(void **state)
{
	struct interval_set up = { NULL, 0 }, down = { NULL, 0 }, mixed = { NULL, 0 };
	uint64_t seed = 9;
	size_t i;

	for (i = 0; i < 5000; i++) {
		size_t j = (i * 1999) % 5000, k = 4999 - i;

		interval_add(*state, &up, far(i, 0), far(i, 5));
		interval_add(*state, &down, far(k, 0), far(k, 5));
		interval_add(*state, &mixed, far(j, 0), far(j, 5));
		interval_add(*state, &mixed, far(j, draw(&seed, 3)), far(j, 4));
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

	return wide_less(x->first, y->first) ? -1 : wide_less(y->first, x->first);
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
		if (!top || (wide_less(top->last, items[i].first) &&
			     !wide_equal(wide_after(top->last), items[i].first)))
			interval_add(arena, &merged, items[i].first, items[i].last);
		else
			top->last = wide_most(top->last, items[i].last);
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
		struct wide most = wide_ones(widths[i / 20]), mask = wide(0);
		size_t count = i % 20 ? 65 + draw(&seed, 3000) : 60000;

		for (j = 0; j < 4; j++)
			mask = wide_or(wide_left(mask, 32),
				       wide(draw(&seed, 3) ? 0xffffffff : draw(&seed, 1u << 31)));
		for (j = 0; j < count; j++) {
			struct wide first = wide(0),
				    length = wide(draw(&seed, 3) ? draw(&seed, 300) : 0);

			for (k = 0; k < 8; k++)
				first = wide_or(wide_left(first, 16), wide(draw(&seed, 0x10000)));
			first = draw(&seed, 500) ? wide_and(wide_and(first, mask), most) : most;
			length = wide_least(length, wide_subtract(most, first));
			interval_add(arena, &set, first, wide_add(first, length));
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
		struct wide pair[2] = { wide(set->count) };

		if (i < set->count)
			memcpy(pair, &set->items[i], sizeof(pair));
		for (n = 0; n < (i < set->count ? 32 : 16); n++)
			hash = (hash ^ (unsigned char)wide_right(pair[n / 16], 8 * (n % 16)).low) *
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
			struct wide ones = wide_right(highest, draw(&seed, 128));

			interval_add(*state, &set, wide_left(ones, draw(&seed, 128)), ones);
		}
		assert_int_equal(interval_digest(&set, i), digest_simply(&set, i));
	}
}

static void seeking_finds_the_first(void **state)
{
	struct interval_set set = { NULL, 0 };
	size_t from, i, value;

	for (i = 0; i < 40; i++)
		interval_add(*state, &set, wide(10 * i), wide(10 * i + i % 5));
	for (from = 0; from <= 40; from++)
		for (value = 0; value < 410; value++) {
			for (i = from; i < 40 && 10 * i + i % 5 < value; i++)
				;
			assert_int_equal(interval_seek(&set, from, wide(value)), i);
		}
}

static void the_whole_space(void **state)
{
	struct interval_set all = { NULL, 0 }, one = { NULL, 0 }, none = { NULL, 0 }, made;

	interval_add(*state, &all, wide(5), highest);
	interval_add(*state, &all, wide(0), wide(4));
	interval_add(*state, &all, highest, highest);
	interval_normalise(&all);
	assert_int_equal(all.count, 1);
	assert_true(interval_equal(all.items[0], (struct interval){ wide(0), highest }));
	interval_add(*state, &one, highest, highest);
	made = interval_subtract(*state, &all, &one);
	assert_int_equal(made.count, 1);
	assert_true(wide_equal(made.items[0].last, wide_before(highest)));
	made = interval_subtract(*state, &all, &all);
	assert_int_equal(made.count, 0);
	made = interval_union(*state, &none, &none);
	assert_int_equal(made.count, 0);
	interval_normalise(&none);
	assert_true(interval_covers(&none, &none));
	assert_false(interval_covers(&none, &one));
	assert_false(interval_contains(&none, wide(0)));
}

static void results_stand_alone(void **state)
{
	struct interval_set a = { NULL, 0 }, none = { NULL, 0 }, made;

	interval_add(*state, &a, wide(1), wide(2));
	made = interval_union(*state, &a, &none);
	made.items[0].last = wide(9);
	assert_true(a.items[0].last.low == 2);
	interval_add(*state, &made, wide(20), wide(30));
	assert_int_equal(made.count, 2);
	assert_true(made.items[0].last.low == 9 && made.items[1].first.low == 20);
}

static void reserving_keeps_what_is_there(void **state)
{
	struct interval_set set = { NULL, 0 };
	struct interval *items;
	size_t i;

	for (i = 0; i < 20; i++)
		interval_add(*state, &set, wide(i * 10), wide(i * 10));
	interval_reserve(*state, &set, 1000);
	items = set.items;
	for (i = 20; i < 1020; i++)
		items[set.count++] = (struct interval){ wide(i * 10), wide(i * 10) };
	for (i = 1020; i < 3000; i++)
		interval_add(*state, &set, wide(i * 10), wide(i * 10));
	for (i = 0; i < 3000; i++)
		assert_true(set.items[i].first.low == i * 10);
}

/* The values were computed by another program; they are in the kernel beside the rules and may not
 * change. */
static void digests_are_for_ever(void **state)
{
	struct interval_set set = { NULL, 0 }, none = { NULL, 0 };
	uint64_t two;

	assert_int_equal(interval_digest(&none, 0), 0x88201fb960ff6465u);
	interval_add(*state, &set, wide(0x0a000000), wide(0x0affffff));
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
