/*
 * Atoms and their lists against the sets themselves, address by address, over random sets.
 */
#include "addr/overlay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"

enum { SETS = 70, SPACE = 256 };

static struct interval_set random_set(struct arena *arena, unsigned int *seed)
{
	struct interval_set set = { NULL, 0 };

	for (int i = rand_r(seed) % 5; i > 0; i--) {
		uint64_t first = (uint64_t)(rand_r(seed) % SPACE);
		uint64_t last = first + (uint64_t)(rand_r(seed) % 30);

		interval_add(arena, &set, wide(first), wide(last < SPACE ? last : SPACE - 1));
	}
	interval_normalise(&set);
	return set;
}

static void compare(const struct overlay *overlay, const struct interval_set *sets,
		    const bool *ends, size_t count, struct wide value)
{
	const struct overlay_list *list = overlay_find(overlay, value);
	size_t at = 0;

	for (size_t i = 0; i < count; i++) {
		if (!interval_contains(&sets[i], value))
			continue;
		assert_non_null(list);
		assert_true(at < list->count && list->sets[at] == i);
		at++;
		if (ends[i])
			break;
	}
	assert_int_equal(at, list ? list->count : 0);
}

static void check_shape(const struct overlay *overlay)
{
	for (size_t i = 0; i + 1 < overlay->atom_count; i++) {
		const struct overlay_atom *atom = &overlay->atoms[i];

		assert_false(wide_less(atom->span.last, atom->span.first));
		assert_true(wide_less(atom->span.last, atom[1].span.first));
		assert_true(atom->list != atom[1].list ||
			    wide_less(wide_after(atom->span.last), atom[1].span.first));
	}
	for (size_t i = 0; i < overlay->list_count; i++)
		assert_true(overlay_find(overlay, overlay->lists[i].first.first) ==
			    &overlay->lists[i]);
}

static void each_address_has_the_list_of_its_sets(void **state)
{
	unsigned int seed = 7;

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct arena *arena = arena_new();
		size_t count = 1 + (size_t)rand_r(&seed) % SETS;
		struct interval_set sets[SETS];
		const struct interval_set *pointers[SETS];
		bool ends[SETS];
		struct overlay overlay, lists;

		for (size_t i = 0; i < count; i++) {
			sets[i] = random_set(arena, &seed);
			pointers[i] = &sets[i];
			ends[i] = rand_r(&seed) % 4 == 0;
		}
		assert_true(overlay_make(arena, pointers, ends, count, 1u << 20, &overlay));
		assert_true(overlay_make_lists(arena, pointers, ends, count, 1u << 20, &lists));
		assert_int_equal(lists.list_count, overlay.list_count);
		assert_int_equal(lists.atom_count, 0);
		check_shape(&overlay);
		for (uint64_t value = 0; value < SPACE + 2; value++)
			compare(&overlay, sets, ends, count, wide(value));
		arena_free(arena);
	}
}

static void the_last_address_of_all_is_in_its_sets(void **state)
{
	struct arena *arena = arena_new();
	struct interval_set all = { NULL, 0 }, end = { NULL, 0 };
	const struct interval_set *sets[] = { &end, &all };
	struct wide last = wide_ones(WIDE_BITS);
	struct overlay overlay;

	(void)state;
	interval_add(arena, &all, wide(0), last);
	interval_add(arena, &end, last, last);
	assert_true(overlay_make(arena, sets, NULL, 2, 10, &overlay));
	assert_int_equal(overlay.atom_count, 2);
	assert_int_equal(overlay_find(&overlay, last)->count, 2);
	assert_int_equal(overlay_find(&overlay, wide_before(last))->count, 1);
	assert_true(overlay_find(&overlay, wide(0)) == overlay_find(&overlay, wide_before(last)));
	arena_free(arena);
}

static void too_much_is_said(void **state)
{
	struct arena *arena = arena_new();
	struct interval_set one = { NULL, 0 };
	const struct interval_set *sets[] = { &one, &one, &one };
	struct overlay overlay;

	(void)state;
	interval_add(arena, &one, wide(1), wide(5));
	assert_false(overlay_make(arena, sets, NULL, 3, 2, &overlay));
	assert_true(overlay_make(arena, sets, NULL, 3, 3, &overlay));
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_address_has_the_list_of_its_sets),
		cmocka_unit_test(the_last_address_of_all_is_in_its_sets),
		cmocka_unit_test(too_much_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
