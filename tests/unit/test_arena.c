/*
 * Unit tests of base/arena: what it promises of every piece of memory, and how it ends without any.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"

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

static void is_zeroed_and_aligned(void **state)
{
	static const size_t sizes[] = { 0, 1, 7, 16, 17, 1000, 16383, 16384, 65536, 1000000 };
	size_t i, j, k;

	for (j = 0; j < 50; j++) {
		for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			unsigned char *piece = arena_alloc(*state, sizes[i]);

			assert_non_null(piece);
			assert_int_equal((uintptr_t)piece % _Alignof(max_align_t), 0);
			for (k = 0; k < sizes[i]; k++)
				assert_int_equal(piece[k], 0);
			memset(piece, 0xff, sizes[i]);
		}
	}
}

static void pieces_do_not_overlap(void **state)
{
	unsigned char *pieces[500];
	size_t i, j;

	for (i = 0; i < 500; i++) {
		pieces[i] = arena_alloc(*state, i * 7);
		memset(pieces[i], (int)(i & 0xff), i * 7);
	}
	for (i = 0; i < 500; i++) {
		for (j = 0; j < i * 7; j++)
			assert_int_equal(pieces[i][j], i & 0xff);
	}
}

static void copies_texts(void **state)
{
	char text[] = "one two";
	char *whole = arena_strdup(*state, text), *part = arena_strndup(*state, text, 3);
	char *none = arena_strndup(*state, NULL, 0);
	char *long_text;

	text[0] = 'X';
	assert_string_equal(whole, "one two");
	assert_string_equal(part, "one");
	assert_string_equal(none, "");
	assert_string_equal(arena_printf(*state, "%d-%s", 12, "x"), "12-x");
	long_text = arena_printf(*state, "%0100000d", 7);
	assert_int_equal(strlen(long_text), 100000);
	assert_int_equal(long_text[99999], '7');
}

static void arrays_grow_and_keep_their_items(void **state)
{
	struct item {
		size_t number;
		char rest[20];
	} *items = NULL, *early = NULL;
	size_t count = 0, i;

	for (i = 0; i < 5000; i++) {
		struct item *item = arena_append(*state, items, count);

		assert_int_equal(item->number, 0);
		item->number = i;
		if (i == 7)
			early = items;
	}
	assert_int_equal(count, 5000);
	for (i = 0; i < count; i++)
		assert_int_equal(items[i].number, i);
	assert_ptr_not_equal(early, items);
	assert_int_equal(early[7].number, 7);
}

static void room_is_a_power_of_two(void **state)
{
	char *items = arena_room(*state, NULL, 0, 1), *moved;
	size_t count;

	for (count = 1; count < 8; count++)
		assert_ptr_equal(arena_room(*state, items, count, 1), items);
	moved = arena_room(*state, items, 8, 1);
	assert_ptr_not_equal(moved, items);
	for (count = 9; count < 16; count++)
		assert_ptr_equal(arena_room(*state, moved, count, 1), moved);
	assert_ptr_not_equal(arena_room(*state, moved, 16, 1), moved);
}

static void serial_numbers_count_up(void **state)
{
	struct arena *other = arena_new();

	assert_int_equal(arena_serial(*state), 0);
	assert_int_equal(arena_serial(*state), 1);
	assert_int_equal(arena_serial(other), 0);
	arena_free(other);
}

/* Runs `use` in a process of its own; returns its exit status and what it said. */
static int run_to_the_end(void (*use)(struct arena *arena), char *said, size_t room)
{
	int pipes[2], status;
	ssize_t got;
	pid_t child;

	assert_int_equal(pipe(pipes), 0);
	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		dup2(pipes[1], STDERR_FILENO);
		use(arena_new());
		_exit(99);
	}
	close(pipes[1]);
	got = read(pipes[0], said, room - 1);
	said[got > 0 ? got : 0] = '\0';
	close(pipes[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void ask_too_much(struct arena *arena)
{
	arena_alloc(arena, SIZE_MAX - 1);
}

static void ask_too_many(struct arena *arena)
{
	int item = 0;

	arena_room(arena, &item, SIZE_MAX / 4 + 1, sizeof(item));
}

static void no_memory_ends_with_a_message(void **state)
{
	char said[200];

	(void)state;
	assert_int_equal(run_to_the_end(ask_too_much, said, sizeof(said)), 3);
	assert_non_null(strstr(said, "tpc: error: this machine has no memory left"));
	assert_int_equal(run_to_the_end(ask_too_many, said, sizeof(said)), 3);
	assert_non_null(strstr(said, "no memory left"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(is_zeroed_and_aligned, make, drop),
		cmocka_unit_test_setup_teardown(pieces_do_not_overlap, make, drop),
		cmocka_unit_test_setup_teardown(copies_texts, make, drop),
		cmocka_unit_test_setup_teardown(arrays_grow_and_keep_their_items, make, drop),
		cmocka_unit_test_setup_teardown(room_is_a_power_of_two, make, drop),
		cmocka_unit_test_setup_teardown(serial_numbers_count_up, make, drop),
		cmocka_unit_test(no_memory_ends_with_a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
