/*
 * lower/decide: the first packet decides for its connection.
 *
 * Where a rule could answer otherwise for a later packet (lower/state.c), what the first packet got
 * is saved in the connection's mark, and later packets follow it without meeting the rules again.
 * Drops and rejects above the rule that decided are still evaluated: a decision below some of them
 * goes through a chain of those first ("kept").
 */
#include "base/arena.h"
#include "lang/lower/lower.h"

/* ---- saving ---- */

/* Where packets of connections that keep the way go. */
static const char *target_of(const struct lower_way *way)
{
	return way->remember ? way->remember : way->target;
}

const char *lower_decide(struct lower *lower, const struct lower_walk *walk,
			 const struct lower_class *class, const char *target, const char *first)
{
	size_t way = lower_way(lower, walk, target);
	const char *name = arena_printf(lower->arena, "decide_%s%s%s",
					first == target ? "" : "try_", lower_way_name(lower, way),
					lower->relates && walk->as_told ? ".as_told" : "");
	struct ir_chain *chain = lower_find_chain(lower, name);
	struct ir_rule *rule;

	if (chain)
		return chain->name;
	chain = lower_chain(lower, name, "the first packet decides for the whole connection");
	if (!walk->as_told)
		lower_follow(lower, chain);
	lower_keep(lower, chain, walk, way);
	lower->ways[way - 1].class = class;
	lower_remember(lower, way, class);
	rule = lower_guarantee(lower, chain, NULL);
	lower_end(lower, rule, first == target ? target_of(&lower->ways[way - 1]) : first);
	return name;
}

/* ---- restoring ---- */

static const char *kept_name(struct lower *lower, const struct lower_row *row)
{
	return arena_printf(lower->arena, "kept_%s", row->name);
}

/* The values of ways below just so many drops of the row. */
static struct ir_statement below(struct lower *lower, const struct lower_row *row, size_t cuts)
{
	struct ir_statement dispatch = lower_new_dispatch(lower, true);

	for (size_t i = 0; i < lower->value_count; i++) {
		struct lower_value value = lower->values[i];
		const struct lower_way *way = value.way ? &lower->ways[value.way - 1] : NULL;

		if (way && way->row == row && way->cuts == cuts)
			lower_add_case(lower, &dispatch, value.value, target_of(way));
	}
	return dispatch;
}

/* Every drop once, and behind it the ways that were chosen below it and above the next. */
static void fill_row(struct lower *lower, const struct lower_row *row)
{
	struct ir_chain *chain = NULL;
	size_t last = 0;

	for (size_t i = 0; i < lower->way_count; i++)
		if (lower->ways[i].row == row && lower->ways[i].cuts > last)
			last = lower->ways[i].cuts;
	if (last)
		chain = lower_chain(
			lower, kept_name(lower, row),
			"kept connections meet what drops and rejects above the rule that decided");
	for (size_t i = 0; i < last; i++) {
		for (size_t k = 0; k < row->cuts[i]->rule_count; k++)
			*arena_append(lower->arena, chain->rules, chain->rule_count) =
				row->cuts[i]->rules[k];
		lower_dispatch(lower, chain, below(lower, row, i + 1), NULL);
	}
}

void lower_fill_keep(struct lower *lower, struct ir_chain *chain, enum ir_scope scope)
{
	struct ir_statement dispatch = lower_new_dispatch(lower, true);

	for (size_t i = 0; i < lower->value_count; i++) {
		struct lower_value value = lower->values[i];
		const struct lower_way *way = value.way ? &lower->ways[value.way - 1] : NULL;

		if (way && way->scope == scope)
			lower_add_case(lower, &dispatch, value.value,
				       way->row ? kept_name(lower, way->row) : target_of(way));
	}
	lower_dispatch(lower, chain, dispatch, "a connection keeps the way its first packet got");
	for (size_t i = 0; i < lower->row_count; i++)
		if (lower->rows[i]->scope == scope)
			fill_row(lower, lower->rows[i]);
}

static const char *reply_chain(const struct lower *lower, size_t origin)
{
	return origin > lower->uplink_count ? lower_spoofed
					    : lower->uplinks[origin - 1].reply->chain;
}

void lower_fill_replies(struct lower *lower, struct ir_chain *chain)
{
	struct ir_statement dispatch = lower_new_dispatch(lower, true);

	for (size_t i = 0; i < lower->value_count; i++)
		if (lower->values[i].origin)
			lower_add_case(lower, &dispatch, lower->values[i].value,
				       reply_chain(lower, lower->values[i].origin));
	lower_dispatch(lower, chain, dispatch,
		       lower->uplink_count
			       ? "replies leave through the uplink that the request came in on"
			       : NULL);
}
