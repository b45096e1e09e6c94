/*
 * mark_fence: marks that change their meaning.
 *
 * The nft rules change in one instant, ip rules and routes do not. Where the same mark led another
 * way under the old policy, a packet between the two could leave by a way that neither means for
 * it. So such marks are fenced by an ip rule that drops their packets for these milliseconds:
 * senders repeat, and nothing leaks. A way that is only edited (the same listener or table as
 * before) needs no fence.
 */
#include <string.h>

#include "apply/apply_state.h"
#include "base/arena.h"
#include "ir/ir.h"
#include "kernel/nft_table.h"

static bool has_mark(const struct ir_ip_rule *rule, uint32_t mark, uint32_t mask,
		     enum addr_family family)
{
	return rule->mark == mark && rule->mask == mask && rule->family == family;
}

/* The n-th ip rule of ours in the kernel for the mark, or NULL. */
static const struct ir_ip_rule *held_rule(const struct apply *apply, uint32_t mark, uint32_t mask,
					  enum addr_family family, size_t n)
{
	for (size_t i = 0; i < apply->observed.rules.count; i++) {
		const struct ip_rule_seen *seen = &apply->observed.rules.items[i];

		if (host_owns_rule(&apply->observed, seen) &&
		    has_mark(&seen->rule, mark, mask, family) && n-- == 0)
			return &seen->rule;
	}
	return NULL;
}

static const struct ir_ip_rule *wanted_rule(const struct apply *apply, uint32_t mark, uint32_t mask,
					    enum addr_family family, size_t n)
{
	for (size_t i = 0; i < apply->ir->ip_rule_count; i++)
		if (has_mark(&apply->ir->ip_rules[i], mark, mask, family) && n-- == 0)
			return &apply->ir->ip_rules[i];
	return NULL;
}

/* Does a route come (STAGE_ROUTES) or go (STAGE_OLD_ROUTES)? */
static bool changes_table(const struct apply *apply, enum op_stage stage, uint32_t table,
			  enum addr_family family)
{
	for (const struct op *op = apply->ops.first; op; op = op->next)
		if (op_is_at(op, stage) && op->route->table == table && op->route->family == family)
			return true;
	return false;
}

/* The copy of the main table changes as the main table did, and packets that met no rule went with
 * it at once. */
static bool follows_main(const struct apply *apply, const struct ir_ip_rule *held,
			 const struct ir_ip_rule *wanted)
{
	return apply->ir->main_copy && held->table == apply->ir->main_copy &&
	       (!wanted || wanted->table == held->table);
}

/*
 * Will packets with the mark be led another way while the old ip rules still stand, or while both
 * do? Routes that only go do so after the ip rules that led to them.
 */
static bool changes_way(const struct apply *apply, uint32_t mark, uint32_t mask,
			enum addr_family family)
{
	bool stays = wanted_rule(apply, mark, mask, family, 0) != NULL;

	for (size_t n = 0;; n++) {
		const struct ir_ip_rule *held = held_rule(apply, mark, mask, family, n);
		const struct ir_ip_rule *wanted = wanted_rule(apply, mark, mask, family, n);

		if (!held)
			return n > 0 && wanted;
		if (stays && (!wanted || held->action != wanted->action ||
			      held->shortest != wanted->shortest))
			return true;
		if (held->action != IR_RULE_LOOKUP || follows_main(apply, held, wanted))
			continue;
		if (changes_table(apply, STAGE_ROUTES, held->table, family))
			return true;
		if (stays && (held->table != wanted->table ||
			      changes_table(apply, STAGE_OLD_ROUTES, held->table, family)))
			return true;
	}
}

static const struct ir_class *find_class(const struct ir_class *classes, size_t count,
					 uint32_t mark, uint32_t mask)
{
	for (size_t i = 0; i < count; i++)
		if (classes[i].mark == mark && classes[i].mask == mask)
			return &classes[i];
	return NULL;
}

/* Did the mark stand for the same listener or table at the last apply? */
static bool is_same_class(const struct apply *apply, uint32_t mark, uint32_t mask)
{
	const struct record *before = apply->before;
	const struct ir_class *old =
		before && before->is_complete
			? find_class(before->ir.classes, before->ir.class_count, mark, mask)
			: NULL;
	const struct ir_class *new =
		find_class(apply->ir->classes, apply->ir->class_count, mark, mask);

	return old && new && old->kind == new->kind &&strcmp(old->name, new->name) == 0;
}

static bool is_fenced(const struct apply *apply, const struct ir_ip_rule *rule)
{
	for (const struct op *op = apply->ops.first; op; op = op->next)
		if (op->stage == STAGE_FENCES &&
		    has_mark(rule, op->rule->mark, op->rule->mask, op->rule->family))
			return true;
	return false;
}

/* A priority before all rules of ours, old and new. */
static uint32_t fence_priority(const struct apply *apply)
{
	uint32_t first = apply->ir->priority_first;

	for (size_t i = 0; i < apply->observed.rules.count; i++) {
		const struct ip_rule_seen *seen = &apply->observed.rules.items[i];

		if (host_owns_rule(&apply->observed, seen) && seen->rule.priority < first)
			first = seen->rule.priority;
	}
	return first > 1 ? first - 1 : 1;
}

static void add_op(struct apply *apply, enum op_kind kind, enum op_stage stage,
		   const struct ir_ip_rule *fence)
{
	struct op *op = op_add(apply->arena, &apply->ops, kind, stage);

	op->rule = fence;
	op->protocol = apply->ir->protocol;
	op->is_detail = true;
}

static void consider(struct apply *apply, const struct ir_ip_rule *rule)
{
	struct ir_ip_rule *fence;

	/* One by interface is about what has no mark of ours. */
	if (rule->iif || rule->oif || is_fenced(apply, rule) ||
	    is_same_class(apply, rule->mark, rule->mask) ||
	    !changes_way(apply, rule->mark, rule->mask, rule->family))
		return;
	fence = arena_new_of(apply->arena, struct ir_ip_rule);
	fence->family = rule->family;
	fence->mark = rule->mark;
	fence->mask = rule->mask;
	fence->action = IR_RULE_BLACKHOLE;
	fence->priority = fence_priority(apply);
	add_op(apply, OP_RULE_ADD, STAGE_FENCES, fence);
	add_op(apply, OP_RULE_REMOVE, STAGE_UNFENCE, fence);
}

void apply_find_fences(struct apply *apply)
{
	const struct about_line *policy = nft_table_about(&apply->observed.table, ABOUT_POLICY);

	if (!apply->observed.table.exists || (policy && policy->digest == apply->ir->digest))
		return;
	for (size_t i = 0; i < apply->observed.rules.count; i++)
		if (host_owns_rule(&apply->observed, &apply->observed.rules.items[i]))
			consider(apply, &apply->observed.rules.items[i].rule);
}
