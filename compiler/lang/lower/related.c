/*
 * lower/related: related connections go where their master goes.
 *
 * A connection that a helper of the kernel's expects (the data of FTP, the media of SIP) has ports
 * that no rule about the master's can know, and gets the master's source address whichever way it
 * goes. Of the master it has one thing more: the kernel copies its mark. So where a rule about
 * ports may part the two, the first packet of a connection notes its way there, and what is
 * expected follows that note instead of the way that its own rule chose. Rules that drop or reject
 * it still do, one that asks for `state` is taken at its word, and what the main table knows more
 * than a default route for comes first.
 *
 * Where connections keep their way anyway (lower/decide.c), the copied mark does the same.
 */
#include "base/arena.h"
#include "base/names.h"
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

		lower->relates |= port && ast_chooses_way(policy->rules[i].then) && may_part(port);
	}
}

static bool is_followed(const struct lower_class *way)
{
	return way->kind == IR_CLASS_ROUTE || way->kind == IR_CLASS_MARK;
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

void lower_note_way(struct lower *lower, struct ir_chain *chain, struct lower_class *way)
{
	struct ir_rule *rule;

	lower_follow(lower, chain);
	if (!lower->relates || !is_followed(way))
		return;
	/* What is left when all that must have a value has one. */
	if (!way->note)
		way->note = lower_free_value(lower, names_hash(names_hash(NAMES_HASH, "/related/"),
							       way->chain));
	if (!way->note)
		return;
	rule = lower_guarantee(lower, chain, "for what the kernel may expect of the connection");
	lower_match(lower, rule, state_match(lower->arena, STATE_NEW));
	lower_match(lower, rule,
		    mark_match(lower->arena, MARK_CONNECTION, 0, lower_mark_mask(lower)));
	lower_set_ct_mark(lower, rule, way->note, lower_mark_mask(lower));
}

void lower_relate_inbound(struct lower *lower, struct ir_chain *chain, const char *uplinks)
{
	for (size_t i = 0; i < lower->uplink_count; i++) {
		const struct lower_uplink *uplink = &lower->uplinks[i];
		struct ir_rule *rule;

		if (!lower->relates && !lower->keeps[0])
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

static bool has_inbound(const struct lower_class *way)
{
	return way->inbound && lower_is_used(way->inbound);
}

static const char *follow_chain(struct lower *lower, const struct lower_class *way)
{
	const struct lower_class *to = has_inbound(way) ? way->inbound : way;
	const char *name = arena_printf(lower->arena, "follow_%s", way->chain);
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
static const char *follow_member(struct lower *lower, const struct lower_class *way,
				 const struct lower_class *by)
{
	const char *name = arena_printf(lower->arena, "follow_%s", by->chain);
	struct ir_chain *chain;

	if (way == by)
		return follow_chain(lower, way);
	chain = lower_chain(lower, name, NULL);
	if (has_inbound(way))
		lower_from_uplinks(lower, chain, follow_chain(lower, way));
	lower_set_mark(lower, lower_guarantee(lower, chain, NULL), by->mark, by->mask);
	lower_op(lower, lower_guarantee(lower, chain, NULL), IR_ACCEPT);
	return name;
}

/* *dispatch: the connection notes the way, or the member of its list that has taken it. */
static void add_follow(struct lower *lower, struct ir_statement *dispatch,
		       const struct lower_class *way)
{
	lower_add_case(lower, dispatch, way->note, follow_chain(lower, way));
	for (size_t i = 0; i < way->member_count; i++)
		if (way->members[i].note)
			lower_add_case(lower, dispatch, way->members[i].note,
				       follow_member(lower, way, way->members[i].way));
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
	for (size_t i = 0; i < lower->class_count; i++) {
		const struct lower_class *way = lower->classes[i];

		if (!way->note)
			continue;
		add_follow(lower, &dispatch, way);
		forward |= way->forward;
		local |= way->local;
		lower->notes = true;
	}
	if (dispatch.case_count)
		lower_do(lower, lower_guarantee(lower, chain, NULL), dispatch);
	if (forward)
		follow_rest(lower, false);
	if (local)
		follow_rest(lower, true);
}
