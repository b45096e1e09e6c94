/*
 * lower/unmarked: what holds without nft.
 *
 * Marks are given by nft, so without its table all packets are unmarked, and ip rules that ask for
 * marks take none. Where the last word about what comes in by an interface is a target that
 * refuses, ip rules by that interface refuse what carries no mark at all (lower/ip_rule.c). So
 * whatever the rules leave alone there gets a mark of its own, which no ip rule asks for: it goes
 * by the host's own rules as before.
 */
#include <fnmatch.h>
#include <string.h>

#include "base/arena.h"
#include "lang/lower/lower.h"
#include "match/kinds.h"

/* After the chains of all programs that translate or mark; see nft(8) for theirs. */
enum { PRIORITY_LAST = 300 };

/* ---- which interfaces ---- */

/* The target that the action ends in, where it refuses what it has no route for; or NULL. */
static const struct lower_target *refusing_target(struct lower *lower, const struct ast_then *then)
{
	const struct lower_target *target = NULL;

	if (!then || (then->action != THEN_ROUTE && then->action != THEN_BALANCE))
		return NULL;
	for (size_t i = 0; i < then->target_count; i++) {
		target = then->action == THEN_ROUTE
				 ? lower_target_of(lower, then)
				 : lower_table_target(lower, then->targets[i].name);
		if (!target || target->names_main || target->fallback == FALLBACK_MAIN)
			return NULL;
	}
	return target;
}

static bool names(const struct match_condition *in, const char *dev)
{
	for (size_t i = 0; i < in->name_count; i++)
		if (!fnmatch(in->names[i], dev, 0))
			return true;
	return false;
}

/* Does the rule take every packet that comes in by the interface and is to be forwarded? */
static bool takes_all(const struct ast_rule *rule, const char *dev)
{
	const struct match_condition *in = ast_condition(rule, "in");

	if (!(rule->scopes & SCOPE_FORWARD) || rule->limit.rate || rule->cut_protocols.count ||
	    rule->cut_families[ADDR_IPV4] || rule->cut_families[ADDR_IPV6] ||
	    rule->then->action == THEN_CONTINUE || rule->condition_count > (in ? 1 : 0))
		return false;
	return !in || (!in->negated && names(in, dev));
}

static const struct lower_target *last_word(struct lower *lower, const char *dev)
{
	const struct ast_policy *policy = lower->policy;

	for (size_t i = 0; i < policy->rule_count; i++)
		if (takes_all(&policy->rules[i], dev))
			return refusing_target(lower, policy->rules[i].then);
	return refusing_target(lower, policy->default_forward);
}

static void consider(struct lower *lower, const char *dev)
{
	const struct lower_target *target = last_word(lower, dev);

	for (size_t i = 0; i < lower->unmarked_count; i++)
		if (!strcmp(lower->unmarked[i].dev, dev))
			return;
	if (target && !strchr(dev, '*') && strcmp(dev, "lo") != 0)
		*arena_append(lower->arena, lower->unmarked, lower->unmarked_count) =
			(struct lower_unmarked){ dev, target };
}

void lower_find_unmarked(struct lower *lower)
{
	const struct ast_policy *policy = lower->policy;

	if (!lower_has_mark(lower))
		return;
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct match_condition *in = ast_condition(&policy->rules[i], "in");

		for (size_t k = 0; in && !in->negated && k < in->name_count; k++)
			consider(lower, in->names[k]);
	}
	if (lower->unmarked_count)
		lower->direct_mark = lower_draw_mark(lower, "direct/unmarked",
						     lower->unmarked[0].target->origin);
}

/* ---- the mark ---- */

void lower_mark_unmarked(struct lower *lower)
{
	const char **devs = NULL;
	size_t count = 0;
	struct ir_rule *rule;

	for (size_t i = 0; i < lower->unmarked_count; i++)
		*arena_append(lower->arena, devs, count) = lower->unmarked[i].dev;
	if (!count)
		return;
	rule = lower_guarantee(lower,
			       lower_base_chain(lower, "unmarked", IR_CHAIN_FILTER,
						IR_HOOK_PREROUTING, PRIORITY_LAST,
						"what is about to be routed"),
			       "left alone, so no ip rule refuses it for having no mark");
	lower_match(lower, rule, interface_match(INTERFACE_IN, devs, count, false));
	lower_match(lower, rule, mark_match(lower->arena, MARK_PACKET, 0, UINT32_MAX));
	lower_set_mark(lower, rule, lower->direct_mark, UINT32_MAX);
}

void lower_describe_unmarked(struct lower *lower)
{
	struct ir *ir = lower->ir;

	if (!lower->unmarked_count)
		return;
	*arena_append(lower->arena, ir->classes, ir->class_count) = (struct ir_class){
		.kind = IR_CLASS_DIRECT,
		.name = "direct",
		.mark = lower->direct_mark,
		.mask = lower_mark_mask(lower),
		.origin = lower->unmarked[0].target->origin,
	};
}
