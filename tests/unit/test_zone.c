/*
 * Unit tests of kernel/timezone: windows at the edges of hours that a zone skips or repeats, and a
 * clock that was never set. The zone and the clock are the test's: it defines the C library's
 * functions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/report.h"
#include "ir/ir.h"
#include "kernel/timezone.h"

/*
 * An hour ahead of UTC; from 2026-03-29 01:00 UTC two hours, so that 02:00 to 03:00 is skipped;
 * from 2026-10-25 01:00 UTC one again, so that 02:00 to 03:00 comes twice.
 */
static const int64_t SPRING = 1774746000, AUTUMN = 1792890000;
static const int64_t BILLION = 1000000000;

static time_t now;

time_t time(time_t *out)
{
	if (out)
		*out = now;
	return now;
}

struct tm *localtime_r(const time_t *moment, struct tm *out)
{
	long offset = *moment >= SPRING && *moment < AUTUMN ? 7200 : 3600;
	time_t shown = *moment + offset;

	gmtime_r(&shown, out);
	out->tm_gmtoff = offset;
	return out;
}

struct fixture {
	struct arena *arena;
	struct report report;
	struct ir_set set;
	struct ir ir;
};

static int make(void **state)
{
	struct arena *arena = arena_new();
	struct fixture *fixture = arena_new_of(arena, struct fixture);

	fixture->arena = fixture->report.arena = arena;
	fixture->set.base = "rule1.time";
	fixture->set.type = IR_SET_TIME;
	fixture->ir.table = "tpc";
	fixture->ir.sets = &fixture->set;
	fixture->ir.set_count = 1;
	now = 1770000000;
	*state = fixture;
	return 0;
}

static int drop(void **state)
{
	arena_free(((struct fixture *)*state)->arena);
	return 0;
}

/* Seconds of the local day of the changes: hour and minute. */
static int64_t at(int64_t change, int hour, int minute)
{
	return change - 3600 + hour * 3600 + minute * 60;
}

static void add(struct fixture *fixture, int64_t begin, int64_t end)
{
	interval_add(fixture->arena, &fixture->set.elements, wide((uint64_t)begin),
		     wide((uint64_t)(end - 1)));
}

/* The windows are these moments: pairs, as seconds around the change; ended by two equal ones. */
static void expect(struct fixture *fixture, int64_t change, const int64_t (*moments)[2])
{
	size_t count = 0;

	interval_normalise(&fixture->set.elements);
	timezone_localise(fixture->arena, &fixture->report, &fixture->ir);
	for (; moments[count][0] != moments[count][1]; count++) {
		struct interval found = fixture->set.elements.items[count];

		assert_true(count < fixture->set.elements.count);
		assert_int_equal((int64_t)found.first.low, (change + moments[count][0]) * BILLION);
		assert_int_equal((int64_t)found.last.low, (change + moments[count][1]) * BILLION);
	}
	assert_int_equal(fixture->set.elements.count, count);
}

static void test_skipped(void **state)
{
	add(*state, at(SPRING, 0, 30), at(SPRING, 1, 30));
	add(*state, at(SPRING, 2, 10), at(SPRING, 2, 20)); /* never */
	add(*state, at(SPRING, 2, 30), at(SPRING, 3, 10));
	add(*state, at(SPRING, 4, 0), at(SPRING, 5, 0));
	expect(*state, SPRING,
	       (const int64_t[][2]){ { -5400, -1800 }, { 0, 600 }, { 3600, 7200 }, { 0 } });
}

static void test_into_skipped(void **state)
{
	add(*state, at(SPRING, 1, 30), at(SPRING, 2, 30));
	expect(*state, SPRING, (const int64_t[][2]){ { -1800, 0 }, { 0 } });
}

static void test_up_to_skipped(void **state)
{
	add(*state, at(SPRING, 1, 0), at(SPRING, 2, 0));
	add(*state, at(SPRING, 3, 0), at(SPRING, 4, 0));
	expect(*state, SPRING, (const int64_t[][2]){ { -3600, 3600 }, { 0 } });
}

static void test_repeated(void **state)
{
	add(*state, at(AUTUMN, 2, 10), at(AUTUMN, 2, 20));
	expect(*state, AUTUMN, (const int64_t[][2]){ { -3000, 1200 }, { 0 } });
}

static void test_up_to_repeated(void **state)
{
	add(*state, at(AUTUMN, 1, 0), at(AUTUMN, 2, 0));
	add(*state, at(AUTUMN, 3, 0), at(AUTUMN, 4, 0));
	expect(*state, AUTUMN, (const int64_t[][2]){ { -7200, -3600 }, { 3600, 7200 }, { 0 } });
}

/* The second begins before the first ends. */
static void test_two_in_repeated(void **state)
{
	add(*state, at(AUTUMN, 1, 30), at(AUTUMN, 2, 30));
	add(*state, at(AUTUMN, 2, 45), at(AUTUMN, 4, 0));
	expect(*state, AUTUMN, (const int64_t[][2]){ { -5400, 7200 }, { 0 } });
}

static void test_unset_clock(void **state)
{
	struct fixture *fixture = *state;

	add(fixture, at(SPRING, 1, 0), at(SPRING, 1, 30));
	now = 86400 * 3;
	timezone_localise(fixture->arena, &fixture->report, &fixture->ir);
	assert_int_equal(fixture->report.count, 1);
	assert_non_null(strstr(fixture->report.records[0]->text, "1970-01-04"));
}

static void test_set_clock(void **state)
{
	struct fixture *fixture = *state;

	add(fixture, at(SPRING, 1, 0), at(SPRING, 1, 30));
	timezone_localise(fixture->arena, &fixture->report, &fixture->ir);
	assert_int_equal(fixture->report.count, 0);
}

static void test_past(void **state)
{
	struct fixture *fixture = *state;

	add(fixture, at(SPRING, 0, 0), at(SPRING, 0, 30));
	add(fixture, at(SPRING, 4, 0), at(SPRING, 4, 30));
	now = SPRING + 5401;
	timezone_localise(fixture->arena, &fixture->report, &fixture->ir);
	assert_int_equal(fixture->report.count, 1);
	assert_non_null(strstr(fixture->report.records[0]->text, "is over"));
}

static void test_almost_past(void **state)
{
	struct fixture *fixture = *state;

	add(fixture, at(SPRING, 4, 0), at(SPRING, 4, 30));
	now = SPRING + 5399;
	timezone_localise(fixture->arena, &fixture->report, &fixture->ir);
	assert_int_equal(fixture->report.count, 0);
}

/* Other sets stay, and so does the name of the contents where there are no windows. */
static void test_no_windows(void **state)
{
	struct fixture *fixture = *state;

	fixture->set.type = IR_SET_PORT;
	fixture->ir.digest = 7;
	add(fixture, 80, 90);
	timezone_localise(fixture->arena, &fixture->report, &fixture->ir);
	assert_int_equal(fixture->ir.digest, 7);
	assert_int_equal((int)fixture->set.elements.items[0].last.low, 89);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_skipped, make, drop),
		cmocka_unit_test_setup_teardown(test_into_skipped, make, drop),
		cmocka_unit_test_setup_teardown(test_up_to_skipped, make, drop),
		cmocka_unit_test_setup_teardown(test_repeated, make, drop),
		cmocka_unit_test_setup_teardown(test_up_to_repeated, make, drop),
		cmocka_unit_test_setup_teardown(test_two_in_repeated, make, drop),
		cmocka_unit_test_setup_teardown(test_unset_clock, make, drop),
		cmocka_unit_test_setup_teardown(test_set_clock, make, drop),
		cmocka_unit_test_setup_teardown(test_past, make, drop),
		cmocka_unit_test_setup_teardown(test_almost_past, make, drop),
		cmocka_unit_test_setup_teardown(test_no_windows, make, drop),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
