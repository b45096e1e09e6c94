/*
 * lower/sticky: a connection stays on the member of a list that took it.
 *
 * The ip rules of a list try its tables in order for each packet, so a connection that began by the
 * second would be cut once the first returns. By which interface its packets leave is known in
 * postrouting: the member that it belongs to is written into the connection's mark there, and from
 * then on the connection has the mark of a target that tries this member first, and then the others
 * in their order. Where that member has no usable route any more, the next one takes the
 * connection, and it is written down again.
 *
 * Datagrams follow the list: a flow of them has no end after which it could come back to the first
 * table. `sticky: true` keeps them, too.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/hash.h"
#include "base/names.h"
#include "lang/check/check.h"
#include "lang/lower/lower.h"
#include "match/kinds.h"

/* After what drops (lower/source.c): such a packet takes no connection anywhere. */
enum { PRIORITY_TAKEN = 102 };

/* ---- members ---- */

static bool shares(const struct lower_member *a, const struct lower_member *b)
{
	for (size_t i = 0; i < a->dev_count; i++)
		for (size_t k = 0; k < b->dev_count; k++)
			if (!strcmp(a->devs[i], b->devs[k]))
				return true;
	return false;
}

/* The list's members in its order, the main table where it stands. *complete: each table names its
 * interfaces. */
static struct lower_member *members_of(struct lower *lower, const struct lower_target *target,
				       size_t *count, bool *complete)
{
	struct lower_member *members = NULL;

	*count = 0;
	*complete = true;
	for (size_t i = 0; i <= target->table_count; i++) {
		struct lower_member *one;
		bool all;

		if (target->names_main && target->main_at == i)
			*arena_append(lower->arena, members, *count) =
				(struct lower_member){ .name = "main" };
		if (i == target->table_count)
			break;
		one = arena_append(lower->arena, members, *count);
		one->name = target->tables[i]->name;
		one->devs =
			check_table_devs(lower->arena, target->tables[i], &one->dev_count, &all);
		*complete &= all && one->dev_count;
	}
	return members;
}

/* Does an interface distinguish this member from all others? */
static bool is_distinct(const struct lower_member *members, size_t count, size_t at)
{
	for (size_t i = 0; i < count; i++)
		if (i != at && shares(&members[i], &members[at]))
			return false;
	return true;
}

static void move_table_first(struct lower *lower, struct lower_target *target, const char *name)
{
	struct ast_table **tables = NULL;
	size_t count = 0, from = 0;

	while (strcmp(target->tables[from]->name, name))
		from++;
	*arena_append(lower->arena, tables, count) = target->tables[from];
	for (size_t i = 0; i < target->table_count; i++)
		if (i != from)
			*arena_append(lower->arena, tables, count) = target->tables[i];
	target->main_at += target->names_main && target->main_at <= from;
	target->tables = tables;
}

static struct lower_target *by_member(struct lower *lower, struct lower_target *target,
				      const struct lower_member *member)
{
	struct lower_target *by =
		lower_variant(lower, target, IR_CLASS_MEMBER,
			      arena_printf(lower->arena, "%s/%s", target->name, member->name));

	by->chain = by->local_chain =
		arena_printf(lower->arena, "%s/%s", target->chain, member->name);
	by->inbound = target->inbound;
	if (member->dev_count)
		move_table_first(lower, by, member->name);
	else
		by->main_at = 0;
	return by;
}

static void add_members(struct lower *lower, struct lower_target *target)
{
	size_t count;
	bool complete;
	struct lower_member *members = members_of(lower, target, &count, &complete);

	if (!complete || count < 2)
		return;
	for (size_t i = 0; i < count; i++) {
		if (!is_distinct(members, count, i) || (i && !lower_has_mark(lower)))
			continue;
		members[i].target = i ? by_member(lower, target, &members[i]) : target;
		*arena_append(lower->arena, target->members, target->member_count) = members[i];
	}
}

static void warn_of_sticky(struct lower *lower, const struct ast_then *then,
			   const struct lower_target *target)
{
	size_t count;
	bool complete;
	struct diag_record *record;

	if (!then->sticky_span.source || target->member_count > 1)
		return;
	members_of(lower, target, &count, &complete);
	if (count > 1 && then->sticky == STICKY_NONE)
		return;
	record = diag_add(lower->diag, DIAG_no_effect, then->sticky_span,
			  "`sticky` changes nothing: %s",
			  count > 1 ? "no interface tells by which of these tables a packet leaves"
				    : "there is no other table that a connection could move to");
	if (count > 1)
		diag_help(record, "give each route its `dev`, and each table another one");
	else
		diag_help(record, "write `sticky` beside several tables, or remove it");
}

static void find_members(struct lower *lower, const struct ast_then *then)
{
	struct lower_target *target =
		then && then->action == THEN_ROUTE ? lower_target_of(lower, then) : NULL;

	if (!target)
		return;
	if (!target->member_count && target->sticky != STICKY_NONE)
		add_members(lower, target);
	warn_of_sticky(lower, then, target);
}

void lower_members(struct lower *lower)
{
	const struct ast_policy *policy = lower->policy;

	for (size_t i = 0; i < policy->rule_count; i++)
		find_members(lower, policy->rules[i].then);
	find_members(lower, policy->default_forward);
	find_members(lower, policy->default_local);
}

void lower_use_members(struct lower *lower)
{
	for (size_t i = 0; i < lower->target_count; i++) {
		const struct lower_target *target = lower->targets[i];

		for (size_t k = 0; k < target->member_count; k++) {
			struct lower_target *by = target->members[k].target;

			if (by == target)
				continue;
			memcpy(by->families, target->families, sizeof(by->families));
			by->forward = target->forward;
			by->local = target->local;
			by->tcp = target->tcp;
			by->udp = target->udp;
		}
	}
}

/* ---- values ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Connections outlive the policy. A list in another order means the same by its members, so no
 * order is in the hash. */
static uint32_t start_of(struct lower *lower, const struct lower_target *target, size_t member)
{
	const char **names = NULL;
	size_t count = 0;
	uint32_t start = hash_text(hash_text(HASH_TEXT, "/member/"), target->members[member].name);

	for (size_t i = 0; i < target->member_count; i++)
		*arena_append(lower->arena, names, count) = target->members[i].name;
	qsort(names, count, sizeof(*names), by_name);
	for (size_t i = 0; i < count; i++)
		start = hash_text(hash_text(start, "/"), names[i]);
	start += (uint32_t)target->fallback;
	return start;
}

static void plan_notes(struct lower *lower, struct lower_target *target)
{
	for (size_t i = 0; i < target->member_count && target->stateless; i++) {
		target->members[i].ct_value =
			lower_free_connmark(lower, start_of(lower, target, i));
		lower->saves_targets |= target->members[i].ct_value != 0;
	}
}

void lower_plan_sticky(struct lower *lower)
{
	size_t count = lower->decision_count;

	for (size_t i = 0; i < count; i++) {
		const struct lower_decision *decision = &lower->decisions[i];

		for (size_t k = 0; decision->target && k < decision->target->member_count; k++)
			lower_add_member_connmark(lower, i + 1, k + 1,
						  hash_text(start_of(lower, decision->target, k),
							    decision->scope == SCOPE_LOCAL
								    ? "/local/"
								    : "/forward/"));
	}
	for (size_t i = 0; i < lower->target_count; i++)
		plan_notes(lower, lower->targets[i]);
}

/* ---- following ---- */

static void add_value(struct lower *lower, struct ir_statement *dispatch, uint32_t value,
		      const char *chain)
{
	if (value)
		lower_add_case(lower, dispatch, value, chain);
}

/* The first member's target is the list's own. */
void lower_follow_member(struct lower *lower, struct ir_chain *chain,
			 const struct lower_target *target)
{
	struct ir_statement dispatch = lower_new_dispatch(lower, true);

	for (size_t i = 0; i < target->member_count; i++) {
		const struct lower_member *member = &target->members[i];

		if (member->target == target)
			continue;
		add_value(lower, &dispatch, member->ct_value, member->target->chain);
		for (size_t k = 1; k <= lower->decision_count; k++)
			if (lower->decisions[k - 1].target == target)
				add_value(lower, &dispatch, lower_find_connmark(lower, 0, k, i + 1),
					  member->target->chain);
	}
	lower_dispatch(lower, chain, dispatch, "a connection stays on the table that took it");
}

/* ---- taking ---- */

/* One for each value, whatever it is that it comes from. */
static const char *set_chain(struct lower *lower, uint32_t value)
{
	const char *name = arena_printf(lower->arena, "set_%08x", value);
	struct ir_chain *chain = lower_find_chain(lower, name);

	if (chain)
		return name;
	chain = lower_chain(lower, name, NULL);
	lower_set_connmark(lower, lower_guarantee(lower, chain, NULL), value);
	return name;
}

/* What a connection by the list may carry that is not this value comes to have it. */
static void take_values(struct lower *lower, struct ir_statement *dispatch,
			const struct lower_target *target, size_t decision, size_t member)
{
	uint32_t to = lower_find_connmark(lower, 0, decision, member);

	for (size_t from = 0; to && from <= target->member_count; from++)
		if (from != member)
			add_value(lower, dispatch, lower_find_connmark(lower, 0, decision, from),
				  set_chain(lower, to));
}

static void take_notes(struct lower *lower, struct ir_statement *dispatch,
		       const struct lower_target *target, const struct lower_member *member)
{
	const char *to;

	if (!member->ct_value)
		return;
	to = set_chain(lower, member->ct_value);
	lower_add_case(lower, dispatch, 0, to);
	add_value(lower, dispatch, target->ct_value, to);
	for (size_t i = 0; i < target->member_count; i++)
		if (&target->members[i] != member)
			add_value(lower, dispatch, target->members[i].ct_value, to);
}

static const char *take_chain(struct lower *lower, const struct lower_target *target, size_t member)
{
	struct ir_statement dispatch = lower_new_dispatch(lower, true);
	const char *name = arena_printf(lower->arena, "taken_%s/%s", target->chain,
					target->members[member].name);

	take_notes(lower, &dispatch, target, &target->members[member]);
	for (size_t i = 1; i <= lower->decision_count; i++)
		if (lower->decisions[i - 1].target == target)
			take_values(lower, &dispatch, target, i, member + 1);
	if (!dispatch.case_count)
		return NULL;
	lower_do(lower, lower_guarantee(lower, lower_chain(lower, name, NULL), NULL), dispatch);
	return name;
}

/* By none of the tables' interfaces, and not back to this host. */
static struct ir_match by_main(struct lower *lower, const struct lower_target *target)
{
	bool complete;
	size_t count = 0, more_count;
	const char **devs = NULL, **more = lower_devs(lower, target, &more_count, &complete);

	names_add(lower->arena, &devs, &count, "lo");
	for (size_t i = 0; i < more_count; i++)
		names_add(lower->arena, &devs, &count, more[i]);
	return interface_match(INTERFACE_OUT, devs, count, true);
}

static void leave_datagrams(struct lower *lower, struct ir_chain *chain)
{
	static const unsigned int protocols[] = { PROTOCOL_TCP, PROTOCOL_DCCP, PROTOCOL_SCTP };
	struct interval_set connected = { 0 };
	struct ir_match match;
	struct ir_rule *rule = lower_guarantee(lower, chain, NULL);

	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		interval_add(lower->arena, &connected, wide(protocols[i]), wide(protocols[i]));
	interval_normalise(&connected);
	match = protocol_match(&connected);
	match.negated = true;
	lower_match(lower, rule, match);
	lower_op(lower, rule, IR_ACCEPT);
}

static const char *list_chain(struct lower *lower, const struct lower_target *target)
{
	const char *name = arena_printf(lower->arena, "taken_%s", target->chain);
	struct ir_chain *chain = lower_chain(lower, name, NULL);

	if (target->sticky == STICKY_TCP)
		leave_datagrams(lower, chain);
	for (size_t i = 0; i < target->member_count; i++) {
		const struct lower_member *member = &target->members[i];
		const char *take = take_chain(lower, target, i);
		struct ir_rule *rule;

		if (!take)
			continue;
		rule = lower_guarantee(lower, chain, NULL);
		lower_match(lower, rule,
			    member->dev_count ? interface_match(INTERFACE_OUT, member->devs,
								member->dev_count, false)
					      : by_main(lower, target));
		lower_goto(lower, rule, take);
	}
	return name;
}

static void add_list(struct lower *lower, struct ir_statement *dispatch,
		     const struct lower_target *target)
{
	const char *chain = list_chain(lower, target);

	add_value(lower, dispatch, target->mark, chain);
	if (target->syn && lower_is_used(target->syn))
		add_value(lower, dispatch, target->syn->mark, chain);
	for (size_t i = 0; i < target->member_count; i++)
		if (target->members[i].target != target)
			add_value(lower, dispatch, target->members[i].target->mark, chain);
}

void lower_sticky(struct lower *lower)
{
	struct ir_statement dispatch = lower_new_dispatch(lower, false);
	struct ir_chain *chain;

	for (size_t i = 0; i < lower->target_count; i++)
		if (lower->targets[i]->member_count && lower_is_used(lower->targets[i]))
			add_list(lower, &dispatch, lower->targets[i]);
	if (!dispatch.case_count)
		return;
	chain = lower_base_chain(lower, "taken", IR_CHAIN_FILTER, IR_HOOK_POSTROUTING,
				 PRIORITY_TAKEN, "by which table of a list a connection leaves");
	lower_do(lower, lower_guarantee(lower, chain, NULL), dispatch);
}
