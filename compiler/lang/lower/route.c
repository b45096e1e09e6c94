/*
 * lower/route: the routes of the private tables that the ip rules lead to.
 */
#include "base/arena.h"
#include "base/diag.h"
#include "lang/lower/lower.h"
#include "lang/lower/table.h"

/* ---- one route ---- */

static struct ir_route *add_route(struct lower *lower)
{
	return arena_append(lower->arena, lower->ir->routes, lower->ir->route_count);
}

/* False: this next hop is of the other family. */
static bool lower_hop(struct lower *lower, const struct ast_hop *hop, enum addr_family family,
		      struct ir_route *route)
{
	if (!ast_hop_is_of(hop, family))
		return false;
	*arena_append(lower->arena, route->hops, route->hop_count) = (struct ir_nexthop){
		.has_via = hop->via.has[family],
		.via = hop->via.addr[family],
		.learnt = hop->learns && !hop->via.has[family] ? IR_TO_LEARN : IR_GIVEN,
		.dev = hop->dev,
		.weight = hop->weight ? (unsigned int)hop->weight : 1,
		.onlink = hop->onlink,
	};
	return true;
}

/* Several next hops by interface alone: the kernel takes that for IPv4 only. */
static bool lower_hops(struct lower *lower, const struct ast_route *route, enum addr_family family,
		       struct ir_route *out)
{
	const struct ast_hop *hop;

	if (route->type != IR_ROUTE_UNICAST && route->type != IR_ROUTE_LOCAL)
		return true;
	for (size_t i = 0; (hop = ast_hop(route, i)); i++)
		if ((route->hop_count && family == ADDR_IPV6 && !hop->via.span.source) ||
		    !lower_hop(lower, hop, family, out))
			return false;
	return true;
}

/* The route in one family. False when it is not of this family. */
static bool lower_route(struct lower *lower, const struct ast_table *table,
			const struct ast_route *route, enum addr_family family,
			struct ir_route *out)
{
	if (!route->is_default && route->to.addr.family != family)
		return false;
	*out = (struct ir_route){
		.family = family,
		.table = (uint32_t)table->id,
		.type = (enum ir_route_type)route->type,
		.to = route->is_default ? (struct addr_prefix){ .addr.family = family } : route->to,
		.has_src = route->src.has[family],
		.src = route->src.addr[family],
		.masquerades = table->masquerades[family],
		.metric = (uint32_t)route->metric,
		.mtu = (uint32_t)route->mtu,
		.origin = route->span,
	};
	return lower_hops(lower, route, family, out);
}

bool lower_has_family(struct lower *lower, const struct ast_table *table, enum addr_family family)
{
	size_t count;
	const struct ast_route *routes = ast_table_routes(table, &count);
	struct ir_route out;

	for (size_t i = 0; i < count; i++)
		if (lower_route(lower, table, &routes[i], family, &out))
			return true;
	return false;
}

/* ---- for this host ---- */

/* All that asks the table is for this host. */
static void host_routes(struct lower *lower, uint32_t table, const bool families[ADDR_FAMILIES],
			struct span origin)
{
	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++) {
		struct ir_route *route;

		if (!families[family])
			continue;
		route = add_route(lower);
		*route = (struct ir_route){
			.family = family,
			.table = table,
			.type = IR_ROUTE_LOCAL,
			.to.addr.family = family,
			.origin = origin,
		};
		*arena_append(lower->arena, route->hops, route->hop_count) =
			(struct ir_nexthop){ .dev = "lo", .weight = 1 };
	}
}

static void reset_routes(struct lower *lower)
{
	bool families[ADDR_FAMILIES] = { false };
	struct span origin = { 0 };

	for (size_t i = 0; i < lower->target_count; i++) {
		const struct lower_target *target = lower->targets[i];

		if (target->kind != IR_CLASS_SYN || !lower_is_used(target))
			continue;
		for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++)
			families[family] |= target->families[family];
		origin = origin.source ? origin : target->origin;
	}
	host_routes(lower, lower->reset_table, families, origin);
}

/* ---- tables ---- */

static void table_route(struct lower *lower, const struct ast_table *table,
			const struct ast_route *route, const bool families[ADDR_FAMILIES])
{
	bool any = false;

	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++) {
		struct ir_route out;

		if (!lower_route(lower, table, route, family, &out))
			continue;
		any = true;
		if (!families[family])
			continue;
		*add_route(lower) = out;
	}
	if (any)
		return;
	diag_help(diag_add(lower->diag, DIAG_bad_address, route->span,
			   "the destination and the next hops are of different families"),
		  "IPv4 goes by IPv4 next hops, IPv6 by IPv6 ones: write a route for each");
}

/* An address that no route of the table could use. */
static void check_source(struct lower *lower, const struct ast_table *table,
			 const struct ast_addresses *source, const char *key)
{
	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++) {
		if (!source->has[family] || lower_has_family(lower, table, family))
			continue;
		diag_help(diag_add(lower->diag, DIAG_impossible, source->span,
				   "the table has no %s route that could use this `%s`",
				   addr_family_name(family), key),
			  "give it an %s `via`, or an address of the other family",
			  addr_family_name(family));
	}
}

static void check_npt(struct lower *lower, const struct ast_table *table)
{
	if (table->npt_count && lower->policy->settings.ipv6 == IPV6_OFF)
		diag_help(diag_add(lower->diag, DIAG_no_effect, table->npt_span,
				   "`nptv6` changes nothing: the policy leaves IPv6 alone"),
			  "remove it, or `ipv6: off` from the settings");
	if (!table->npt_count || lower_has_family(lower, table, ADDR_IPV6))
		return;
	diag_help(diag_add(lower->diag, DIAG_impossible, table->npt_span,
			   "the table has no IPv6 route that could use this `nptv6`"),
		  "give it an IPv6 `via`, or remove `nptv6`");
}

static void table_routes(struct lower *lower, const struct ast_table *table,
			 const bool families[ADDR_FAMILIES])
{
	size_t count;
	const struct ast_route *routes = ast_table_routes(table, &count);

	check_source(lower, table, &table->snat, "snat");
	check_source(lower, table, &table->shorthand.src, "src");
	check_npt(lower, table);
	for (size_t i = 0; i < count && !table->from_table; i++)
		table_route(lower, table, &routes[i], families);
}

/* The families that the table has a route of. */
static void add_reply_families(struct lower *lower, struct lower_target *target)
{
	const struct ast_table *table = target->tables[0];
	size_t count;
	const struct ast_route *routes = ast_table_routes(table, &count);
	bool whole = lower_table_has_default(table);

	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++)
		for (size_t i = 0; i < count; i++) {
			struct ir_route out;

			if (family == ADDR_IPV6 && lower->policy->settings.ipv6 == IPV6_OFF)
				continue;
			target->families[family] |=
				(routes[i].is_default || !whole) &&
				routes[i].type == IR_ROUTE_UNICAST &&
				lower_route(lower, table, &routes[i], family, &out);
		}
}

void lower_reply_families(struct lower *lower)
{
	for (size_t i = 0; i < lower->uplink_count; i++)
		add_reply_families(lower, lower->uplinks[i].reply);
}

static void lower_table(struct lower *lower, const struct ast_table *table)
{
	bool families[ADDR_FAMILIES] = { false, false };

	for (size_t i = 0; i < lower->target_count; i++) {
		const struct lower_target *target = lower->targets[i];

		for (size_t k = 0; k < target->table_count; k++) {
			if (target->tables[k] != table)
				continue;
			families[ADDR_IPV4] |= target->families[ADDR_IPV4];
			families[ADDR_IPV6] |= target->families[ADDR_IPV6];
		}
	}
	table_routes(lower, table, families);
}

/* The author's tables, and those that uplinks have of their own. */
static void lower_tables(struct lower *lower)
{
	struct ast_policy *policy = lower->policy;

	for (size_t i = 0; i < policy->table_count; i++)
		lower_table(lower, &policy->tables[i]);
	for (size_t i = 0; i < lower->uplink_count; i++)
		if (!ast_table_find(policy, lower->uplinks[i].table->name))
			lower_table(lower, lower->uplinks[i].table);
}

static bool has_gateway(const struct ir_route *route)
{
	for (size_t i = 0; i < route->hop_count; i++)
		if (route->hops[i].has_via || route->hops[i].learnt)
			return true;
	return false;
}

/* The kernel looks for a gateway in the route's own table first: the routes that lead to gateways
 * come before those through them. */
static void order_routes(struct lower *lower)
{
	struct ir *ir = lower->ir;
	struct ir_route *ordered =
		arena_alloc(lower->arena, (ir->route_count + 1) * sizeof(*ordered));
	size_t count = 0;

	for (int through = 0; through <= 1; through++)
		for (size_t i = 0; i < ir->route_count; i++)
			if (has_gateway(&ir->routes[i]) == (through == 1))
				ordered[count++] = ir->routes[i];
	ir->routes = ordered;
}

void lower_routes(struct lower *lower)
{
	for (size_t i = 0; i < lower->target_count; i++)
		if (lower->targets[i]->table && lower_is_used(lower->targets[i]))
			host_routes(lower, lower->targets[i]->table, lower->targets[i]->families,
				    lower->targets[i]->origin);
	reset_routes(lower);
	lower_tables(lower);
	order_routes(lower);
}
