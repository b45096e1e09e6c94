/*
 * prove_row: rules become boxes; see prove_row.h.
 */
#include "lang/prove_row.h"

#include <string.h>

#include "addr/builtin.h"
#include "base/arena.h"
#include "match/kinds.h"

/* As in lower_rule.c: rules with a condition of this many alternatives leave ICMP errors to those
 * behind them, and so cover nothing. */
enum { APART_LEAST = 16 };

/* Which entries of lists an overlay may have before it is given up. */
enum { ENTRIES_MOST = 1 << 22 };

struct prove_shared {
	struct arena *arena;
	struct ast_policy *policy;
	const char **names; /* of interfaces, one for each kind that rules can tell */
	size_t name_count;
	const struct match_condition **terms; /* distinct ones */
	size_t term_count;
	uint32_t mark_mask; /* marks under other masks are terms */
	bool has_own;       /* some listener's own traffic is told from the rest */
};

struct filling {
	struct prove_row *row;
	struct prove_shared *shared;
	struct prove_box *box;
	bool upper; /* the box is to hold all that the rule takes, not only what it takes for sure
		     */
	bool exact; /* it holds both */
	bool empty;
};

/* ---- what all rows share ---- */

static bool is_pattern(const char *name)
{
	return name[strlen(name) - 1] == '*';
}

/* An interface that is named nowhere stands for all such; a pattern has one of its own. */
static void add_kind(struct prove_shared *shared, const char *name)
{
	if (is_pattern(name))
		name = arena_printf(shared->arena, "%.*s\x01", (int)strlen(name) - 1, name);
	for (size_t i = 0; i < shared->name_count; i++)
		if (!strcmp(shared->names[i], name))
			return;
	*arena_append(shared->arena, shared->names, shared->name_count) = name;
}

static bool fits(const char *pattern, const char *name)
{
	if (is_pattern(pattern))
		return !strncmp(pattern, name, strlen(pattern) - 1);
	return !strcmp(pattern, name);
}

static void share_condition(struct prove_shared *shared, const struct match_condition *condition)
{
	if (condition->kind->names_interfaces)
		for (size_t i = 0; i < condition->name_count; i++)
			add_kind(shared, condition->names[i]);
	if (!strcmp(condition->key, "mark") && !shared->mark_mask)
		shared->mark_mask = condition->mask;
}

struct prove_shared *prove_share(struct arena *arena, struct ast_policy *policy)
{
	struct prove_shared *shared = arena_new_of(arena, struct prove_shared);

	*shared = (struct prove_shared){ .arena = arena, .policy = policy };
	add_kind(shared, "*");
	for (size_t i = 0; i < policy->rule_count; i++)
		for (size_t k = 0; k < policy->rules[i].condition_count; k++)
			share_condition(shared, policy->rules[i].conditions[k]);
	for (size_t i = 0; i < policy->listener_count; i++)
		shared->has_own |= policy->listeners[i].used && policy->listeners[i].runs_as.given;
	return shared;
}

/* ---- terms ---- */

static bool same_references(const struct match_reference *a, const struct match_reference *b,
			    size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(a[i].name, b[i].name))
			return false;
	return true;
}

static bool same_names(const struct match_condition *a, const struct match_condition *b)
{
	if (a->name_count != b->name_count || a->reference_count != b->reference_count ||
	    a->path_count != b->path_count)
		return false;
	for (size_t i = 0; i < a->name_count; i++)
		if (strcmp(a->names[i], b->names[i]))
			return false;
	return same_references(a->references, b->references, a->reference_count) &&
	       same_references(a->paths, b->paths, a->path_count);
}

static bool same_numbers(const struct interval_set *a, const struct interval_set *b)
{
	return a->count == b->count &&
	       (!a->count || !memcmp(a->items, b->items, a->count * sizeof(*a->items)));
}

static bool same_needles(const struct match_condition *a, const struct match_condition *b)
{
	if (a->needle_count != b->needle_count)
		return false;
	for (size_t i = 0; i < a->needle_count; i++) {
		const struct match_needle *x = &a->needles[i], *y = &b->needles[i];

		if (x->last != y->last || x->bytes.offset != y->bytes.offset ||
		    x->bytes.length != y->bytes.length ||
		    memcmp(x->bytes.value, y->bytes.value, x->bytes.length) ||
		    !x->bytes.mask != !y->bytes.mask ||
		    (x->bytes.mask && memcmp(x->bytes.mask, y->bytes.mask, x->bytes.length)))
			return false;
	}
	return true;
}

static bool same_masked(const struct match_condition *a, const struct match_condition *b)
{
	if (a->masked_count != b->masked_count)
		return false;
	for (size_t i = 0; i < a->masked_count; i++)
		if (a->masked[i].family != b->masked[i].family ||
		    a->masked[i].bits != b->masked[i].bits ||
		    a->masked[i].mask != b->masked[i].mask)
			return false;
	return true;
}

/* Written the same, so that every packet answers both the same. */
static bool same_condition(const struct match_condition *a, const struct match_condition *b)
{
	return a->kind == b->kind && a->selector == b->selector && a->negated == b->negated &&
	       a->specials == b->specials && a->mask == b->mask && same_names(a, b) &&
	       same_numbers(&a->values, &b->values) &&
	       same_numbers(&a->addresses.family[ADDR_IPV4], &b->addresses.family[ADDR_IPV4]) &&
	       same_numbers(&a->addresses.family[ADDR_IPV6], &b->addresses.family[ADDR_IPV6]) &&
	       same_masked(a, b) && same_needles(a, b);
}

static size_t term_of(struct prove_shared *shared, const struct match_condition *condition)
{
	for (size_t i = 0; i < shared->term_count; i++)
		if (same_condition(shared->terms[i], condition))
			return i;
	*arena_append(shared->arena, shared->terms, shared->term_count) = condition;
	return shared->term_count - 1;
}

static void add_term(struct filling *filling, const struct match_condition *condition)
{
	struct prove_box *box = filling->box;
	size_t term = term_of(filling->shared, condition), at;

	*arena_append(filling->row->arena, box->terms, box->term_count) = term;
	for (at = box->term_count - 1; at && box->terms[at - 1] > term; at--)
		box->terms[at] = box->terms[at - 1];
	box->terms[at] = term;
}

/* ---- addresses ---- */

static struct interval_set whole(struct arena *arena, enum addr_family family)
{
	struct interval_set all = { 0 };

	interval_add(arena, &all, 0, addr_last(family));
	return all;
}

static size_t set_number(struct prove_row *row, struct prove_sets *sets, struct interval_set set)
{
	for (size_t i = 0; i < sets->count; i++)
		if (sets->items[i].items == set.items || same_numbers(&sets->items[i], &set))
			return i;
	*arena_append(row->arena, sets->items, sets->count) = set;
	return sets->count - 1;
}

/* What the condition names of a family; *open is set where that is not all it may hold. */
static struct interval_set known_part(struct filling *filling,
				      const struct match_condition *condition, bool *open)
{
	struct arena *arena = filling->row->arena;
	enum addr_family family = filling->row->family;
	struct interval_set known = condition->addresses.family[family];

	for (size_t i = 0; i < condition->reference_count; i++) {
		const struct ast_set *set =
			ast_set_find(filling->row->policy, condition->references[i].name);
		struct addr_set built_in = { 0 };

		if (set && set->dynamic) {
			*open = true;
			continue;
		}
		if (!set)
			builtin_find(arena, condition->references[i].name, &built_in);
		if (!known.count)
			known = set ? set->contents.family[family] : built_in.family[family];
		else
			known = interval_union(arena, &known,
					       set ? &set->contents.family[family]
						   : &built_in.family[family]);
	}
	for (size_t i = 0; i < condition->masked_count; i++)
		*open |= condition->masked[i].family == family;
	return known;
}

/* The bound of what the condition holds that the box asks for. */
static struct interval_set bound(struct filling *filling, const struct match_condition *condition)
{
	struct arena *arena = filling->row->arena;
	struct interval_set all = whole(arena, filling->row->family), none = { 0 }, known;
	bool open = false;

	known = known_part(filling, condition, &open);
	if (condition->negated)
		known = interval_subtract(arena, &all, &known);
	if (!open)
		return known;
	filling->exact = false;
	if (filling->upper)
		add_term(filling, condition);
	if (condition->negated)
		return filling->upper ? known : none;
	return filling->upper ? all : known;
}

static bool touches(const struct interval_set *set, const struct interval_set *few)
{
	for (size_t i = 0; i < few->count; i++) {
		size_t low = 0, high = set->count;

		while (low < high) {
			size_t middle = low + (high - low) / 2;

			if (set->items[middle].last < few->items[i].first)
				low = middle + 1;
			else
				high = middle;
		}
		if (low < set->count && set->items[low].first <= few->items[i].last)
			return true;
	}
	return false;
}

/* Destinations that only rules meet which name them: multicast and link-local addresses. */
static struct interval_set staying(struct arena *arena, enum addr_family family)
{
	struct addr_set multicast = { 0 }, link_local = { 0 };

	builtin_find(arena, "multicast", &multicast);
	builtin_find(arena, "link-local", &link_local);
	return interval_union(arena, &multicast.family[family], &link_local.family[family]);
}

static struct interval_set special_numbers(struct arena *arena, unsigned int specials)
{
	struct interval_set out = { 0 };

	for (unsigned int bit = 0; bit < 4; bit++)
		if (specials >> bit & 1)
			interval_add(arena, &out, bit, bit);
	interval_normalise(&out);
	return out;
}

static void fill_to(struct filling *filling, const struct match_condition *condition)
{
	struct prove_row *row = filling->row;
	struct interval_set to = { 0 }, stay;

	if (row->host) {
		to = special_numbers(row->arena, filling->box->rule->specials);
	} else {
		stay = staying(row->arena, row->family);
		to = condition ? bound(filling, condition) : whole(row->arena, row->family);
		if (touches(&to, &stay))
			to = interval_subtract(row->arena, &to, &stay);
	}
	filling->empty |= !to.count;
	filling->box->to = set_number(row, &row->to_sets, to);
}

static void fill_from(struct filling *filling, const struct match_condition *condition)
{
	struct prove_row *row = filling->row;
	struct interval_set from = condition ? bound(filling, condition)
					     : whole(row->arena, row->family);

	filling->empty |= !from.count;
	filling->box->from = set_number(row, &row->from_sets, from);
}

/* ---- the other sides ---- */

static const struct {
	const char *key;
	enum prove_side side;
	uint64_t first, last; /* of all there is */
	uint64_t beyond;      /* so many more, which no value of a condition is */
} numbers[] = {
	{ "port", SIDE_PORT, 0, 65535, 0 },
	{ "sport", SIDE_SPORT, 0, 65535, 0 },
	{ "dscp", SIDE_DSCP, 0, 63, 0 },
	{ "length", SIDE_LENGTH, 0, 65535, 0 },
	{ "ttl", SIDE_TTL, 1, 255, 0 },
	{ "mark", SIDE_MARK, 0, UINT32_MAX, 0 },
	/* packets of links without such addresses have none */
	{ "mac", SIDE_MAC, 0, ((uint64_t)1 << 48) - 1, 1 },
};

static void set_side(struct filling *filling, enum prove_side side, struct interval_set set)
{
	struct interval_set *kept = arena_new_of(filling->row->arena, struct interval_set);

	*kept = set;
	filling->box->sides[side] = kept;
	filling->empty |= !set.count;
}

static bool fill_number(struct filling *filling, const struct match_condition *condition)
{
	struct interval_set all = { 0 }, set;
	size_t i = 0;

	while (i < sizeof(numbers) / sizeof(numbers[0]) && strcmp(numbers[i].key, condition->key))
		i++;
	if (i == sizeof(numbers) / sizeof(numbers[0]) ||
	    (numbers[i].side == SIDE_MARK && condition->mask != filling->shared->mark_mask))
		return false;
	interval_add(filling->row->arena, &all, numbers[i].first, numbers[i].last);
	set = condition->negated
		      ? interval_subtract(filling->row->arena, &all, &condition->values)
		      : interval_intersect(filling->row->arena, &all, &condition->values);
	set_side(filling, numbers[i].side, set);
	return true;
}

static void fill_interfaces(struct filling *filling, const struct match_condition *condition)
{
	const struct prove_shared *shared = filling->shared;
	struct interval_set set = { 0 };

	for (size_t i = 0; i < shared->name_count; i++) {
		bool named = false;

		for (size_t k = 0; k < condition->name_count && !named; k++)
			named = fits(condition->names[k], shared->names[i]);
		if (named != condition->negated)
			interval_add(filling->row->arena, &set, i, i);
	}
	interval_normalise(&set);
	set_side(filling, condition->selector == INTERFACE_IN ? SIDE_IN : SIDE_OUT, set);
}

/* The four states and, as the fifth, none: packets that nothing tracks. */
static void fill_state(struct filling *filling, const struct match_condition *condition)
{
	struct interval_set set = { 0 };

	for (unsigned int bit = 0; bit < 4; bit++)
		if ((condition->mask >> bit & 1) != condition->negated)
			interval_add(filling->row->arena, &set, bit, bit);
	interval_normalise(&set);
	set_side(filling, SIDE_STATE, set);
}

static void fill_condition(struct filling *filling, const struct match_condition *condition)
{
	if (!strcmp(condition->key, "to") || !strcmp(condition->key, "from") ||
	    !strcmp(condition->key, "proto") || !strcmp(condition->key, "family"))
		return;
	if (condition->kind->names_interfaces)
		fill_interfaces(filling, condition);
	else if (condition->kind == &match_state)
		fill_state(filling, condition);
	else if (!fill_number(filling, condition))
		add_term(filling, condition);
}

static void fill_scope(struct filling *filling)
{
	struct interval_set set = { 0 };
	unsigned int scopes = filling->box->rule->scopes;

	if (scopes == SCOPE_BOTH)
		return;
	interval_add(filling->row->arena, &set, scopes == SCOPE_LOCAL, scopes == SCOPE_LOCAL);
	set_side(filling, SIDE_SCOPE, set);
}

/* ---- rules ---- */

static bool is_apart(const struct ast_rule *rule)
{
	for (size_t i = 0; i < rule->condition_count; i++) {
		const struct match_condition *condition = rule->conditions[i];

		if (condition->kind->reads_data || condition->name_count >= APART_LEAST ||
		    condition->values.count >= APART_LEAST)
			return true;
	}
	return rule->protocols.count >= APART_LEAST;
}

static bool ends(const struct ast_rule *rule)
{
	return rule->then->action != THEN_CONTINUE && !rule->limit.rate && !is_apart(rule);
}

static void describe(struct filling *filling)
{
	struct prove_box *box = filling->box;
	const struct ast_rule *rule = box->rule;
	bool names_identity = false;

	for (size_t i = 0; i < rule->condition_count; i++) {
		names_identity |= rule->conditions[i]->kind->names_identity;
		box->fickle |= ast_may_change(filling->row->policy, rule->conditions[i]);
	}
	box->fickle &= ast_chooses_way(rule->then);
	box->cuts = !ast_chooses_way(rule->then);
	box->own = filling->shared->has_own && names_identity && (rule->scopes & SCOPE_LOCAL);
	box->for_own = names_identity && rule->then->action != THEN_PROXY;
}

static bool add_box(struct filling *filling, const struct ast_rule *rule, size_t order, bool upper)
{
	struct prove_row *row = filling->row;

	filling->box = arena_append(row->arena, row->boxes, row->box_count);
	*filling->box = (struct prove_box){ .rule = rule, .order = order };
	filling->upper = upper;
	filling->exact = true;
	filling->empty = false;
	fill_to(filling, ast_condition(rule, "to"));
	fill_from(filling, ast_condition(rule, "from"));
	fill_scope(filling);
	if (rule->protocols.count)
		set_side(filling, SIDE_PROTO, rule->protocols);
	for (size_t i = 0; i < rule->condition_count; i++)
		fill_condition(filling, rule->conditions[i]);
	describe(filling);
	row->box_count -= filling->empty;
	return !filling->empty;
}

/* A box of what the rule may take; and, where that is more than it takes for sure, one of that. */
static void add_rule(struct filling *filling, const struct ast_rule *rule, size_t order,
		     bool is_default)
{
	bool exact;

	if (!rule->families[filling->row->family] || (filling->row->host && !rule->specials))
		return;
	if (!add_box(filling, rule, order, true))
		return;
	exact = filling->exact;
	filling->box->covered = true;
	filling->box->covers = !is_default && ends(rule);
	if (!exact && filling->box->covers && add_box(filling, rule, order, false))
		filling->box->covers = true;
}

static void add_default(struct filling *filling, const struct ast_then *then, enum ir_scope scope,
			size_t order)
{
	struct ast_rule *rule;

	if (!then || then->action == THEN_DIRECT || filling->row->host)
		return;
	rule = arena_new_of(filling->row->arena, struct ast_rule);
	*rule = (struct ast_rule){ .span = then->span,
				   .then = (struct ast_then *)then,
				   .scopes = scope };
	for (int family = 0; family < ADDR_FAMILIES; family++)
		rule->families[family] = true;
	add_rule(filling, rule, order, true);
}

/* ---- sets become numbers ---- */

static bool lay(struct prove_row *row, struct prove_sets *sets, struct interval_set all,
		struct overlay *out)
{
	const struct interval_set **pointers;
	bool good;

	*arena_append(row->arena, sets->items, sets->count) = all;
	pointers = arena_alloc(row->arena, sets->count * sizeof(struct interval_set *));
	for (size_t i = 0; i < sets->count; i++)
		pointers[i] = &sets->items[i];
	good = overlay_make_lists(row->arena, pointers, NULL, sets->count, ENTRIES_MOST, out);
	return good;
}

static void set_lasts(struct prove_row *row, size_t name_count)
{
	row->last[SIDE_SCOPE] = 1;
	row->last[SIDE_PROTO] = 255;
	row->last[SIDE_STATE] = 4;
	row->last[SIDE_IN] = row->last[SIDE_OUT] = name_count - 1;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		row->last[numbers[i].side] = numbers[i].last + numbers[i].beyond;
}

/* Sources are told apart only as far as the sets do it: a class for each list of sets. */
static bool class_sources(struct prove_row *row)
{
	struct overlay classes;
	struct interval_set *of_sets;
	bool good = lay(row, &row->from_sets, whole(row->arena, row->family), &classes);

	row->last[SIDE_FROM] = good ? classes.list_count - 1 : 0;
	of_sets = arena_alloc(row->arena, row->from_sets.count * sizeof(*of_sets));
	for (size_t list = 0; good && list < classes.list_count; list++)
		for (size_t i = 0; i < classes.lists[list].count; i++) {
			struct interval_set *set = &of_sets[classes.lists[list].sets[i]];
			struct interval *last = set->count ? &set->items[set->count - 1] : NULL;

			if (last && last->last + 1 == list)
				last->last = list;
			else
				interval_add(row->arena, set, list, list);
		}
	for (size_t i = 0; good && i < row->box_count; i++) {
		struct prove_box *box = &row->boxes[i];
		const struct interval_set *set = &row->from_sets.items[box->from];

		if (set->count == 1 && !set->items[0].first &&
		    set->items[0].last == addr_last(row->family))
			continue;
		box->sides[SIDE_FROM] = &of_sets[box->from];
	}
	return good;
}

static struct interval_set destinations(const struct prove_row *row)
{
	struct interval_set all = whole(row->arena, row->family), stay;

	if (row->host)
		return special_numbers(row->arena, 0xf);
	stay = staying(row->arena, row->family);
	return interval_subtract(row->arena, &all, &stay);
}

static void index_boxes(struct prove_row *row)
{
	row->boxes_of = arena_alloc(row->arena, row->to_sets.count * sizeof(size_t *));
	row->box_counts = arena_alloc(row->arena, row->to_sets.count * sizeof(size_t));
	for (size_t i = 0; i < row->box_count; i++) {
		size_t to = row->boxes[i].to;

		*arena_append(row->arena, row->boxes_of[to], row->box_counts[to]) = i;
	}
}

void prove_fill(struct prove_row *row, struct prove_shared *shared)
{
	struct filling filling = { .row = row, .shared = shared };
	struct ast_policy *policy = row->policy;

	for (size_t i = 0; i < policy->rule_count; i++)
		add_rule(&filling, &policy->rules[i], i, false);
	add_default(&filling, policy->default_forward, SCOPE_FORWARD, policy->rule_count);
	add_default(&filling, policy->default_local, SCOPE_LOCAL, policy->rule_count + 1);
	set_lasts(row, shared->name_count);
	row->complete = class_sources(row) && lay(row, &row->to_sets, destinations(row), &row->to);
	if (row->complete)
		index_boxes(row);
}
