/*
 * match: what kinds of match share: alternatives, numbers as they are read and as nft text.
 */
#include "match/match.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"

bool match_may_change(const struct match_condition *condition)
{
	return condition->kind->may_change;
}

struct match_alternative *match_alternative(struct match_context *context,
					    struct match_alternatives *out)
{
	return arena_append(context->arena, out->items, out->count);
}

struct ir_match *match_append(struct match_context *context, struct match_alternative *alternative,
			      const struct ir_match_ops *ops)
{
	struct ir_match *match =
		arena_append(context->arena, alternative->items, alternative->count);

	match->ops = ops;
	return match;
}

static void append_values(const struct match_condition *condition, struct match_context *context,
			  const struct ir_match_ops *ops, const struct interval_set *values,
			  struct match_alternative *alternative)
{
	struct ir_match *match = match_append(context, alternative, ops);

	match->selector = condition->selector;
	match->negated = condition->negated;
	match->values = *values;
}

/*
 * nft would make an anonymous interval set of a list with ranges, and those are not atomic with the
 * rules that use them: ranges stand alone, and only single numbers share a match.
 */
void match_lower_values(const struct match_condition *condition, struct match_context *context,
			const struct ir_match_ops *ops, struct match_alternatives *out)
{
	struct match_alternative *all = condition->negated ? match_alternative(context, out) : NULL;
	struct interval_set singles = { 0 };

	for (size_t i = 0; i < condition->values.count; i++) {
		struct interval value = condition->values.items[i];
		struct interval_set range = { 0 };

		if (interval_is_one(value) || wide_equal(wide_after(value.first), value.last)) {
			interval_add(context->arena, &singles, value.first, value.first);
			if (!interval_is_one(value))
				interval_add(context->arena, &singles, value.last, value.last);
			continue;
		}
		interval_add(context->arena, &range, value.first, value.last);
		append_values(condition, context, ops, &range,
			      all ? all : match_alternative(context, out));
	}
	if (singles.count)
		append_values(condition, context, ops, &singles,
			      all ? all : match_alternative(context, out));
}

void match_lower_header(const struct match_condition *condition, struct match_context *context,
			const struct ir_match_ops *ops, struct match_alternatives *out)
{
	const struct match_number *number = &condition->kind->numbers[condition->selector];
	struct interval_set all = { 0 };

	interval_add(context->arena, &all, wide(number->least), wide(number->most));
	if (condition->negated && interval_covers(&condition->values, &all))
		return;
	match_lower_values(condition, context, ops, out);
	for (size_t i = 0; i < out->count; i++)
		for (size_t k = 0; k < out->items[i].count; k++)
			out->items[i].items[k].family = context->family;
}

/* Decimal, or hexadecimal after 0x; a leading zero has two meanings, and is none. */
static uint64_t number(const char *text, char **end)
{
	if (text[0] == '0' && text[1] >= '0' && text[1] <= '9') {
		*end = (char *)text;
		return 0;
	}
	return strtoull(text, end, text[0] == '0' && (text[1] | 0x20) == 'x' ? 16 : 10);
}

bool match_read_list_name(struct decode *decode, const struct node *value,
			  struct match_condition *condition)
{
	if (!condition->may_be_list || value->kind != NODE_SCALAR || !decode_is_name(value->text))
		return false;
	*arena_append(decode->arena, condition->references, condition->reference_count) =
		(struct match_reference){ value->text, value->span };
	return true;
}

static void put_number(struct buf *out, uint64_t value)
{
	buf_printf(out, "%llu", (unsigned long long)value);
}

void match_put_interval(const struct match_kind *kind, struct interval interval, struct buf *out)
{
	void (*put)(struct buf * out, uint64_t value) = kind->put ? kind->put : put_number;

	put(out, interval.first.low);
	if (interval_is_one(interval))
		return;
	buf_putc(out, '-');
	put(out, interval.last.low);
}

bool match_read_range(const struct node *value, uint64_t most, uint64_t *first, uint64_t *last)
{
	const char *text = value->text;
	char *end;

	if (value->kind != NODE_SCALAR || text[0] < '0' || text[0] > '9')
		return false;
	*first = *last = number(text, &end);
	if (*end == '-' && end[1] >= '0' && end[1] <= '9')
		*last = number(end + 1, &end);
	return !*end && *first <= *last && *last <= most && value->length <= 21;
}

static void refuse_word(struct decode *decode, const struct node *value,
			const struct match_words *words)
{
	const char **names = arena_alloc(decode->arena, words->count * sizeof(*names));

	if (value->kind != NODE_SCALAR || value->text[0] < 'a' || value->text[0] > 'z') {
		diag_help(diag_add(decode->diag, DIAG_bad_value, value->span, "%s", words->error),
			  "%s", words->help);
		return;
	}
	for (size_t i = 0; i < words->count; i++)
		names[i] = words->items[i].name;
	decode_unknown(decode, DIAG_bad_value, value->span, words->what, value->text, names,
		       words->count);
}

bool match_read_words(struct decode *decode, const struct node *value,
		      struct match_condition *condition, const struct match_words *words)
{
	uint64_t first, last;

	for (size_t i = 0; value->kind == NODE_SCALAR && i < words->count; i++) {
		if (strcmp(words->items[i].name, value->text) != 0)
			continue;
		first = words->items[i].value;
		interval_add(decode->arena, &condition->values, wide(first), wide(first));
		return true;
	}
	if (!match_read_range(value, words->most, &first, &last)) {
		refuse_word(decode, value, words);
		return false;
	}
	interval_add(decode->arena, &condition->values, wide(first), wide(last));
	return true;
}

void match_put_values(const struct ir_match *match, struct buf *out,
		      void (*put)(struct buf *out, uint64_t value))
{
	const struct interval_set *values = &match->values;

	if (!put)
		put = put_number;
	buf_puts(out, match->negated ? " != " : " ");
	if (values->count > 1)
		buf_puts(out, "{ ");
	for (size_t i = 0; i < values->count; i++) {
		if (i)
			buf_puts(out, ", ");
		put(out, values->items[i].first.low);
		if (!interval_is_one(values->items[i])) {
			buf_putc(out, '-');
			put(out, values->items[i].last.low);
		}
	}
	if (values->count > 1)
		buf_puts(out, " }");
}

bool match_values_hold(const struct ir_match *match, struct wide value)
{
	bool inside = false;

	for (size_t i = 0; i < match->values.count && !inside; i++)
		inside = !wide_less(value, match->values.items[i].first) &&
			 !wide_less(match->values.items[i].last, value);
	return inside != match->negated;
}

struct interval_set match_members(struct arena *arena, const struct ir_match *match,
				  struct wide highest)
{
	struct interval_set all = { 0 }, own = { 0 };

	if (match->set)
		own = match->set->elements;
	for (size_t i = 0; i < match->values.count; i++)
		interval_add(arena, &own, match->values.items[i].first,
			     match->values.items[i].last);
	if (!match->set)
		interval_normalise(&own);
	if (!match->negated)
		return own;
	interval_add(arena, &all, wide(0), highest);
	return interval_subtract(arena, &all, &own);
}

bool match_single_members(struct arena *arena, const struct ir_match *match,
			  struct interval_set *out)
{
	if (match->negated)
		return false;
	for (size_t i = 0; i < match->values.count; i++)
		if (!interval_is_one(match->values.items[i]))
			return false;
	if (out)
		*out = match_members(arena, match, wide(0));
	return true;
}

const struct interval *match_element(const struct ir_match *match, struct wide value)
{
	const struct interval_set *all = match->set ? &match->set->elements : &match->values;

	return interval_find(all, value);
}
