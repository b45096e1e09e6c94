/*
 * lower/table: which interfaces a table leaves by, and so which table answers what comes in by
 * them.
 *
 * In go tables as the author wrote them. A table with a default route answers for the interface of
 * that route, one without for those of its destinations. Where an interface is only second to
 * another, shares connections with it, or has only some destinations, the table would send answers
 * by the wrong one: it gets a table of its own, with the routes that leave by it.
 */
#include "lang/lower/table.h"

#include <string.h>

#include "base/arena.h"
#include "ir/ir.h"
#include "lang/check/check.h"

static bool leads_out(const struct ast_route *route)
{
	return route->is_default && route->type == IR_ROUTE_UNICAST;
}

bool lower_table_has_default(const struct ast_table *table)
{
	size_t count;
	const struct ast_route *routes = ast_table_routes(table, &count);

	for (size_t i = 0; i < count; i++)
		if (leads_out(&routes[i]))
			return true;
	return false;
}

bool lower_table_has_ipv4(const struct ast_table *table)
{
	size_t count;
	const struct ast_route *routes = ast_table_routes(table, &count);
	bool whole = lower_table_has_default(table);

	for (size_t i = 0; i < count; i++)
		if (routes[i].type == IR_ROUTE_UNICAST && (routes[i].is_default || !whole) &&
		    check_route_in(&routes[i], ADDR_IPV4))
			return true;
	return false;
}

static void add_gateways(struct arena *arena, const struct ast_hop *hop, const char *dev,
			 struct addr **gateways, size_t *count)
{
	for (int family = 0; hop->dev && !strcmp(hop->dev, dev) && family < ADDR_FAMILIES; family++)
		if (hop->via.has[family])
			*arena_append(arena, *gateways, *count) = hop->via.addr[family];
		else if (hop->learns)
			*arena_append(arena, *gateways, *count) =
				(struct addr){ .family = (enum addr_family)family };
}

struct addr *lower_table_gateways(struct arena *arena, const struct ast_table *table,
				  const char *dev, size_t *count)
{
	size_t route_count;
	const struct ast_route *routes = ast_table_routes(table, &route_count);
	const struct ast_hop *hop;
	struct addr *gateways = NULL;

	*count = 0;
	for (size_t i = 0; i < route_count; i++) {
		if (!leads_out(&routes[i]))
			continue;
		for (size_t k = 0; (hop = ast_hop(&routes[i], k)); k++)
			add_gateways(arena, hop, dev, &gateways, count);
	}
	return gateways;
}

bool lower_table_prefers(const struct ast_table *table, const char *dev)
{
	size_t count;
	const struct ast_route *routes = ast_table_routes(table, &count);
	const struct ast_route *by_dev = NULL;
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < count; i++) {
		const struct ast_route *route = &routes[i];

		if (!leads_out(route))
			continue;
		if (route->metric < least)
			least = route->metric;
		if (!route->hop_count && route->hop.dev && !strcmp(route->hop.dev, dev) &&
		    (!by_dev || route->metric < by_dev->metric))
			by_dev = route;
	}
	return by_dev && by_dev->metric == least;
}

static void add_route(struct arena *arena, struct ast_table *table, const struct ast_route *route,
		      const struct ast_hop *hop)
{
	struct ast_route only = *route;

	only.hop = *hop;
	only.hops = NULL;
	only.hop_count = 0;
	*arena_append(arena, table->routes, table->route_count) = only;
}

/* Does one of the first routes go there, too, with another metric? */
static bool has_destination(const struct ast_route *routes, size_t count,
			    const struct ast_route *route)
{
	for (size_t i = 0; i < count; i++)
		if (routes[i].to.length == route->to.length &&
		    addr_equal(routes[i].to.addr, route->to.addr))
			return true;
	return false;
}

/*
 * What has only some destinations says nothing of other destinations: the main table answers those.
 * What the table's fallback refuses is refused for its own destinations, by routes that count last.
 */
static void refuse_rest(struct arena *arena, struct ast_table *table)
{
	static const int types[] = { [FALLBACK_UNREACHABLE] = IR_ROUTE_UNREACHABLE,
				     [FALLBACK_PROHIBIT] = IR_ROUTE_PROHIBIT,
				     [FALLBACK_BLACKHOLE] = IR_ROUTE_BLACKHOLE };
	size_t count = table->fallback == FALLBACK_MAIN ? 0 : table->route_count;

	for (size_t i = 0; i < count; i++) {
		struct ast_route last = table->routes[i];

		if (has_destination(table->routes, i, &last))
			continue;
		last.type = types[table->fallback];
		last.hop = (struct ast_hop){ 0 };
		last.src = (struct ast_addresses){ 0 };
		last.metric = UINT32_MAX - 1;
		last.mtu = 0;
		*arena_append(arena, table->routes, table->route_count) = last;
	}
	table->fallback = FALLBACK_MAIN;
}

struct ast_table *lower_table_by_dev(struct arena *arena, const struct ast_table *table,
				     const char *dev, size_t number)
{
	struct ast_table *only = arena_new_of(arena, struct ast_table);
	size_t count;
	const struct ast_route *routes = ast_table_routes(table, &count);
	const struct ast_hop *hop;

	*only = (struct ast_table){
		.name = arena_printf(arena, "%s.%zu", table->name, number),
		.span = table->span,
		.fallback = table->fallback,
		.answers = table->answers,
		.answer_count = table->answer_count,
		.clamp_mss = -1,
		.used = true,
	};
	for (size_t i = 0; i < count; i++) {
		const struct ast_route *route = &routes[i];

		if (route->type != IR_ROUTE_UNICAST)
			continue;
		for (size_t k = 0; (hop = ast_hop(route, k)); k++)
			if (hop->dev && !strcmp(hop->dev, dev))
				add_route(arena, only, route, hop);
	}
	if (!lower_table_has_default(only))
		refuse_rest(arena, only);
	return only;
}
