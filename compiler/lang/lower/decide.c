/*
 * lower/decide: the first packet decides for its connection.
 *
 * Where a rule could answer otherwise for a later packet (lower/state.c), where the first packet
 * goes is saved in the connection's mark, and later packets follow it without meeting the rules
 * again. Drops and rejects above the rule that decided are still evaluated: a decision below some
 * of them goes through a chain of those first ("kept").
 */
#include "base/arena.h"
#include "lang/lower/lower.h"

/* ---- saving ---- */

/* Where packets of connections with the decision go. */
static const char *chain_of(const struct lower_decision *decision)
{
	return decision->remember ? decision->remember : decision->chain;
}

const char *lower_decide(struct lower *lower, const struct lower_block *block,
			 const struct lower_target *target, const char *to, const char *first)
{
	size_t decision = lower_decision(lower, block, to);
	const char *name = arena_printf(lower->arena, "decide_%s%s%s", first == to ? "" : "try_",
					lower_decision_name(lower, decision),
					lower->relates && block->asks_state ? ".as_told" : "");
	struct ir_chain *chain = lower_find_chain(lower, name);
	struct ir_rule *rule;

	if (chain)
		return chain->name;
	chain = lower_chain(lower, name, "the first packet decides for the whole connection");
	if (!block->asks_state)
		lower_follow(lower, chain);
	lower_save_decision(lower, chain, block, decision);
	lower->decisions[decision - 1].target = target;
	lower_remember(lower, decision, target);
	rule = lower_guarantee(lower, chain, NULL);
	lower_end(lower, rule, first == to ? chain_of(&lower->decisions[decision - 1]) : first);
	return name;
}

/* ---- restoring ---- */

static const char *prefilter_name(struct lower *lower, const struct lower_prefilter *prefilter)
{
	return arena_printf(lower->arena, "kept_%s", prefilter->name);
}

/* The decisions after just so many filters. */
static struct ir_statement decisions_below(struct lower *lower,
					   const struct lower_prefilter *prefilter, size_t filters)
{
	struct ir_statement dispatch = lower_new_dispatch(lower, true);

	for (size_t i = 0; i < lower->connmark_count; i++) {
		const struct lower_decision *decision = lower_decided(lower, i);

		if (decision && decision->prefilter == prefilter && decision->filters == filters)
			lower_add_case(lower, &dispatch, lower->connmarks[i].value,
				       chain_of(decision));
	}
	return dispatch;
}

/* Every filter once, and after it what was decided below it and above the next. */
static void fill_prefilter(struct lower *lower, const struct lower_prefilter *prefilter)
{
	struct ir_chain *chain = NULL;
	size_t last = 0;

	for (size_t i = 0; i < lower->decision_count; i++)
		if (lower->decisions[i].prefilter == prefilter &&
		    lower->decisions[i].filters > last)
			last = lower->decisions[i].filters;
	if (last)
		chain = lower_chain(
			lower, prefilter_name(lower, prefilter),
			"kept connections meet what drops and rejects above the rule that decided");
	for (size_t i = 0; i < last; i++) {
		lower_copy_rules(lower, chain, prefilter->filters[i]);
		lower_dispatch(lower, chain, decisions_below(lower, prefilter, i + 1), NULL);
	}
}

void lower_restore(struct lower *lower, struct ir_chain *chain, enum ir_scope scope)
{
	struct ir_statement dispatch = lower_new_dispatch(lower, true);

	for (size_t i = 0; i < lower->connmark_count; i++) {
		const struct lower_decision *decision = lower_decided(lower, i);

		if (decision && decision->scope == scope)
			lower_add_case(lower, &dispatch, lower->connmarks[i].value,
				       decision->prefilter
					       ? prefilter_name(lower, decision->prefilter)
					       : chain_of(decision));
	}
	lower_dispatch(lower, chain, dispatch, "a connection keeps the way its first packet got");
	for (size_t i = 0; i < lower->prefilter_count; i++)
		if (lower->prefilters[i]->scope == scope)
			fill_prefilter(lower, lower->prefilters[i]);
}

static const char *reply_chain(const struct lower *lower, size_t uplink)
{
	return uplink > lower->uplink_count ? lower_spoofed
					    : lower->uplinks[uplink - 1].reply->chain;
}

void lower_restore_uplinks(struct lower *lower, struct ir_chain *chain)
{
	struct ir_statement dispatch = lower_new_dispatch(lower, true);

	for (size_t i = 0; i < lower->connmark_count; i++)
		if (lower->connmarks[i].uplink)
			lower_add_case(lower, &dispatch, lower->connmarks[i].value,
				       reply_chain(lower, lower->connmarks[i].uplink));
	lower_dispatch(lower, chain, dispatch,
		       lower->uplink_count
			       ? "replies leave through the uplink that the request came in on"
			       : NULL);
}
