/*
 * lower/hook: the base chains prerouting (what arrives) and output (what this host sends), where
 * the guarantees stand around the author's rules. The order in each is the order of the guarantees:
 * replies first, then decided connections, then what is left alone, then the rules, then the
 * default.
 */
#include "lang/lower/lower.h"
#include "match/kinds.h"

/* ---- replies ---- */

/* Do some replies leave by another table than main? */
static bool has_reply_marks(const struct lower *lower)
{
	bool is_marked = false;

	for (size_t i = 0; i < lower->target_count; i++)
		is_marked |= lower->targets[i]->ct_mask != 0;
	return lower->uplink_count || is_marked || lower_spoofing(lower);
}

static void mark_replies(struct lower *lower, struct ir_chain *chain)
{
	for (size_t i = 0; i < lower->target_count; i++) {
		const struct lower_target *target = lower->targets[i];
		struct ir_rule *rule;

		if (!target->ct_mask)
			continue;
		rule = lower_guarantee(lower, chain, "replies carry their connection's mark");
		lower_match(lower, rule,
			    mark_match(lower->arena, MARK_CONNECTION, target->mark,
				       target->ct_mask));
		lower_set_mark(lower, rule, target->mark, target->mask);
	}
}

static void replies(struct lower *lower, struct ir_chain *chain)
{
	struct ir_rule *rule = lower_guarantee(lower, chain, "replies never meet the rules");
	struct ir_chain *back = lower_find_chain(lower, "replies");

	lower_match(lower, rule, direction_match());
	lower_end(lower, rule, has_reply_marks(lower) ? "replies" : NULL);
	if (!has_reply_marks(lower) || back)
		return;
	back = lower_chain(lower, "replies", NULL);
	mark_replies(lower, back);
	lower_restore_uplinks(lower, back);
	lower_op(lower, lower_guarantee(lower, back, NULL), IR_ACCEPT);
}

/* ---- prerouting ---- */

static void take_own(struct lower *lower, struct ir_chain *chain, const struct lower_target *target,
		     const char *to, const char *remark)
{
	struct ir_rule *rule = lower_guarantee(lower, chain, remark);

	lower_match(lower, rule, loopback_match(INTERFACE_IN, false));
	lower_match(lower, rule, mark_match(lower->arena, MARK_PACKET, target->mark, target->mask));
	lower_goto(lower, rule, to);
}

static void take_back(struct lower *lower, struct ir_chain *chain)
{
	const char *remark = "what this host sends to a proxy comes back here by the mark's route";

	for (size_t i = 0; i < lower->target_count; i++) {
		const struct lower_target *target = lower->targets[i];

		if (!target->local || !target->listener || target->listener->mode != MODE_TPROXY)
			continue;
		take_own(lower, chain, target, target->chain, remark);
		remark = NULL;
	}
}

/* A TCP connection of this host's own whose tables have no route is reset at once. */
static void reset_own(struct lower *lower, struct ir_chain *chain)
{
	const char *remark = "what this host sends by a table that has no route comes back here";

	for (size_t i = 0; i < lower->target_count; i++) {
		const struct lower_target *target = lower->targets[i];

		if (target->kind != IR_CLASS_SYN || !lower_is_used(target))
			continue;
		take_own(lower, chain, target, lower_refuse(lower), remark);
		remark = NULL;
	}
}

static bool resets_own(const struct lower *lower)
{
	for (size_t i = 0; i < lower->target_count; i++)
		if (lower->targets[i]->kind == IR_CLASS_SYN && lower_is_used(lower->targets[i]))
			return true;
	return false;
}

static void note_uplinks(struct lower *lower, struct ir_chain *chain)
{
	struct ir_chain *uplinks;
	struct ir_rule *rule;

	if (!lower->uplink_count)
		return;
	uplinks = lower_chain(lower, "uplinks", "by which uplink a connection came in");
	lower_save_uplink(lower, uplinks, 0);
	lower_relate_inbound(lower, chain, uplinks->name);
	rule = lower_guarantee(lower, chain, uplinks->remark);
	lower_match(lower, rule,
		    mark_match(lower->arena, MARK_CONNECTION, 0, lower_mark_mask(lower)));
	lower_jump(lower, rule, uplinks->name);
}

static void prerouting(struct lower *lower, const struct lower_body *body)
{
	struct ir_chain *chain =
		lower_base_chain(lower, "prerouting", IR_CHAIN_FILTER, IR_HOOK_PREROUTING,
				 (int)lower->policy->settings.hook_priority, "what arrives");

	lower_guard_loopback(lower, chain);
	lower_leave_ipv6(lower, chain);
	take_back(lower, chain);
	reset_own(lower, chain);
	lower_take_spoofed(lower, chain);
	replies(lower, chain);
	lower_ended(lower, chain);
	lower_refuse_loops(lower, chain);
	lower_note_spoofing(lower, chain);
	lower_leave_loopback(lower, chain);
	lower_refuse_unredirected(lower, chain);
	note_uplinks(lower, chain);
	lower_leave_remote(lower, chain);
	lower_restore(lower, chain, SCOPE_FORWARD);
	lower_recall(lower, chain, SCOPE_FORWARD);
	lower_put_body(lower, chain, body);
}

/* ---- output ---- */

static void output(struct lower *lower, const struct lower_body *body)
{
	struct ir_chain *chain = lower_base_chain(lower, "output", IR_CHAIN_ROUTE, IR_HOOK_OUTPUT,
						  (int)lower->policy->settings.hook_priority,
						  "what this host sends");

	lower_leave_ipv6(lower, chain);
	replies(lower, chain);
	lower_ended(lower, chain);
	lower_restore(lower, chain, SCOPE_LOCAL);
	lower_recall(lower, chain, SCOPE_LOCAL);
	if (body->needed)
		lower_leave_discovery(lower, chain);
	lower_leave_own(lower, chain);
	lower_leave_remote(lower, chain);
	lower_put_body(lower, chain, body);
}

/* ---- both ---- */

/* Does what the host sends to a listener come in again? */
static bool takes_back(const struct lower *lower)
{
	for (size_t i = 0; i < lower->target_count; i++)
		if ((lower->targets[i]->local && lower->targets[i]->listener &&
		     lower->targets[i]->listener->mode == MODE_TPROXY))
			return true;
	return false;
}

void lower_hooks(struct lower *lower)
{
	struct lower_body forward, local;
	bool sends;

	for (size_t i = 0; i < lower->uplink_count; i++)
		lower_connmark(lower, i + 1, 0);
	if (lower_spoofing(lower))
		lower_spoofed_connmark(lower);
	forward = lower_body(lower, SCOPE_FORWARD);
	local = lower_body(lower, SCOPE_LOCAL);
	lower_plan_sticky(lower);
	sends = local.needed || has_reply_marks(lower) || lower_has_own(lower);
	if (sends)
		lower_own_chains(lower);
	lower_use_spoofing(lower);
	if (forward.needed || has_reply_marks(lower) || takes_back(lower) ||
	    lower_has_guarded(lower) || resets_own(lower))
		prerouting(lower, &forward);
	if (sends)
		output(lower, &local);
}
