/*
 * prove_tunnel: tunnels that would be sent their own encrypted packets, round and round.
 *
 * In go the tables with what is known of the tunnels behind them, and the rules about what this
 * host sends. Where a table names its tunnel's `endpoint`, packets to it are sent through the ir;
 * where it does not, its interface's name says that it is a tunnel. A rule before that lets the
 * tunnel's packets go elsewhere, by where they go or by who sends them, is taken to mean them.
 */
#include <string.h>

#include "addr/builtin.h"
#include "base/arena.h"
#include "base/diag.h"
#include "ir/evaluate.h"
#include "lang/check.h"
#include "lang/prove.h"
#include "match/kinds.h"

struct tunnels {
	struct arena *arena;
	struct diag *diag;
	struct ast_policy *policy;
	const struct ir_walker *walker;
};

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

static bool names_identity(const struct ast_rule *rule)
{
	for (size_t i = 0; i < rule->condition_count; i++)
		if (rule->conditions[i]->kind->names_identity)
			return true;
	return false;
}

/* Does the rule let packets of this host go another way: as always, or by another table? */
static bool lets_go(const struct ast_rule *rule, const struct ast_table *table)
{
	enum ast_action action = rule->then->action;

	return (rule->scopes & SCOPE_LOCAL) && !leads_to(rule->then, table) &&
	       (action == THEN_DIRECT || action == THEN_ROUTE || action == THEN_BALANCE ||
		action == THEN_MARK);
}

/* What the nth part of a condition names of a family, and begins with; NULL behind the last. */
static const struct interval_set *part(struct tunnels *tunnels,
				       const struct match_condition *condition,
				       enum addr_family family, size_t nth)
{
	const struct ast_set *set;
	struct addr_set *built_in;

	if (!nth)
		return &condition->addresses.family[family];
	if (nth > condition->reference_count)
		return NULL;
	set = ast_set_find(tunnels->policy, condition->references[nth - 1].name);
	if (set)
		return &set->contents.family[family];
	built_in = arena_new_of(tunnels->arena, struct addr_set);
	builtin_find(tunnels->arena, condition->references[nth - 1].name, built_in);
	return &built_in->family[family];
}

static bool names_address(struct tunnels *tunnels, const struct match_condition *condition,
			  struct addr addr)
{
	const struct interval_set *set;

	for (size_t i = 0; (set = part(tunnels, condition, addr.family, i)); i++)
		if (interval_contains(set, addr.bits))
			return !condition->negated;
	return condition->negated;
}

/* ---- endpoints that are given ---- */

/* May the rule take packets of the protocol to the address, if what else it asks holds? */
static bool may_take(struct tunnels *tunnels, const struct ast_rule *rule, struct addr addr,
		     unsigned int protocol)
{
	const struct match_condition *to = ast_condition(rule, "to");

	if (!rule->families[addr.family] ||
	    (rule->protocols.count && !interval_contains(&rule->protocols, protocol)))
		return false;
	if (!to)
		return rule->condition_count > 0;
	return names_address(tunnels, to, addr);
}

static bool is_excepted(struct tunnels *tunnels, size_t before, const struct ast_table *table,
			struct addr addr, unsigned int protocol)
{
	for (size_t i = 0; i < before; i++) {
		const struct ast_rule *rule = &tunnels->policy->rules[i];

		if (lets_go(rule, table) &&
		    (names_identity(rule) || may_take(tunnels, rule, addr, protocol)))
			return true;
	}
	return false;
}

/* The rule that stands there, or the number of rules for the default. */
static size_t rule_at(const struct ast_policy *policy, struct span span)
{
	size_t i = 0;

	while (i < policy->rule_count && (policy->rules[i].span.source != span.source ||
					  policy->rules[i].span.begin != span.begin))
		i++;
	return i;
}

/* The action that sends what goes to the address back into the table's tunnel, or NULL. */
static const struct ast_then *inside(struct tunnels *tunnels, const struct ast_table *table,
				     struct addr addr, unsigned int protocol)
{
	struct ir_packet packet = { .scope = SCOPE_LOCAL,
				    .in = "",
				    .out = "",
				    .family = addr.family,
				    .to = addr.bits,
				    .has_to = true,
				    .protocol = protocol,
				    .state = STATE_NEW };
	struct ir_outcome outcome = ir_walk(tunnels->walker, &packet, NULL);
	const struct ast_policy *policy = tunnels->policy;
	const struct ast_then *then;
	size_t rule;

	if (!outcome.decided)
		return NULL;
	rule = rule_at(policy, outcome.decided->origin);
	then = rule < policy->rule_count ? policy->rules[rule].then : policy->default_local;
	if (!then || !leads_to(then, table) || is_excepted(tunnels, rule, table, addr, protocol))
		return NULL;
	return then;
}

static void judge_endpoint(struct tunnels *tunnels, const struct ast_table *table,
			   const struct ast_endpoint *endpoint)
{
	static const unsigned int others[] = { PROTOCOL_TCP, PROTOCOL_ESP };
	const struct ast_then *then = inside(tunnels, table, endpoint->addr, PROTOCOL_UDP);
	struct diag_record *record;
	bool always = !table->prefer_main;
	char text[ADDR_TEXT];

	if (!then)
		return;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		always &= inside(tunnels, table, endpoint->addr, others[i]) != NULL;
	addr_format(endpoint->addr, text);
	record = diag_add(tunnels->diag, always ? DIAG_endpoint_inside : DIAG_tunnel_loop,
			  endpoint->span,
			  "what the tunnel sends to %s would be sent into the tunnel \"%s\"%s",
			  text, table->name,
			  table->prefer_main ? ", unless the main table has a route for it" : "");
	diag_also(record, then->name_span.source ? then->name_span : then->span, "%s is sent there",
		  text);
	diag_help(record, "put `{scope: local, to: %s%s%s, then: direct}` before that rule",
		  endpoint->addr.family == ADDR_IPV6 ? "\"" : "", text,
		  endpoint->addr.family == ADDR_IPV6 ? "\"" : "");
	diag_help(record,
		  "or except the tunnel's packets by the mark it gives them: {scope: local, mark: "
		  "MARK, then: direct}");
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

static const char *tunnel_dev(struct tunnels *tunnels, const struct ast_table *table)
{
	size_t count;
	bool complete;
	const char **devs = check_table_devs(tunnels->arena, table, &count, &complete);

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < sizeof(tunnel_names) / sizeof(tunnel_names[0]); k++) {
			const char *name = tunnel_names[k];
			const char *rest = devs[i] + strlen(name);

			if (!strncmp(devs[i], name, strlen(name)) &&
			    (!*rest || (*rest >= '0' && *rest <= '9') || *rest == '-'))
				return devs[i];
		}
	return NULL;
}

/* Does the condition name addresses of the world outside? */
static bool names_public(struct tunnels *tunnels, const struct match_condition *condition,
			 enum addr_family family)
{
	static const char *const inner[] = { "private", "loopback", "link-local", "multicast" };
	const struct interval_set *set;
	struct addr_set own = { 0 };

	for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++) {
		struct addr_set built_in = { 0 };

		builtin_find(tunnels->arena, inner[i], &built_in);
		own = addr_set_union(tunnels->arena, &own, &built_in);
	}
	for (size_t i = 0; (set = part(tunnels, condition, family, i)); i++)
		if (!interval_covers(&own.family[family], set))
			return true;
	return condition->negated;
}

/* A tunnel's end may be anywhere: is that a good part (a 64th) of all addresses? */
static bool is_wide(struct tunnels *tunnels, const struct match_condition *condition,
		    enum addr_family family)
{
	const struct interval_set *set;
	addr_bits sum = 0;

	for (size_t i = 0; (set = part(tunnels, condition, family, i)); i++)
		for (size_t k = 0; k < set->count; k++)
			sum += (set->items[k].last - set->items[k].first) / 64;
	if (condition->negated)
		return sum < addr_last(family) / 64 - addr_last(family) / 64 / 64;
	return sum >= addr_last(family) / 64 / 64;
}

/* Would the rule take a tunnel's packets, whoever's they are? */
static bool is_broad(struct tunnels *tunnels, const struct ast_rule *rule)
{
	const struct match_condition *to = ast_condition(rule, "to");

	for (size_t i = 0; i < rule->condition_count; i++) {
		const char *key = rule->conditions[i]->key;

		if (strcmp(key, "to") && strcmp(key, "family") && strcmp(key, "proto"))
			return false;
	}
	if (rule->protocols.count && !interval_contains(&rule->protocols, PROTOCOL_UDP))
		return false;
	for (int family = 0; to && family < ADDR_FAMILIES; family++)
		if (rule->families[family] && is_wide(tunnels, to, (enum addr_family)family))
			return true;
	return !to;
}

/* May the rule be there to let the tunnel's packets go? */
static bool excepts(struct tunnels *tunnels, const struct ast_rule *rule,
		    const struct ast_table *table)
{
	const struct match_condition *to = ast_condition(rule, "to");

	if (!lets_go(rule, table))
		return false;
	if (names_identity(rule))
		return true;
	if (rule->then->action != THEN_DIRECT)
		return false;
	for (int family = 0; to && family < ADDR_FAMILIES; family++)
		if (names_public(tunnels, to, (enum addr_family)family))
			return true;
	return !to && (ast_condition(rule, "port") || ast_condition(rule, "sport"));
}

static const struct ast_then *find_broad(struct tunnels *tunnels, const struct ast_table *table)
{
	const struct ast_policy *policy = tunnels->policy;

	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct ast_rule *rule = &policy->rules[i];

		if (excepts(tunnels, rule, table))
			return NULL;
		if ((rule->scopes & SCOPE_LOCAL) && leads_to(rule->then, table) &&
		    is_broad(tunnels, rule))
			return rule->then;
	}
	return policy->default_local && leads_to(policy->default_local, table)
		       ? policy->default_local
		       : NULL;
}

static void judge_unknown(struct tunnels *tunnels, const struct ast_table *table)
{
	const char *dev = tunnel_dev(tunnels, table);
	const struct ast_then *then = dev ? find_broad(tunnels, table) : NULL;
	struct diag_record *record;

	if (!then)
		return;
	record = diag_add(tunnels->diag, DIAG_tunnel_loop,
			  then->name_span.source ? then->name_span : then->span,
			  "this may send %s's own encrypted packets into %s, round and round", dev,
			  dev);
	diag_also(record, table->span,
		  "%s is called like a tunnel, and nothing says where its packets go", dev);
	diag_help(record,
		  "say where they go with `endpoint: ADDRESS` in the table, and put `{scope: local, to: ADDRESS, then: "
		  "direct}` before this");
	diag_help(record,
		  "or except them by the mark that the tunnel gives them: {scope: local, mark: MARK, then: "
		  "direct}");
}

void prove_tunnels(struct arena *arena, struct diag *diag, struct ast_policy *policy,
		   const struct ir *ir)
{
	struct tunnels tunnels = { .arena = arena, .diag = diag, .policy = policy };

	tunnels.walker = ir_walker(arena, ir);
	for (size_t i = 0; i < policy->table_count; i++) {
		const struct ast_table *table = &policy->tables[i];

		for (size_t k = 0; k < table->endpoint_count; k++)
			judge_endpoint(&tunnels, table, &table->endpoints[k]);
		if (!table->endpoint_count)
			judge_unknown(&tunnels, table);
	}
}
