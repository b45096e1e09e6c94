/*
 * lower/class: the ways that packets can take. Listeners come first, then tables, whether a rule
 * uses them or not, then what rules ask for beside them, and last what ways have beside themselves:
 * in that order they ask for their numbers (lower/number.h).
 */
#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/names.h"
#include "lang/check/check.h"
#include "lang/lower/number.h"
#include "lang/lower/uplink.h"
#include "match/kinds.h"

/* Chains have up to 255 characters, NFT_NAME_MAXLEN, and other words stand before and behind this
 * one. */
static const char *chain_part(struct lower *lower, const char *name)
{
	enum { MOST = 100 };

	if (strlen(name) <= MOST)
		return name;
	return arena_printf(lower->arena, "%.*s.%08x", MOST, name, names_hash(NAMES_HASH, name));
}

static struct lower_class *add_class(struct numbers *numbers, enum ir_class_kind kind,
				     const char *name, const struct ast_mark *mark,
				     struct span origin)
{
	struct lower *lower = numbers->lower;
	struct lower_class *way = arena_new_of(lower->arena, struct lower_class);
	static const char *const prefixes[] = {
		[IR_CLASS_PROXY] = "proxy",     [IR_CLASS_ROUTE] = "route",
		[IR_CLASS_MARK] = "mark",       [IR_CLASS_REPLY] = "reply",
		[IR_CLASS_INBOUND] = "inbound", [IR_CLASS_SYN] = "syn",
		[IR_CLASS_ANSWER] = "answer",   [IR_CLASS_MEMBER] = "member"
	};

	*way = (struct lower_class){ .kind = kind, .name = name, .origin = origin };
	way->mask = mark && mark->given ? mark->mask : lower_mark_mask(lower);
	if (mark && mark->given)
		way->mark = mark->value;
	else
		way->mark =
			lower_draw_mark(numbers,
					arena_printf(lower->arena, "%s/%s", prefixes[kind], name),
					origin);
	way->chain = way->local_chain =
		arena_printf(lower->arena, "%s_%s", prefixes[kind], chain_part(lower, name));
	*arena_append(lower->arena, lower->classes, lower->class_count) = way;
	return way;
}

static void add_listener(struct numbers *numbers, struct ast_listener *listener)
{
	struct lower_class *way =
		add_class(numbers, IR_CLASS_PROXY, listener->name, &listener->mark, listener->span);

	way->listener = listener;
	if (listener->via) {
		*arena_append(numbers->lower->arena, way->tables, way->table_count) = listener->via;
		way->fallback = listener->via->fallback;
	}
	if (listener->mode != MODE_TPROXY)
		return;
	way->table = listener->table ? (uint32_t)listener->table
				     : lower_draw_table(numbers, listener->name, listener->span);
	way->fallback = FALLBACK_UNREACHABLE;
	way->local_chain = arena_printf(numbers->lower->arena, "local_proxy_%s", listener->name);
}

static void add_table(struct numbers *numbers, struct ast_table *table)
{
	struct lower_class *way =
		add_class(numbers, IR_CLASS_ROUTE, table->name, &table->mark, table->span);

	if (!table->id)
		table->id = lower_draw_table(numbers, table->name, table->span);
	*arena_append(numbers->lower->arena, way->tables, way->table_count) = table;
	way->fallback = table->fallback;
}

/* ---- ways that rules ask for beside those of listeners and tables ---- */

/* There is one way for all rules that answer. */
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

struct lower_class *lower_class_of(struct lower *lower, const struct ast_then *then)
{
	enum ir_class_kind kind = then->action == THEN_PROXY    ? IR_CLASS_PROXY
				  : then->action == THEN_ROUTE  ? IR_CLASS_ROUTE
				  : then->action == THEN_ANSWER ? IR_CLASS_ANSWER
								: IR_CLASS_MARK;
	const char *name = kind == IR_CLASS_PROXY    ? then->listener->name
			   : kind == IR_CLASS_ROUTE  ? ast_route_name(lower->arena, then)
			   : kind == IR_CLASS_ANSWER ? echo
						     : mark_name(lower, then);

	for (size_t i = 0; i < lower->class_count; i++)
		if (lower->classes[i]->kind == kind && !strcmp(lower->classes[i]->name, name) &&
		    lower->classes[i]->sticky == sticky_of(then))
			return lower->classes[i];
	return NULL;
}

struct lower_class *lower_table_class(struct lower *lower, const char *table)
{
	for (size_t i = 0; i < lower->class_count; i++)
		if (lower->classes[i]->kind == IR_CLASS_ROUTE &&
		    !strcmp(lower->classes[i]->name, table))
			return lower->classes[i];
	return NULL;
}

struct lower_class *lower_share_class(struct lower *lower, const struct ast_target *share)
{
	for (size_t i = 0; share->listener && i < lower->class_count; i++)
		if (lower->classes[i]->listener == share->listener)
			return lower->classes[i];
	return share->listener ? NULL : lower_table_class(lower, share->name);
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

static void add_row(struct numbers *numbers, const struct ast_then *then)
{
	struct lower *lower = numbers->lower;
	static const char *const suffixes[] = {
		[STICKY_TCP] = "", [STICKY_ALL] = "/sticky", [STICKY_NONE] = "/moving"
	};
	struct lower_class *way = add_class(numbers, IR_CLASS_ROUTE,
					    ast_route_name(lower->arena, then), NULL, then->span);

	way->sticky = sticky_of(then);
	way->chain = way->local_chain =
		arena_printf(lower->arena, "%s%s", way->chain, suffixes[way->sticky]);
	for (size_t i = 0; i < then->target_count; i++) {
		struct ast_table *table = ast_table_find(lower->policy, then->targets[i].name);

		way->fallback = fallback_of(&then->targets[i], table);
		if (table) {
			*arena_append(lower->arena, way->tables, way->table_count) = table;
		} else if (way->fallback == FALLBACK_MAIN) {
			way->names_main = true;
			way->main_at = way->table_count;
		}
	}
}

/* A share of a choice that is the main table is a way like the others. */
static void add_main_share(struct numbers *numbers, const struct ast_then *then)
{
	for (size_t i = 0; i < then->target_count; i++) {
		const struct ast_target *target = &then->targets[i];
		struct ast_then main = { .action = THEN_ROUTE,
					 .targets = &then->targets[i],
					 .target_count = 1,
					 .span = target->span };

		if (!strcmp(target->name, "main") && !lower_class_of(numbers->lower, &main))
			add_row(numbers, &main);
	}
}

/* The policy's own bits of a connection's mark stay. */
static void add_mark(struct numbers *numbers, const struct ast_then *then)
{
	struct lower_class *way = add_class(numbers, IR_CLASS_MARK, mark_name(numbers->lower, then),
					    &then->mark, then->span);

	if (then->connection)
		way->ct_mask = then->mark.mask & ~lower_mark_mask(numbers->lower);
}

static void add_wanted(struct numbers *numbers, const struct ast_then *then)
{
	if (then && then->action == THEN_BALANCE)
		add_main_share(numbers, then);
	if (!then || then->action == THEN_SPREAD || lower_class_of(numbers->lower, then))
		return;
	if (then->action == THEN_ROUTE)
		add_row(numbers, then);
	else if (then->action == THEN_MARK)
		add_mark(numbers, then);
	else if (then->action == THEN_ANSWER)
		add_class(numbers, IR_CLASS_ANSWER, echo, NULL, then->span);
}

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

static struct lower_class *reply_by(struct numbers *numbers, struct ast_table *table)
{
	struct lower_class *reply =
		add_class(numbers, IR_CLASS_REPLY, table->name, NULL, table->span);

	reply->forward = reply->local = true;
	*arena_append(numbers->lower->arena, reply->tables, reply->table_count) = table;
	reply->fallback = table->fallback;
	return reply;
}

/* `uplink`: its table, and what it is like. */
static void add_uplink(struct numbers *numbers, struct lower_uplink uplink, const char *dev)
{
	struct lower *lower = numbers->lower;
	struct lower_uplink *last = lower->uplink_count ? &lower->uplinks[lower->uplink_count - 1]
							: NULL;
	const struct lower_uplink *same = uplink_of(lower, uplink.table);

	if (lower->policy->settings.ipv6 == IPV6_OFF && !lower_uplink_has_ipv4(uplink.table))
		return;
	if (last && last->table == uplink.table && last->by_gateway == uplink.by_gateway) {
		*arena_append(lower->arena, last->devs, last->dev_count) = dev;
		return;
	}
	*arena_append(lower->arena, uplink.devs, uplink.dev_count) = dev;
	uplink.reply = same ? same->reply : reply_by(numbers, uplink.table);
	*arena_append(lower->arena, lower->uplinks, lower->uplink_count) = uplink;
}

/* An interface that is nowhere the first choice gets a table of its own. */
static void add_table_uplink(struct numbers *numbers, struct lower_uplink uplink, const char *dev,
			     size_t number, bool leading)
{
	struct ast_table *table = uplink.table;

	if (!leading) {
		uplink.table = lower_uplink_only(numbers->lower->arena, table, dev, number);
		uplink.table->id = lower_draw_table(numbers, uplink.table->name, table->span);
	}
	add_uplink(numbers, uplink, dev);
}

static bool answers_nothing(const struct ast_table *table)
{
	return table->answers_span.source && !table->answer_count;
}

/* A table with a default route by an interface is its uplink; the first one that has it, each that
 * leads by it to gateways of its own, and each that says for which addresses. */
static void add_uplinks(struct numbers *numbers, bool leading, bool with_addresses)
{
	struct lower *lower = numbers->lower;
	struct ast_policy *policy = lower->policy;

	for (size_t i = 0; i < policy->table_count; i++) {
		struct ast_table *table = &policy->tables[i];
		size_t count;
		const char **devs = lower_uplink_devs(lower->arena, table, &count);

		if (!lower_uplink_is_one(table) || with_addresses != (table->answer_count > 0))
			continue;
		for (size_t k = 0; k < count; k++) {
			bool is_second = !with_addresses && has_uplink(lower, devs[k]);

			if (lower_uplink_leads(table, devs[k]) != leading ||
			    (is_second && !lower_has_new_gateways(lower, table, devs[k])))
				continue;
			if (answers_nothing(table))
				names_add(lower->arena, &lower->silent_devs,
					  &lower->silent_dev_count, devs[k]);
			else
				add_table_uplink(numbers,
						 (struct lower_uplink){ .table = table,
									.by_gateway = is_second },
						 devs[k], k + 1, leading);
		}
	}
}

/* The one table serves as it is: for what it has no route to, the main table answers anyway. */
static void add_partial(struct numbers *numbers, struct ast_table *table)
{
	size_t count;
	const char **devs = lower_uplink_devs(numbers->lower->arena, table, &count);
	bool whole = count == 1 && table->fallback == FALLBACK_MAIN;

	/* The copy of main's routes may want one more id. */
	for (size_t k = 0; k < count; k++)
		if (lower_has_mark(numbers) && (whole || lower_has_tables(numbers, 2)) &&
		    (table->answer_count || !has_uplink(numbers->lower, devs[k])))
			add_table_uplink(numbers,
					 (struct lower_uplink){ .table = table, .partial = true },
					 devs[k], k + 1, whole);
}

/* A table without a default route answers what comes in by the interfaces of its destinations, and
 * by no other table's. A policy can go without. */
static void add_partials(struct numbers *numbers)
{
	struct ast_policy *policy = numbers->lower->policy;

	for (size_t i = 0; i < policy->table_count; i++)
		if (!lower_uplink_is_one(&policy->tables[i]) &&
		    !answers_nothing(&policy->tables[i]))
			add_partial(numbers, &policy->tables[i]);
}

static void check_answers(struct lower *lower)
{
	for (size_t i = 0; i < lower->policy->table_count; i++) {
		const struct ast_table *table = &lower->policy->tables[i];
		size_t count;

		lower_uplink_devs(lower->arena, table, &count);
		if (count || !table->answers_span.source)
			continue;
		lower->failed = true;
		diag_help(diag_add(lower->diag, DIAG_impossible, table->answers_span,
				   "the table \"%s\" answers nothing that comes in anyway",
				   table->name),
			  "remove `answers`, or give one of the table's routes its `dev`");
	}
}

/* A rule that names interfaces means them, uplinks too. */
static bool is_open(const struct ast_rule *rule)
{
	return (rule->scopes & SCOPE_FORWARD) && !ast_names_source(rule);
}

static bool wants_inbound(const struct lower_class *way)
{
	bool all_prefer_main = true;

	if (way->names_main && !way->main_at)
		return false;
	for (size_t i = 0; i < way->table_count; i++) {
		if (way->tables[i]->strict)
			return false;
		all_prefer_main &= way->tables[i]->prefer_main;
	}
	return !way->inbound && !all_prefer_main;
}

struct lower_class *lower_variant(struct numbers *numbers, const struct lower_class *way,
				  enum ir_class_kind kind, const char *name)
{
	struct lower_class *variant = add_class(numbers, kind, name, NULL, way->origin);

	variant->tables = way->tables;
	variant->table_count = way->table_count;
	variant->fallback = way->fallback;
	variant->names_main = way->names_main;
	variant->main_at = way->main_at;
	return variant;
}

static void add_translated(struct numbers *numbers, struct lower_class *way)
{
	if (wants_inbound(way) && lower_has_mark(numbers))
		way->inbound = lower_variant(numbers, way, IR_CLASS_INBOUND, way->name);
}

static void add_open(struct numbers *numbers, struct lower_class *way)
{
	struct lower *lower = numbers->lower;

	if ((!lower->uplink_count && !lower->silent_dev_count) || !wants_inbound(way))
		return;
	way->inbound = lower_variant(numbers, way, IR_CLASS_INBOUND, way->name);
	way->open_chain = arena_printf(lower->arena, "open_%s", chain_part(lower, way->name));
}

/* A mark of the author's may be what others know the packets by, the first ones above all. */
static bool is_mark_given(const struct lower_class *way)
{
	return way->table_count == 1 && way->tables[0]->mark.given &&
	       !strcmp(way->name, way->tables[0]->name);
}

static void add_syn(struct numbers *numbers, struct lower_class *way)
{
	struct lower *lower = numbers->lower;
	bool refuses = way->fallback == FALLBACK_UNREACHABLE || way->fallback == FALLBACK_PROHIBIT;

	if (way->syn || !refuses || is_mark_given(way) || !lower_has_mark(numbers))
		return;
	way->syn = lower_variant(numbers, way, IR_CLASS_SYN, way->name);
	way->syn->inbound = way->inbound;
	way->local_chain =
		arena_printf(lower->arena, "local_route_%s", chain_part(lower, way->name));
	if (!lower->reset_table)
		lower->reset_table = lower_draw_table(numbers, "reset/tcp", way->origin);
}

/* For each way by tables that the action may choose. */
static void for_ways(struct numbers *numbers, const struct ast_then *then,
		     void (*add)(struct numbers *, struct lower_class *))
{
	struct lower_class *way;

	if (then && then->action == THEN_ROUTE)
		add(numbers, lower_class_of(numbers->lower, then));
	for (size_t i = 0; then && then->action == THEN_BALANCE && i < then->target_count; i++) {
		way = lower_table_class(numbers->lower, then->targets[i].name);
		if (way)
			add(numbers, way);
	}
}

/* Does the rule send TCP of this host anywhere? */
static bool is_about_own_tcp(const struct ast_rule *rule)
{
	return (rule->scopes & SCOPE_LOCAL) &&
	       (!rule->protocols.count || interval_contains(&rule->protocols, wide(PROTOCOL_TCP)));
}

/* Last, so that it takes no id that another table would have drawn. */
static void draw_main_copy(struct numbers *numbers)
{
	struct lower *lower = numbers->lower;

	for (size_t i = 0; i < lower->class_count; i++)
		if (lower->held_count || lower_asks_specific(lower->classes[i])) {
			lower->main_copy =
				lower_draw_table(numbers, "main/ipv6", lower->classes[i]->origin);
			return;
		}
}

void lower_classes(struct lower *lower)
{
	struct ast_policy *policy = lower->policy;
	struct numbers numbers = lower_numbers(lower);

	for (size_t i = 0; i < policy->listener_count; i++)
		add_listener(&numbers, &policy->listeners[i]);
	for (size_t i = 0; i < policy->table_count; i++)
		add_table(&numbers, &policy->tables[i]);
	for (size_t i = 0; i < policy->rule_count; i++)
		add_wanted(&numbers, policy->rules[i].then);
	add_wanted(&numbers, policy->default_forward);
	add_wanted(&numbers, policy->default_local);
	check_answers(lower);
	for (int with_addresses = 1; with_addresses >= 0; with_addresses--)
		for (int leading = 1; leading >= 0; leading--)
			add_uplinks(&numbers, leading, with_addresses);
	lower_gateways(lower);
	for (size_t i = 0; i < policy->rule_count; i++)
		if (is_open(&policy->rules[i]))
			for_ways(&numbers, policy->rules[i].then, add_open);
	for_ways(&numbers, policy->default_forward, add_open);
	for (size_t i = 0; i < policy->rule_count; i++)
		for_ways(&numbers, policy->rules[i].then, add_translated);
	for_ways(&numbers, policy->default_forward, add_translated);
	for_ways(&numbers, policy->default_local, add_translated);
	for (size_t i = 0; i < policy->rule_count; i++)
		if (is_about_own_tcp(&policy->rules[i]))
			for_ways(&numbers, policy->rules[i].then, add_syn);
	for_ways(&numbers, policy->default_local, add_syn);
	lower_find_unmarked(&numbers);
	add_partials(&numbers);
	lower_members(&numbers);
	draw_main_copy(&numbers);
}
