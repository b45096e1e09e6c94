/*
 * static/tunnel: tunnels that would be sent their own encrypted packets, round and round.
 *
 * In go the tables with what is known of their tunnels, and the rules about what this host sends.
 * Where a table names its tunnel's `endpoint`, static/endpoint.c sends packets to it through the
 * ir; where it does not, its interface's name says that it is a tunnel. A rule before that lets the
 * tunnel's packets go elsewhere, by where they go or by who sends them, is taken to mean them.
 */
#include <string.h>

#include "addr/builtin.h"
#include "base/arena.h"
#include "base/diag.h"
#include "ir/evaluate.h"
#include "lang/check/check.h"
#include "lang/static/static.h"
#include "lang/static/tunnel.h"
#include "match/kinds.h"

/* ---- rules ---- */

/* Does the action send by the table? A list's later tables are for when the first has no route. */
static bool leads_to(const struct ast_then *then, const struct ast_table *table)
{
	size_t count = then->action == THEN_BALANCE ? then->target_count
		       : then->action == THEN_ROUTE ? 1
						    : 0;

	for (size_t i = 0; i < count; i++)
		if (!strcmp(then->targets[i].name, table->name))
			return true;
	return false;
}

/* Does the rule send packets of this host elsewhere: as always, or by another table? */
static bool bypasses(const struct ast_rule *rule, const struct ast_table *table)
{
	enum ast_action action = rule->then->action;

	return (rule->scopes & SCOPE_LOCAL) && !leads_to(rule->then, table) &&
	       (action == THEN_DIRECT || action == THEN_ROUTE || action == THEN_BALANCE ||
		action == THEN_MARK || action == THEN_ANSWER);
}

const struct interval_set *static_part(struct checks *checks,
				       const struct match_condition *condition,
				       enum addr_family family, size_t nth)
{
	const struct ast_set *set;
	struct addr_set *built_in;

	if (!nth)
		return &condition->addresses.family[family];
	if (nth > condition->reference_count)
		return NULL;
	set = ast_set_find(checks->policy, condition->references[nth - 1].name);
	if (set)
		return &set->contents.family[family];
	built_in = arena_new_of(checks->arena, struct addr_set);
	builtin_find(checks->arena, condition->references[nth - 1].name, built_in);
	return &built_in->family[family];
}

/* ---- tunnels by their names ---- */

/*
 * What tunnels over IP are usually called. Not ppp: most of these are PPPoE, which is no IP below.
 * Not tailscale: its packets bypass by a mark and an ip rule that comes before all of ours.
 */
static const char *const tunnel_names[] = {
	"wg",  "tun",   "tap",  "ovpn", "gre",  "ipip", "sit",
	"vti", "ipsec", "xfrm", "l2tp", "pptp", "zt",   "nebula"
};

bool static_is_tunnel(const char *dev)
{
	for (size_t k = 0; dev && k < sizeof(tunnel_names) / sizeof(tunnel_names[0]); k++) {
		const char *rest = dev + strlen(tunnel_names[k]);

		if (!strncmp(dev, tunnel_names[k], strlen(tunnel_names[k])) &&
		    (!*rest || (*rest >= '0' && *rest <= '9') || *rest == '-'))
			return true;
	}
	return false;
}

/* The table's tunnel, where a tunnel's end may be anywhere in what is sent there. */
static const char *tunnel_dev(const struct ast_table *table)
{
	size_t count;
	const struct ast_route *routes = ast_table_routes(table, &count);
	const struct ast_hop *hop;

	for (size_t i = 0; i < count; i++) {
		const struct ast_route *route = &routes[i];

		if (route->type != IR_ROUTE_UNICAST ||
		    (!route->is_default && route->to.length > STATIC_WIDE_LENGTH))
			continue;
		for (size_t k = 0; (hop = ast_hop(route, k)); k++)
			if (static_is_tunnel(hop->dev))
				return hop->dev;
	}
	return NULL;
}

bool static_names_public(struct checks *checks, const struct match_condition *condition,
			 enum addr_family family)
{
	static const char *const inner[] = { "private", "loopback", "link-local", "multicast" };
	const struct interval_set *set;
	struct addr_set own = { 0 };

	for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++) {
		struct addr_set built_in = { 0 };

		builtin_find(checks->arena, inner[i], &built_in);
		own = addr_set_union(checks->arena, &own, &built_in);
	}
	for (size_t i = 0; (set = static_part(checks, condition, family, i)); i++)
		if (!interval_covers(&own.family[family], set))
			return true;
	return condition->negated;
}

bool static_is_wide(struct checks *checks, const struct match_condition *condition,
		    enum addr_family family)
{
	const struct interval_set *set;
	struct wide whole = addr_last(family), sum = wide(0);

	for (size_t i = 0; (set = static_part(checks, condition, family, i)); i++)
		for (size_t k = 0; k < set->count; k++)
			sum = wide_add(sum, wide_right(wide_subtract(set->items[k].last,
								     set->items[k].first),
						       6));
	if (condition->negated)
		return wide_less(sum, wide_subtract(wide_right(whole, 6), wide_right(whole, 12)));
	return !wide_less(sum, wide_right(whole, 12));
}

/* Would the rule take a tunnel's packets, whoever's they are? */
static bool is_broad(struct checks *checks, const struct ast_rule *rule)
{
	const struct match_condition *to = ast_condition(rule, "to");

	for (size_t i = 0; i < rule->condition_count; i++) {
		const char *key = rule->conditions[i]->key;

		if (strcmp(key, "to") && strcmp(key, "family") && strcmp(key, "proto"))
			return false;
	}
	if (rule->protocols.count && !interval_contains(&rule->protocols, wide(PROTOCOL_UDP)))
		return false;
	for (int family = 0; to && family < ADDR_FAMILIES; family++)
		if (rule->families[family] && static_is_wide(checks, to, (enum addr_family)family))
			return true;
	return !to;
}

/* May the rule be there to let the tunnel's packets go? */
static bool excepts(struct checks *checks, const struct ast_rule *rule,
		    const struct ast_table *table)
{
	const struct match_condition *to = ast_condition(rule, "to");

	if (!bypasses(rule, table))
		return false;
	if (ast_names_identity(rule))
		return true;
	if (rule->then->action != THEN_DIRECT)
		return false;
	for (int family = 0; to && family < ADDR_FAMILIES; family++)
		if (static_names_public(checks, to, (enum addr_family)family))
			return true;
	return !to && (ast_condition(rule, "port") || ast_condition(rule, "sport"));
}

static const struct ast_then *find_broad(struct checks *checks, const struct ast_table *table)
{
	const struct ast_policy *policy = checks->policy;

	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct ast_rule *rule = &policy->rules[i];

		if (excepts(checks, rule, table))
			return NULL;
		if ((rule->scopes & SCOPE_LOCAL) && leads_to(rule->then, table) &&
		    is_broad(checks, rule))
			return rule->then;
	}
	return policy->default_local && leads_to(policy->default_local, table)
		       ? policy->default_local
		       : NULL;
}

static void judge_unknown(struct checks *checks, const struct ast_table *table)
{
	const char *dev = tunnel_dev(table);
	const struct ast_then *then = dev ? find_broad(checks, table) : NULL;
	struct diag_record *record;

	if (!then)
		return;
	record = diag_add(checks->diag, DIAG_tunnel_loop,
			  then->name_span.source ? then->name_span : then->span,
			  "this may send %s's own encrypted packets into %s, round and round", dev,
			  dev);
	diag_also(record, table->span,
		  "%s is called like a tunnel, and nothing says where its packets go", dev);
	diag_help(record,
		  "say where they go with `endpoint: ADDRESS` in the table, and write `{scope: local, to: ADDRESS, then: direct}` before this");
	diag_help(record,
		  "or except them by the mark that the tunnel gives them: {scope: local, mark: MARK, then: "
		  "direct}");
}

void static_tunnels(struct checks *checks)
{
	for (size_t i = 0; i < checks->policy->table_count; i++) {
		const struct ast_table *table = &checks->policy->tables[i];

		if (!table->endpoint_count)
			judge_unknown(checks, table);
	}
}
