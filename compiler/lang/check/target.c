/*
 * check/target: what is wrong with a listener or a table itself, whatever rules send there.
 */
#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/names.h"
#include "lang/check/check.h"

/* ---- listeners ---- */

static bool check_failure(struct diag *diag, const struct ast_listener *listener)
{
	if (listener->mode == MODE_TPROXY || listener->on_failure == FAILURE_REJECT)
		return true;
	if (listener->on_failure == FAILURE_DIRECT)
		return diag_refuse(diag, DIAG_impossible, listener->on_failure_span,
				   "a redirected packet cannot be restored when its listener turns out to be down",
				   "use tproxy for `on_failure: direct`, or leave it at reject");
	if (listener->mode == MODE_DNAT && !ast_stays_here(listener))
		return diag_refuse(diag, DIAG_impossible, listener->on_failure_span,
				   "whether a listener on another host is up is not known here",
				   "remove `on_failure`: that host answers for itself");
	return true;
}

/* Of a program on this host a port is never sure: others take it, and a rule may rewrite it. */
static bool check_source_port(struct diag *diag, const struct ast_listener *listener)
{
	bool good = true;

	for (size_t i = 0; i < listener->runs_as.count && ast_stays_here(listener); i++)
		if (ast_is_source_port(listener->runs_as.items[i]))
			good = diag_refuse(diag, DIAG_impossible, listener->runs_as.items[i]->span,
					   "a source port is for a dnat listener on another host",
					   "this one is on this host: write {user: U}, {group: G}, "
					   "{mark: M} or {cgroup: PATH}");
	return good;
}

bool check_listener(struct diag *diag, const struct ast_listener *listener)
{
	bool good = check_failure(diag, listener);

	good &= check_source_port(diag, listener);
	if (listener->spoofs_client && listener->mode != MODE_TPROXY)
		good = diag_refuse(diag, DIAG_impossible, listener->spoofs_client_span,
				   "only a transparent socket can connect with a client's address",
				   "use tproxy, or remove `spoofs_client`");
	if (listener->masquerade && listener->mode != MODE_DNAT)
		good = diag_refuse(diag, DIAG_impossible, listener->masquerade_span,
				   "`masquerade` is for a dnat listener on another host",
				   "remove it: this host answers the client by itself");
	if (listener->via_name && (listener->mode != MODE_DNAT || ast_stays_here(listener)))
		good = diag_refuse(diag, DIAG_impossible, listener->via_span,
				   "no table leads to a listener on this host",
				   "remove `via`: it is for a dnat listener on another host");
	if (listener->table && listener->mode != MODE_TPROXY)
		good = diag_refuse(diag, DIAG_impossible, listener->table_span,
				   "a redirected packet needs no routing table of its own",
				   "remove `table`");
	return good;
}

const char **check_table_devs(struct arena *arena, const struct ast_table *table, size_t *count,
			      bool *complete)
{
	size_t route_count;
	const struct ast_route *routes = ast_table_routes(table, &route_count);
	const struct ast_hop *hop;
	const char **devs = NULL;

	*count = 0;
	if (complete)
		*complete = true;
	for (size_t i = 0; i < route_count; i++) {
		const struct ast_route *route = &routes[i];

		if (route->type != IR_ROUTE_UNICAST)
			continue;
		for (size_t k = 0; (hop = ast_hop(route, k)); k++)
			if (hop->dev)
				names_add(arena, &devs, count, hop->dev);
			else if (complete)
				*complete = false;
	}
	return devs;
}

/* ---- tables ---- */

/* Several next hops by interface alone are an IPv4 route: see lower/route.c. */
bool check_route_in(const struct ast_route *route, enum addr_family family)
{
	const struct ast_hop *hop = ast_hop(route, 0);

	if (!route->is_default)
		return route->to.addr.family == family;
	if (!hop->via.span.source)
		return !route->hop_count || family == ADDR_IPV4;
	return ast_hop_is_of(hop, family);
}

bool check_leads_out(const struct ast_table *table, enum addr_family family)
{
	size_t count;
	const struct ast_route *routes = ast_table_routes(table, &count);

	for (size_t i = 0; i < count; i++)
		if (routes[i].type == IR_ROUTE_UNICAST && check_route_in(&routes[i], family))
			return true;
	return false;
}

static bool is_same_place(const struct ast_route *a, const struct ast_route *b)
{
	if (a->is_default != b->is_default)
		return false;
	if (!a->is_default)
		return addr_equal(a->to.addr, b->to.addr) && a->to.length == b->to.length;
	return (check_route_in(a, ADDR_IPV4) && check_route_in(b, ADDR_IPV4)) ||
	       (check_route_in(a, ADDR_IPV6) && check_route_in(b, ADDR_IPV6));
}

/* A route without a metric is the first in IPv4, where it has 0, and late in IPv6, where it has
 * 1024: IP6_RT_PRIO_USER, linux/ipv6_route.h. */
static bool check_order(struct diag *diag, const struct ast_route *first,
			const struct ast_route *second)
{
	struct diag_record *record;

	if (!is_same_place(first, second) ||
	    (first->metric && second->metric && first->metric != second->metric))
		return true;
	record = diag_add(diag, DIAG_impossible, second->span,
			  "two routes to one place, and nothing says which comes first");
	diag_also(record, first->span, "the other one");
	diag_help(record,
		  "give each a `metric` (the smallest is tried first), or share the connections between them in one "
		  "route with `nexthops`");
	return false;
}

static bool check_routes(struct diag *diag, const struct ast_table *table)
{
	bool good = true;

	for (size_t i = 1; i < table->route_count; i++)
		for (size_t k = 0; k < i; k++)
			good &= check_order(diag, &table->routes[k], &table->routes[i]);
	return good;
}

/* Does it name each interface that it leaves by? */
static bool leaves_by_known(const struct ast_route *route)
{
	bool known = route->hop_count || route->hop.dev || route->type != IR_ROUTE_UNICAST;

	for (size_t k = 0; k < route->hop_count; k++)
		known &= route->hops[k].dev != NULL;
	return known;
}

static bool check_strict(struct diag *diag, const struct ast_table *table)
{
	size_t route_count;
	const struct ast_route *routes = ast_table_routes(table, &route_count);
	bool complete = true;

	if (!table->strict)
		return true;
	for (size_t i = 0; i < route_count; i++)
		complete &= leaves_by_known(&routes[i]);
	if (!complete)
		return diag_refuse(diag, DIAG_impossible, table->strict_span,
				   "`strict` needs to know by which interface this table leaves",
				   "give every route its `dev`");
	if (table->prefer_main)
		return diag_refuse(diag, DIAG_impossible, table->strict_span,
				   "`strict` refuses what `prefer_main` sends by the main table",
				   "keep one of them");
	return true;
}

/* What leaves by the main table instead, because this one has a `fallback` or none of its routes
 * fits, was never this table's to translate. */
static void warn_of_translation(struct diag *diag, const struct ast_table *table)
{
	size_t route_count;
	const struct ast_route *routes = ast_table_routes(table, &route_count);
	struct span where = ast_masquerades(table) ? table->masquerade_span : table->snat.span;

	for (size_t i = 0; i < route_count; i++)
		if (routes[i].type == IR_ROUTE_UNICAST)
			return;
	if (where.source)
		diag_help(diag_add(diag, DIAG_no_effect, where,
				   "`%s` changes nothing: no route of the table \"%s\" leads out",
				   ast_masquerades(table) ? "masquerade" : "snat", table->name),
			  "add a route with a `dev` or a `via`, or remove it");
}

static bool prefixes_meet(struct addr_prefix a, struct addr_prefix b)
{
	return addr_prefix_covers(a, b.addr) || addr_prefix_covers(b, a.addr);
}

/* RFC 4291, section 2.4: what no router sends on. */
static bool is_no_network(struct addr_prefix prefix)
{
	static const struct addr_prefix reserved[] = {
		{ { ADDR_IPV6, { 0, 0 } }, 127 }, /* :: and ::1 */
		{ { ADDR_IPV6, { 0xff00ull << 48, 0 } }, 8 },
		{ { ADDR_IPV6, { 0xfe80ull << 48, 0 } }, 10 },
	};

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (prefixes_meet(prefix, reserved[i]))
			return true;
	return false;
}

static bool check_npt(struct diag *diag, const struct ast_npt *npt)
{
	struct diag_record *record;

	if (is_no_network(npt->inside) || is_no_network(npt->outside))
		return diag_refuse(diag, DIAG_impossible,
				   is_no_network(npt->inside) ? npt->inside_span
							      : npt->outside_span,
				   "loopback, link-local and multicast addresses go through no router",
				   "name the network's own prefix, and the one that the provider gave");
	if (npt->inside.length != npt->outside.length) {
		record = diag_add(diag, DIAG_impossible, npt->outside_span,
				  "prefixes of /%u and /%u have not as many addresses",
				  npt->outside.length, npt->inside.length);
		diag_also(record, npt->inside_span, "the other one");
		diag_help(record, "write both with the same length");
		return false;
	}
	return !prefixes_meet(npt->inside, npt->outside) ||
	       diag_refuse(diag, DIAG_impossible, npt->outside_span, "`outside` is `inside`",
			   "remove `nptv6`: these addresses are the same on both sides");
}

/* What comes in for an outside prefix has to be for one inside prefix, and the reverse. */
static bool check_npt_pair(struct diag *diag, const struct ast_npt *a, const struct ast_npt *b)
{
	struct diag_record *record;

	if (!prefixes_meet(a->inside, b->inside) && !prefixes_meet(a->outside, b->outside) &&
	    !prefixes_meet(a->inside, b->outside) && !prefixes_meet(a->outside, b->inside))
		return true;
	record = diag_add(diag, DIAG_impossible, b->span, "two translations of the same addresses");
	diag_also(record, a->span, "the other one");
	diag_help(record, "give each prefix one counterpart in this table");
	return false;
}

static bool check_npts(struct diag *diag, const struct ast_table *table)
{
	size_t count;
	const struct ast_route *routes = ast_table_routes(table, &count);
	bool good = true, is_known = true;

	for (size_t i = 0; i < count; i++)
		is_known &= leaves_by_known(&routes[i]);
	if (table->npt_count && !is_known)
		good = diag_refuse(diag, DIAG_impossible, table->npt_span,
				   "`nptv6` needs to know by which interface this table leaves",
				   "give every route its `dev`");
	for (size_t i = 0; i < table->npt_count; i++) {
		good &= check_npt(diag, &table->npts[i]);
		for (size_t k = 0; k < i; k++)
			good &= check_npt_pair(diag, &table->npts[k], &table->npts[i]);
	}
	return good;
}

bool check_table(struct diag *diag, const struct ast_table *table)
{
	bool good = check_routes(diag, table);

	warn_of_translation(diag, table);
	good &= check_npts(diag, table);
	return check_strict(diag, table) && good;
}
