/*
 * static/endpoint: tunnels whose ends are known, and where packets to these ends go.
 *
 * In go the tables with an `endpoint`, the rules and the ip rules and routes they became. Packets
 * to an end are sent through the ir, and from table to table as the kernel does it: only a route
 * that leads into the tunnel's own interface is a loop, and what goes on to the main table is not
 * known here. A route that may vanish with its interface leaves the packet to the tables after it.
 */
#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/names.h"
#include "ir/evaluate.h"
#include "ir/lookup.h"
#include "lang/static/tunnel.h"
#include "match/kinds.h"

/* A table's tunnel: the interfaces that lead into it. "" is one that is not named. */
struct tunnel {
	const struct ast_table *table;
	const char **devs;
	size_t dev_count;
};

/* Where packets of a class to an address go. */
struct landing {
	bool inside;        /* into the tunnel */
	bool surely;        /* whatever the main table has, and by the tunnel's own table */
	bool after_main;    /* unless the main table has a route */
	const char *unless; /* unless this table's route is there; or NULL */
};

/* ---- interfaces ---- */

static const char *dev_of(const char *dev)
{
	return dev ? dev : "";
}

/* A route to where an end is may be there to keep it out of the tunnel; a default route is not. */
static bool may_keep_out(const struct ast_table *table, const struct ast_route *route)
{
	for (size_t i = 0; !route->is_default && i < table->endpoint_count; i++) {
		struct addr end = table->endpoints[i].addr;
		unsigned int width = addr_width(end.family);

		if (end.family == route->to.addr.family &&
		    (!route->to.length ||
		     wide_is_zero(wide_right(wide_xor(end.bits, route->to.addr.bits),
					     width - route->to.length))))
			return true;
	}
	return false;
}

static void add_devs(struct checks *checks, struct tunnel *tunnel, bool named, bool all)
{
	size_t count;
	const struct ast_route *routes = ast_table_routes(tunnel->table, &count);
	const struct ast_hop *hop;

	for (size_t i = 0; i < count; i++) {
		const struct ast_route *route = &routes[i];

		if (route->type != IR_ROUTE_UNICAST ||
		    (!named && !all && may_keep_out(tunnel->table, route)))
			continue;
		for (size_t k = 0; (hop = ast_hop(route, k)); k++)
			if (!named || static_is_tunnel(hop->dev))
				names_add(checks->arena, &tunnel->devs, &tunnel->dev_count,
					  dev_of(hop->dev));
	}
}

/* What is called like a tunnel, or else all but classes that an end may be excepted by. */
static struct tunnel find_tunnel(struct checks *checks, const struct ast_table *table)
{
	struct tunnel tunnel = { .table = table };

	add_devs(checks, &tunnel, true, false);
	if (!tunnel.dev_count)
		add_devs(checks, &tunnel, false, false);
	if (!tunnel.dev_count)
		add_devs(checks, &tunnel, false, true);
	return tunnel;
}

static bool has_dev(const struct tunnel *tunnel, const char *dev)
{
	for (size_t i = 0; i < tunnel->dev_count; i++)
		if (!strcmp(tunnel->devs[i], dev_of(dev)))
			return true;
	return false;
}

static size_t hops_inside(const struct tunnel *tunnel, const struct ir_route *route)
{
	size_t count = 0;

	for (size_t i = 0; route->type == IR_ROUTE_UNICAST && i < route->hop_count; i++)
		count += has_dev(tunnel, route->hops[i].dev);
	return count;
}

/* ---- classes ---- */

static struct landing land(struct checks *checks, const struct tunnel *tunnel,
			   const struct ir_class *class, struct addr to)
{
	struct landing landing = { 0 };

	for (size_t i = 0; i < checks->ir->ip_rule_count; i++) {
		const struct ir_ip_rule *rule = &checks->ir->ip_rules[i];
		bool asks_main = ir_rule_asks_main(checks->ir, rule);
		const struct ir_route *route;
		size_t inside;

		if (rule->family != to.family || (class->mark & rule->mask) != rule->mark)
			continue;
		if (rule->action != IR_RULE_LOOKUP || ir_rule_takes_default(rule))
			break;
		landing.after_main |= asks_main;
		route = asks_main ? NULL
				  : lookup_in_table(checks->ir, to.family, rule->table, to.bits);
		if (!route)
			continue;
		inside = hops_inside(tunnel, route);
		landing.inside = inside > 0;
		landing.surely = inside == route->hop_count && !landing.after_main &&
				 !landing.unless && rule->table == (uint32_t)tunnel->table->id;
		if (inside || route->type != IR_ROUTE_UNICAST)
			break;
		landing.unless = rule->name;
	}
	return landing;
}

static const struct ir_class *find_class(const struct ir *ir, const char *name)
{
	for (size_t i = 0; i < ir->class_count; i++)
		if (ir->classes[i].kind == IR_CLASS_ROUTE && !strcmp(ir->classes[i].name, name))
			return &ir->classes[i];
	return NULL;
}

/* Of a choice, the first that leads into the tunnel. */
static struct landing follow(struct checks *checks, const struct tunnel *tunnel,
			     const struct ast_then *then, struct addr to)
{
	struct landing landing = { 0 };
	size_t count = then->action == THEN_BALANCE ? then->target_count
		       : then->action == THEN_ROUTE ? 1
						    : 0;

	for (size_t i = 0; i < count && !landing.inside; i++) {
		const char *name = then->action == THEN_ROUTE ? ast_route_name(checks->arena, then)
							      : then->targets[i].name;
		const struct ir_class *class = find_class(checks->ir, name);

		if (class)
			landing = land(checks, tunnel, class, to);
	}
	return landing;
}

/* ---- rules ---- */

/* Does the rule send packets of this host to the address elsewhere? */
static bool bypasses(struct checks *checks, const struct ast_rule *rule,
		     const struct tunnel *tunnel, struct addr to)
{
	enum ast_action action = rule->then->action;

	return (rule->scopes & SCOPE_LOCAL) &&
	       (action == THEN_DIRECT || action == THEN_ROUTE || action == THEN_BALANCE ||
		action == THEN_MARK || action == THEN_ANSWER) &&
	       !follow(checks, tunnel, rule->then, to).inside;
}

bool static_names_address(struct checks *checks, const struct match_condition *condition,
			  struct addr addr)
{
	const struct interval_set *set;

	for (size_t i = 0; (set = static_part(checks, condition, addr.family, i)); i++)
		if (interval_contains(set, addr.bits))
			return !condition->negated;
	return condition->negated;
}

/* May the rule take packets of the protocol to the address, if what else it asks holds? */
static bool may_take(struct checks *checks, const struct ast_rule *rule, struct addr addr,
		     unsigned int protocol)
{
	const struct match_condition *to = ast_condition(rule, "to");

	if (!rule->families[addr.family] ||
	    (rule->protocols.count && !interval_contains(&rule->protocols, wide(protocol))))
		return false;
	if (!to)
		return rule->condition_count > 0;
	return static_names_address(checks, to, addr);
}

static bool is_excepted(struct checks *checks, size_t before, const struct tunnel *tunnel,
			struct addr addr, unsigned int protocol)
{
	for (size_t i = 0; i < before; i++) {
		const struct ast_rule *rule = &checks->policy->rules[i];

		if ((ast_names_identity(rule) || may_take(checks, rule, addr, protocol)) &&
		    bypasses(checks, rule, tunnel, addr))
			return true;
	}
	return false;
}

/* The action that sends what goes to the address into the tunnel, or NULL; and how it gets there.
 */
static const struct ast_then *inside(struct checks *checks, const struct tunnel *tunnel,
				     struct addr addr, unsigned int protocol,
				     struct landing *landing)
{
	struct ir_packet packet = { .scope = SCOPE_LOCAL,
				    .in = "",
				    .out = "",
				    .family = addr.family,
				    .to = addr.bits,
				    .has_to = true,
				    .protocol = protocol,
				    .state = STATE_NEW };
	struct ir_outcome outcome = ir_walk(checks->walker, &packet, NULL);
	const struct ast_policy *policy = checks->policy;
	const struct ast_then *then;
	size_t rule;

	if (!outcome.decided)
		return NULL;
	rule = ast_rule_at(policy, outcome.decided->origin);
	then = rule < policy->rule_count ? policy->rules[rule].then : policy->default_local;
	if (!then)
		return NULL;
	*landing = follow(checks, tunnel, then, addr);
	return landing->inside && !is_excepted(checks, rule, tunnel, addr, protocol) ? then : NULL;
}

/* ---- one tunnel ---- */

/* When it happens, after the text that says what. */
static const char *when(struct checks *checks, const struct landing *landing)
{
	const char *text = "";

	if (landing->unless)
		text = arena_printf(checks->arena, ", when the route of \"%s\" is gone",
				    landing->unless);
	return landing->after_main
		       ? arena_printf(checks->arena, "%s, unless the main table has a route for it",
				      text)
		       : text;
}

static void judge_endpoint(struct checks *checks, const struct tunnel *tunnel,
			   const struct ast_endpoint *endpoint)
{
	static const unsigned int others[] = { PROTOCOL_TCP, PROTOCOL_ESP };
	struct landing landing = { 0 }, other;
	const struct ast_then *then =
		inside(checks, tunnel, endpoint->addr, PROTOCOL_UDP, &landing);
	struct diag_record *record;
	bool always = landing.surely;
	const char *quote = addr_quote(endpoint->addr.family);
	char text[ADDR_TEXT];

	if (!then)
		return;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		always &= inside(checks, tunnel, endpoint->addr, others[i], &other) != NULL;
	addr_format(endpoint->addr, text);
	record = diag_add(checks->diag, always ? DIAG_endpoint_inside : DIAG_tunnel_loop,
			  endpoint->span,
			  "what the tunnel sends to %s would be sent into the tunnel \"%s\"%s",
			  text, tunnel->table->name, when(checks, &landing));
	diag_also(record, then->name_span.source ? then->name_span : then->span, "%s is sent there",
		  text);
	diag_help(record, "write `{scope: local, to: %s%s%s, then: direct}` before that rule",
		  quote, text, quote);
	diag_help(record,
		  "or except the tunnel's packets by the mark it gives them: {scope: local, mark: "
		  "MARK, then: direct}");
}

/* ---- tunnels in one another ---- */

struct step {
	const struct ast_endpoint *endpoint;
	const struct ast_then *then;
	size_t next; /* the tunnel that it goes by; the number of tunnels: none */
};

/* Two tables of one tunnel. */
static bool shares_dev(const struct tunnel *a, const struct tunnel *b)
{
	for (size_t i = 0; i < a->dev_count; i++)
		if (has_dev(b, a->devs[i]))
			return true;
	return false;
}

static struct step step_from(struct checks *checks, const struct tunnel *all, size_t count,
			     size_t nth)
{
	const struct ast_table *table = all[nth].table;
	struct landing landing;
	struct step step = { .next = count };

	for (size_t e = 0; e < table->endpoint_count; e++)
		for (size_t i = 0; i < count; i++) {
			if (i == nth || shares_dev(&all[i], &all[nth]))
				continue;
			step.endpoint = &table->endpoints[e];
			step.then = inside(checks, &all[i], step.endpoint->addr, PROTOCOL_UDP,
					   &landing);
			step.next = step.then ? i : count;
			if (step.then)
				return step;
		}
	return step;
}

static void report_ring(struct checks *checks, const struct tunnel *all, const struct step *steps,
			size_t first)
{
	const struct step *step = &steps[first];
	char text[ADDR_TEXT];
	struct diag_record *record =
		diag_add(checks->diag, DIAG_tunnel_loop, step->endpoint->span,
			 "\"%s\" reaches its end by \"%s\", which reaches its own by \"%s\", round and "
			 "round",
			 all[first].table->name, all[step->next].table->name,
			 all[steps[step->next].next].table->name);

	do {
		addr_format(step->endpoint->addr, text);
		diag_also(record,
			  step->then->name_span.source ? step->then->name_span : step->then->span,
			  "%s is sent by \"%s\"", text, all[step->next].table->name);
		step = &steps[step->next];
	} while (step != &steps[first]);
	diag_help(record, "send what goes to one of the ends another way, before these rules");
}

/* A ring is reported at its first tunnel. */
static void judge_rings(struct checks *checks, const struct tunnel *all, size_t count)
{
	struct step *steps = arena_alloc(checks->arena, (count + 1) * sizeof(*steps));

	for (size_t i = 0; i < count; i++)
		steps[i] = step_from(checks, all, count, i);
	for (size_t i = 0; i < count; i++) {
		size_t at = steps[i].next;

		for (size_t k = 0; k < count && at < count && at > i; k++)
			at = steps[at].next;
		if (at == i)
			report_ring(checks, all, steps, i);
	}
}

void static_endpoints(struct checks *checks)
{
	const struct ast_policy *policy = checks->policy;
	struct tunnel *all = NULL;
	size_t count = 0;

	for (size_t i = 0; i < policy->table_count; i++)
		if (policy->tables[i].endpoint_count)
			*arena_append(checks->arena, all, count) =
				find_tunnel(checks, &policy->tables[i]);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < all[i].table->endpoint_count; k++)
			judge_endpoint(checks, &all[i], &all[i].table->endpoints[k]);
	judge_rings(checks, all, count);
}
