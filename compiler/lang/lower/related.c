/*
 * lower/related: related connections go where their master goes.
 *
 * A connection that a helper of the kernel's expects (the data of FTP, the media of SIP) has ports
 * that no rule about the master's can know, and gets the master's source address wherever it goes.
 * Of the master it has one thing more: the kernel copies its mark. So where a rule about ports may
 * part the two, the first packet of a connection saves its target there, and what is expected
 * follows that instead of the target that its own rule chose. Rules that drop or reject it still
 * do, one that asks for `state` is taken at its word, and what the main table knows more than a
 * default route for comes first.
 *
 * Where the first packet decides for the connection anyway (lower/decide.c), the copied mark does
 * the same.
 */
#include "base/arena.h"
#include "base/hash.h"
#include "lang/lower/lower.h"
#include "match/kinds.h"

static const char *const follow = "related";
/* Before listeners' and foreign translations. */
enum { BEHIND_RULES = 1 };

/* Ports from here on belong to no service, so they may be a master's or what it expects. */
enum { REGISTERED = 1024 };

/* The ports of those that the kernel has helpers for: linux/net/netfilter/nf_conntrack_*.c. */
static const uint16_t masters[] = { 21, 69, 137, 161 };

static bool may_part(const struct match_condition *port)
{
	for (size_t i = 0; i < sizeof(masters) / sizeof(masters[0]); i++)
		if (interval_contains(&port->values, wide(masters[i])))
			return true;
	for (size_t i = 0; i < port->values.count; i++)
		if (port->values.items[i].last.low >= REGISTERED)
			return true;
	return port->negated;
}

static bool leads_away(const struct ast_then *then)
{
	return then && (then->action == THEN_ROUTE || then->action == THEN_MARK ||
			then->action == THEN_BALANCE);
}

void lower_plan_related(struct lower *lower)
{
	const struct ast_policy *policy = lower->policy;
	bool any = leads_away(policy->default_forward) || leads_away(policy->default_local);

	for (size_t i = 0; i < policy->rule_count; i++)
		any |= leads_away(policy->rules[i].then);
	if (!any)
		return;
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct match_condition *port = ast_condition(&policy->rules[i], "port");

		lower->relates |= port && ast_chooses_target(policy->rules[i].then) &&
				  may_part(port);
	}
}

static bool is_followed(const struct lower_target *target)
{
	return target->kind == IR_CLASS_ROUTE || target->kind == IR_CLASS_MARK;
}

void lower_follow(struct lower *lower, struct ir_chain *chain)
{
	struct ir_rule *rule;

	if (!lower->relates)
		return;
	rule = lower_guarantee(lower, chain, NULL);
	lower_match(lower, rule, expected_match());
	lower_jump(lower, rule, follow);
}

void lower_save_target(struct lower *lower, struct ir_chain *chain, struct lower_target *target)
{
	struct ir_rule *rule;

	lower_follow(lower, chain);
	if (!lower->relates || !is_followed(target))
		return;
	/* What is left when all that must have a value has one. */
	if (!target->ct_value)
		target->ct_value =
			lower_free_connmark(lower, hash_text(hash_text(HASH_TEXT, "/related/"),
							     target->chain));
	if (!target->ct_value)
		return;
	rule = lower_guarantee(lower, chain, "for what the kernel may expect of the connection");
	lower_match(lower, rule, state_match(lower->arena, STATE_NEW));
	lower_match(lower, rule,
		    mark_match(lower->arena, MARK_CONNECTION, 0, lower_mark_mask(lower)));
	lower_set_connmark(lower, rule, target->ct_value);
}

void lower_relate_inbound(struct lower *lower, struct ir_chain *chain, const char *uplinks)
{
	for (size_t i = 0; i < lower->uplink_count; i++) {
		const struct lower_uplink *uplink = &lower->uplinks[i];
		struct ir_rule *rule;

		if (!lower->relates && !lower->needs_state[0])
			return;
		rule = lower_guarantee(lower, chain,
				       i ? NULL : "what is expected may come in by an uplink");
		lower_match(lower, rule,
			    interface_match(INTERFACE_IN, uplink->devs, uplink->dev_count, false));
		lower_match(lower, rule, expected_match());
		lower_match(lower, rule, state_match(lower->arena, STATE_RELATED));
		lower_jump(lower, rule, uplinks);
	}
}

/* ---- the chains ---- */

static bool has_inbound(const struct lower_target *target)
{
	return target->inbound && lower_is_used(target->inbound);
}

static const char *follow_chain(struct lower *lower, const struct lower_target *target)
{
	const struct lower_target *to = has_inbound(target) ? target->inbound : target;
	const char *name = arena_printf(lower->arena, "follow_%s", target->chain);
	struct ir_chain *chain = lower_find_chain(lower, name);

	if (chain)
		return name;
	chain = lower_chain(lower, name, NULL);
	lower_set_mark(lower, lower_guarantee(lower, chain, NULL), to->mark, to->mask);
	lower_op(lower, lower_guarantee(lower, chain, NULL), IR_ACCEPT);
	return name;
}

/* The member that took the master takes what is expected, too, but for what comes in by an uplink.
 */
static const char *follow_member(struct lower *lower, const struct lower_target *target,
				 const struct lower_target *by)
{
	const char *name = arena_printf(lower->arena, "follow_%s", by->chain);
	struct ir_chain *chain;

	if (target == by)
		return follow_chain(lower, target);
	chain = lower_chain(lower, name, NULL);
	if (has_inbound(target))
		lower_from_uplinks(lower, chain, follow_chain(lower, target));
	lower_set_mark(lower, lower_guarantee(lower, chain, NULL), by->mark, by->mask);
	lower_op(lower, lower_guarantee(lower, chain, NULL), IR_ACCEPT);
	return name;
}

/* The cases of connections that have the target saved, or the member of its list that took them. */
static void add_follow(struct lower *lower, struct ir_statement *dispatch,
		       const struct lower_target *target)
{
	lower_add_case(lower, dispatch, target->ct_value, follow_chain(lower, target));
	for (size_t i = 0; i < target->member_count; i++)
		if (target->members[i].ct_value)
			lower_add_case(lower, dispatch, target->members[i].ct_value,
				       follow_member(lower, target, target->members[i].target));
}

/* What the rules have left alone: this host's own, broadcast and the like stay so. */
static void follow_rest(struct lower *lower, bool local)
{
	struct ir_chain *base =
		lower_base_chain(lower, local ? "related_local" : "related_forward",
				 local ? IR_CHAIN_ROUTE : IR_CHAIN_FILTER,
				 local ? IR_HOOK_OUTPUT : IR_HOOK_PREROUTING,
				 (int)lower->policy->settings.hook_priority + BEHIND_RULES,
				 "what is expected and left alone goes where its master goes");
	struct ir_chain *rest = lower_find_chain(lower, "related_rest");
	struct ir_rule *rule = lower_guarantee(lower, base, NULL);

	lower_match(lower, rule, expected_match());
	lower_match(lower, rule, original_match());
	lower_match(lower, rule, mark_match(lower->arena, MARK_PACKET, 0, lower_mark_mask(lower)));
	lower_jump(lower, rule, "related_rest");
	if (rest)
		return;
	rest = lower_chain(lower, "related_rest", NULL);
	lower_leave_host(lower, rest, NULL);
	lower_goto(lower, lower_guarantee(lower, rest, NULL), follow);
}

void lower_related(struct lower *lower)
{
	struct ir_statement dispatch = lower_new_dispatch(lower, true);
	bool forward = false, local = false;
	struct ir_chain *chain;

	if (!lower->relates)
		return;
	chain = lower_chain(lower, follow, "where the connection that it belongs to goes");
	for (size_t i = 0; i < lower->target_count; i++) {
		const struct lower_target *target = lower->targets[i];

		if (!target->ct_value)
			continue;
		add_follow(lower, &dispatch, target);
		forward |= target->forward;
		local |= target->local;
		lower->saves_targets = true;
	}
	if (dispatch.case_count)
		lower_do(lower, lower_guarantee(lower, chain, NULL), dispatch);
	if (forward)
		follow_rest(lower, false);
	if (local)
		follow_rest(lower, true);
}
