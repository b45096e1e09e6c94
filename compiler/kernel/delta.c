/*
 * delta: one walk over both sets, which are sorted.
 */
#include "kernel/delta.h"

#include <stdint.h>
#include <string.h>

#include "base/arena.h"

static const struct ir_target *lead(const struct ir_set *set, size_t i)
{
	return set->targets ? &set->targets[set->leads[i]] : NULL;
}

static bool same_target(const struct ir_target *a, const struct ir_target *b)
{
	if (!a || !b)
		return a == b;
	return a->verdict == b->verdict &&
	       (a->chain == b->chain || (a->chain && b->chain && !strcmp(a->chain, b->chain)));
}

static void take(struct arena *arena, struct ir_set *out, const struct ir_set *from, size_t i)
{
	struct interval item = from->elements.items[i];
	uint32_t *leads = (uint32_t *)out->leads;
	size_t count = out->elements.count;

	interval_add(arena, &out->elements, item.first, item.last);
	if (!from->targets)
		return;
	*arena_append(arena, leads, count) = from->leads[i];
	out->leads = leads;
}

/* A set that begins with the lowest value has no end there, and an empty one nothing. */
static bool same_edge(const struct ir_set *a, const struct ir_set *b)
{
	if (!a->elements.count || !b->elements.count)
		return false;
	return wide_is_zero(a->elements.items[0].first) == wide_is_zero(b->elements.items[0].first);
}

static struct ir_set shell(const struct ir_set *of)
{
	struct ir_set set = *of;

	set.elements = (struct interval_set){ 0 };
	set.leads = NULL;
	return set;
}

/* False where more than `most` intervals differ. */
static bool walk(struct arena *arena, const struct ir_set *old, const struct ir_set *wanted,
		 size_t most, struct delta *out)
{
	const struct interval_set *a = &old->elements, *b = &wanted->elements;
	size_t i = 0, k = 0;

	out->removed = shell(old);
	out->added = shell(wanted);
	while (i < a->count || k < b->count) {
		bool has_old = i < a->count, has_new = k < b->count;

		if (has_old && has_new && interval_equal(a->items[i], b->items[k]) &&
		    same_target(lead(old, i), lead(wanted, k))) {
			i++;
			k++;
			continue;
		}
		if (has_old && (!has_new || !wide_less(b->items[k].first, a->items[i].first)))
			take(arena, &out->removed, old, i++);
		else
			take(arena, &out->added, wanted, k++);
		if (out->removed.elements.count + out->added.elements.count > most)
			return false;
	}
	return true;
}

bool delta_make(struct arena *arena, const struct ir_set *old, const struct ir_set *wanted,
		size_t most, struct delta *out)
{
	return old->type == wanted->type && !old->targets == !wanted->targets &&
	       same_edge(old, wanted) && walk(arena, old, wanted, most, out);
}

void delta_all(struct arena *arena, const struct ir_set *old, const struct ir_set *wanted,
	       struct delta *out)
{
	walk(arena, old, wanted, SIZE_MAX, out);
}
