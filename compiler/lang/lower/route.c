/*
 * lower/route: ip rules that read the marks, and the private tables they lead to.
 *
 * Behind every lookup stands what happens when the table has no usable route, as an ip rule of its
 * own: routes vanish with their interfaces, rules do not.
 */
#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "lang/ast/known.h"
#include "lang/lower/lower.h"
#include "lang/lower/uplink.h"

/* ---- ip rules ---- */

struct step {
	enum ir_rule_action action;
	uint32_t table;
	bool specific; /* of the main table no default route: see add_specific */
	bool ipv6_only;
	const char *name;
};

struct steps {
	struct step *items;
	size_t count;
};

static void add_step(struct lower *lower, struct steps *steps, struct step step)
{
	*arena_append(lower->arena, steps->items, steps->count) = step;
}

static bool has_family(struct lower *lower, const struct ast_table *table, enum addr_family family);

/* Tables without IPv6 would let it go on to the main table, which is what `block` is against. */
static bool blocks_ipv6(struct lower *lower, const struct lower_class *way)
{
	if (lower->policy->settings.ipv6 != IPV6_BLOCK || way->names_main)
		return false;
	for (size_t i = 0; i < way->table_count; i++)
		if (has_family(lower, way->tables[i], ADDR_IPV6))
			return false;
	return way->table_count > 0;
}

static void add_main(struct lower *lower, struct steps *steps)
{
	add_step(lower, steps,
		 (struct step){ IR_RULE_LOOKUP, .table = IR_TABLE_MAIN, .name = "main" });
}

/*
 * What the main table knows more than a default route for. In IPv4 it is asked, and its default
 * routes are suppressed. In IPv6 that is no lock: a path MTU that the kernel learns, or a redirect,
 * is kept as a route of its own under the default route, to one address, and what counts is the
 * prefix of that (fib6_rule_suppress in net/ipv6/fib6_rules.c). So a copy of the specific routes is
 * asked instead, which has no default route under which such a one could be.
 */
static void add_specific(struct lower *lower, struct steps *steps)
{
	add_step(lower, steps,
		 (struct step){ IR_RULE_LOOKUP, .table = IR_TABLE_MAIN, .specific = true,
				.name = "main" });
}

/* Does the main table's knowledge go before this one of the way's tables? */
static bool prefers_main(const struct lower_class *way, size_t table)
{
	return way->tables[table]->prefer_main || way->kind == IR_CLASS_REPLY ||
	       way->kind == IR_CLASS_INBOUND;
}

bool lower_asks_specific(const struct lower_class *way)
{
	for (size_t i = 0; i < way->table_count; i++)
		if (prefers_main(way, i))
			return true;
	return false;
}

/* The tables in their order, and the main table where it stands. */
static void add_tables(struct lower *lower, struct steps *steps, const struct lower_class *way)
{
	bool was_main = false;

	for (size_t i = 0; i <= way->table_count; i++) {
		if (way->names_main && i == way->main_at) {
			add_main(lower, steps);
			was_main = true;
		}
		if (i == way->table_count)
			break;
		if (!was_main && prefers_main(way, i))
			add_specific(lower, steps);
		add_step(lower, steps,
			 (struct step){ IR_RULE_LOOKUP, .table = (uint32_t)way->tables[i]->id,
					.name = way->tables[i]->name });
	}
}

/*
 * What happens where no table had a route. The main table is asked by a rule of the policy's own:
 * the kernel's comes after those of other programs, which may send the packet elsewhere.
 */
static void add_fallback(struct lower *lower, struct steps *steps, const struct lower_class *way)
{
	static const enum ir_rule_action last[] = { IR_RULE_LOOKUP, IR_RULE_UNREACHABLE,
						    IR_RULE_PROHIBIT, IR_RULE_BLACKHOLE };

	if (way->kind == IR_CLASS_SYN) {
		add_step(lower, steps,
			 (struct step){ IR_RULE_LOOKUP, .table = lower->reset_table,
					.name = way->name });
		return;
	}
	if (way->fallback != FALLBACK_MAIN) {
		add_step(lower, steps, (struct step){ .action = last[way->fallback] });
		return;
	}
	if (blocks_ipv6(lower, way))
		add_step(lower, steps,
			 (struct step){ .action = IR_RULE_UNREACHABLE, .ipv6_only = true });
	if (!way->names_main || way->main_at < way->table_count)
		add_main(lower, steps);
}

static struct steps steps_of(struct lower *lower, const struct lower_class *way)
{
	struct steps steps = { 0 };

	if (way->table)
		add_step(lower, &steps,
			 (struct step){ IR_RULE_LOOKUP, .table = way->table, .name = way->name });
	add_tables(lower, &steps, way);
	if (steps.count)
		add_fallback(lower, &steps, way);
	return steps;
}

/* The priority that the author gave to the table, for the way that is just this table. */
static const struct ast_table *given_priority(const struct lower_class *way)
{
	if (way->kind != IR_CLASS_ROUTE || way->table_count != 1 ||
	    strcmp(way->name, way->tables[0]->name))
		return NULL;
	return way->tables[0]->priority ? way->tables[0] : NULL;
}

/* Behind the last of `count` priorities that another program is known to use, if any are; but not
 * so far that no room would be left. */
static uint32_t behind_known(uint32_t first, size_t count)
{
	for (size_t i = count; i > 0; i--) {
		const struct known_range *known = known_priority(first + (uint32_t)i - 1);

		if (known && known->last + count <= LOWER_PRIORITY_MOST)
			return known->last + 1;
	}
	return first;
}

/* Moves `first` behind what is known of, and behind every block of given priorities that the next
 * `count` would run into. */
uint32_t lower_free_block(struct lower *lower, uint32_t first, size_t count)
{
	bool moved = true;

	while (moved) {
		uint32_t behind = behind_known(first, count);

		moved = behind != first;
		first = behind;
		for (size_t i = 0; i < lower->class_count; i++) {
			const struct ast_table *table = given_priority(lower->classes[i]);
			size_t length = table ? steps_of(lower, lower->classes[i]).count : 0;

			if (!table || !lower_is_used(lower->classes[i]) ||
			    first + count <= (size_t)table->priority ||
			    (size_t)table->priority + length <= first)
				continue;
			first = (uint32_t)(table->priority + (int64_t)length);
			moved = true;
		}
	}
	return first;
}

static void put_step(struct lower *lower, const struct lower_class *way, const struct step *step,
		     enum addr_family family, uint32_t priority)
{
	struct ir_ip_rule *rule =
		arena_append(lower->arena, lower->ir->ip_rules, lower->ir->ip_rule_count);

	*rule = (struct ir_ip_rule){
		.family = family,
		.priority = priority,
		.mark = way->mark,
		.mask = way->mask,
		.action = step->action,
		.table = step->table,
		.name = step->name,
		.origin = way->origin,
	};
	if (!step->specific)
		return;
	if (family == ADDR_IPV4)
		rule->shortest = IR_SPECIFIC_IPV4;
	else
		rule->table = lower->ir->main_copy = lower->main_copy;
}

static void put_steps(struct lower *lower, struct lower_class *way, const struct steps *steps)
{
	for (size_t i = 0; i < steps->count; i++)
		for (int family = 0; family < ADDR_FAMILIES; family++)
			if (way->families[family] &&
			    (!steps->items[i].ipv6_only || family == ADDR_IPV6))
				put_step(lower, way, &steps->items[i], (enum addr_family)family,
					 way->priority + (uint32_t)i);
}

static void no_room(struct lower *lower, struct span span)
{
	if (!lower->failed)
		diag_help(diag_add(lower->diag, DIAG_out_of_numbers, span,
				   "ip rule priorities would go beyond %d", LOWER_PRIORITY_MOST),
			  "begin lower: `settings: {priority: N}`; the main table's own rule stands at 32766");
	lower->failed = true;
}

/* The priority after those that were given out. */
static uint32_t lower_ip_rules(struct lower *lower)
{
	uint32_t next = (uint32_t)lower->policy->settings.priority;

	for (size_t i = 0; i < lower->class_count; i++) {
		struct lower_class *way = lower->classes[i];
		struct steps steps = steps_of(lower, way);
		const struct ast_table *given = given_priority(way);

		if (!steps.count || !lower_is_used(way))
			continue;
		way->priority = given ? (uint32_t)given->priority
				      : lower_free_block(lower, next, steps.count);
		if (!given)
			next = way->priority + (uint32_t)steps.count;
		if (way->priority + steps.count > LOWER_PRIORITY_MOST + 1)
			no_room(lower, given ? given->priority_span : way->origin);
		put_steps(lower, way, &steps);
	}
	return next;
}

/*
 * Where no mark is needed to be refused: the host itself is reached, then what main knows more than
 * a default route for, as the LAN is that this host routes for.
 */
static struct steps unmarked_steps(struct lower *lower)
{
	struct steps steps = { 0 };

	add_step(lower, &steps,
		 (struct step){ IR_RULE_LOOKUP, .table = IR_TABLE_LOCAL, .name = "local" });
	add_specific(lower, &steps);
	add_step(lower, &steps, (struct step){ IR_RULE_UNREACHABLE });
	return steps;
}

static void put_unmarked(struct lower *lower, const struct lower_held *held,
			 const struct steps *steps, uint32_t first)
{
	struct lower_class none = { .mask = UINT32_MAX, .origin = held->way->origin };
	struct ir *ir = lower->ir;

	for (size_t i = 0; i < steps->count; i++)
		for (int family = 0; family < ADDR_FAMILIES; family++) {
			if (!held->way->families[family])
				continue;
			put_step(lower, &none, &steps->items[i], (enum addr_family)family,
				 first + (uint32_t)i);
			ir->ip_rules[ir->ip_rule_count - 1].iif = held->dev;
		}
}

/* From the priority `next` on; left out where there is no room. */
static void refuse_unmarked(struct lower *lower, uint32_t next)
{
	struct steps steps = unmarked_steps(lower);
	uint32_t first = lower_free_block(lower, next, steps.count);

	for (size_t i = 0; i < lower->held_count && first + steps.count <= LOWER_PRIORITY_MOST + 1;
	     i++)
		put_unmarked(lower, &lower->held[i], &steps, first);
}

/* Given priorities may run into each other; what is given out never does. */
static void check_priorities(struct lower *lower)
{
	struct ir *ir = lower->ir;

	for (size_t i = 1; i < ir->ip_rule_count; i++) {
		struct ir_ip_rule *a = &ir->ip_rules[i - 1], *b = &ir->ip_rules[i];
		struct diag_record *record;

		if (a->priority != b->priority || (a->mark == b->mark && a->mask == b->mask))
			continue;
		lower->failed = true;
		record = diag_add(lower->diag, DIAG_number_conflict, b->origin,
				  "ip rule priority %u is wanted twice", b->priority);
		diag_also(record, a->origin, "here too");
		diag_help(record,
			  "leave room: a table needs a priority for each lookup and one for its fallback");
	}
}

static void sort_ip_rules(struct ir *ir)
{
	for (size_t i = 1; i < ir->ip_rule_count; i++) {
		struct ir_ip_rule rule = ir->ip_rules[i];
		size_t k = i;

		for (; k && ir->ip_rules[k - 1].priority > rule.priority; k--)
			ir->ip_rules[k] = ir->ip_rules[k - 1];
		ir->ip_rules[k] = rule;
	}
	ir->priority_first = ir->ip_rule_count ? ir->ip_rules[0].priority : 0;
	ir->priority_last = ir->ip_rule_count ? ir->ip_rules[ir->ip_rule_count - 1].priority : 0;
}

/* ---- routes ---- */

static struct ir_route *add_route(struct lower *lower)
{
	return arena_append(lower->arena, lower->ir->routes, lower->ir->route_count);
}

/* All that asks the table is for this host. */
static void host_routes(struct lower *lower, uint32_t table, const bool families[ADDR_FAMILIES],
			struct span origin)
{
	for (int family = 0; family < ADDR_FAMILIES; family++) {
		struct ir_route *route;

		if (!families[family])
			continue;
		route = add_route(lower);
		*route = (struct ir_route){
			.family = (enum addr_family)family,
			.table = table,
			.type = IR_ROUTE_LOCAL,
			.to.addr.family = (enum addr_family)family,
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

	for (size_t i = 0; i < lower->class_count; i++) {
		const struct lower_class *way = lower->classes[i];

		if (way->kind != IR_CLASS_SYN || !lower_is_used(way))
			continue;
		for (int family = 0; family < ADDR_FAMILIES; family++)
			families[family] |= way->families[family];
		origin = origin.source ? origin : way->origin;
	}
	host_routes(lower, lower->reset_table, families, origin);
}

/* False: this next hop is of the other family. */
static bool lower_hop(struct lower *lower, const struct ast_hop *hop, enum addr_family family,
		      struct ir_route *route)
{
	if (hop->via.span.source && !hop->via.has[family])
		return false;
	*arena_append(lower->arena, route->hops, route->hop_count) = (struct ir_nexthop){
		.has_via = hop->via.has[family],
		.via = hop->via.addr[family],
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
	if (route->type != IR_ROUTE_UNICAST && route->type != IR_ROUTE_LOCAL)
		return true;
	if (!route->hop_count)
		return lower_hop(lower, &route->hop, family, out);
	for (size_t i = 0; i < route->hop_count; i++)
		if ((family == ADDR_IPV6 && !route->hops[i].via.has[family]) ||
		    !lower_hop(lower, &route->hops[i], family, out))
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

static void table_route(struct lower *lower, const struct ast_table *table,
			const struct ast_route *route, const bool families[ADDR_FAMILIES])
{
	bool any = false;

	for (int family = 0; family < ADDR_FAMILIES; family++) {
		struct ir_route out;

		if (!lower_route(lower, table, route, (enum addr_family)family, &out))
			continue;
		any = true;
		if (!families[family])
			continue;
		*add_route(lower) = out;
	}
	if (any)
		return;
	lower->failed = true;
	diag_help(diag_add(lower->diag, DIAG_bad_address, route->span,
			   "the destination and the next hops are of different families"),
		  "IPv4 goes by IPv4 next hops, IPv6 by IPv6 ones: write a route for each");
}

static const char *const family_names[] = { "IPv4", "IPv6" };

/* Does the table have any route of the family? */
static bool has_family(struct lower *lower, const struct ast_table *table, enum addr_family family)
{
	size_t count;
	const struct ast_route *routes = ast_table_routes(table, &count);
	struct ir_route out;

	for (size_t i = 0; i < count; i++)
		if (lower_route(lower, table, &routes[i], family, &out))
			return true;
	return false;
}

/* An address that no route of the table could use. */
static void check_source(struct lower *lower, const struct ast_table *table,
			 const struct ast_addresses *source, const char *key)
{
	for (int family = 0; family < ADDR_FAMILIES; family++) {
		if (!source->has[family] || has_family(lower, table, (enum addr_family)family))
			continue;
		lower->failed = true;
		diag_help(diag_add(lower->diag, DIAG_impossible, source->span,
				   "the table has no %s route that could use this `%s`",
				   family_names[family], key),
			  "give it an %s `via`, or an address of the other family",
			  family_names[family]);
	}
}

static void check_npt(struct lower *lower, const struct ast_table *table)
{
	if (table->npt_count && lower->policy->settings.ipv6 == IPV6_OFF)
		diag_help(diag_add(lower->diag, DIAG_no_effect, table->npt_span,
				   "`nptv6` changes nothing: the policy leaves IPv6 alone"),
			  "remove it, or `ipv6: off` from the settings");
	if (!table->npt_count || has_family(lower, table, ADDR_IPV6))
		return;
	lower->failed = true;
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
	for (size_t i = 0; i < count; i++)
		table_route(lower, table, &routes[i], families);
}

/* Families in which a table has a way out at all: those its uplink answers in. */
static void reply_families(struct lower *lower, struct lower_class *way)
{
	const struct ast_table *table = way->tables[0];
	size_t count;
	const struct ast_route *routes = ast_table_routes(table, &count);
	bool whole = lower_uplink_is_one(table);

	for (int family = 0; family < ADDR_FAMILIES; family++)
		for (size_t i = 0; i < count; i++) {
			struct ir_route out;

			if (family == ADDR_IPV6 && lower->policy->settings.ipv6 == IPV6_OFF)
				continue;
			way->families[family] |= (routes[i].is_default || !whole) &&
						 routes[i].type == IR_ROUTE_UNICAST &&
						 lower_route(lower, table, &routes[i],
							     (enum addr_family)family, &out);
		}
}

static void lower_table(struct lower *lower, const struct ast_table *table)
{
	bool families[ADDR_FAMILIES] = { false, false };

	for (size_t i = 0; i < lower->class_count; i++) {
		const struct lower_class *way = lower->classes[i];

		for (size_t k = 0; k < way->table_count; k++) {
			if (way->tables[k] != table)
				continue;
			families[ADDR_IPV4] |= way->families[ADDR_IPV4];
			families[ADDR_IPV6] |= way->families[ADDR_IPV6];
		}
	}
	table_routes(lower, table, families);
}

/* The author's tables, and those that uplinks have beside them. */
static void lower_tables(struct lower *lower)
{
	struct ast_policy *policy = lower->policy;

	for (size_t i = 0; i < policy->table_count; i++)
		lower_table(lower, &policy->tables[i]);
	for (size_t i = 0; i < lower->uplink_count; i++)
		if (!ast_table_find(policy, lower->uplinks[i].table->name))
			lower_table(lower, lower->uplinks[i].table);
}

static void note_local(struct lower *lower)
{
	for (size_t i = 0; i < lower->class_count; i++) {
		const struct lower_class *way = lower->classes[i];

		for (int family = 0; family < ADDR_FAMILIES; family++)
			lower->ir->sends_local[family] |= way->kind == IR_CLASS_ROUTE &&
							  way->local && way->families[family];
	}
}

void lower_routing(struct lower *lower)
{
	note_local(lower);
	for (size_t i = 0; i < lower->uplink_count; i++)
		reply_families(lower, lower->uplinks[i].reply);
	refuse_unmarked(lower, lower_bound_rules(lower, lower_ip_rules(lower)));
	sort_ip_rules(lower->ir);
	check_priorities(lower);
	for (size_t i = 0; i < lower->class_count; i++)
		if (lower->classes[i]->table && lower_is_used(lower->classes[i]))
			host_routes(lower, lower->classes[i]->table, lower->classes[i]->families,
				    lower->classes[i]->origin);
	reset_routes(lower);
	lower_tables(lower);
}
