/*
 * check/conflict: conditions of one rule that exclude each other, or what its action can do,
 * whatever the packet. The rule has its scopes, protocols and families so far.
 *
 * Only what the rule itself says counts: a set may have other addresses tomorrow.
 */
#include <string.h>

#include "base/diag.h"
#include "lang/check/check.h"
#include "match/kinds.h"

/* ---- families ---- */

static bool is_only(const struct interval_set *set, unsigned int value)
{
	return set->count == 1 &&
	       interval_equal(set->items[0], (struct interval){ wide(value), wide(value) });
}

static bool says_family(const struct match_condition *condition, enum addr_family family)
{
	if (!strcmp(condition->key, "family"))
		return interval_contains(&condition->values, wide(family)) != condition->negated;
	if (condition->negated)
		return true;
	if (!strcmp(condition->key, "proto"))
		return !is_only(&condition->values,
				family == ADDR_IPV4 ? PROTOCOL_ICMPV6 : PROTOCOL_ICMP);
	if (strcmp(condition->key, "from") && strcmp(condition->key, "to"))
		return true;
	if (condition->reference_count || condition->specials ||
	    condition->addresses.family[family].count)
		return true;
	for (size_t i = 0; i < condition->masked_count; i++)
		if (condition->masked[i].family == family)
			return true;
	return false;
}

/* The first condition that leaves no packet of the family, or NULL. */
static const struct match_condition *excluder(const struct ast_rule *rule, enum addr_family family)
{
	for (size_t i = 0; i < rule->condition_count; i++)
		if (!says_family(rule->conditions[i], family))
			return rule->conditions[i];
	return NULL;
}

/* A family that the addresses leave out is none of the rule's. */
static void narrow_families(struct ast_rule *rule)
{
	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++) {
		const struct match_condition *condition = excluder(rule, family);

		rule->families[family] &= !condition || !strcmp(condition->key, "proto");
	}
}

static bool check_families(struct diag *diag, const struct ast_policy *policy,
			   struct ast_rule *rule)
{
	const struct match_condition *not4 = excluder(rule, ADDR_IPV4);
	const struct match_condition *not6 = excluder(rule, ADDR_IPV6);
	struct diag_record *record;

	/* Without any family left, `family` itself was wrong. */
	if (!rule->families[ADDR_IPV4] && !rule->families[ADDR_IPV6])
		return true;
	if (not4 && !not6 && policy->settings.ipv6 == IPV6_OFF)
		return diag_refuse(diag, DIAG_impossible, not4->span,
				   "this is about IPv6, which the policy leaves alone",
				   "remove the rule, or `ipv6: off` from the settings");
	if (!not4 || !not6 || not4 == not6) {
		narrow_families(rule);
		return true;
	}
	record = diag_add(diag, DIAG_impossible, not6->span,
			  "`%s` is about IPv4 here, and `%s` about IPv6: no packet is both",
			  not6->key, not4->key);
	diag_also(record, not4->span, "this is IPv6");
	diag_help(record, "%s",
		  is_only(&rule->protocols, PROTOCOL_ICMP) ||
				  is_only(&rule->protocols, PROTOCOL_ICMPV6)
			  ? "ICMP is `icmp` in IPv4 and `icmpv6` in IPv6; write a rule for each family"
			  : "write a rule for each family, with the addresses of that family");
	return false;
}

/* ---- states ---- */

/* Does the action need the first packet of a connection? What goes direct may be in the middle of
 * one that is older than the policy. */
static bool needs_first(const struct ast_then *then)
{
	return ast_chooses_target(then) && then->action != THEN_DIRECT;
}

static bool check_state(struct diag *diag, const struct ast_rule *rule)
{
	const struct match_condition *state = ast_condition(rule, "state");
	enum ast_action action = rule->then->action;
	uint32_t all = STATE_NEW | STATE_ESTABLISHED | STATE_RELATED | STATE_INVALID, wanted;

	if (!state)
		return true;
	wanted = state->negated ? all & ~state->mask : state->mask;
	if (!wanted)
		return diag_refuse(diag, DIAG_impossible, state->span,
				   "every packet is in one of these states",
				   "remove `state`, or leave one of them out");
	if (!needs_first(rule->then) || (wanted & (STATE_NEW | STATE_RELATED)))
		return true;
	if (wanted & STATE_ESTABLISHED)
		return diag_refuse(
			diag, DIAG_impossible, state->span,
			"a connection keeps the way of its first packet, which is never established",
			"write `state: new`, or leave `state` out: the packets that follow go the same way");
	return action == THEN_MARK ||
	       diag_refuse(diag, DIAG_impossible, state->span,
			   "an invalid packet belongs to no connection that could be sent a way",
			   "use `drop`, `reject` or `direct`");
}

/* ---- interfaces and destinations ---- */

/* Does `to` name destinations of this kind alone? */
static bool goes_only(const struct ast_rule *rule, unsigned int special)
{
	const struct match_condition *to = ast_condition(rule, "to");

	return to && !to->negated && to->specials == special && !to->reference_count &&
	       !to->masked_count && addr_set_is_empty(&to->addresses);
}

static bool is_loopback(const struct match_condition *condition)
{
	return condition && !condition->negated && condition->name_count == 1 &&
	       !strcmp(condition->names[0], "lo");
}

static bool check_places(struct diag *diag, const struct ast_rule *rule)
{
	const struct match_condition *in = ast_condition(rule, "in");
	const struct match_condition *out = ast_condition(rule, "out");
	enum ast_action action = rule->then->action;
	bool good = true;

	if (is_loopback(in))
		good = diag_refuse(diag, DIAG_impossible, in->span,
				   "what comes by lo was sent by this host itself",
				   "use `scope: local` to meet it as it is sent");
	if (out && !out->negated && !is_loopback(out) && goes_only(rule, SPECIAL_LOCAL))
		good = diag_refuse(diag, DIAG_impossible, out->span,
				   "what goes to this host leaves by no interface",
				   "remove `out`, or `local` from `to`");
	if ((action == THEN_ROUTE || action == THEN_BALANCE) && (rule->scopes & SCOPE_FORWARD) &&
	    goes_only(rule, SPECIAL_BROADCAST))
		good = diag_refuse(diag, DIAG_impossible, rule->then->span,
				   "a broadcast never leaves the network that it was sent in",
				   "remove the rule, or use `drop` or `direct`");
	return good;
}

static bool refuse_own_bits(struct diag *diag, struct span span, uint32_t own)
{
	diag_help(diag_add(diag, DIAG_number_conflict, span,
			   "the policy writes the bits 0x%08x of connections' marks itself", own),
		  "use other bits, or move the policy's with `settings: {mark_mask: ...}`");
	return false;
}

bool check_then_mark(struct diag *diag, const struct ast_policy *policy,
		     const struct ast_then *then)
{
	uint32_t own = (uint32_t)policy->settings.mark_mask;
	uint32_t bits = then->mark.mask == UINT32_MAX ? then->mark.value : then->mark.mask;

	return !then->connection || !(bits & own) || refuse_own_bits(diag, then->mark.span, own);
}

/* The policy's own bits of a connection's mark hold what it notes there itself. */
static bool check_connection_mark(struct diag *diag, const struct ast_policy *policy,
				  const struct ast_rule *rule)
{
	struct match_condition *asked = ast_condition(rule, "ctmark");
	uint32_t own = (uint32_t)policy->settings.mark_mask;
	bool good = true;

	if (!asked)
		return true;
	if (asked->mask == UINT32_MAX)
		asked->mask = ~own;
	for (size_t i = 0; i < asked->values.count; i++)
		good &= !((asked->values.items[i].first.low | asked->values.items[i].last.low) &
			  own);
	return (good && !(asked->mask & own)) || refuse_own_bits(diag, asked->span, own);
}

bool check_conflicts(struct diag *diag, const struct ast_policy *policy, struct ast_rule *rule)
{
	bool good = check_families(diag, policy, rule);

	good &= check_state(diag, rule);
	good &= check_places(diag, rule);
	good &= check_connection_mark(diag, policy, rule);
	return good;
}
