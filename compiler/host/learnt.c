/*
 * learnt: reads the default routes of all tables, once, and looks through them for each next hop.
 */
#include "host/learnt.h"

#include <string.h>

#include "base/arena.h"
#include "host/host.h"
#include "ir/ir.h"
#include "kernel/link.h"

struct search {
	struct arena *arena;
	struct netlink *netlink;
	const struct observed *observed;
	struct route_list defaults[ADDR_FAMILIES];
};

static bool is_learnt(const struct ir *ir)
{
	for (size_t i = 0; i < ir->route_count; i++)
		for (size_t k = 0; k < ir->routes[i].hop_count; k++)
			if (ir->routes[i].hops[k].learnt)
				return true;
	return false;
}

/* Of this policy or another: its gateway is one that was given, or learnt from what is read here.
 */
static bool is_of_policy(const struct observed *observed, const struct route_seen *seen)
{
	const struct host_other *owner = host_table_owner(observed, seen->route.table);

	return host_owns_route(observed, seen) ||
	       (owner && owner->claim.protocol == seen->protocol);
}

/* By the interface; the first of those with the lowest metric. */
static const struct ir_nexthop *find_default(const struct search *search, enum addr_family family,
					     const char *dev)
{
	const struct route_list *list = &search->defaults[family];
	const struct ir_nexthop *found = NULL;
	uint32_t least = UINT32_MAX;

	for (size_t i = 0; i < list->count; i++) {
		const struct ir_route *route = &list->items[i].route;

		if (route->type != IR_ROUTE_UNICAST || (found && route->metric >= least) ||
		    is_of_policy(search->observed, &list->items[i]))
			continue;
		for (size_t k = 0; k < route->hop_count; k++)
			if (route->hops[k].dev && strcmp(route->hops[k].dev, dev) == 0) {
				found = &route->hops[k];
				least = route->metric;
				break;
			}
	}
	return found;
}

static void find_gateway(const struct search *search, const struct ir_route *route,
			 struct ir_nexthop *hop)
{
	/* The kernel takes several next hops without one for IPv4 only. */
	bool needs_gateway = route->family == ADDR_IPV6 && route->hop_count > 1;
	const struct ir_nexthop *held = find_default(search, route->family, hop->dev);
	bool is_found = held ||
			link_state(search->arena, search->netlink, hop->dev).is_point_to_point;

	hop->has_via = held && held->has_via;
	hop->learnt = is_found && (hop->has_via || !needs_gateway) ? IR_LEARNT : IR_LACKING;
	if (!held)
		return;
	hop->via = held->via;
	hop->onlink |= held->onlink;
}

/* Of several next hops those that can be had now; all of them where none can. */
static void resolve_route(const struct search *search, struct ir_route *route)
{
	struct ir_nexthop *found = NULL, *all = NULL;
	size_t found_count = 0, all_count = 0;

	for (size_t i = 0; i < route->hop_count; i++) {
		struct ir_nexthop *hop = arena_append(search->arena, all, all_count);

		*hop = route->hops[i];
		if (hop->learnt)
			find_gateway(search, route, hop);
		if (hop->learnt != IR_LACKING)
			*arena_append(search->arena, found, found_count) = *hop;
	}
	route->hops = found_count ? found : all;
	route->hop_count = found_count ? found_count : all_count;
}

static void resolve_fill(const struct search *search, struct ir_fill *fill)
{
	const struct ir_nexthop *held = fill->kind == IR_FILL_LEARNT
						? find_default(search, fill->via.family, fill->dev)
						: NULL;

	if (!held || !held->has_via)
		return;
	fill->has_via = true;
	fill->via = held->via;
}

static void read_defaults(struct search *search)
{
	struct netlink_error error;

	for (int family = 0; family < ADDR_FAMILIES; family++)
		route_defaults(search->arena, search->netlink, (enum addr_family)family,
			       &search->defaults[family], &error);
}

void learnt_resolve(struct arena *arena, struct netlink *netlink, const struct observed *observed,
		    struct ir *ir)
{
	struct search search = { .arena = arena, .netlink = netlink, .observed = observed };
	size_t route_count = 0, fill_count = 0;
	struct ir_fill *fills = NULL;
	struct ir_route *routes = NULL;

	if (!is_learnt(ir))
		return;
	read_defaults(&search);
	for (size_t i = 0; i < ir->route_count; i++) {
		*arena_append(arena, routes, route_count) = ir->routes[i];
		resolve_route(&search, &routes[i]);
	}
	for (size_t i = 0; i < ir->fill_count; i++) {
		*arena_append(arena, fills, fill_count) = ir->fills[i];
		resolve_fill(&search, &fills[i]);
	}
	ir->routes = routes;
	ir->fills = fills;
}

struct ir_route learnt_route(struct arena *arena, struct netlink *netlink,
			     const struct observed *observed, const struct ir_route *route)
{
	struct search search = { .arena = arena, .netlink = netlink, .observed = observed };
	struct ir_route found = *route;

	if (ir_route_is_open(route)) {
		read_defaults(&search);
		resolve_route(&search, &found);
	}
	return found;
}
