/*
 * lower/uplink: the uplinks, whose connections are answered by the table that leads out by them.
 *
 * In go the tables and their targets, out come the uplinks in the order in which they count, and
 * the targets of their replies. Which interfaces a table leaves by says lower/table.c.
 */
#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/names.h"
#include "lang/check/check.h"
#include "lang/lower/lower.h"
#include "lang/lower/table.h"
#include "match/kinds.h"

static bool has_uplink(const struct lower *lower, const char *dev)
{
	for (size_t u = 0; u < lower->uplink_count; u++)
		for (size_t k = 0; k < lower->uplinks[u].dev_count; k++)
			if (!strcmp(lower->uplinks[u].devs[k], dev) &&
			    !lower->uplinks[u].table->answer_count)
				return true;
	return false;
}

static const struct lower_uplink *uplink_of(const struct lower *lower,
					    const struct ast_table *table)
{
	for (size_t i = 0; i < lower->uplink_count; i++)
		if (lower->uplinks[i].table == table)
			return &lower->uplinks[i];
	return NULL;
}

static struct lower_target *reply_by(struct lower *lower, struct ast_table *table)
{
	struct lower_target *reply =
		lower_add_target(lower, IR_CLASS_REPLY, table->name, NULL, table->span);

	reply->forward = reply->local = true;
	*arena_append(lower->arena, reply->tables, reply->table_count) = table;
	reply->fallback = table->fallback;
	return reply;
}

/* `uplink`: its table, and what it is like. */
static void add_uplink(struct lower *lower, struct lower_uplink uplink, const char *dev)
{
	struct lower_uplink *last = lower->uplink_count ? &lower->uplinks[lower->uplink_count - 1]
							: NULL;
	const struct lower_uplink *same = uplink_of(lower, uplink.table);

	if (lower->policy->settings.ipv6 == IPV6_OFF && !lower_table_has_ipv4(uplink.table))
		return;
	if (last && last->table == uplink.table && last->by_gateway == uplink.by_gateway) {
		*arena_append(lower->arena, last->devs, last->dev_count) = dev;
		return;
	}
	*arena_append(lower->arena, uplink.devs, uplink.dev_count) = dev;
	uplink.reply = same ? same->reply : reply_by(lower, uplink.table);
	*arena_append(lower->arena, lower->uplinks, lower->uplink_count) = uplink;
}

/* An interface that is nowhere the first choice gets a table of its own. */
static void add_table_uplink(struct lower *lower, struct lower_uplink uplink, const char *dev,
			     size_t number, bool leading)
{
	struct ast_table *table = uplink.table;

	if (!leading) {
		uplink.table = lower_table_by_dev(lower->arena, table, dev, number);
		uplink.table->id = lower_draw_table(lower, uplink.table->name, table->span);
	}
	add_uplink(lower, uplink, dev);
}

static bool answers_nothing(const struct ast_table *table)
{
	return table->answers_span.source && !table->answer_count;
}

/* A table with a default route by an interface is its uplink; the first one that has it, each that
 * leads by it to gateways of its own, and each that says for which addresses. */
static void add_uplinks(struct lower *lower, bool leading, bool with_addresses)
{
	struct ast_policy *policy = lower->policy;

	for (size_t i = 0; i < policy->table_count; i++) {
		struct ast_table *table = &policy->tables[i];
		size_t count;
		const char **devs = check_table_devs(lower->arena, table, &count, NULL);

		if (!lower_table_has_default(table) || with_addresses != (table->answer_count > 0))
			continue;
		for (size_t k = 0; k < count; k++) {
			bool is_second = !with_addresses && has_uplink(lower, devs[k]);

			if (lower_table_prefers(table, devs[k]) != leading ||
			    (is_second && !lower_has_new_gateways(lower, table, devs[k])))
				continue;
			if (answers_nothing(table))
				names_add(lower->arena, &lower->silent_devs,
					  &lower->silent_dev_count, devs[k]);
			else
				add_table_uplink(lower,
						 (struct lower_uplink){ .table = table,
									.by_gateway = is_second },
						 devs[k], k + 1, leading);
		}
	}
}

static void check_answers(struct lower *lower)
{
	for (size_t i = 0; i < lower->policy->table_count; i++) {
		const struct ast_table *table = &lower->policy->tables[i];
		size_t count;

		check_table_devs(lower->arena, table, &count, NULL);
		if (count || !table->answers_span.source)
			continue;
		diag_help(diag_add(lower->diag, DIAG_impossible, table->answers_span,
				   "the table \"%s\" answers nothing that comes in anyway",
				   table->name),
			  "remove `answers`, or give one of the table's routes its `dev`");
	}
}

void lower_uplinks(struct lower *lower)
{
	check_answers(lower);
	for (int with_addresses = 1; with_addresses >= 0; with_addresses--)
		for (int leading = 1; leading >= 0; leading--)
			add_uplinks(lower, leading, with_addresses);
	lower_gateways(lower);
}

/* ---- tables without a default route ---- */

/* The one table serves as it is: for what it has no route to, the main table answers anyway. */
static void add_partial(struct lower *lower, struct ast_table *table)
{
	size_t count;
	const char **devs = check_table_devs(lower->arena, table, &count, NULL);
	bool whole = count == 1 && table->fallback == FALLBACK_MAIN;

	/* The copy of main's routes may want one more id. */
	for (size_t k = 0; k < count; k++)
		if (lower_has_mark(lower) && (whole || lower_has_tables(lower, 2)) &&
		    (table->answer_count || !has_uplink(lower, devs[k])))
			add_table_uplink(lower,
					 (struct lower_uplink){ .table = table, .partial = true },
					 devs[k], k + 1, whole);
}

void lower_partial_uplinks(struct lower *lower)
{
	struct ast_policy *policy = lower->policy;

	for (size_t i = 0; i < policy->table_count; i++)
		if (!lower_table_has_default(&policy->tables[i]) &&
		    !answers_nothing(&policy->tables[i]))
			add_partial(lower, &policy->tables[i]);
}

/* ---- what comes in by them ---- */

void lower_from_uplinks(struct lower *lower, struct ir_chain *chain, const char *to)
{
	for (size_t i = 0; i < lower->uplink_count; i++) {
		const struct lower_uplink *uplink = &lower->uplinks[i];
		struct ir_rule *rule;

		if (uplink->partial)
			continue;
		rule = lower_guarantee(lower, chain, i ? NULL : "what comes in by an uplink");
		lower_match(lower, rule,
			    interface_match(INTERFACE_IN, uplink->devs, uplink->dev_count, false));
		lower_goto(lower, rule, to);
	}
	if (lower->silent_dev_count) {
		struct ir_rule *rule = lower_guarantee(lower, chain, NULL);

		lower_match(lower, rule,
			    interface_match(INTERFACE_IN, lower->silent_devs,
					    lower->silent_dev_count, false));
		lower_goto(lower, rule, to);
	}
}
