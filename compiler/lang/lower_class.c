/*
 * lower_class: the ways that packets can take, and the numbers that stand for them.
 *
 * Numbers the author gave are checked against each other. The others are drawn from the names of
 * what they stand for, so that a policy that is changed keeps its numbers: while one policy takes
 * the place of another, a number that meant two ways would let no packet through. Where two names
 * draw the same, the one that is declared first has it (listeners, then tables, whether a rule uses
 * them or not, then what rules ask for beside them).
 */
#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "lang/check.h"
#include "lang/known.h"
#include "base/names.h"
#include "lang/lower.h"
#include "lang/lower_uplink.h"
#include "match/kinds.h"

/* A number that the author gave, with what it is for. */
struct given {
	const char *name;
	uint32_t value, mask;
	struct span span;
};

struct givens {
	struct given *items;
	size_t count;
};

/* Could one packet's mark mean both? Marks in separate bits are written separately. */
static bool overlaps(uint32_t value, uint32_t mask, const struct given *given)
{
	uint32_t shared = mask & given->mask;

	return shared && !((value ^ given->value) & shared);
}

/* ---- numbers that were given ---- */

static void add_given(struct lower *lower, struct givens *givens, const char *what,
		      const char *name, uint32_t value, uint32_t mask, struct span span)
{
	for (size_t i = 0; i < givens->count; i++) {
		struct diag_record *record;

		if (!overlaps(value, mask, &givens->items[i]))
			continue;
		lower->failed = true;
		record = diag_add(lower->diag, DIAG_number_conflict, span,
				  "%s of \"%s\" is the one of \"%s\" too", what, name,
				  givens->items[i].name);
		diag_also(record, givens->items[i].span, "given here");
		diag_help(record, "give one of them another number, or leave it out");
		return;
	}
	*arena_append(lower->arena, givens->items, givens->count) =
		(struct given){ name, value, mask, span };
}

static struct givens given_marks(struct lower *lower)
{
	struct ast_policy *policy = lower->policy;
	struct givens givens = { 0 };

	for (size_t i = 0; i < policy->listener_count; i++) {
		struct ast_listener *listener = &policy->listeners[i];

		if (listener->mark.given)
			add_given(lower, &givens, "the mark", listener->name, listener->mark.value,
				  listener->mark.mask, listener->mark.span);
	}
	for (size_t i = 0; i < policy->table_count; i++) {
		struct ast_table *table = &policy->tables[i];

		if (table->mark.given)
			add_given(lower, &givens, "the mark", table->name, table->mark.value,
				  table->mark.mask, table->mark.span);
	}
	for (size_t i = 0; i < policy->listener_count; i++) {
		struct ast_identity *runs_as = &policy->listeners[i].runs_as;

		if (runs_as->by_mark)
			add_given(lower, &givens, "the mark",
				  arena_printf(lower->arena, "%s's runs_as",
					       policy->listeners[i].name),
				  runs_as->mark.value, runs_as->mark.mask, runs_as->mark.span);
	}
	return givens;
}

/* Marks that somebody else sets, as rules ask for them: none that is given out may be the same. */
static void add_asked_marks(struct lower *lower, struct givens *givens,
			    const struct match_condition *condition)
{
	enum { MOST = 256 }; /* of a range: who names more means no single mark */

	for (size_t i = 0; condition && i < condition->values.count; i++) {
		struct interval marks = condition->values.items[i];

		for (uint64_t mark = marks.first.low;
		     mark <= marks.last.low && mark - marks.first.low < MOST; mark++)
			*arena_append(lower->arena, givens->items, givens->count) =
				(struct given){ "mark", (uint32_t)mark, condition->mask,
						condition->span };
	}
}

/* A bare mark may be the one of a listener or table on purpose; but no mark that is given out may
 * be the same. */
static void add_bare_mark(struct lower *lower, struct givens *givens, const struct ast_then *then)
{
	if (then && then->action == THEN_MARK)
		*arena_append(lower->arena, givens->items, givens->count) =
			(struct given){ "mark", then->mark.value, then->mark.mask,
					then->mark.span };
}

static struct givens given_tables(struct lower *lower)
{
	struct ast_policy *policy = lower->policy;
	struct givens givens = { 0 };

	for (size_t i = 0; i < policy->listener_count; i++)
		if (policy->listeners[i].table)
			add_given(lower, &givens, "the table", policy->listeners[i].name,
				  (uint32_t)policy->listeners[i].table, UINT32_MAX,
				  policy->listeners[i].table_span);
	for (size_t i = 0; i < policy->table_count; i++)
		if (policy->tables[i].id)
			add_given(lower, &givens, "the table", policy->tables[i].name,
				  (uint32_t)policy->tables[i].id, UINT32_MAX,
				  policy->tables[i].id_span);
	for (size_t i = 0; i < givens.count; i++) {
		if (givens.items[i].value < 253 || givens.items[i].value > 255)
			continue;
		lower->failed = true;
		diag_help(diag_add(lower->diag, DIAG_number_conflict, givens.items[i].span,
				   "table %u is one of the kernel's own", givens.items[i].value),
			  "253, 254 and 255 are default, main and local: take another number");
	}
	return givens;
}

/* ---- numbers that are given out ---- */

struct numbers {
	struct lower *lower;
	struct givens marks, tables; /* those that are given out, too */
};

/* A program that looks for any of its bits leaves none that are better than others. */
static bool is_known_mark(uint32_t value, uint32_t mask)
{
	size_t count;
	const struct known_mark *marks = known_marks(&count);

	for (size_t i = 0; i < count; i++)
		if (marks[i].value && known_takes(&marks[i], value, mask))
			return true;
	return false;
}

static bool is_free(const struct givens *givens, uint32_t value, uint32_t mask)
{
	for (size_t i = 0; i < givens->count; i++)
		if (overlaps(value, mask, &givens->items[i]))
			return false;
	return true;
}

static uint32_t give_out(struct numbers *numbers, struct givens *givens, uint32_t value,
			 uint32_t mask)
{
	*arena_append(numbers->lower->arena, givens->items, givens->count) =
		(struct given){ .value = value, .mask = mask };
	return value;
}

/* For a name with what it is the name of before it ("proxy/work"). Once there are no others, those
 * are given out that other programs are known to use. */

static uint32_t draw_mark(struct numbers *numbers, const char *name, struct span span)
{
	uint32_t mask = (uint32_t)numbers->lower->policy->settings.mark_mask;
	uint32_t room = lower_mask_room(mask), start = names_hash(NAMES_HASH, name), value;

	for (int known = 0; known <= 1; known++)
		for (uint32_t i = 0; i < room; i++) {
			value = lower_mask_value(mask,
						 (uint32_t)((start + (uint64_t)i) % room + 1));
			if (is_free(&numbers->marks, value, mask) &&
			    is_known_mark(value, mask) == known)
				return give_out(numbers, &numbers->marks, value, mask);
		}
	if (!numbers->lower->failed)
		diag_help(diag_add(numbers->lower->diag, DIAG_out_of_numbers, span,
				   "there is no mark left in 0x%08x", mask),
			  "widen `settings: {mark_mask: ...}`; every listener and table needs a mark, and 0 is none");
	numbers->lower->failed = true;
	return mask;
}

static uint32_t draw_table(struct numbers *numbers, const char *name, struct span span)
{
	struct ast_settings *settings = &numbers->lower->policy->settings;
	uint32_t room = settings->table_last - settings->table_first + 1, id;
	uint32_t start = names_hash(names_hash(NAMES_HASH, "table/"), name);

	for (int known = 0; known <= 1; known++)
		for (uint32_t i = 0; i < room; i++) {
			id = settings->table_first + (uint32_t)((start + (uint64_t)i) % room);
			if (is_free(&numbers->tables, id, UINT32_MAX) &&
			    (known_table(id) != NULL) == known)
				return give_out(numbers, &numbers->tables, id, UINT32_MAX);
		}
	if (!numbers->lower->failed)
		diag_help(diag_add(numbers->lower->diag, DIAG_out_of_numbers, span,
				   "there is no table id left in %u-%u", settings->table_first,
				   settings->table_last),
			  "widen `settings: {table_ids: ...}`");
	numbers->lower->failed = true;
	return settings->table_last;
}

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
		"proxy", "route", "mark", "reply", "inbound", "syn"
	};

	*way = (struct lower_class){ .kind = kind, .name = name, .origin = origin };
	way->mask = mark && mark->given ? mark->mask : (uint32_t)lower->policy->settings.mark_mask;
	if (mark && mark->given)
		way->mark = mark->value;
	else
		way->mark = draw_mark(numbers,
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
				     : draw_table(numbers, listener->name, listener->span);
	way->fallback = FALLBACK_UNREACHABLE;
	way->local_chain = arena_printf(numbers->lower->arena, "local_proxy_%s", listener->name);
}

static void add_table(struct numbers *numbers, struct ast_table *table)
{
	struct lower_class *way =
		add_class(numbers, IR_CLASS_ROUTE, table->name, &table->mark, table->span);

	if (!table->id)
		table->id = draw_table(numbers, table->name, table->span);
	*arena_append(numbers->lower->arena, way->tables, way->table_count) = table;
	way->fallback = table->fallback;
}

/* ---- ways that rules ask for beside those of listeners and tables ---- */

static const char *mark_name(struct lower *lower, const struct ast_mark *mark)
{
	if (mark->mask == UINT32_MAX)
		return arena_printf(lower->arena, "0x%08x", mark->value);
	return arena_printf(lower->arena, "0x%08x.0x%08x", mark->value, mark->mask);
}

struct lower_class *lower_class_of(struct lower *lower, const struct ast_then *then)
{
	enum ir_class_kind kind = then->action == THEN_PROXY   ? IR_CLASS_PROXY
				  : then->action == THEN_ROUTE ? IR_CLASS_ROUTE
							       : IR_CLASS_MARK;
	const char *name = kind == IR_CLASS_PROXY   ? then->listener_name
			   : kind == IR_CLASS_ROUTE ? ast_route_name(lower->arena, then)
						    : mark_name(lower, &then->mark);

	for (size_t i = 0; i < lower->class_count; i++)
		if (lower->classes[i]->kind == kind && !strcmp(lower->classes[i]->name, name))
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
	struct lower_class *way = add_class(numbers, IR_CLASS_ROUTE,
					    ast_route_name(lower->arena, then), NULL, then->span);

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

static void add_wanted(struct numbers *numbers, const struct ast_then *then)
{
	if (then && then->action == THEN_BALANCE)
		add_main_share(numbers, then);
	if (!then || lower_class_of(numbers->lower, then))
		return;
	if (then->action == THEN_ROUTE)
		add_row(numbers, then);
	else if (then->action == THEN_MARK)
		add_class(numbers, IR_CLASS_MARK, mark_name(numbers->lower, &then->mark),
			  &then->mark, then->span);
}

static bool has_uplink(const struct lower *lower, const char *dev)
{
	for (size_t u = 0; u < lower->uplink_count; u++)
		for (size_t k = 0; k < lower->uplinks[u].dev_count; k++)
			if (!strcmp(lower->uplinks[u].devs[k], dev))
				return true;
	return false;
}

static void add_uplink(struct numbers *numbers, struct ast_table *table, const char *dev)
{
	struct lower *lower = numbers->lower;
	struct lower_uplink *last = lower->uplink_count ? &lower->uplinks[lower->uplink_count - 1]
							: NULL;
	struct lower_uplink uplink = { .table = table };

	if (lower->policy->settings.ipv6 == IPV6_OFF && !lower_uplink_has_ipv4(table))
		return;
	if (last && last->table == table) {
		*arena_append(lower->arena, last->devs, last->dev_count) = dev;
		return;
	}
	*arena_append(lower->arena, uplink.devs, uplink.dev_count) = dev;
	uplink.reply = add_class(numbers, IR_CLASS_REPLY, table->name, NULL, table->span);
	uplink.reply->forward = uplink.reply->local = true;
	*arena_append(lower->arena, uplink.reply->tables, uplink.reply->table_count) = table;
	uplink.reply->fallback = table->fallback;
	*arena_append(lower->arena, lower->uplinks, lower->uplink_count) = uplink;
}

/* A table with a default route by an interface is its uplink; the first one that has it. An
 * interface that is nowhere the first choice gets a table of its own. */
static void add_uplinks(struct numbers *numbers, bool leading)
{
	struct lower *lower = numbers->lower;
	struct ast_policy *policy = lower->policy;

	for (size_t i = 0; i < policy->table_count; i++) {
		struct ast_table *table = &policy->tables[i], *only;
		size_t count;
		const char **devs = lower_uplink_devs(lower->arena, table, &count);

		for (size_t k = 0; k < count; k++) {
			if (has_uplink(lower, devs[k]) ||
			    lower_uplink_leads(table, devs[k]) != leading)
				continue;
			if (leading) {
				add_uplink(numbers, table, devs[k]);
				continue;
			}
			only = lower_uplink_only(lower->arena, table, devs[k], k + 1);
			only->id = draw_table(numbers, only->name, table->span);
			add_uplink(numbers, only, devs[k]);
		}
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

/* A way without it goes on as it is: the last numbers are for what cannot do without. */
static bool has_room(const struct numbers *numbers)
{
	uint32_t mask = (uint32_t)numbers->lower->policy->settings.mark_mask;
	uint32_t room = lower_mask_room(mask);

	for (uint32_t i = 1; i <= room; i++)
		if (is_free(&numbers->marks, lower_mask_value(mask, i), mask))
			return true;
	return false;
}

/* The same tables by another mark. */
static struct lower_class *add_variant(struct numbers *numbers, const struct lower_class *way,
				       enum ir_class_kind kind)
{
	struct lower_class *variant = add_class(numbers, kind, way->name, NULL, way->origin);

	variant->tables = way->tables;
	variant->table_count = way->table_count;
	variant->fallback = way->fallback;
	variant->names_main = way->names_main;
	variant->main_at = way->main_at;
	return variant;
}

static void add_translated(struct numbers *numbers, struct lower_class *way)
{
	if (wants_inbound(way) && has_room(numbers))
		way->inbound = add_variant(numbers, way, IR_CLASS_INBOUND);
}

static void add_open(struct numbers *numbers, struct lower_class *way)
{
	struct lower *lower = numbers->lower;

	if (!lower->uplink_count || !wants_inbound(way))
		return;
	way->inbound = add_variant(numbers, way, IR_CLASS_INBOUND);
	way->open_chain = arena_printf(lower->arena, "open_%s", chain_part(lower, way->name));
}

static void add_syn(struct numbers *numbers, struct lower_class *way)
{
	struct lower *lower = numbers->lower;
	bool refuses = way->fallback == FALLBACK_UNREACHABLE || way->fallback == FALLBACK_PROHIBIT;

	if (way->syn || !refuses || !has_room(numbers))
		return;
	way->syn = add_variant(numbers, way, IR_CLASS_SYN);
	way->syn->inbound = way->inbound;
	way->local_chain =
		arena_printf(lower->arena, "local_route_%s", chain_part(lower, way->name));
	if (!lower->reset_table)
		lower->reset_table = draw_table(numbers, "reset/tcp", way->origin);
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
		if (lower_asks_specific(lower->classes[i])) {
			lower->main_copy =
				draw_table(numbers, "main/ipv6", lower->classes[i]->origin);
			return;
		}
}

void lower_classes(struct lower *lower)
{
	struct ast_policy *policy = lower->policy;
	struct numbers numbers = { .lower = lower };

	numbers.marks = given_marks(lower);
	for (size_t i = 0; i < policy->rule_count; i++)
		add_asked_marks(lower, &numbers.marks, ast_condition(&policy->rules[i], "mark"));
	for (size_t i = 0; i < policy->rule_count; i++)
		add_bare_mark(lower, &numbers.marks, policy->rules[i].then);
	add_bare_mark(lower, &numbers.marks, policy->default_forward);
	add_bare_mark(lower, &numbers.marks, policy->default_local);
	numbers.tables = given_tables(lower);
	for (size_t i = 0; i < policy->listener_count; i++)
		add_listener(&numbers, &policy->listeners[i]);
	for (size_t i = 0; i < policy->table_count; i++)
		add_table(&numbers, &policy->tables[i]);
	for (size_t i = 0; i < policy->rule_count; i++)
		add_wanted(&numbers, policy->rules[i].then);
	add_wanted(&numbers, policy->default_forward);
	add_wanted(&numbers, policy->default_local);
	add_uplinks(&numbers, true);
	add_uplinks(&numbers, false);
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
	draw_main_copy(&numbers);
}
