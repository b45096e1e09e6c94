/*
 * lower/describe: what the ir says of the policy besides the kernel's objects: targets, listeners
 * and who must be there, where the rules lead, the defaults, tables and groups of interfaces.
 */
#include <string.h>

#include "base/arena.h"
#include "lang/ast/rows.h"
#include "lang/lower/lower.h"
#include "match/kinds.h"

/* ---- targets ---- */

static struct span given_mark(const struct lower_target *target)
{
	struct span none = { 0 };

	if (target->kind != IR_CLASS_PROXY && target->kind != IR_CLASS_ROUTE)
		return none;
	if (target->listener)
		return target->listener->mark.given ? target->listener->mark.span : none;
	return target->table_count == 1 && target->tables[0]->mark.given
		       ? target->tables[0]->mark.span
		       : none;
}

static struct span given_table(const struct lower_target *target)
{
	struct span none = { 0 };

	if (target->listener)
		return target->listener->table_span;
	return target->table_count == 1 ? target->tables[0]->id_span : none;
}

static void describe_target(struct lower *lower, const struct lower_target *target)
{
	static const uint32_t no_table;
	struct ir *ir = lower->ir;

	*arena_append(lower->arena, ir->classes, ir->class_count) = (struct ir_class){
		.kind = target->kind,
		.name = target->name,
		.mark = target->mark,
		.mask = target->mask,
		.ct_mask = target->ct_mask,
		.table = target->table              ? target->table
			 : target->table_count == 1 ? (uint32_t)target->tables[0]->id
						    : no_table,
		.priority = target->priority,
		.listener_mode = target->listener ? ast_mode_name(target->listener->mode) : NULL,
		.port = target->listener ? target->listener->port : 0,
		.origin = target->origin,
		.mark_given = given_mark(target),
		.table_given = given_table(target),
	};
}

/* ---- which interfaces are asked for ---- */

static bool is_same_question(const struct ir_asked *a, const struct ir_asked *b)
{
	if (strcmp(a->key, b->key) || a->negated != b->negated || a->name_count != b->name_count)
		return false;
	for (size_t i = 0; i < a->name_count; i++)
		if (strcmp(a->names[i], b->names[i]))
			return false;
	return true;
}

/* Which of the ir's questions the condition is, added if need be. */
static size_t asked_at(struct lower *lower, const struct match_condition *condition)
{
	struct ir *ir = lower->ir;
	const struct ir_asked one = { condition->key, condition->negated, condition->names,
				      condition->name_count, condition->span };
	size_t i = 0;

	while (i < ir->asked_count && !is_same_question(&ir->asked[i], &one))
		i++;
	if (i == ir->asked_count)
		*arena_append(lower->arena, ir->asked, ir->asked_count) = one;
	return i;
}

static void describe_interfaces(struct lower *lower)
{
	const struct ast_policy *policy = lower->policy;

	for (size_t i = 0; i < policy->rule_count; i++)
		for (size_t k = 0; k < policy->rules[i].condition_count; k++)
			if (policy->rules[i].conditions[k]->kind->names_interfaces)
				asked_at(lower, policy->rules[i].conditions[k]);
}

/* ---- what comes to listeners ---- */

static void add_in(struct lower *lower, struct ir_listener *out, size_t in)
{
	for (size_t i = 0; i < out->in_count; i++)
		if (out->ins[i] == in)
			return;
	*arena_append(lower->arena, out->ins, out->in_count) = in;
}

/* *by_any: what comes by any interface does. */
static void add_rule_traffic(struct lower *lower, const struct ast_rule *rule,
			     const struct ast_listener *listener, struct ir_listener *out,
			     bool *by_any)
{
	const struct match_condition *in = ast_condition(rule, "in");

	if (rule->then->action == THEN_PROXY ? rule->then->listener != listener
					     : !ast_hands_to(rule->then, listener))
		return;
	out->ways |= rows_ways(rule, listener);
	if (in)
		add_in(lower, out, asked_at(lower, in));
	else
		*by_any |= (rule->scopes & SCOPE_FORWARD) != 0;
}

/* From all rules that hand to the listener, and the defaults. */
static void add_traffic(struct lower *lower, const struct ast_listener *listener,
			struct ir_listener *out)
{
	const struct ast_policy *policy = lower->policy;
	bool by_any = false;

	for (size_t i = 0; i < policy->rule_count; i++)
		add_rule_traffic(lower, &policy->rules[i], listener, out, &by_any);
	for (size_t i = 0; i < 2; i++)
		if (policy->default_rules[i])
			add_rule_traffic(lower, policy->default_rules[i], listener, out, &by_any);
	if (by_any)
		out->in_count = 0;
}

static void describe_listener(struct lower *lower, const struct lower_target *target)
{
	struct ast_listener *listener = target->listener;
	struct ir_listener *out =
		arena_append(lower->arena, lower->ir->listeners, lower->ir->listener_count);

	*out = (struct ir_listener){
		.name = listener->name,
		.mode = ast_mode_name(listener->mode),
		.port = listener->port,
		.tcp = target->tcp && (listener->protocols & TAKES_TCP),
		.udp = target->udp && (listener->protocols & TAKES_UDP),
		.on_this_host = ast_stays_here(listener),
		.origin = listener->span,
	};
	memcpy(out->addr, listener->addr, sizeof(out->addr));
	memcpy(out->has, target->families, sizeof(out->has));
	add_traffic(lower, listener, out);
}

/* ---- who must be there ---- */

static void add_hosted(struct lower *lower, struct ir_hosted **items, size_t *count,
		       const char *name, struct span origin)
{
	for (size_t i = 0; i < *count; i++)
		if (!strcmp((*items)[i].name, name))
			return;
	*arena_append(lower->arena, *items, *count) = (struct ir_hosted){ name, origin };
}

static void add_sender(struct lower *lower, unsigned int selector, const char *name,
		       struct span origin)
{
	struct ir *ir = lower->ir;

	if (selector == IDENTITY_CGROUP)
		add_hosted(lower, &ir->cgroups, &ir->cgroup_count, name, origin);
	else if (name[0] >= '0' && name[0] <= '9')
		return;
	else if (selector == IDENTITY_USER)
		add_hosted(lower, &ir->users, &ir->user_count, name, origin);
	else
		add_hosted(lower, &ir->groups, &ir->group_count, name, origin);
}

static void add_hosts(struct lower *lower, const struct match_condition *condition)
{
	for (size_t i = 0; i < condition->hosted_count; i++)
		add_sender(lower, condition->selector, condition->hosted[i].name,
			   condition->hosted[i].span);
}

static void describe_senders(struct lower *lower)
{
	struct ast_policy *policy = lower->policy;

	for (size_t i = 0; i < policy->rule_count; i++)
		for (size_t k = 0; k < policy->rules[i].condition_count; k++)
			add_hosts(lower, policy->rules[i].conditions[k]);
	if (!lower_find_chain(lower, "output"))
		return;
	for (size_t i = 0; i < policy->listener_count; i++)
		for (size_t k = 0; k < policy->listeners[i].runs_as.count; k++)
			add_hosts(lower, policy->listeners[i].runs_as.items[k]);
}

/* ---- where the rules lead ---- */

/* The target as the ir describes it; NULL where no packet goes there. */
static const struct ir_class *described(const struct lower *lower,
					const struct lower_target *target)
{
	for (size_t i = 0; target && i < lower->ir->class_count; i++)
		if (lower->ir->classes[i].kind == target->kind &&
		    !strcmp(lower->ir->classes[i].name, target->name))
			return &lower->ir->classes[i];
	return NULL;
}

static void add_target(struct lower *lower, struct ir_authored *out,
		       const struct lower_target *target, const char *name, int64_t weight)
{
	*arena_append(lower->arena, out->targets, out->target_count) =
		(struct ir_authored_target){ described(lower, target), name, (uint32_t)weight };
}

/* Where it leads, once the targets are described. */
static void describe_targets(struct lower *lower, const struct ast_then *then,
			     struct ir_authored *out)
{
	size_t count;
	const struct ast_target *shares;

	if (!then)
		return;
	shares = ast_shares(then, &count);
	for (size_t i = 0; i < count; i++)
		add_target(lower, out, lower_share_target(lower, &shares[i]), shares[i].name,
			   shares[i].weight);
	if (then->action == THEN_PROXY || then->action == THEN_ROUTE || then->action == THEN_MARK ||
	    then->action == THEN_ANSWER) {
		const struct lower_target *target = lower_target_of(lower, then);

		out->row = rows_of(lower->policy, then);
		add_target(lower, out, target, target->name, 0);
	}
}

/* ---- tables and groups ---- */

static bool has_table(const struct ir *ir, uint32_t id)
{
	for (size_t i = 0; i < ir->table_count; i++)
		if (ir->tables[i].id == id)
			return true;
	return false;
}

static void give(struct lower *lower, struct addr_prefix source)
{
	*arena_append(lower->arena, lower->ir->given, lower->ir->given_count) = source;
}

static void describe_table(struct lower *lower, const struct ast_table *table)
{
	struct ir_table *out;

	if (has_table(lower->ir, (uint32_t)table->id))
		return;
	out = arena_append(lower->arena, lower->ir->tables, lower->ir->table_count);
	*out = (struct ir_table){ .name = table->name,
				  .id = (uint32_t)table->id,
				  .strict = table->strict,
				  .clamp_mss = table->clamp_mss,
				  .origin = table->span };
	memcpy(out->masquerades, table->masquerades, sizeof(out->masquerades));
	for (size_t i = 0; i < table->npt_count; i++) {
		*arena_append(lower->arena, out->npts, out->npt_count) =
			(struct ir_npt){ table->npts[i].inside, table->npts[i].outside };
		give(lower, table->npts[i].outside);
	}
	memcpy(out->has_snat, table->snat.has, sizeof(out->has_snat));
	memcpy(out->snat, table->snat.addr, sizeof(out->snat));
	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++)
		if (table->snat.has[family])
			give(lower,
			     (struct addr_prefix){ table->snat.addr[family], addr_width(family) });
}

static void describe_group(struct lower *lower, const struct ast_group *group)
{
	*arena_append(lower->arena, lower->ir->interface_groups, lower->ir->interface_group_count) =
		(struct ir_group){ group->name, group->members, group->member_count, group->span };
}

static void describe_let_go(struct lower *lower)
{
	for (size_t i = 0; i < lower->connmark_count; i++) {
		const struct lower_decision *decision = lower_decided(lower, i);

		if (decision && decision->failed_open)
			*arena_append(lower->arena, lower->ir->let_go, lower->ir->let_go_count) =
				(struct ir_let_go){ decision->failed_open->name,
						    lower->connmarks[i].value };
	}
}

/* ---- all of it ---- */

static void note_local(struct lower *lower)
{
	for (size_t i = 0; i < lower->target_count; i++) {
		const struct lower_target *target = lower->targets[i];

		for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++)
			lower->ir->sends_local[family] |= target->kind == IR_CLASS_ROUTE &&
							  target->local && target->families[family];
	}
}

static void describe_used(struct lower *lower)
{
	struct ir *ir = lower->ir;

	ir->ct_mask = lower->connmark_count || lower->saves_targets ? lower_mark_mask(lower) : 0;
	ir->mark_mask = ir->ct_mask;
	describe_interfaces(lower);
	for (size_t i = 0; i < lower->target_count; i++) {
		const struct lower_target *target = lower->targets[i];

		if (!lower_is_used(target))
			continue;
		ir->mark_mask |= target->mask;
		describe_target(lower, target);
		if (target->listener)
			describe_listener(lower, target);
	}
	lower_describe_unmarked(lower);
	if (lower->unmarked_count)
		ir->mark_mask |= lower_mark_mask(lower);
	describe_senders(lower);
	ir->rows = lower->policy->rows;
	ir->row_count = lower->policy->row_count;
	ir->fills = lower->fills;
	ir->fill_count = lower->fill_count;
}

static void describe_words(struct lower *lower)
{
	const struct ast_policy *policy = lower->policy;

	for (size_t i = 0; i < policy->rule_count; i++)
		describe_targets(lower, policy->rules[i].then, &lower->ir->authored[i]);
	describe_targets(lower, policy->default_forward, &lower->ir->default_forward);
	describe_targets(lower, policy->default_local, &lower->ir->default_local);
	for (size_t i = 0; i < lower->target_count; i++)
		for (size_t k = 0; k < lower->targets[i]->table_count; k++)
			if (lower_is_used(lower->targets[i]))
				describe_table(lower, lower->targets[i]->tables[k]);
	for (size_t i = 0; i < policy->group_count; i++)
		describe_group(lower, &policy->groups[i]);
	describe_let_go(lower);
}

void lower_describe(struct lower *lower)
{
	struct ir *ir = lower->ir;

	describe_used(lower);
	describe_words(lower);
	note_local(lower);
	ir->policy_rules = lower->policy->rule_count;
	ir->policy_sets = lower->policy->set_count;
	ir->expectation_count = lower->policy->expectation_count;
}
