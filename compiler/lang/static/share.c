/*
 * static/share: interfaces and terms that rules can distinguish; see static/share.h.
 */
#include "lang/static/share.h"

#include <string.h>

#include "base/arena.h"

/* ---- what all slices share ---- */

static bool is_pattern(const char *name)
{
	return name[strlen(name) - 1] == '*';
}

/* An interface that is named nowhere stands for all such; a pattern has one of its own. */
static void add_kind(struct static_shared *shared, const char *name)
{
	if (is_pattern(name))
		name = arena_printf(shared->arena, "%.*s\x01", (int)strlen(name) - 1, name);
	for (size_t i = 0; i < shared->name_count; i++)
		if (!strcmp(shared->names[i], name))
			return;
	*arena_append(shared->arena, shared->names, shared->name_count) = name;
}

bool static_fits(const char *pattern, const char *name)
{
	if (is_pattern(pattern))
		return !strncmp(pattern, name, strlen(pattern) - 1);
	return !strcmp(pattern, name);
}

bool static_names_meet(const struct match_condition *a, const struct match_condition *b)
{
	if (a->negated || b->negated)
		return true;
	for (size_t i = 0; i < a->name_count; i++)
		for (size_t k = 0; k < b->name_count; k++)
			if (static_fits(a->names[i], b->names[k]) ||
			    static_fits(b->names[k], a->names[i]))
				return true;
	return false;
}

static void share_condition(struct static_shared *shared, const struct match_condition *condition)
{
	if (condition->kind->names_interfaces)
		for (size_t i = 0; i < condition->name_count; i++)
			add_kind(shared, condition->names[i]);
	if (!strcmp(condition->key, "mark") && !shared->mark_mask)
		shared->mark_mask = condition->mask;
}

struct static_shared *static_share(struct arena *arena, struct ast_policy *policy)
{
	struct static_shared *shared = arena_new_of(arena, struct static_shared);

	*shared = (struct static_shared){ .arena = arena, .policy = policy };
	add_kind(shared, "*");
	for (size_t i = 0; i < policy->rule_count; i++)
		for (size_t k = 0; k < policy->rules[i].condition_count; k++)
			share_condition(shared, policy->rules[i].conditions[k]);
	for (size_t i = 0; i < policy->listener_count; i++)
		shared->has_own |= ast_has_identity(&policy->listeners[i]);
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
	    a->hosted_count != b->hosted_count)
		return false;
	for (size_t i = 0; i < a->name_count; i++)
		if (strcmp(a->names[i], b->names[i]))
			return false;
	return same_references(a->references, b->references, a->reference_count) &&
	       same_references(a->hosted, b->hosted, a->hosted_count);
}

bool static_same_numbers(const struct interval_set *a, const struct interval_set *b)
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
		    !wide_equal(a->masked[i].bits, b->masked[i].bits) ||
		    !wide_equal(a->masked[i].mask, b->masked[i].mask))
			return false;
	return true;
}

/* Written the same, so that every packet answers both the same. */
static bool same_condition(const struct match_condition *a, const struct match_condition *b)
{
	return a->kind == b->kind && a->selector == b->selector && a->negated == b->negated &&
	       a->specials == b->specials && a->mask == b->mask && same_names(a, b) &&
	       static_same_numbers(&a->values, &b->values) &&
	       static_same_numbers(&a->addresses.family[ADDR_IPV4],
				   &b->addresses.family[ADDR_IPV4]) &&
	       static_same_numbers(&a->addresses.family[ADDR_IPV6],
				   &b->addresses.family[ADDR_IPV6]) &&
	       same_masked(a, b) && same_needles(a, b);
}

size_t static_term(struct static_shared *shared, const struct match_condition *condition)
{
	for (size_t i = 0; i < shared->term_count; i++)
		if (same_condition(shared->terms[i], condition))
			return i;
	*arena_append(shared->arena, shared->terms, shared->term_count) = condition;
	return shared->term_count - 1;
}
