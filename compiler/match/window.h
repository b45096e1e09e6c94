/*
 * window: when a time condition holds, as intervals of what the clock on the wall shows.
 *
 * Those are local seconds: seconds since 1970-01-01 00:00 of the host's own time, whatever its
 * zone. Which moments they are, daylight saving included, is found out where the policy is loaded;
 * here nothing depends on a zone, on a clock or on a machine.
 */
#ifndef TPC_MATCH_WINDOW_H
#define TPC_MATCH_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr/interval.h"

struct arena;

/*
 * The years for which windows are worked out, both included. A weekday's window is an interval a
 * week in the kernel, so there has to be an end: one window a night is 3,652 of them.
 */
enum { WINDOW_FIRST_YEAR = 2026, WINDOW_LAST_YEAR = 2035 };

enum { WINDOW_DAY = 86400, WINDOW_WEEK = 7 };

/* Seconds of the day a window opens on; an end above WINDOW_DAY is on the day after. */
struct window_hours {
	int begin, end;
};

/* Days since 1970-01-01, both included. */
struct window_dates {
	int64_t first, last;
};

/* A window opens on each day that is one of the days and lies in one of the dates; none given: all.
 */
struct window_pattern {
	unsigned int days; /* bit 0 is Monday */
	struct window_hours *hours;
	size_t hour_count;
	struct window_dates *dates;
	size_t date_count;
};

/* Adds the pattern's windows to the set, which is normalised afterwards. */
void window_expand(struct arena *arena, const struct window_pattern *pattern,
		   struct interval_set *out);
/*
 * "2026-12-24" at *text as a day; *text moves past it. False when it is none; *why then says why
 * there is no such day, and is left alone where the text does not look like one.
 */
bool window_parse_date(struct arena *arena, const char **text, int64_t *day, const char **why);
/* "22:30" at *text as seconds of the day, 24:00 included; *text moves past it. */
bool window_parse_clock(const char **text, int *seconds);

#endif
