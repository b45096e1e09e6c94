/*
 * lower/lower: the order in which a checked policy becomes ir, and what the ir says of it beside
 * the kernel's objects.
 */
#include "lang/lower/lower.h"

#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "lang/ast/rows.h"
#include "match/kinds.h"

static struct span given_mark(const struct lower_class *way)
{
	struct span none = { 0 };

	if (way->kind != IR_CLASS_PROXY && way->kind != IR_CLASS_ROUTE)
		return none;
	if (way->listener)
		return way->listener->mark.given ? way->listener->mark.span : none;
	return way->table_count == 1 && way->tables[0]->mark.given ? way->tables[0]->mark.span
								   : none;
}

static struct span given_table(const struct lower_class *way)
{
	struct span none = { 0 };

	if (way->listener)
		return way->listener->table_span;
	return way->table_count == 1 ? way->tables[0]->id_span : none;
}

static void describe_class(struct lower *lower, const struct lower_class *way)
{
	static const uint32_t no_table;
	struct ir *ir = lower->ir;

	*arena_append(lower->arena, ir->classes, ir->class_count) = (struct ir_class){
		.kind = way->kind,
		.name = way->name,
		.mark = way->mark,
		.mask = way->mask,
		.ct_mask = way->ct_mask,
		.table = way->table              ? way->table
			 : way->table_count == 1 ? (uint32_t)way->tables[0]->id
						 : no_table,
		.priority = way->priority,
		.listener_mode = way->listener ? ast_mode_name(way->listener->mode) : NULL,
		.port = way->listener ? way->listener->port : 0,
		.origin = way->origin,
		.mark_given = given_mark(way),
		.table_given = given_table(way),
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

static struct ir_asked ask_of(const struct match_condition *condition)
{
	return (struct ir_asked){ condition->key, condition->negated, condition->names,
				  condition->name_count, condition->span };
}

static void add_asked(struct lower *lower, const struct match_condition *condition)
{
	struct ir *ir = lower->ir;
	const struct ir_asked one = ask_of(condition);

	for (size_t i = 0; i < ir->asked_count; i++)
		if (is_same_question(&ir->asked[i], &one))
			return;
	*arena_append(lower->arena, ir->asked, ir->asked_count) = one;
}

static void describe_interfaces(struct lower *lower)
{
	const struct ast_policy *policy = lower->policy;

	for (size_t i = 0; i < policy->rule_count; i++)
		for (size_t k = 0; k < policy->rules[i].condition_count; k++)
			if (policy->rules[i].conditions[k]->kind->names_interfaces)
				add_asked(lower, policy->rules[i].conditions[k]);
}

/* ---- what comes to listeners ---- */

/* Which of the ir's questions the condition is; they are there before the listeners. */
static size_t asked_at(const struct lower *lower, const struct match_condition *condition)
{
	const struct ir *ir = lower->ir;
	const struct ir_asked one = ask_of(condition);
	size_t i = 0;

	while (i < ir->asked_count && !is_same_question(&ir->asked[i], &one))
		i++;
	return i;
}

static void add_in(struct lower *lower, struct ir_listener *out, size_t in)
{
	for (size_t i = 0; i < out->in_count; i++)
		if (out->ins[i] == in)
			return;
	*arena_append(lower->arena, out->ins, out->in_count) = in;
}

/* *by_any: what comes by any interface does. */
static void add_rule_ways(struct lower *lower, const struct ast_rule *rule,
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
static void add_ways(struct lower *lower, const struct ast_listener *listener,
		     struct ir_listener *out)
{
	const struct ast_policy *policy = lower->policy;
	const struct ast_then *defaults[] = { policy->default_forward, policy->default_local };
	bool by_any = false;

	for (size_t i = 0; i < policy->rule_count; i++)
		add_rule_ways(lower, &policy->rules[i], listener, out, &by_any);
	for (size_t i = 0; i < 2; i++) {
		struct ast_rule rule;

		if (!defaults[i])
			continue;
		rule = ast_default_rule(lower->arena, policy, defaults[i],
					i ? SCOPE_LOCAL : SCOPE_FORWARD);
		add_rule_ways(lower, &rule, listener, out, &by_any);
	}
	if (by_any)
		out->in_count = 0;
}

static void describe_listener(struct lower *lower, const struct lower_class *way)
{
	struct ast_listener *listener = way->listener;
	struct ir_listener *out =
		arena_append(lower->arena, lower->ir->listeners, lower->ir->listener_count);

	*out = (struct ir_listener){
		.name = listener->name,
		.mode = ast_mode_name(listener->mode),
		.port = listener->port,
		.tcp = way->tcp && (listener->protocols & TAKES_TCP),
		.udp = way->udp && (listener->protocols & TAKES_UDP),
		.on_this_host = ast_stays_here(listener),
		.origin = listener->span,
	};
	memcpy(out->addr, listener->addr, sizeof(out->addr));
	memcpy(out->has, way->families, sizeof(out->has));
	add_ways(lower, listener, out);
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

/* The accounts and cgroups that it names. */
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

static void describe(struct lower *lower)
{
	struct ir *ir = lower->ir;

	ir->ct_mask = lower->value_count || lower->notes ? lower_mark_mask(lower) : 0;
	ir->mark_mask = ir->ct_mask;
	describe_interfaces(lower);
	for (size_t i = 0; i < lower->class_count; i++) {
		const struct lower_class *way = lower->classes[i];

		if (!lower_is_used(way))
			continue;
		ir->mark_mask |= way->mask;
		describe_class(lower, way);
		if (way->listener)
			describe_listener(lower, way);
	}
	lower_describe_unmarked(lower);
	if (lower->held_count)
		ir->mark_mask |= lower_mark_mask(lower);
	describe_senders(lower);
	ir->rows = lower->policy->rows;
	ir->row_count = lower->policy->row_count;
	ir->gateways = lower->gateways;
	ir->gateway_count = lower->gateway_count;
}

/* ---- the whole ---- */

static struct ir *new_ir(struct arena *arena, const struct ast_policy *policy)
{
	struct ir *ir = arena_new_of(arena, struct ir);

	ir->name = policy->name;
	ir->table = strcmp(policy->name, "tpc") ? arena_printf(arena, "tpc_%s", policy->name)
						: "tpc";
	ir->protocol = (uint32_t)policy->settings.protocol;
	ir->keeps_connections = policy->settings.connections != 0;
	ir->sysctl_policy = (enum ir_sysctl_policy)policy->settings.sysctls;
	return ir;
}

struct ir *lower_policy(struct arena *arena, struct diag *diag, struct ast_policy *policy)
{
	struct lower lower = {
		.arena = arena, .diag = diag, .policy = policy, .ir = new_ir(arena, policy)
	};

	lower_dynamic_sets(&lower);
	lower_words(&lower);
	lower_names(&lower);
	lower_classes(&lower);
	lower_plan_state(&lower);
	lower_plan_related(&lower);
	lower_hooks(&lower);
	lower_use_members(&lower);
	lower_translated(&lower);
	lower_routing(&lower);
	lower_sysctls(&lower);
	lower_way_chains(&lower);
	lower_related(&lower);
	lower_translation(&lower);
	lower_locks(&lower);
	lower_sources(&lower);
	lower_sticky(&lower);
	lower_mark_unmarked(&lower);
	if (lower.failed)
		return NULL;
	describe(&lower);
	lower_authored(&lower);
	lower_finish(&lower);
	lower.ir->policy_rules = policy->rule_count;
	lower.ir->policy_sets = policy->set_count;
	lower.ir->expectation_count = policy->expectation_count;
	lower.ir->digest = ir_digest(lower.ir);
	return lower.ir;
}
