/*
 * time: `time`: days, hours and dates, as the clock on the wall of the host shows them.
 *
 * What is read becomes windows (match/window.h), and the condition is membership in a named set of
 * them: the kernel's own clock is UTC, and what local time that is is only known where the policy
 * is loaded. Rules with the same windows share a set.
 */
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "match/kinds.h"
#include "match/window.h"

static const char *const day_names[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

struct time_keys {
	const struct node *days, *hours, *dates;
};

#define KEY(key_)                                                                             \
	{                                                                                     \
		.key = #key_, .read = decode_node, .offset = offsetof(struct time_keys, key_) \
	}

static const struct decode_field time_fields[] = { KEY(days), KEY(hours), KEY(dates) };

const struct decode_table time_table = { "time", time_fields, 3 };

/* ---- reading ---- */

typedef bool part_fn(struct decode *decode, const struct node *value,
		     struct window_pattern *pattern);

/* "mon" of "mon-fri", as its number from 0. */
static bool read_weekday(struct decode *decode, const struct node *value, const char *text,
			 size_t length, unsigned int *out)
{
	for (*out = 0; *out < WINDOW_WEEK; ++*out)
		if (length == strlen(day_names[*out]) && !memcmp(text, day_names[*out], length))
			return true;
	decode_unknown(decode, DIAG_bad_value, value->span, "day",
		       arena_strndup(decode->arena, text, length), day_names, WINDOW_WEEK);
	return false;
}

/* A range may go over the week's end: sat-mon. */
static bool read_days(struct decode *decode, const struct node *value,
		      struct window_pattern *pattern)
{
	size_t length = strcspn(value->text, "-");
	unsigned int first, last;

	if (!read_weekday(decode, value, value->text, length, &first))
		return false;
	last = first;
	if (value->text[length] && !read_weekday(decode, value, value->text + length + 1,
						 strlen(value->text + length + 1), &last))
		return false;
	for (unsigned int day = first;; day = (day + 1) % WINDOW_WEEK) {
		pattern->days |= 1u << day;
		if (day == last)
			return true;
	}
}

static bool bad_hours(struct decode *decode, const struct node *value)
{
	diag_help(diag_add(decode->diag, DIAG_bad_value, value->span, "\"%s\" is no range of hours",
			   value->text),
		  "write \"22:00-06:30\": hours from 00:00 to 23:59, or 24:00 as the end; a range that ends "
		  "earlier than it begins ends on the next day");
	return false;
}

static bool read_hours(struct decode *decode, const struct node *value,
		       struct window_pattern *pattern)
{
	const char *text = value->text;
	struct window_hours hours;

	if (!window_parse_clock(&text, &hours.begin) || *text++ != '-' ||
	    !window_parse_clock(&text, &hours.end) || *text || hours.begin == WINDOW_DAY)
		return bad_hours(decode, value);
	if (hours.begin == hours.end) {
		diag_help(diag_add(decode->diag, DIAG_bad_value, value->span,
				   "\"%s\" begins and ends at the same minute", value->text),
			  "leave `hours` out for whole days, or write \"00:00-24:00\"");
		return false;
	}
	if (hours.end < hours.begin)
		hours.end += WINDOW_DAY;
	*arena_append(decode->arena, pattern->hours, pattern->hour_count) = hours;
	return true;
}

static bool bad_date(struct decode *decode, const struct node *value, const char *why)
{
	diag_help(diag_add(decode->diag, DIAG_bad_value, value->span,
			   "\"%s\" cannot be taken for a date or a range of dates", value->text),
		  "%s", why);
	return false;
}

static bool read_dates(struct decode *decode, const struct node *value,
		       struct window_pattern *pattern)
{
	const char *text = value->text, *why = "write year, month and day: 2026-12-24";
	struct window_dates dates;

	if (!window_parse_date(decode->arena, &text, &dates.first, &why))
		return bad_date(decode, value, why);
	dates.last = dates.first;
	if (!strncmp(text, "..", 2)) {
		text += 2;
		if (!window_parse_date(decode->arena, &text, &dates.last, &why))
			return bad_date(decode, value, why);
	}
	if (*text)
		return bad_date(decode, value, "a range has two dots: 2026-12-24..2026-12-26");
	if (dates.last < dates.first) {
		diag_help(diag_add(decode->diag, DIAG_bad_value, value->span,
				   "\"%s\" ends before it begins", value->text),
			  "write the earlier date first");
		return false;
	}
	*arena_append(decode->arena, pattern->dates, pattern->date_count) = dates;
	return true;
}

/* A key's value, or each of its values; a key that is not there is fine. */
static bool read_part(struct decode *decode, const char *key, const struct node *value,
		      part_fn *read, struct window_pattern *pattern)
{
	size_t count = value && value->kind == NODE_LIST ? value->count : value != NULL;
	const struct node *items = value && value->kind == NODE_LIST ? value->items : value;
	bool good = true;

	if (value && !count) {
		diag_help(diag_add(decode->diag, DIAG_bad_value, value->span,
				   "`%s` is an empty list", key),
			  "leave `%s` out where all of them are meant", key);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (items[i].kind == NODE_SCALAR) {
			good &= read(decode, &items[i], pattern);
			continue;
		}
		diag_add(decode->diag, DIAG_wrong_type, items[i].span,
			 "`%s` takes a value or a list of values, not %s", key,
			 node_describe(&items[i]));
		good = false;
	}
	return good;
}

static bool not_a_time(struct decode *decode, const struct node *value)
{
	diag_help(diag_add(decode->diag, DIAG_wrong_type, value->span,
			   "`time` is a mapping of days, hours and dates, not %s",
			   value->kind == NODE_MAP ? "an empty one" : node_describe(value)),
		  "write {days: [mon-fri], hours: \"22:00-06:30\", dates: \"2026-12-24..2026-12-26\"}, or some of it");
	return false;
}

static bool read_time(struct decode *decode, const struct node *value,
		      struct match_condition *condition)
{
	size_t before = condition->values.count;
	struct window_pattern pattern = { 0 };
	struct time_keys keys = { 0 };
	bool good;

	if (value->kind != NODE_MAP || !value->count)
		return not_a_time(decode, value);
	if (!decode_map(decode, &time_table, value, &keys))
		return false;
	good = read_part(decode, "days", keys.days, read_days, &pattern);
	good &= read_part(decode, "hours", keys.hours, read_hours, &pattern);
	good &= read_part(decode, "dates", keys.dates, read_dates, &pattern);
	if (!good)
		return false;
	window_expand(decode->arena, &pattern, &condition->values);
	if (condition->values.count > before)
		return true;
	return diag_refuse(decode->diag, DIAG_impossible, value->span,
			   "none of these dates is one of these days",
			   "check the calendar, or leave `days` out");
}

bool time_read_moment(struct decode *decode, const struct node *value, int64_t *out)
{
	const char *text = value->kind == NODE_SCALAR ? value->text : "";
	const char *why = "write date and time: \"2026-12-24 22:30\"";
	int seconds;

	if (window_parse_date(decode->arena, &text, out, &why) && *text++ == ' ' &&
	    window_parse_clock(&text, &seconds) && !*text && seconds < WINDOW_DAY) {
		*out = *out * WINDOW_DAY + seconds;
		return true;
	}
	diag_help(diag_add(decode->diag, DIAG_bad_value, value->span, "this is no date and time"),
		  "%s", why);
	return false;
}

/* ---- in the ir ---- */

static void print_time(const struct ir_match *match, struct buf *out)
{
	buf_puts(out, match->negated ? "meta time != " : "meta time ");
}

static bool time_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	bool open = interval_contains(&match->set->elements, wide((uint64_t)packet->time));

	return packet->time && open != match->negated;
}

static const struct ir_match_ops time_ops = { "time", print_time, time_holds, false, NULL, true };

static void lower_time(const struct match_condition *condition, struct match_context *context,
		       struct match_alternatives *out)
{
	struct ir_match *match = match_append(context, match_alternative(context, out), &time_ops);

	match->negated = condition->negated;
	match->set = context->make_set(context,
				       arena_printf(context->arena, "%s.%s", context->rule,
						    condition->key),
				       IR_SET_TIME, &condition->values);
}

const struct match_kind match_time = {
	.noun = "a time",
	.read = read_time,
	.lower = lower_time,
	.may_change = true,
	.takes_mappings = true,
};
