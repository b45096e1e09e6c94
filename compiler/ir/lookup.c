/*
 * lookup: ip rules by priority, routes by the longest prefix; see lookup.h.
 */
#include "ir/lookup.h"

static bool covers(const struct ir_route *route, struct wide to)
{
	return addr_prefix_covers(route->to, (struct addr){ route->to.addr.family, to });
}

static bool is_better(const struct ir_route *a, const struct ir_route *b)
{
	return !b || a->to.length > b->to.length ||
	       (a->to.length == b->to.length && a->metric < b->metric);
}

const struct ir_route *lookup_in_table(const struct ir *ir, enum addr_family family, uint32_t table,
				       struct wide to)
{
	const struct ir_route *best = NULL;

	for (size_t i = 0; i < ir->route_count; i++) {
		const struct ir_route *route = &ir->routes[i];

		if (route->family == family && route->table == table && covers(route, to) &&
		    !ir_route_is_lacking(route) && is_better(route, best))
			best = route;
	}
	return best && best->type != IR_ROUTE_THROW ? best : NULL;
}

struct lookup lookup_route(const struct ir *ir, enum addr_family family, uint32_t mark,
			   struct wide to)
{
	const struct ir_ip_rule *main = NULL;
	struct lookup found = { 0 };

	for (size_t i = 0; i < ir->ip_rule_count; i++) {
		const struct ir_ip_rule *rule = &ir->ip_rules[i];

		/* The rules leave nothing unmarked that one with an interface is about. */
		if (rule->family != family || rule->iif || rule->oif ||
		    (mark & rule->mask) != rule->mark)
			continue;
		if (ir_rule_asks_main(ir, rule)) {
			if (!main && ir_rule_takes_default(rule))
				main = rule;
			found.after_main |= !ir_rule_takes_default(rule);
			continue;
		}
		if (rule->action == IR_RULE_LOOKUP)
			found.route = lookup_in_table(ir, family, rule->table, to);
		if (rule->action == IR_RULE_LOOKUP && !found.route &&
		    !ir_table_is_foreign(ir, rule->table))
			continue;
		found.rule = rule;
		found.after_default = main != NULL;
		found.after_main |= found.after_default;
		return found;
	}
	found.rule = main;
	return found;
}
