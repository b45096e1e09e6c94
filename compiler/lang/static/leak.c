/*
 * static/leak: packets of a family that a rule sends by tables of which none has a route for it, so
 * that they leave by the main table after all.
 *
 * In goes a slice of spaces, which says what families each rule sends; out comes a warning for each
 * table, or list of tables, that lets a family go. What its author has named main, or given a
 * fallback, is no leak.
 */
#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "lang/check/check.h"
#include "lang/static/static.h"
#include "lang/static/slice.h"

struct leaking {
	struct diag *diag;
	struct ast_policy *policy;
	enum addr_family family;
};

static const char *const keys[] = { "ipv4", "ipv6" };

/* Where the kernel goes on to the next rule after a `throw`, it has found no route. */
static bool has_route(const struct ast_table *table, enum addr_family family)
{
	size_t count;
	const struct ast_route *routes = ast_table_routes(table, &count);

	for (size_t i = 0; i < count; i++)
		if (routes[i].type != IR_ROUTE_THROW && check_route_in(&routes[i], family))
			return true;
	return false;
}

static struct diag_record *report(const struct leaking *leaking, struct span where,
				  const struct ast_then *then, const char *text)
{
	struct diag_record *record =
		diag_add(leaking->diag,
			 leaking->family == ADDR_IPV6 ? DIAG_ipv6_uncovered : DIAG_ipv4_uncovered,
			 where, "%s", text);
	bool is_rule = then->name_span.source && where.begin != then->name_span.begin;

	if (is_rule)
		diag_also(record, then->name_span, "%s is sent there from here",
			  addr_family_name(leaking->family));
	diag_help(record, "add an %s `via`, `fallback: unreachable`, or `family: %s` to the rules",
		  addr_family_name(leaking->family), keys[leaking->family == ADDR_IPV4]);
	return record;
}

static void judge_table(const struct leaking *leaking, struct arena *arena,
			const struct ast_table *table, const struct ast_then *then)
{
	const char *name = addr_family_name(leaking->family);

	if (table->fallback != FALLBACK_MAIN || has_route(table, leaking->family))
		return;
	report(leaking, table->span, then,
	       arena_printf(arena,
			    "the table \"%s\" has no %s route, so %s that rules send there leaves by "
			    "the main table",
			    table->name, name, name));
}

static bool names_main(const struct ast_then *then)
{
	for (size_t i = 0; i < then->target_count; i++)
		if (!strcmp(then->targets[i].name, "main"))
			return true;
	return false;
}

/* The last of a list says what happens where none has a route. */
static void judge_list(const struct leaking *leaking, struct arena *arena,
		       const struct ast_then *then)
{
	const struct ast_target *last = &then->targets[then->target_count - 1];
	const struct ast_table *end = ast_table_find(leaking->policy, last->name);
	const char *name = addr_family_name(leaking->family);
	struct diag_record *record;

	if (!end || end->fallback != FALLBACK_MAIN || names_main(then))
		return;
	for (size_t i = 0; i < then->target_count; i++)
		if (has_route(ast_table_find(leaking->policy, then->targets[i].name),
			      leaking->family))
			return;
	record =
		report(leaking, then->name_span, then,
		       arena_printf(arena,
				    "none of these tables has an %s route, so %s leaves by the main "
				    "table",
				    name, name));
	for (size_t i = 0; i < then->target_count; i++)
		diag_also(record, ast_table_find(leaking->policy, then->targets[i].name)->span,
			  "no %s route", name);
}

void static_leaks(struct diag *diag, const struct static_slice *slice)
{
	struct leaking leaking = { diag, slice->policy, slice->family };

	if (slice->family == ADDR_IPV6 && slice->policy->settings.ipv6 == IPV6_BLOCK)
		return;
	for (size_t i = 0; i < slice->space_count; i++) {
		const struct ast_then *then = slice->spaces[i].rule->then;

		for (size_t k = 0; k < then->hand_count; k++)
			if (then->hands[k].listener->via)
				judge_table(&leaking, slice->arena, then->hands[k].listener->via,
					    then);
		if (then->action == THEN_ROUTE && then->target_count > 1)
			judge_list(&leaking, slice->arena, then);
		else if (then->action == THEN_ROUTE || then->action == THEN_BALANCE)
			for (size_t k = 0; k < then->target_count; k++) {
				const struct ast_table *table =
					ast_table_find(slice->policy, then->targets[k].name);

				if (table)
					judge_table(&leaking, slice->arena, table, then);
			}
	}
}
