/*
 * main_copy: what the copy of the main table should hold, and what it lacks (see main_copy.h).
 *
 * IPv6 holds several routes to one destination with one metric, one for each interface, so routes
 * are compared whole. A host may have very many: both sides are sorted, and walked once.
 */
#include "host/main_copy.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "host/host.h"
#include "ir/ir.h"
#include "kernel/op.h"
#include "kernel/route.h"

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

struct sorted {
	struct keyed {
		const struct route_seen *seen;
		const char *key; /* route_put_key's */
		size_t length;
	} * items;
	size_t count;
};

/* By destination, for whoever reads it; routes to the same differ in their keys. */
static int compare_routes(const void *left, const void *right)
{
	const struct keyed *a = left, *b = right;
	const struct addr_prefix *to = &a->seen->route.to, *other = &b->seen->route.to;
	int order = compare_numbers(to->addr.bits.high, other->addr.bits.high);

	if (!order)
		order = compare_numbers(to->addr.bits.low, other->addr.bits.low);
	if (!order)
		order = compare_numbers(to->length, other->length);
	if (!order)
		order = compare_numbers(a->seen->route.metric, b->seen->route.metric);
	if (!order)
		order = compare_numbers(a->length, b->length);
	return order ? order : memcmp(a->key, b->key, a->length);
}

static void add(struct arena *arena, struct sorted *sorted, const struct route_seen *seen)
{
	struct buf key = { 0 };

	route_put_key(&seen->route, &key);
	*arena_append(arena, sorted->items, sorted->count) =
		(struct keyed){ seen, arena_strndup(arena, buf_text(&key), key.length),
				key.length };
	buf_free(&key);
}

static void sort(struct sorted *sorted)
{
	if (sorted->count)
		qsort(sorted->items, sorted->count, sizeof(*sorted->items), compare_routes);
}

static struct sorted held_of(struct arena *arena, const struct observed *observed, uint32_t table)
{
	struct sorted held = { 0 };

	for (size_t i = 0; i < observed->routes.count; i++) {
		const struct route_seen *seen = &observed->routes.items[i];

		if (seen->route.table == table && host_owns_route(observed, seen))
			add(arena, &held, seen);
	}
	sort(&held);
	return held;
}

void main_copy_diff(struct arena *arena, const struct ir *ir, const struct observed *observed,
		    struct op_list *ops)
{
	struct sorted held = held_of(arena, observed, ir->main_copy), wanted = { 0 };
	size_t i = 0, k = 0;

	for (size_t n = 0; n < observed->main_specific.count; n++)
		add(arena, &wanted, &observed->main_specific.items[n]);
	sort(&wanted);
	while (i < held.count || k < wanted.count) {
		int order = i == held.count     ? 1
			    : k == wanted.count ? -1
						: compare_routes(&held.items[i], &wanted.items[k]);

		if (order < 0)
			op_add_route(arena, ops, OP_ROUTE_REMOVE, &held.items[i].seen->route,
				     held.items[i].seen->protocol);
		if (order > 0)
			op_add_route(arena, ops, OP_ROUTE_APPEND, &wanted.items[k].seen->route,
				     ir->protocol);
		i += order <= 0;
		k += order >= 0;
	}
}
