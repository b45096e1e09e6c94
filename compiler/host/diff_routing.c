/*
 * diff_routing: the part of a diff (see diff.h) about ip rules and routes, which status and remove
 * ask for alone: the rest of a policy is no business of theirs.
 */
#include <inttypes.h>
#include <net/if.h>

#include "base/arena.h"
#include "host/diff.h"
#include "host/host.h"
#include "host/main_copy.h"
#include "kernel/link.h"

static struct op *add_rule(struct arena *arena, struct op_list *ops, enum op_kind kind,
			   const struct ir_ip_rule *rule, uint32_t protocol)
{
	enum op_stage stage = kind == OP_RULE_ADD ? rule->iif ? STAGE_NEW_UNMARKED : STAGE_RULES
			      : rule->iif         ? STAGE_OLD_UNMARKED
						  : STAGE_OLD_RULES;
	struct op *op = op_add(arena, ops, kind, stage);

	op->rule = rule;
	op->protocol = protocol;
	return op;
}

/* The one in the kernel that is the wanted one, and not another one that stays. */
static const struct ip_rule_seen *find_rule(const struct ir *ir, const struct observed *observed,
					    const struct ir_ip_rule *rule, const bool *stays)
{
	for (size_t i = 0; i < observed->rules.count; i++) {
		const struct ip_rule_seen *seen = &observed->rules.items[i];

		if (!stays[i] && host_owns_rule(observed, seen) && seen->protocol == ir->protocol &&
		    ip_rule_equal(&seen->rule, rule))
			return seen;
	}
	return NULL;
}

static void diff_rules(struct arena *arena, const struct ir *ir, const struct observed *observed,
		       struct op_list *ops)
{
	bool *stays = arena_alloc(arena, (observed->rules.count + 1) * sizeof(*stays));

	for (size_t k = 0; k < ir->ip_rule_count; k++) {
		const struct ip_rule_seen *held = find_rule(ir, observed, &ir->ip_rules[k], stays);

		if (held)
			stays[held - observed->rules.items] = true;
		else
			add_rule(arena, ops, OP_RULE_ADD, &ir->ip_rules[k], ir->protocol);
	}
	for (size_t i = 0; i < observed->rules.count; i++) {
		const struct ip_rule_seen *seen = &observed->rules.items[i];

		if (!stays[i] && host_owns_rule(observed, seen))
			add_rule(arena, ops, OP_RULE_REMOVE, &seen->rule, seen->protocol)->seen =
				seen->text;
	}
}

const char *diff_down_device(struct netlink *netlink, const struct ir_route *route)
{
	for (size_t i = 0; route->type == IR_ROUTE_UNICAST && i < route->hop_count; i++)
		if (route->hops[i].dev && link_is_down(netlink, route->hops[i].dev))
			return route->hops[i].dev;
	return NULL;
}

const char *diff_lost_cause(struct arena *arena, const struct ir_route *route)
{
	const char *device = route_lost_device(route);

	if (!device || !if_nametoindex(device))
		return device ? arena_printf(arena, "there is no interface %s", device) : NULL;
	return arena_printf(arena,
			    "this host has no IPv%c default route by %s to learn the gateway from",
			    addr_digit(route->family), device);
}

const char *diff_lost_words(struct arena *arena, const struct ir_route *route)
{
	const char *cause = diff_lost_cause(arena, route);
	char to[ADDR_TEXT];

	if (!cause)
		return NULL;
	addr_format_prefix(route->to, to);
	return arena_printf(arena, "%s, so table %" PRIu32 " has no route to %s", cause,
			    route->table, to);
}

static const struct ir_route *wanted_in_place(const struct ir *ir, const struct ir_route *held)
{
	for (size_t i = 0; i < ir->route_count; i++)
		if (route_same_place(held, &ir->routes[i]))
			return &ir->routes[i];
	return NULL;
}

static void diff_route(struct arena *arena, const struct ir *ir, const struct observed *observed,
		       const struct ir_route *route, struct op_list *ops)
{
	const struct route_seen *before = NULL;
	struct op *op;

	for (size_t i = 0; i < observed->routes.count; i++) {
		const struct route_seen *seen = &observed->routes.items[i];

		if (host_owns_route(observed, seen) && route_same_place(&seen->route, route))
			before = seen;
	}
	if (before && before->protocol == ir->protocol && route_fulfil(&before->route, route))
		return;
	op = op_add_route(arena, ops, before ? OP_ROUTE_REPLACE : OP_ROUTE_ADD, route,
			  ir->protocol);
	if (before) {
		op->route_before = &before->route;
		op->protocol_before = before->protocol;
	}
	if (route_lost_device(route))
		op->state = OP_LEFT_OUT;
}

static void diff_routes(struct arena *arena, const struct ir *ir, const struct observed *observed,
			struct op_list *ops)
{
	for (size_t i = 0; i < ir->route_count; i++)
		diff_route(arena, ir, observed, &ir->routes[i], ops);
	for (size_t i = 0; i < observed->routes.count; i++) {
		const struct route_seen *seen = &observed->routes.items[i];
		const struct ir_route *wanted;

		if (ir->main_copy && seen->route.table == ir->main_copy)
			continue;
		wanted = wanted_in_place(ir, &seen->route);

		/* One in whose place a route is wanted that cannot be had now leads somewhere
		 * else: it goes, too. */
		if (host_owns_route(observed, seen) && (!wanted || route_lost_device(wanted)))
			op_add_route(arena, ops, OP_ROUTE_REMOVE, &seen->route, seen->protocol)
				->seen = seen->text;
	}
}

void diff_routing(struct arena *arena, const struct ir *ir, const struct observed *observed,
		  struct op_list *ops)
{
	diff_rules(arena, ir, observed, ops);
	diff_routes(arena, ir, observed, ops);
	if (ir->main_copy)
		main_copy_diff(arena, ir, observed, ops);
}
