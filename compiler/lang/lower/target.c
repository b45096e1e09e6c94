/*
 * lower/target: what rules can send packets to. Listeners come first, then tables, whether a rule
 * uses them or not, then what else rules ask for, and last the variants of targets: in that
 * order they ask for their numbers (lower/number.c).
 */
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "lang/check/check.h"
#include "lang/lower/lower.h"
#include "match/kinds.h"

/* ---- lookups ---- */

/* There is one target for all rules that answer. */
static const char echo[] = "echo";

static const char *mark_name(struct lower *lower, const struct ast_then *then)
{
	const char *connection = then->connection ? ".connection" : "";

	if (then->mark.mask == UINT32_MAX)
		return arena_printf(lower->arena, "0x%08x%s", then->mark.value, connection);
	return arena_printf(lower->arena, "0x%08x.0x%08x%s", then->mark.value, then->mark.mask,
			    connection);
}

static enum ast_sticky sticky_of(const struct ast_then *then)
{
	return then->target_count > 1 ? then->sticky : STICKY_TCP;
}

struct lower_target *lower_target_of(struct lower *lower, const struct ast_then *then)
{
	enum ir_class_kind kind = then->action == THEN_PROXY    ? IR_CLASS_PROXY
				  : then->action == THEN_ROUTE  ? IR_CLASS_ROUTE
				  : then->action == THEN_ANSWER ? IR_CLASS_ANSWER
								: IR_CLASS_MARK;
	const char *name = kind == IR_CLASS_PROXY    ? then->listener->name
			   : kind == IR_CLASS_ROUTE  ? ast_route_name(lower->arena, then)
			   : kind == IR_CLASS_ANSWER ? echo
						     : mark_name(lower, then);

	for (size_t i = 0; i < lower->target_count; i++)
		if (lower->targets[i]->kind == kind && !strcmp(lower->targets[i]->name, name) &&
		    lower->targets[i]->sticky == sticky_of(then))
			return lower->targets[i];
	return NULL;
}

struct lower_target *lower_table_target(struct lower *lower, const char *table)
{
	for (size_t i = 0; i < lower->target_count; i++)
		if (lower->targets[i]->kind == IR_CLASS_ROUTE &&
		    !strcmp(lower->targets[i]->name, table))
			return lower->targets[i];
	return NULL;
}

struct lower_target *lower_share_target(struct lower *lower, const struct ast_target *share)
{
	for (size_t i = 0; share->listener && i < lower->target_count; i++)
		if (lower->targets[i]->listener == share->listener)
			return lower->targets[i];
	return share->listener ? NULL : lower_table_target(lower, share->name);
}

bool lower_leads_out(const struct lower_target *target)
{
	return target->kind == IR_CLASS_ROUTE || target->kind == IR_CLASS_INBOUND ||
	       target->kind == IR_CLASS_SYN || target->kind == IR_CLASS_MEMBER ||
	       (target->kind == IR_CLASS_PROXY && target->table_count);
}

bool lower_is_used(const struct lower_target *target)
{
	return target->families[ADDR_IPV4] || target->families[ADDR_IPV6];
}

const char **lower_devs(struct lower *lower, const struct lower_target *target, size_t *count,
			bool *complete)
{
	const char **devs = NULL;

	*count = 0;
	*complete = true;
	for (size_t i = 0; i < target->table_count; i++) {
		size_t few;
		bool all;
		const char **more = check_table_devs(lower->arena, target->tables[i], &few, &all);

		*complete &= all;
		for (size_t k = 0; k < few; k++)
			*arena_append(lower->arena, devs, *count) = more[k];
	}
	return devs;
}

bool lower_leads_nowhere(struct lower *lower, const struct ast_table *table)
{
	size_t count;
	bool complete;

	check_table_devs(lower->arena, table, &count, &complete);
	return !count && complete;
}

bool lower_prefers_main(const struct lower_target *target, size_t table)
{
	return target->tables[table]->prefer_main || target->kind == IR_CLASS_REPLY ||
	       target->kind == IR_CLASS_INBOUND;
}

static bool asks_specific(const struct lower_target *target)
{
	for (size_t i = 0; i < target->table_count; i++)
		if (lower_prefers_main(target, i))
			return true;
	return false;
}

/* ---- listeners, tables, and what rules ask for ---- */

/* Chains have up to 255 characters, NFT_NAME_MAXLEN, and other words stand before and after this
 * one. */
static const char *chain_part(struct lower *lower, const char *name)
{
	enum { MOST = 100 };

	if (strlen(name) <= MOST)
		return name;
	return arena_printf(lower->arena, "%.*s.%08x", MOST, name, hash_text(HASH_TEXT, name));
}

struct lower_target *lower_add_target(struct lower *lower, enum ir_class_kind kind,
				      const char *name, const struct ast_mark *mark,
				      struct span origin)
{
	struct lower_target *target = arena_new_of(lower->arena, struct lower_target);
	static const char *const prefixes[] = {
		[IR_CLASS_PROXY] = "proxy",     [IR_CLASS_ROUTE] = "route",
		[IR_CLASS_MARK] = "mark",       [IR_CLASS_REPLY] = "reply",
		[IR_CLASS_INBOUND] = "inbound", [IR_CLASS_SYN] = "syn",
		[IR_CLASS_ANSWER] = "answer",   [IR_CLASS_MEMBER] = "member"
	};

	*target = (struct lower_target){ .kind = kind, .name = name, .origin = origin };
	target->mask = mark && mark->given ? mark->mask : lower_mark_mask(lower);
	if (mark && mark->given)
		target->mark = mark->value;
	else
		target->mark =
			lower_draw_mark(lower,
					arena_printf(lower->arena, "%s/%s", prefixes[kind], name),
					origin);
	target->chain = target->local_chain =
		arena_printf(lower->arena, "%s_%s", prefixes[kind], chain_part(lower, name));
	*arena_append(lower->arena, lower->targets, lower->target_count) = target;
	return target;
}

static void add_listener(struct lower *lower, struct ast_listener *listener)
{
	struct lower_target *target = lower_add_target(lower, IR_CLASS_PROXY, listener->name,
						       &listener->mark, listener->span);

	target->listener = listener;
	if (listener->via) {
		*arena_append(lower->arena, target->tables, target->table_count) = listener->via;
		target->fallback = listener->via->fallback;
	}
	if (listener->mode != MODE_TPROXY)
		return;
	target->table = listener->table ? (uint32_t)listener->table
					: lower_draw_table(lower, listener->name, listener->span);
	target->fallback = FALLBACK_UNREACHABLE;
	target->local_chain = arena_printf(lower->arena, "local_proxy_%s", listener->name);
}

static void add_table(struct lower *lower, struct ast_table *table)
{
	struct lower_target *target =
		lower_add_target(lower, IR_CLASS_ROUTE, table->name, &table->mark, table->span);

	if (!table->id)
		table->id = lower_draw_table(lower, table->name, table->span);
	*arena_append(lower->arena, target->tables, target->table_count) = table;
	target->fallback = table->fallback;
}

static int fallback_of(const struct ast_target *target, const struct ast_table *table)
{
	if (table)
		return table->fallback;
	return !strcmp(target->name, "unreachable") ? FALLBACK_UNREACHABLE
	       : !strcmp(target->name, "prohibit")  ? FALLBACK_PROHIBIT
	       : !strcmp(target->name, "blackhole") ? FALLBACK_BLACKHOLE
						    : FALLBACK_MAIN;
}

static void add_list(struct lower *lower, const struct ast_then *then)
{
	static const char *const suffixes[] = {
		[STICKY_TCP] = "", [STICKY_ALL] = "/sticky", [STICKY_NONE] = "/moving"
	};
	struct lower_target *target = lower_add_target(lower, IR_CLASS_ROUTE,
						       ast_route_name(lower->arena, then), NULL,
						       then->span);

	target->sticky = sticky_of(then);
	target->chain = target->local_chain =
		arena_printf(lower->arena, "%s%s", target->chain, suffixes[target->sticky]);
	for (size_t i = 0; i < then->target_count; i++) {
		struct ast_table *table = ast_table_find(lower->policy, then->targets[i].name);

		target->fallback = fallback_of(&then->targets[i], table);
		if (table) {
			*arena_append(lower->arena, target->tables, target->table_count) = table;
		} else if (target->fallback == FALLBACK_MAIN) {
			target->names_main = true;
			target->main_at = target->table_count;
		}
	}
}

/* A share of a choice that is the main table is a target like the others. */
static void add_main_share(struct lower *lower, const struct ast_then *then)
{
	for (size_t i = 0; i < then->target_count; i++) {
		const struct ast_target *target = &then->targets[i];
		struct ast_then main = { .action = THEN_ROUTE,
					 .targets = &then->targets[i],
					 .target_count = 1,
					 .span = target->span };

		if (!strcmp(target->name, "main") && !lower_target_of(lower, &main))
			add_list(lower, &main);
	}
}

/* The policy's own bits of a connection's mark stay. */
static void add_mark(struct lower *lower, const struct ast_then *then)
{
	struct lower_target *target = lower_add_target(lower, IR_CLASS_MARK, mark_name(lower, then),
						       &then->mark, then->span);

	if (then->connection)
		target->ct_mask = then->mark.mask & ~lower_mark_mask(lower);
}

static void add_wanted(struct lower *lower, const struct ast_then *then)
{
	if (then && then->action == THEN_BALANCE)
		add_main_share(lower, then);
	if (!then || then->action == THEN_SPREAD || lower_target_of(lower, then))
		return;
	if (then->action == THEN_ROUTE)
		add_list(lower, then);
	else if (then->action == THEN_MARK)
		add_mark(lower, then);
	else if (then->action == THEN_ANSWER)
		lower_add_target(lower, IR_CLASS_ANSWER, echo, NULL, then->span);
}

void lower_targets(struct lower *lower)
{
	struct ast_policy *policy = lower->policy;

	for (size_t i = 0; i < policy->listener_count; i++)
		add_listener(lower, &policy->listeners[i]);
	for (size_t i = 0; i < policy->table_count; i++)
		add_table(lower, &policy->tables[i]);
	for (size_t i = 0; i < policy->rule_count; i++)
		add_wanted(lower, policy->rules[i].then);
	add_wanted(lower, policy->default_forward);
	add_wanted(lower, policy->default_local);
}

/* ---- variants ---- */

/* A rule that names interfaces means them, uplinks too. */
static bool is_open(const struct ast_rule *rule)
{
	return (rule->scopes & SCOPE_FORWARD) && !ast_names_source(rule);
}

static bool wants_inbound(const struct lower_target *target)
{
	bool all_prefer_main = true;

	if (target->names_main && !target->main_at)
		return false;
	for (size_t i = 0; i < target->table_count; i++) {
		if (target->tables[i]->strict)
			return false;
		all_prefer_main &= target->tables[i]->prefer_main;
	}
	return !target->inbound && !all_prefer_main;
}

struct lower_target *lower_variant(struct lower *lower, const struct lower_target *target,
				   enum ir_class_kind kind, const char *name)
{
	struct lower_target *variant = lower_add_target(lower, kind, name, NULL, target->origin);

	variant->tables = target->tables;
	variant->table_count = target->table_count;
	variant->fallback = target->fallback;
	variant->names_main = target->names_main;
	variant->main_at = target->main_at;
	return variant;
}

static void add_translated(struct lower *lower, struct lower_target *target)
{
	if (wants_inbound(target) && lower_has_mark(lower))
		target->inbound = lower_variant(lower, target, IR_CLASS_INBOUND, target->name);
}

static void add_open(struct lower *lower, struct lower_target *target)
{
	if ((!lower->uplink_count && !lower->silent_dev_count) || !wants_inbound(target))
		return;
	target->inbound = lower_variant(lower, target, IR_CLASS_INBOUND, target->name);
	target->open_chain = arena_printf(lower->arena, "open_%s", chain_part(lower, target->name));
}

/* A mark of the author's may be what others know the packets by, the first ones above all. */
static bool is_mark_given(const struct lower_target *target)
{
	return target->table_count == 1 && target->tables[0]->mark.given &&
	       !strcmp(target->name, target->tables[0]->name);
}

static void add_syn(struct lower *lower, struct lower_target *target)
{
	bool refuses = target->fallback == FALLBACK_UNREACHABLE ||
		       target->fallback == FALLBACK_PROHIBIT;

	if (target->syn || !refuses || is_mark_given(target) || !lower_has_mark(lower))
		return;
	target->syn = lower_variant(lower, target, IR_CLASS_SYN, target->name);
	target->syn->inbound = target->inbound;
	target->local_chain =
		arena_printf(lower->arena, "local_route_%s", chain_part(lower, target->name));
	if (!lower->reset_table)
		lower->reset_table = lower_draw_table(lower, "reset/tcp", target->origin);
}

/* For each target by tables that the action may choose. */
static void for_targets(struct lower *lower, const struct ast_then *then,
			void (*add)(struct lower *, struct lower_target *))
{
	struct lower_target *target;

	if (then && then->action == THEN_ROUTE)
		add(lower, lower_target_of(lower, then));
	for (size_t i = 0; then && then->action == THEN_BALANCE && i < then->target_count; i++) {
		target = lower_table_target(lower, then->targets[i].name);
		if (target)
			add(lower, target);
	}
}

/* Does the rule send TCP of this host anywhere? */
static bool is_about_own_tcp(const struct ast_rule *rule)
{
	return (rule->scopes & SCOPE_LOCAL) &&
	       (!rule->protocols.count || interval_contains(&rule->protocols, wide(PROTOCOL_TCP)));
}

void lower_variants(struct lower *lower)
{
	struct ast_policy *policy = lower->policy;

	for (size_t i = 0; i < policy->rule_count; i++)
		if (is_open(&policy->rules[i]))
			for_targets(lower, policy->rules[i].then, add_open);
	for_targets(lower, policy->default_forward, add_open);
	for (size_t i = 0; i < policy->rule_count; i++)
		for_targets(lower, policy->rules[i].then, add_translated);
	for_targets(lower, policy->default_forward, add_translated);
	for_targets(lower, policy->default_local, add_translated);
	for (size_t i = 0; i < policy->rule_count; i++)
		if (is_about_own_tcp(&policy->rules[i]))
			for_targets(lower, policy->rules[i].then, add_syn);
	for_targets(lower, policy->default_local, add_syn);
}

void lower_main_copy(struct lower *lower)
{
	for (size_t i = 0; i < lower->target_count; i++)
		if (lower->unmarked_count || asks_specific(lower->targets[i])) {
			lower->main_copy =
				lower_draw_table(lower, "main/ipv6", lower->targets[i]->origin);
			return;
		}
}
