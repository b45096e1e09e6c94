/*
 * lower/bound: what sockets of this host send that are bound to an interface (SO_BINDTODEVICE).
 *
 * The kernel looks for a route by that interface before any rule sees the packet. IPv4 takes the
 * destination to be on the link where there is none (ip_route_output_key_hash_rcu), and the mark
 * finds the table's route afterwards. IPv6 refuses, so a rule about that interface (`out`) would
 * never meet the packet: ip rules by interface let it have the table's route from the beginning,
 * where the main table has none.
 */
#include <string.h>

#include "base/arena.h"
#include "lang/check/check.h"
#include "lang/lower/lower.h"
#include "match/kinds.h"

struct bound {
	const char *dev;
	const struct ast_table **tables; /* in the order in which rules name them, each once */
	size_t table_count;
	struct span origin;
};

struct finding {
	struct lower *lower;
	struct bound *items;
	size_t count;
};

static struct bound *bound_of(struct finding *finding, const char *dev, struct span origin)
{
	struct bound *bound;

	for (size_t i = 0; i < finding->count; i++)
		if (!strcmp(finding->items[i].dev, dev))
			return &finding->items[i];
	bound = arena_append(finding->lower->arena, finding->items, finding->count);
	*bound = (struct bound){ .dev = dev, .origin = origin };
	return bound;
}

static void add_table(struct finding *finding, const char *dev, const struct ast_table *table,
		      struct span origin)
{
	struct bound *bound = bound_of(finding, dev, origin);

	for (size_t i = 0; i < bound->table_count; i++)
		if (bound->tables[i] == table)
			return;
	*arena_append(finding->lower->arena, bound->tables, bound->table_count) = table;
}

static bool names(const struct match_condition *out, const char *dev)
{
	struct ir_match match =
		interface_match(INTERFACE_OUT, out->names, out->name_count, out->negated);
	struct ir_packet packet = { .scope = SCOPE_LOCAL, .out = dev };

	return match.ops->holds(&match, &packet);
}

/* The interfaces of the target's tables that the rule is about. */
static void add_target(struct finding *finding, const struct ast_rule *rule,
		       const struct lower_target *target)
{
	const struct match_condition *out = ast_condition(rule, "out");

	for (size_t i = 0; target && target->families[ADDR_IPV6] && i < target->table_count; i++) {
		size_t count;
		bool complete;
		const char **devs = check_table_devs(finding->lower->arena, target->tables[i],
						     &count, &complete);

		for (size_t k = 0; k < count && check_leads_out(target->tables[i], ADDR_IPV6); k++)
			if (names(out, devs[k]))
				add_table(finding, devs[k], target->tables[i], rule->span);
	}
}

static void add_rule(struct finding *finding, const struct ast_rule *rule)
{
	const struct ast_then *then = rule->then;
	struct lower *lower = finding->lower;

	if (!(rule->scopes & SCOPE_LOCAL) || !ast_condition(rule, "out") ||
	    !rule->families[ADDR_IPV6])
		return;
	if (then->action == THEN_ROUTE)
		add_target(finding, rule, lower_target_of(lower, then));
	for (size_t i = 0; then->action == THEN_BALANCE && i < then->target_count; i++)
		add_target(finding, rule, lower_table_target(lower, then->targets[i].name));
}

/* Every bit that the marks of targets have. */
static uint32_t own_bits(const struct lower *lower)
{
	uint32_t bits = lower_mark_mask(lower);

	for (size_t i = 0; i < lower->target_count; i++)
		bits |= lower->targets[i]->mask;
	return bits;
}

static void put(struct lower *lower, const struct bound *bound, uint32_t priority, uint32_t table,
		const char *name)
{
	*arena_append(lower->arena, lower->ir->ip_rules, lower->ir->ip_rule_count) =
		(struct ir_ip_rule){
			.family = ADDR_IPV6,
			.priority = priority,
			.mask = own_bits(lower),
			.oif = bound->dev,
			.action = IR_RULE_LOOKUP,
			.table = table,
			.name = name,
			.origin = bound->origin,
		};
}

uint32_t lower_bound_rules(struct lower *lower, uint32_t next)
{
	struct finding finding = { .lower = lower };
	uint32_t most = 0, first;

	for (size_t i = 0; i < lower->policy->rule_count; i++)
		add_rule(&finding, &lower->policy->rules[i]);
	for (size_t i = 0; i < finding.count; i++)
		if (finding.items[i].table_count > most)
			most = (uint32_t)finding.items[i].table_count;
	if (!finding.count)
		return next;
	first = lower_free_block(lower, next, most + 1);
	if (first + most > LOWER_PRIORITY_MOST)
		return next;
	for (size_t i = 0; i < finding.count; i++) {
		const struct bound *bound = &finding.items[i];

		put(lower, bound, first, IR_TABLE_MAIN, "main");
		for (size_t k = 0; k < bound->table_count; k++)
			put(lower, bound, first + 1 + (uint32_t)k, (uint32_t)bound->tables[k]->id,
			    bound->tables[k]->name);
	}
	return first + most + 1;
}
