/*
 * conflicts: compares what a policy wants to take with what others have (see conflicts.h). Nothing
 * is changed; everything that is found is said in one run.
 */
#include "host/conflicts.h"

#include <inttypes.h>
#include <net/if.h>
#include <string.h>

#include "base/buf.h"
#include "base/diag.h"
#include "base/report.h"
#include "host/diff.h"
#include "host/host.h"
#include "ir/ir.h"

/* ---- numbers ---- */

static struct span rule_origin(const struct ir *ir, uint32_t priority)
{
	struct span none = { 0 };

	for (size_t i = 0; i < ir->ip_rule_count; i++)
		if (ir->ip_rules[i].priority == priority)
			return ir->ip_rules[i].origin;
	return ir->ip_rule_count ? ir->ip_rules[0].origin : none;
}

static bool uses_family(const struct ir *ir, enum addr_family family)
{
	for (size_t i = 0; i < ir->ip_rule_count; i++)
		if (ir->ip_rules[i].family == family)
			return true;
	return false;
}

/* ---- numbers that are free ---- */

/* The first of a block of priorities in which no rule stands, or 0. */
static uint32_t free_priority(const struct ir *ir, const struct observed *observed)
{
	uint32_t size = ir->priority_last - ir->priority_first + 1;

	for (uint32_t first = 11000; first + size < 29950; first += 1000) {
		bool is_free = true;

		for (size_t i = 0; i < observed->other_count; i++)
			is_free &= first > observed->others[i].claim.priority_last ||
				   first + size <= observed->others[i].claim.priority_first;
		for (size_t i = 0; i < observed->rules.count; i++)
			is_free &= observed->rules.items[i].rule.priority < first ||
				   observed->rules.items[i].rule.priority >= first + size;
		if (is_free)
			return first;
	}
	return 0;
}

static bool is_free_mask(const struct observed *observed, uint32_t mask)
{
	for (size_t i = 0; i < observed->other_count; i++)
		if (observed->others[i].mask != UINT32_MAX && observed->others[i].mask & mask)
			return false;
	for (size_t i = 0; i < observed->rules.count; i++) {
		const struct ir_ip_rule *rule = &observed->rules.items[i].rule;

		if ((rule->mask == UINT32_MAX ? rule->mark : rule->mask) & mask)
			return false;
	}
	return true;
}

/* As many bits as the default has, that no rule asks for, or 0. */
static uint32_t free_mask(const struct observed *observed)
{
	/* Bits that no other program is known to use (known.def). */
	static const uint32_t masks[] = { 0x7f000000, 0x0000007f };

	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++)
		if (is_free_mask(observed, masks[i]))
			return masks[i];
	return 0;
}

/* The first of a hundred table ids that no policy has, or 0. */
static uint32_t free_tables(const struct observed *observed)
{
	for (uint32_t first = 7100; first < 10000; first += 100) {
		bool is_free = true;

		for (size_t i = 0; i < observed->other_count; i++)
			for (size_t k = 0; k < observed->others[i].claim.table_count; k++)
				is_free &= observed->others[i].claim.tables[k] / 100 != first / 100;
		for (size_t i = 0; i < observed->routes.count; i++)
			is_free &= observed->routes.items[i].route.table / 100 != first / 100;
		if (is_free)
			return first;
	}
	return 0;
}

static void help_marks(struct diag_record *record, const struct observed *observed)
{
	uint32_t spare = free_mask(observed);

	if (spare)
		diag_help(record, "write `settings: {mark_mask: 0x%08" PRIx32 "}`", spare);
	else
		diag_help(record, "write `settings: {mark_mask: ...}` with bits that are free");
}

static bool has_mark(const struct host_other *other, uint32_t mark, uint32_t mask)
{
	for (size_t i = 0; i < other->mark_count; i++)
		if (ir_marks_meet(other->marks[i].value, other->marks[i].mask, mark, mask))
			return true;
	return !other->tells_marks && (other->mask & mask);
}

/* A mark that neither the policy nor anything that was seen has, or 0. */
static uint32_t free_mark(const struct ir *ir, const struct observed *observed)
{
	enum { FIRST = 0x01000000, LAST = 0x7f000000, MASK = 0x7f000000 };

	for (uint32_t mark = FIRST; mark <= LAST; mark += FIRST) {
		bool is_free = true;

		for (size_t i = 0; i < ir->class_count; i++)
			is_free &= !ir_marks_meet(ir->classes[i].mark, ir->classes[i].mask, mark,
						  MASK);
		for (size_t i = 0; i < observed->rules.count; i++) {
			const struct ir_ip_rule *rule = &observed->rules.items[i].rule;

			is_free &= !ir_marks_meet(rule->mark, rule->mask, mark, MASK);
		}
		for (size_t i = 0; i < observed->other_count; i++)
			is_free &= !has_mark(&observed->others[i], mark, MASK);
		if (is_free)
			return mark;
	}
	return 0;
}

/* A table id that neither the policy nor anything that was seen has. */
static uint32_t free_table(const struct ir *ir, const struct observed *observed)
{
	uint32_t id = 7100;
	bool is_free = false;

	while (!is_free) {
		id++;
		is_free = true;
		for (size_t i = 0; i < ir->route_count; i++)
			is_free &= ir->routes[i].table != id;
		for (size_t i = 0; i < observed->routes.count; i++)
			is_free &= observed->routes.items[i].route.table != id;
		for (size_t i = 0; i < observed->other_count; i++)
			for (size_t k = 0; k < observed->others[i].claim.table_count; k++)
				is_free &= observed->others[i].claim.tables[k] != id;
	}
	return id;
}

/* Where the policy itself names the mark of a way, that is what has to change. */
static void help_mark(struct diag_record *record, const struct ir *ir, const struct ir_class *class,
		      const struct observed *observed)
{
	uint32_t mark = free_mark(ir, observed);

	if (!class->mark_given.source)
		help_marks(record, observed);
	if (!class->mark_given.source && mark)
		diag_help(record,
			  "or give it a mark that is free: `mark: {value: 0x%08" PRIx32
			  ", mask: 0x7f000000}`",
			  mark);
	else if (mark)
		diag_help(record,
			  "write another mark, such as {value: 0x%08" PRIx32 ", mask: 0x7f000000}",
			  mark);
	else if (class->mark_given.source)
		diag_help(record, "write another mark that is free");
}

static void help_priority(struct diag_record *record, const struct ir *ir,
			  const struct observed *observed)
{
	uint32_t spare = free_priority(ir, observed);

	if (spare)
		diag_help(record, "write `settings: {priority: %" PRIu32 "}`", spare);
	else
		diag_help(record,
			  "write `settings: {priority: N}` with room for %" PRIu32
			  " rules from N on",
			  ir->priority_last - ir->priority_first + 1);
}

/* Where the policy itself names the table's id, that is what has to change. */
static void help_table(struct diag_record *record, const struct ir *ir, uint32_t table,
		       const struct observed *observed)
{
	const struct ir_class *class = ir_table_class(ir, table);
	uint32_t spare = free_tables(observed);

	if (class && class->table_given.source)
		diag_help(record, "write another table id, such as %" PRIu32,
			  free_table(ir, observed));
	else if (spare)
		diag_help(record, "write `settings: {table_ids: %" PRIu32 "-%" PRIu32 "}`", spare,
			  spare + 99);
	else
		diag_help(record,
			  "write `settings: {table_ids: FIRST-LAST}` with ids that are free");
}

/* ---- foreign numbers ---- */

/*
 * Do the two marks share bits in a way that one could be taken for the other? Fields that overlap
 * in part always can; where one of them is the whole word, only equal values in the bits of both.
 */
static bool marks_collide(uint32_t value, uint32_t mask, uint32_t other_value, uint32_t other_mask)
{
	if (mask != UINT32_MAX && other_mask != UINT32_MAX)
		return (mask & other_mask) != 0;
	return ir_marks_meet(value, mask, other_value, other_mask);
}

/* The way whose mark the rule could be about, or NULL. A negated mark is no mark to be mistaken
 * for, and a bare one is set for whoever waits for it. */
static const struct ir_class *class_of_mark(const struct ir *ir, const struct ip_rule_seen *seen)
{
	for (size_t i = 0; i < ir->class_count && !seen->is_negated; i++)
		if (ir->classes[i].kind != IR_CLASS_MARK &&
		    marks_collide(ir->classes[i].mark, ir->classes[i].mask, seen->rule.mark,
				  seen->rule.mask))
			return &ir->classes[i];
	return NULL;
}

static void check_mark(struct diag *diag, const struct ir *ir, const struct observed *observed,
		       const struct ip_rule_seen *seen)
{
	const struct ir_class *class = class_of_mark(ir, seen);
	struct diag_record *record;

	if (!class)
		return;
	record = diag_add(diag, DIAG_number_conflict,
			  class->mark_given.source ? class->mark_given : class->origin,
			  "the mark of %s, 0x%" PRIx32 "/0x%" PRIx32
			  ", has bits that a foreign IPv%c rule matches: %s",
			  class->name, class->mark, class->mask, addr_digit(seen->rule.family),
			  seen->text);
	help_mark(record, ir, class, observed);
}

static void check_priority(struct diag *diag, const struct ir *ir, const struct observed *observed,
			   const struct ip_rule_seen *seen)
{
	uint32_t priority = seen->rule.priority;
	struct diag_record *record;

	if (priority < ir->priority_first || priority > ir->priority_last ||
	    !uses_family(ir, seen->rule.family))
		return;
	record = diag_add(diag, DIAG_number_conflict, rule_origin(ir, priority),
			  "the ip rule priorities %" PRIu32 "-%" PRIu32
			  " are needed, and a foreign IPv%c rule is among them: %s",
			  ir->priority_first, ir->priority_last, addr_digit(seen->rule.family),
			  seen->text);
	help_priority(record, ir, observed);
	if (!class_of_mark(ir, seen))
		diag_help(record,
			  "or allow it, with --allow-foreign: it matches no mark of the policy");
}

static struct span table_origin(const struct ir *ir, uint32_t table)
{
	struct span none = { 0 };

	const struct ir_class *class = ir_table_class(ir, table);

	if (class)
		return class->table_given.source ? class->table_given : class->origin;
	for (size_t i = 0; i < ir->route_count; i++)
		if (ir->routes[i].table == table)
			return ir->routes[i].origin;
	return none;
}

/* One of the policy's own would be written over it. */
static bool is_in_the_way(const struct ir *ir, const struct route_seen *seen)
{
	for (size_t i = 0; i < ir->route_count; i++)
		if (route_same_place(&ir->routes[i], &seen->route))
			return true;
	return false;
}

static void check_route(struct diag *diag, const struct ir *ir, const struct observed *observed,
			const struct route_seen *seen, bool allow_foreign)
{
	struct diag_record *record;

	if (!ir_has_table(ir, seen->route.table) || host_owns_route(observed, seen) ||
	    host_table_owner(observed, seen->route.table) ||
	    (allow_foreign && !is_in_the_way(ir, seen)))
		return;
	record = diag_add(diag, DIAG_number_conflict, table_origin(ir, seen->route.table),
			  "the routing table %" PRIu32 " holds a foreign IPv%c route: %s",
			  seen->route.table, addr_digit(seen->route.family), seen->text);
	help_table(record, ir, seen->route.table, observed);
	if (!is_in_the_way(ir, seen))
		diag_help(record,
			  "or allow it, with --allow-foreign: the policy has no route in its place");
}

/* ---- numbers of other policies of ours ---- */

/* A packet mark of the policy that could be taken for one of the other's, or NULL. */
static const struct ir_class *shared_mark(const struct ir *ir, const struct host_other *other)
{
	for (size_t i = 0; i < ir->class_count; i++)
		for (size_t k = 0; k < other->mark_count; k++) {
			const struct ir_class *own = &ir->classes[i];

			if (own->kind != IR_CLASS_MARK &&
			    ir_marks_meet(own->mark, own->mask, other->marks[k].value,
					  other->marks[k].mask))
				return own;
		}
	return NULL;
}

/*
 * Two policies may share bits of packets' marks while no mark of the one could be taken for one of
 * the other. A connection's mark says what becomes of all its packets, also that they are left
 * alone: there each policy needs bits for itself.
 */
static void check_other_marks(struct diag *diag, const struct ir *ir,
			      const struct observed *observed, const struct host_other *other)
{
	const struct ir_class *shared = shared_mark(ir, other);
	struct diag_record *record;
	uint32_t own_bits = other->tells_marks ? ir->ct_mask : ir->mark_mask;
	uint32_t bits = other->tells_marks ? other->ct_mask : other->mask;

	if (own_bits & bits) {
		record = diag_add(diag, DIAG_number_conflict, rule_origin(ir, ir->priority_first),
				  "the mark bits 0x%08" PRIx32
				  " are used by the policy %s, and this one needs 0x%08" PRIx32,
				  bits, other->name, own_bits);
		if (other->tells_marks)
			diag_help(record,
				  "both keep ways in connection marks, and need bits of their own");
		help_marks(record, observed);
	} else if (shared) {
		record = diag_add(diag, DIAG_number_conflict,
				  shared->mark_given.source ? shared->mark_given : shared->origin,
				  "the mark of %s, 0x%" PRIx32 "/0x%" PRIx32
				  ", can match a mark of the policy %s",
				  shared->name, shared->mark, shared->mask, other->name);
		help_mark(record, ir, shared, observed);
	}
}

static void check_other_priorities(struct diag *diag, const struct ir *ir,
				   const struct observed *observed, const struct host_other *other)
{
	const struct record_claim *claim = &other->claim;
	struct diag_record *record;

	if (!ir->ip_rule_count || !claim->priority_first ||
	    ir->priority_first > claim->priority_last || ir->priority_last < claim->priority_first)
		return;
	record = diag_add(diag, DIAG_number_conflict, rule_origin(ir, ir->priority_first),
			  "the ip rule priorities %" PRIu32 "-%" PRIu32
			  " are used by the policy %s, and this one needs %" PRIu32 "-%" PRIu32,
			  claim->priority_first, claim->priority_last, other->name,
			  ir->priority_first, ir->priority_last);
	help_priority(record, ir, observed);
}

static void check_other_tables(struct diag *diag, const struct ir *ir,
			       const struct observed *observed, const struct host_other *other)
{
	uint32_t first = 0;
	struct buf list = { 0 };
	struct diag_record *record;

	for (size_t i = 0; i < other->claim.table_count; i++) {
		uint32_t table = other->claim.tables[i];

		if (!ir_has_table(ir, table))
			continue;
		buf_printf(&list, "%s%" PRIu32, first ? ", " : "", table);
		if (!first)
			first = table;
	}
	if (first) {
		record = diag_add(diag, DIAG_number_conflict, table_origin(ir, first),
				  "routing tables of this policy are used by the policy %s: %s",
				  other->name, buf_text(&list));
		help_table(record, ir, first, observed);
	}
	buf_free(&list);
}

/* All its numbers would be in the way, one by one. */
static void refuse_renamed(struct diag *diag, const struct ir *ir, const struct host_other *other)
{
	diag_help(diag_add(diag, DIAG_number_conflict, rule_origin(ir, ir->priority_first),
			   "this file is applied as the policy %s, with the numbers that it needs as the policy %s",
			   other->name, ir->name),
		  "run `tpc remove %s`, then apply again; a policy that is renamed is another policy",
		  other->name);
}

bool conflicts_find(struct diag *diag, const struct ir *ir, const struct observed *observed,
		    bool allow_foreign)
{
	size_t before = diag_error_count(diag);

	for (size_t i = 0; i < observed->other_count; i++) {
		const struct host_other *other = &observed->others[i];

		if (other->is_same_file && (!ir->mark_mask || (ir->mark_mask & other->mask))) {
			refuse_renamed(diag, ir, other);
			continue;
		}
		check_other_marks(diag, ir, observed, other);
		check_other_priorities(diag, ir, observed, other);
		check_other_tables(diag, ir, observed, other);
	}
	for (size_t i = 0; i < observed->rules.count; i++) {
		const struct ip_rule_seen *seen = &observed->rules.items[i];

		/* Other policies of tpc were checked already. */
		if (host_owns_rule(observed, seen) ||
		    host_priority_owner(observed, seen->rule.priority))
			continue;
		if (!allow_foreign)
			check_priority(diag, ir, observed, seen);
		check_mark(diag, ir, observed, seen);
	}
	for (size_t i = 0; i < observed->routes.count; i++)
		check_route(diag, ir, observed, &observed->routes.items[i], allow_foreign);
	return diag_error_count(diag) == before;
}

/* ---- surroundings ---- */

void conflicts_find_surroundings(struct report *report, const struct op_list *ops)
{
	for (struct op *op = ops->first; op; op = op->next) {
		const struct ir_route *route = op->route;

		const char *device, *cause;
		bool is_there;

		if (op->state != OP_LEFT_OUT || !route)
			continue;
		device = route_lost_device(route);
		if (!device)
			continue;
		is_there = if_nametoindex(device) != 0;
		cause = diff_lost_cause(report->arena, route);
		report_add(report, SEVERITY_WARNING, is_there ? DIAG_no_gateway : DIAG_no_interface,
			   "%s, so its routes in table %" PRIu32
			   " are left out; apply again when %s",
			   cause, route->table, is_there ? "it has one" : "it exists")
			->where = route->origin;
	}
}
