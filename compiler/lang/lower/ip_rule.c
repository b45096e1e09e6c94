/*
 * lower/ip_rule: ip rules that read the marks.
 *
 * After every lookup comes what happens when the table has no usable route, as an ip rule of its
 * own: routes vanish with their interfaces, rules do not.
 */
#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "lang/ast/known.h"
#include "lang/lower/lower.h"

/* ---- what a target asks ---- */

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

/* Tables without IPv6 would let it go on to the main table, which is what `block` is against. */
static bool blocks_ipv6(struct lower *lower, const struct lower_target *target)
{
	if (lower->policy->settings.ipv6 != IPV6_BLOCK || target->names_main)
		return false;
	for (size_t i = 0; i < target->table_count; i++)
		if (lower_has_family(lower, target->tables[i], ADDR_IPV6))
			return false;
	return target->table_count > 0;
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

/* The tables in their order, and the main table where it stands. */
static void add_tables(struct lower *lower, struct steps *steps, const struct lower_target *target)
{
	bool was_main = false;

	for (size_t i = 0; i <= target->table_count; i++) {
		if (target->names_main && i == target->main_at) {
			add_main(lower, steps);
			was_main = true;
		}
		if (i == target->table_count)
			break;
		if (!was_main && lower_prefers_main(target, i))
			add_specific(lower, steps);
		add_step(lower, steps,
			 (struct step){ IR_RULE_LOOKUP, .table = (uint32_t)target->tables[i]->id,
					.name = target->tables[i]->name });
	}
}

/*
 * What happens where no table had a route. The main table is asked by a rule of the policy's own:
 * the kernel's comes after those of other programs, which may send the packet elsewhere.
 */
static void add_fallback(struct lower *lower, struct steps *steps,
			 const struct lower_target *target)
{
	static const enum ir_rule_action last[] = { IR_RULE_LOOKUP, IR_RULE_UNREACHABLE,
						    IR_RULE_PROHIBIT, IR_RULE_BLACKHOLE };

	if (target->kind == IR_CLASS_SYN) {
		add_step(lower, steps,
			 (struct step){ IR_RULE_LOOKUP, .table = lower->reset_table,
					.name = target->name });
		return;
	}
	if (target->fallback != FALLBACK_MAIN) {
		add_step(lower, steps, (struct step){ .action = last[target->fallback] });
		return;
	}
	if (blocks_ipv6(lower, target))
		add_step(lower, steps,
			 (struct step){ .action = IR_RULE_UNREACHABLE, .ipv6_only = true });
	if (!target->names_main || target->main_at < target->table_count)
		add_main(lower, steps);
}

static struct steps steps_of(struct lower *lower, const struct lower_target *target)
{
	struct steps steps = { 0 };

	if (target->table)
		add_step(lower, &steps,
			 (struct step){ IR_RULE_LOOKUP, .table = target->table,
					.name = target->name });
	add_tables(lower, &steps, target);
	if (steps.count)
		add_fallback(lower, &steps, target);
	return steps;
}

/* ---- priorities ---- */

/* The priority that the author gave to the table, for the target that is just this table. */
static const struct ast_table *given_priority(const struct lower_target *target)
{
	if (target->kind != IR_CLASS_ROUTE || target->table_count != 1 ||
	    strcmp(target->name, target->tables[0]->name))
		return NULL;
	return target->tables[0]->priority ? target->tables[0] : NULL;
}

/* After the last of `count` priorities that another program is known to use, if any are; but not so
 * far that no room would be left. */
static uint32_t after_known(uint32_t first, size_t count)
{
	for (size_t i = count; i > 0; i--) {
		const struct known_range *known = known_priority(first + (uint32_t)i - 1);

		if (known && known->last + count <= LOWER_PRIORITY_MOST)
			return known->last + 1;
	}
	return first;
}

uint32_t lower_free_block(struct lower *lower, uint32_t first, size_t count)
{
	bool moved = true;

	while (moved) {
		uint32_t after = after_known(first, count);

		moved = after != first;
		first = after;
		for (size_t i = 0; i < lower->target_count; i++) {
			const struct ast_table *table = given_priority(lower->targets[i]);
			size_t length = table ? steps_of(lower, lower->targets[i]).count : 0;

			if (!table || !lower_is_used(lower->targets[i]) ||
			    first + count <= (size_t)table->priority ||
			    (size_t)table->priority + length <= first)
				continue;
			first = (uint32_t)(table->priority + (int64_t)length);
			moved = true;
		}
	}
	return first;
}

static void no_room(struct lower *lower, struct span span)
{
	if (!diag_error_count(lower->diag))
		diag_help(diag_add(lower->diag, DIAG_out_of_numbers, span,
				   "ip rule priorities would go beyond %d", LOWER_PRIORITY_MOST),
			  "begin lower: `settings: {priority: N}`; the main table's own rule stands at 32766");
}

/* ---- rules ---- */

static void put_step(struct lower *lower, const struct lower_target *target,
		     const struct step *step, enum addr_family family, uint32_t priority)
{
	struct ir_ip_rule *rule =
		arena_append(lower->arena, lower->ir->ip_rules, lower->ir->ip_rule_count);

	*rule = (struct ir_ip_rule){
		.family = family,
		.priority = priority,
		.mark = target->mark,
		.mask = target->mask,
		.action = step->action,
		.table = step->table,
		.name = step->name,
		.origin = target->origin,
	};
	if (!step->specific)
		return;
	if (family == ADDR_IPV4)
		rule->shortest = IR_SPECIFIC_IPV4;
	else
		rule->table = lower->ir->main_copy = lower->main_copy;
}

static void put_steps(struct lower *lower, struct lower_target *target, const struct steps *steps)
{
	for (size_t i = 0; i < steps->count; i++)
		for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++)
			if (target->families[family] &&
			    (!steps->items[i].ipv6_only || family == ADDR_IPV6))
				put_step(lower, target, &steps->items[i], family,
					 target->priority + (uint32_t)i);
}

uint32_t lower_ip_rules(struct lower *lower)
{
	uint32_t next = (uint32_t)lower->policy->settings.priority;

	for (size_t i = 0; i < lower->target_count; i++) {
		struct lower_target *target = lower->targets[i];
		struct steps steps = steps_of(lower, target);
		const struct ast_table *given = given_priority(target);

		if (!steps.count || !lower_is_used(target))
			continue;
		target->priority = given ? (uint32_t)given->priority
					 : lower_free_block(lower, next, steps.count);
		if (!given)
			next = target->priority + (uint32_t)steps.count;
		if (target->priority + steps.count > LOWER_PRIORITY_MOST + 1)
			no_room(lower, given ? given->priority_span : target->origin);
		put_steps(lower, target, &steps);
	}
	return next;
}

/* ---- without a mark ---- */

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

static void put_unmarked(struct lower *lower, const struct lower_unmarked *unmarked,
			 const struct steps *steps, uint32_t first)
{
	struct lower_target none = { .mask = UINT32_MAX, .origin = unmarked->target->origin };
	struct ir *ir = lower->ir;

	for (size_t i = 0; i < steps->count; i++)
		for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++) {
			if (!unmarked->target->families[family])
				continue;
			put_step(lower, &none, &steps->items[i], family, first + (uint32_t)i);
			ir->ip_rules[ir->ip_rule_count - 1].iif = unmarked->dev;
		}
}

void lower_refuse_unmarked(struct lower *lower, uint32_t next)
{
	struct steps steps = unmarked_steps(lower);
	uint32_t first = lower_free_block(lower, next, steps.count);

	for (size_t i = 0;
	     i < lower->unmarked_count && first + steps.count <= LOWER_PRIORITY_MOST + 1; i++)
		put_unmarked(lower, &lower->unmarked[i], &steps, first);
}

/* ---- their order ---- */

/* Given priorities may run into each other; what is given out never does. */
static void check_priorities(struct lower *lower)
{
	struct ir *ir = lower->ir;

	for (size_t i = 1; i < ir->ip_rule_count; i++) {
		struct ir_ip_rule *a = &ir->ip_rules[i - 1], *b = &ir->ip_rules[i];
		struct diag_record *record;

		if (a->priority != b->priority || (a->mark == b->mark && a->mask == b->mask))
			continue;
		record = diag_add(lower->diag, DIAG_number_conflict, b->origin,
				  "ip rule priority %u is wanted twice", b->priority);
		diag_also(record, a->origin, "here too");
		diag_help(record,
			  "leave room: a table needs a priority for each lookup and one for its fallback");
	}
}

void lower_sort_ip_rules(struct lower *lower)
{
	struct ir *ir = lower->ir;

	for (size_t i = 1; i < ir->ip_rule_count; i++) {
		struct ir_ip_rule rule = ir->ip_rules[i];
		size_t k = i;

		for (; k && ir->ip_rules[k - 1].priority > rule.priority; k--)
			ir->ip_rules[k] = ir->ip_rules[k - 1];
		ir->ip_rules[k] = rule;
	}
	ir->priority_first = ir->ip_rule_count ? ir->ip_rules[0].priority : 0;
	ir->priority_last = ir->ip_rule_count ? ir->ip_rules[ir->ip_rule_count - 1].priority : 0;
	check_priorities(lower);
}
