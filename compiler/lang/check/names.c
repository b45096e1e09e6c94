/*
 * check/names: the listeners and tables that actions name.
 */
#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "lang/check/check.h"
#include "yaml/decode.h"

static bool unknown(struct arena *arena, struct diag *diag, struct span span, const char *what,
		    const char *name, const char *const *candidates, size_t count)
{
	struct decode decode = { .arena = arena, .diag = diag };

	decode_unknown(&decode, DIAG_unknown_name, span, what, name, candidates, count);
	return false;
}

static bool unknown_listener(struct arena *arena, struct diag *diag, struct ast_policy *policy,
			     const struct ast_target *hand)
{
	const char **candidates = NULL;
	size_t count = 0;

	if (ast_table_find(policy, hand->name)) {
		diag_help(diag_add(diag, DIAG_unknown_name, hand->span,
				   "\"%s\" is a table, and `proxy` takes a listener", hand->name),
			  "write `then: {route: %s}`", hand->name);
		return false;
	}
	for (size_t i = 0; i < policy->listener_count; i++)
		*arena_append(arena, candidates, count) = policy->listeners[i].name;
	return unknown(arena, diag, hand->span, "listener", hand->name, candidates, count);
}

static bool find_listeners(struct arena *arena, struct diag *diag, struct ast_policy *policy,
			   struct ast_then *then)
{
	bool good = true;

	for (size_t i = 0; i < then->hand_count; i++) {
		struct ast_target *hand = &then->hands[i];

		hand->listener = ast_listener_find(policy, hand->name);
		if (hand->listener)
			hand->listener->used = true;
		else
			good = unknown_listener(arena, diag, policy, hand);
	}
	then->listener = good ? then->hands[0].listener : NULL;
	return good;
}

/* ---- tables ---- */

bool check_unknown_table(struct arena *arena, struct diag *diag, struct ast_policy *policy,
			 const struct ast_target *target)
{
	const char **candidates = NULL;
	size_t count = 0;

	if (ast_listener_find(policy, target->name)) {
		diag_help(diag_add(diag, DIAG_unknown_name, target->span,
				   "\"%s\" is a listener, and a way by tables takes tables",
				   target->name),
			  "write `then: {proxy: %s}`", target->name);
		return false;
	}
	for (size_t i = 0; i < policy->table_count; i++)
		*arena_append(arena, candidates, count) = policy->tables[i].name;
	return unknown(arena, diag, target->span, "table", target->name, candidates, count);
}

/* ---- both ---- */

/* Of a balance: the first share that is a listener and no table, and the first of the reverse. A
 * name may be both. */
static void sort_shares(struct ast_policy *policy, const struct ast_then *then,
			const struct ast_target **listener, const struct ast_target **table)
{
	*listener = *table = NULL;
	for (size_t i = 0; then->action == THEN_BALANCE && i < then->target_count; i++) {
		const struct ast_target *target = &then->targets[i];
		bool is_listener = ast_listener_find(policy, target->name) != NULL;
		bool is_table = ast_table_find(policy, target->name) ||
				ast_is_last_resort(target->name);

		if (is_listener && !is_table && !*listener)
			*listener = target;
		if (is_table && !is_listener && !*table)
			*table = target;
	}
}

static bool refuse_mixture(struct diag *diag, struct ast_policy *policy,
			   const struct ast_target *listener, const struct ast_target *table)
{
	struct diag_record *record = diag_add(diag, DIAG_impossible, listener->span,
					      "\"%s\" is a listener, and \"%s\" %s", listener->name,
					      table->name,
					      ast_table_find(policy, table->name) ? "a table"
					      : strcmp(table->name, "main")       ? "none"
									    : "the main table");

	diag_also(record, table->span, "this one");
	diag_help(record,
		  "share among tables, or among listeners of one mode; what goes to the other is a rule of its own");
	return false;
}

static void spread(struct ast_then *then)
{
	then->action = THEN_SPREAD;
	then->hands = then->targets;
	then->hand_count = then->target_count;
	then->targets = NULL;
	then->target_count = 0;
}

static bool find_tables(struct arena *arena, struct diag *diag, struct ast_policy *policy,
			struct ast_then *then)
{
	bool good = true;

	for (size_t i = 0; i < then->target_count; i++) {
		struct ast_table *table = ast_table_find(policy, then->targets[i].name);

		if (table)
			table->used = true;
		else if (!ast_is_last_resort(then->targets[i].name))
			good = check_unknown_table(arena, diag, policy, &then->targets[i]);
	}
	return good;
}

bool check_names(struct arena *arena, struct diag *diag, struct ast_policy *policy,
		 struct ast_then *then)
{
	const struct ast_target *listener, *table;

	sort_shares(policy, then, &listener, &table);
	if (listener && table)
		return refuse_mixture(diag, policy, listener, table);
	if (listener)
		spread(then);
	return ast_hands_over(then) ? find_listeners(arena, diag, policy, then)
				    : find_tables(arena, diag, policy, then);
}
