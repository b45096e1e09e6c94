/*
 * timezone: finds the moments at which the host's zone changes its offset, by asking the C library
 * for the local time of one moment after the other, and moves windows by the offsets (see
 * timezone.h).
 */
#include "kernel/timezone.h"

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "base/report.h"
#include "ir/ir.h"

/* Two changes of a zone are never as near to each other as two samples. */
enum { SAMPLE = 86400 };
static const int64_t NANOSECONDS = 1000000000;
/* 2026-01-01: a clock that shows less was never set, as on machines without a battery. */
static const int64_t CLOCK_LEAST = 1767225600;

/* A time of one offset: from a moment on, until the next one begins. */
struct zone_stretch {
	int64_t begin;  /* seconds of UTC; the first has no beginning */
	int64_t offset; /* local time minus UTC, in seconds */
};

struct zone {
	struct zone_stretch *stretches;
	size_t count;
};

/* ---- the zone ---- */

static int64_t offset_at(int64_t moment)
{
	time_t seconds = (time_t)moment;
	struct tm local;

	return localtime_r(&seconds, &local) ? local.tm_gmtoff : 0;
}

/* The first moment of the offset that holds at `late` and not at `early`. */
static int64_t find_change(int64_t early, int64_t late)
{
	int64_t offset = offset_at(late);

	while (late - early > 1) {
		int64_t middle = early + (late - early) / 2;

		if (offset_at(middle) == offset)
			late = middle;
		else
			early = middle;
	}
	return late;
}

static void read_stretches(struct arena *arena, struct zone *zone, int64_t first, int64_t last)
{
	*arena_append(arena, zone->stretches, zone->count) =
		(struct zone_stretch){ INT64_MIN, offset_at(first) };
	for (int64_t early = first; early < last; early += SAMPLE) {
		int64_t late = early + SAMPLE;

		if (offset_at(late) != offset_at(early))
			*arena_append(arena, zone->stretches, zone->count) =
				(struct zone_stretch){ find_change(early, late), offset_at(late) };
	}
}

/* The zone's changes between two moments; without TZ the C library takes the host's zone. */
static void read_zone(struct arena *arena, struct zone *zone, int64_t first, int64_t last)
{
	const char *given = getenv("TZ");

	if (given)
		given = arena_strdup(arena, given);
	unsetenv("TZ");
	tzset();
	read_stretches(arena, zone, first, last);
	if (given)
		setenv("TZ", given, 1);
	tzset();
}

/* ---- windows ---- */

static int64_t end_of(const struct zone *zone, size_t stretch)
{
	return stretch + 1 < zone->count ? zone->stretches[stretch + 1].begin : INT64_MAX;
}

/* The first moment at which the clock shows `local` or more. */
static int64_t first_moment(const struct zone *zone, int64_t local)
{
	size_t i = 0;
	int64_t moment;

	while (local - zone->stretches[i].offset >= end_of(zone, i))
		i++;
	moment = local - zone->stretches[i].offset;
	return moment > zone->stretches[i].begin ? moment : zone->stretches[i].begin;
}

/* The first moment from which on the clock shows `local` or more for good. */
static int64_t last_moment(const struct zone *zone, int64_t local)
{
	size_t i = zone->count - 1;
	int64_t moment;

	while (i && zone->stretches[i].begin >= local - zone->stretches[i].offset)
		i--;
	moment = local - zone->stretches[i].offset;
	return moment < end_of(zone, i) ? moment : end_of(zone, i);
}

static void localise(struct arena *arena, const struct zone *zone, struct interval_set *windows)
{
	struct interval_set moments = { 0 };

	interval_reserve(arena, &moments, windows->count);
	for (size_t i = 0; i < windows->count; i++) {
		int64_t begin = first_moment(zone, (int64_t)windows->items[i].first.low);
		int64_t end = last_moment(zone, (int64_t)windows->items[i].last.low + 1);

		/* A window inside a skipped hour never opens. nft, which reads whole seconds, has
		 * the instant of the end in the window; so have we. */
		if (begin < end)
			interval_add(arena, &moments, wide((uint64_t)(begin * NANOSECONDS)),
				     wide((uint64_t)(end * NANOSECONDS)));
	}
	interval_normalise(&moments);
	*windows = moments;
}

/* The first and the last second of all windows; false when there are none. */
static bool find_span(const struct ir *ir, int64_t *first, int64_t *last)
{
	*first = INT64_MAX;
	*last = INT64_MIN;
	for (size_t i = 0; i < ir->set_count; i++) {
		const struct interval_set *set = &ir->sets[i].elements;

		if (ir->sets[i].type != IR_SET_TIME || !set->count)
			continue;
		if ((int64_t)set->items[0].first.low < *first)
			*first = (int64_t)set->items[0].first.low;
		if ((int64_t)set->items[set->count - 1].last.low > *last)
			*last = (int64_t)set->items[set->count - 1].last.low;
	}
	return *first <= *last;
}

/* By dates of the author's, or because the years that windows are worked out for are over. */
static void warn_of_past(struct report *report, const struct ir_set *set)
{
	const struct interval_set *moments = &set->elements;

	if (moments->count &&
	    (int64_t)(moments->items[moments->count - 1].last.low / NANOSECONDS) >= time(NULL))
		return;
	report_add(report, SEVERITY_WARNING, DIAG_time_over,
		   "the last window of this `time` is over: no rule with it matches any more")
		->where = set->origin;
}

static void warn_of_clock(struct report *report)
{
	time_t now = time(NULL);
	struct tm date;

	if (now >= CLOCK_LEAST || !gmtime_r(&now, &date))
		return;
	report_add(report, SEVERITY_WARNING, DIAG_clock_unset,
		   "this host's clock says %04d-%02d-%02d: until it is set, no window of `time` is open",
		   date.tm_year + 1900, date.tm_mon + 1, date.tm_mday);
}

void timezone_localise(struct arena *arena, struct report *report, struct ir *ir)
{
	struct zone zone = { 0 };
	int64_t first, last;

	if (!find_span(ir, &first, &last))
		return;
	warn_of_clock(report);
	/* Local time and UTC are never two days apart. */
	read_zone(arena, &zone, first - 2 * SAMPLE, last + 2 * SAMPLE);
	for (size_t i = 0; i < ir->set_count; i++)
		if (ir->sets[i].type == IR_SET_TIME) {
			localise(arena, &zone, &ir->sets[i].elements);
			ir->sets[i].contents = 0;
			warn_of_past(report, &ir->sets[i]);
		}
	ir->digest = ir_digest(ir);
}
