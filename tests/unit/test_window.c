/*
 * Unit tests of match/window: every minute of some years against a calendar that is counted day by
 * day; dates and hours as text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "match/window.h"

enum { MINUTE = 60, MINUTES = 1440, SPAN = 3652 /* days from 2026-01-01 to 2035-12-31 */ };

/* 2026-01-01, a Thursday: 3 days behind Monday. */
static const int64_t FIRST_DAY = 20454;
static const int FIRST_WEEKDAY = 3;

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

static bool is_open_day(const struct window_pattern *pattern, int64_t day)
{
	bool in = !pattern->date_count;

	if (day < FIRST_DAY || day >= FIRST_DAY + SPAN)
		return false;
	for (size_t i = 0; i < pattern->date_count; i++)
		in |= day >= pattern->dates[i].first && day <= pattern->dates[i].last;
	return in && (!pattern->days || pattern->days >> (day - FIRST_DAY + FIRST_WEEKDAY) % 7 & 1);
}

/* By the words of the language: a window that opened today, or yesterday and over midnight. */
static bool is_open(const struct window_pattern *pattern, int64_t day, int second)
{
	bool open = !pattern->hour_count && is_open_day(pattern, day);

	for (size_t i = 0; i < pattern->hour_count; i++) {
		const struct window_hours *hours = &pattern->hours[i];

		open |= is_open_day(pattern, day) && second >= hours->begin && second < hours->end;
		open |= is_open_day(pattern, day - 1) && second + WINDOW_DAY < hours->end;
	}
	return open;
}

static void check(struct arena *arena, const struct window_pattern *pattern)
{
	struct interval_set windows = { 0 };

	window_expand(arena, pattern, &windows);
	interval_normalise(&windows);
	for (int64_t day = FIRST_DAY - 2; day < FIRST_DAY + 800; day++)
		for (int minute = 0; minute < MINUTES; minute += 10)
			for (int step = -1; step <= 0; step++) {
				int64_t moment = day * WINDOW_DAY + minute * MINUTE + step;

				assert_int_equal(interval_contains(&windows,
								   wide((uint64_t)moment)),
						 is_open(pattern, moment / WINDOW_DAY,
							 (int)(moment % WINDOW_DAY)));
			}
	for (size_t i = 0; i < windows.count; i++)
		assert_true(windows.items[i].first.low >= (uint64_t)(FIRST_DAY * WINDOW_DAY) &&
			    windows.items[i].last.low <
				    (uint64_t)((FIRST_DAY + SPAN + 1) * WINDOW_DAY));
}

static void test_patterns(void **state)
{
	struct window_hours night = { 79200, 86400 + 23400 }, noon = { 43200, 46800 },
			    late = { 84600, 86400 }, hours[3] = { night, noon, late };
	struct window_dates dates[2] = { { FIRST_DAY + 50, FIRST_DAY + 90 },
					 { FIRST_DAY + 80, FIRST_DAY + 300 } };

	for (unsigned int days = 0; days < 128; days += 9)
		for (size_t h = 0; h <= 3; h += 3)
			for (size_t d = 0; d <= 2; d++)
				check(*state, &(struct window_pattern){ days, hours, h, dates, d });
}

/* A night over ten years is an interval a night, and whole days are one. */
static void test_counts(void **state)
{
	struct window_hours night = { 79200, 86400 + 23400 };
	struct window_pattern pattern = { .hours = &night, .hour_count = 1 };
	struct interval_set windows = { 0 };

	window_expand(*state, &pattern, &windows);
	interval_normalise(&windows);
	assert_int_equal(windows.count, SPAN);
	pattern.hour_count = 0;
	windows.count = 0;
	window_expand(*state, &pattern, &windows);
	interval_normalise(&windows);
	assert_int_equal(windows.count, 1);
	assert_int_equal((int64_t)windows.items[0].last.low + 1, (FIRST_DAY + SPAN) * WINDOW_DAY);
}

static void test_dates(void **state)
{
	static const struct {
		const char *text;
		int64_t day; /* 0: none */
		size_t rest;
	} cases[] = {
		{ "2026-01-01", 20454, 0 }, { "2028-02-29", 21243, 0 },
		{ "2035-12-31", 24105, 0 }, { "2026-12-24..2026-12-26", 20811, 12 },
		{ "2026-02-29", 0, 0 },     { "2026-04-31", 0, 0 },
		{ "2026-00-10", 0, 0 },     { "2026-13-10", 0, 0 },
		{ "2026-10-00", 0, 0 },     { "2025-12-31", 0, 0 },
		{ "2036-01-01", 0, 0 },     { "2026-1-1", 0, 0 },
		{ "26-01-01", 0, 0 },       { "2026/01/01", 0, 0 },
		{ "2026-01-011", 0, 0 },    { "", 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *text = cases[i].text, *why = NULL;
		int64_t day = 0;

		assert_int_equal(window_parse_date(*state, &text, &day, &why), cases[i].day != 0);
		if (!cases[i].day)
			continue;
		assert_int_equal(day, cases[i].day);
		assert_int_equal(strlen(text), cases[i].rest);
	}
}

static void test_clock(void **state)
{
	static const struct {
		const char *text;
		int seconds; /* -1: none */
	} cases[] = { { "00:00", 0 },  { "6:30", 23400 }, { "23:59", 86340 }, { "24:00", 86400 },
		      { "24:01", -1 }, { "25:00", -1 },   { "12:60", -1 },    { "12:5", -1 },
		      { "12", -1 },    { "12:300", -1 },  { "-1:00", -1 },    { "", -1 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *text = cases[i].text;
		int seconds = -1;
		bool good = window_parse_clock(&text, &seconds);

		assert_int_equal(good ? seconds : -1, cases[i].seconds);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_patterns, make, drop),
		cmocka_unit_test_setup_teardown(test_counts, make, drop),
		cmocka_unit_test_setup_teardown(test_dates, make, drop),
		cmocka_unit_test_setup_teardown(test_clock, make, drop),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
