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
#include "host/diff.h"
#include "host/host.h"
#include "ir/ir.h"
#include "kernel/route.h"

bool main_copy_observe(struct arena *arena, struct netlink *netlink, uint32_t table,
		       struct route_list *out, struct netlink_error *error)
{
	struct route_list held = { 0 };

	if (!route_observe(arena, netlink, ADDR_IPV6, IR_TABLE_MAIN, &held, error))
		return false;
	for (size_t i = 0; i < held.count; i++) {
		struct route_seen seen = held.items[i];

		if (seen.is_other || seen.route.to.length < IR_SPECIFIC_IPV6 ||
		    addr_is_link_local(seen.route.to.addr) ||
		    seen.route.to.addr.bits.high >> 56 == 0xff) /* ff00::/8 */
			continue;
		seen.route.table = table;
		*arena_append(arena, out->items, out->count) = seen;
	}
	return true;
}

/* ---- comparing ---- */

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_addresses(bool has_a, const struct addr *a, bool has_b, const struct addr *b)
{
	int order = compare_numbers(has_a, has_b);

	if (order || !has_a)
		return order;
	order = compare_numbers(a->bits.high, b->bits.high);
	return order ? order : compare_numbers(a->bits.low, b->bits.low);
}

static int compare_hops(const struct ir_nexthop *a, const struct ir_nexthop *b)
{
	int order = compare_addresses(a->has_via, &a->via, b->has_via, &b->via);

	if (!order)
		order = strcmp(a->dev ? a->dev : "", b->dev ? b->dev : "");
	if (!order)
		order = compare_numbers(a->weight, b->weight);
	return order ? order : compare_numbers(a->onlink, b->onlink);
}

static int compare_places(const struct ir_route *a, const struct ir_route *b)
{
	int order = compare_addresses(true, &a->to.addr, true, &b->to.addr);

	if (!order)
		order = compare_numbers(a->to.length, b->to.length);
	return order ? order : compare_numbers(a->metric, b->metric);
}

static int compare_routes(const void *left, const void *right)
{
	const struct ir_route *a = &(*(const struct route_seen *const *)left)->route;
	const struct ir_route *b = &(*(const struct route_seen *const *)right)->route;
	int order = compare_places(a, b);

	if (!order)
		order = compare_numbers(a->type, b->type);
	if (!order)
		order = compare_numbers(a->mtu, b->mtu);
	if (!order)
		order = compare_addresses(a->has_src, &a->src, b->has_src, &b->src);
	if (!order)
		order = compare_numbers(a->hop_count, b->hop_count);
	for (size_t i = 0; !order && i < a->hop_count; i++)
		order = compare_hops(&a->hops[i], &b->hops[i]);
	return order;
}

struct sorted {
	const struct route_seen **items;
	size_t count;
};

static void add(struct arena *arena, struct sorted *sorted, const struct route_seen *seen)
{
	*arena_append(arena, sorted->items, sorted->count) = seen;
}

static void sort(struct sorted *sorted)
{
	if (sorted->count)
		qsort(sorted->items, sorted->count, sizeof(struct route_seen *), compare_routes);
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
		    struct diff *out)
{
	struct sorted held = held_of(arena, observed, ir->main_copy), wished = { 0 };
	size_t i = 0, k = 0;

	for (size_t n = 0; n < observed->main_specific.count; n++)
		add(arena, &wished, &observed->main_specific.items[n]);
	sort(&wished);
	while (i < held.count || k < wished.count) {
		int order = i == held.count     ? 1
			    : k == wished.count ? -1
						: compare_routes(&held.items[i], &wished.items[k]);

		if (order < 0)
			*arena_append(arena, out->old_routes, out->old_route_count) = held.items[i];
		if (order > 0)
			*arena_append(arena, out->new_routes, out->new_route_count) =
				(struct diff_route){ .route = &wished.items[k]->route,
						     .is_copy = true };
		i += order <= 0;
		k += order >= 0;
	}
}
