/*
 * lower/ingress: by which interfaces the packets come in that rules send to a target.
 */
#include "base/names.h"
#include "lang/lower/lower.h"

static bool leads_to(struct lower *lower, const struct ast_then *then,
		     const struct lower_target *target)
{
	const struct lower_target *chosen;
	const struct ast_target *shares;
	size_t count;

	if (!then)
		return false;
	shares = ast_shares(then, &count);
	for (size_t i = 0; i < count; i++) {
		chosen = lower_share_target(lower, &shares[i]);
		if (chosen && (chosen == target || chosen->inbound == target))
			return true;
	}
	if (then->action != THEN_PROXY && then->action != THEN_ROUTE)
		return false;
	chosen = lower_target_of(lower, then);
	return chosen == target || (chosen && chosen->inbound == target);
}

struct lower_ingress lower_ingress(struct lower *lower, const struct lower_target *target)
{
	static const struct lower_ingress any;
	const struct ast_policy *policy = lower->policy;
	struct lower_ingress found = { 0 };

	if (leads_to(lower, policy->default_forward, target))
		return any;
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct ast_rule *rule = &policy->rules[i];
		const struct match_condition *in = ast_condition(rule, "in");

		if (!(rule->scopes & SCOPE_FORWARD) || !leads_to(lower, rule->then, target))
			continue;
		if (!ast_names_source(rule))
			return any;
		for (size_t k = 0; k < in->name_count; k++)
			names_add(lower->arena, &found.devs, &found.count, in->names[k]);
	}
	return found;
}

bool lower_takes_loopback(const struct lower_target *target)
{
	return target->listener && target->listener->mode == MODE_DNAT && target->forward &&
	       target->families[ADDR_IPV4] && addr_is_loopback(target->listener->addr[ADDR_IPV4]);
}

struct lower_ingress lower_loopback_ingress(struct lower *lower)
{
	struct lower_ingress all = { 0 };

	for (size_t i = 0; i < lower->target_count; i++) {
		struct lower_ingress from = { 0 };

		if (lower_takes_loopback(lower->targets[i]))
			from = lower_ingress(lower, lower->targets[i]);
		for (size_t k = 0; k < from.count; k++)
			names_add(lower->arena, &all.devs, &all.count, from.devs[k]);
	}
	return all;
}
