/*
 * window: patterns of days, hours and dates as intervals, and the dates and hours in them as text
 * (see window.h). The calendar is the proleptic Gregorian one, by timegm, which knows no zone.
 */
#include "match/window.h"

#include <string.h>
#include <time.h>

#include "base/arena.h"

/* 1970-01-01 was a Thursday. */
enum { WEEKDAY_OF_DAY_0 = 3 };

static const char *const months[] = { "January",   "February", "March",    "April",
				      "May",       "June",     "July",     "August",
				      "September", "October",  "November", "December" };

/* The day of a date; the month is 1 to 12, and there is such a day. */
static int64_t day_of(int year, int month, int day)
{
	struct tm date = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day };

	return timegm(&date) / WINDOW_DAY;
}

static int month_length(int year, int month)
{
	return (int)(month == 12 ? 31 : day_of(year, month + 1, 1) - day_of(year, month, 1));
}

/* ---- as text ---- */

/* A number of `least` to `most` digits at *text; false when there are fewer. */
static bool parse_number(const char **text, int least, int most, int *out)
{
	int digits = 0;

	for (*out = 0; digits < most && **text >= '0' && **text <= '9'; digits++)
		*out = *out * 10 + *(*text)++ - '0';
	return digits >= least && !(**text >= '0' && **text <= '9');
}

static bool parse_sign(const char **text, char sign)
{
	if (**text != sign)
		return false;
	(*text)++;
	return true;
}

bool window_parse_clock(const char **text, int *seconds)
{
	int hour, minute;

	if (!parse_number(text, 1, 2, &hour) || !parse_sign(text, ':') ||
	    !parse_number(text, 2, 2, &minute))
		return false;
	*seconds = hour * 3600 + minute * 60;
	return minute < 60 && *seconds <= WINDOW_DAY;
}

bool window_parse_date(struct arena *arena, const char **text, int64_t *day, const char **why)
{
	int year, month, number;

	if (!parse_number(text, 4, 4, &year) || !parse_sign(text, '-') ||
	    !parse_number(text, 2, 2, &month) || !parse_sign(text, '-') ||
	    !parse_number(text, 2, 2, &number))
		return false;
	if (month < 1 || month > 12) {
		*why = "months are 01 to 12, and stand before the day: 2026-12-24";
		return false;
	}
	if (number < 1 || number > month_length(year, month)) {
		*why = arena_printf(arena, "%s %d has %d days", months[month - 1], year,
				    month_length(year, month));
		return false;
	}
	if (year < WINDOW_FIRST_YEAR || year > WINDOW_LAST_YEAR) {
		*why = arena_printf(arena, "time windows exist for %d-01-01 to %d-12-31",
				    WINDOW_FIRST_YEAR, WINDOW_LAST_YEAR);
		return false;
	}
	*day = day_of(year, month, number);
	return true;
}

/* ---- as intervals ---- */

static void add_day(struct arena *arena, const struct window_pattern *pattern, int64_t day,
		    struct interval_set *out)
{
	int64_t midnight = day * WINDOW_DAY;
	int64_t weekday = (day + WEEKDAY_OF_DAY_0) % WINDOW_WEEK;

	if (pattern->days && !(pattern->days >> weekday & 1))
		return;
	if (!pattern->hour_count)
		interval_add(arena, out, wide((uint64_t)midnight),
			     wide((uint64_t)(midnight + WINDOW_DAY - 1)));
	for (size_t i = 0; i < pattern->hour_count; i++)
		interval_add(arena, out, wide((uint64_t)(midnight + pattern->hours[i].begin)),
			     wide((uint64_t)(midnight + pattern->hours[i].end - 1)));
}

void window_expand(struct arena *arena, const struct window_pattern *pattern,
		   struct interval_set *out)
{
	struct window_dates all = { day_of(WINDOW_FIRST_YEAR, 1, 1),
				    day_of(WINDOW_LAST_YEAR, 12, 31) };
	const struct window_dates *dates = pattern->date_count ? pattern->dates : &all;
	size_t count = pattern->date_count ? pattern->date_count : 1;

	for (size_t i = 0; i < count; i++)
		for (int64_t day = dates[i].first; day <= dates[i].last; day++)
			add_day(arena, pattern, day, out);
}
