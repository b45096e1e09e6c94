/*
 * static/onward_check: what a proxy on another host sends on through this one, and the rules that
 * take it.
 *
 * In go the rules and defaults, out comes a warning for each listener whose own connections a rule
 * after the one that hands to it would take or drop. None of a listener that says by which source
 * ports they are known.
 */
#include <string.h>

#include "base/diag.h"
#include "lang/static/onward.h"
#include "lang/static/static.h"

static void add_fixes(struct diag_record *record, const struct ast_listener *listener,
		      struct addr addr)
{
	char text[ADDR_TEXT];

	diag_also(record, listener->span, "nothing here tells its own connections from the rest%s",
		  listener->runs_as.count ? ": who sends is known on its own host alone" : "");
	diag_help(record,
		  "write `runs_as: {port: N-M}` in the listener, with the source ports of its own "
		  "connections; or put `{from: \"%s\", then: direct}` before this",
		  addr_format(addr, text));
}

static const struct ast_listener *listener_at(const struct ast_rule *handed, struct addr addr)
{
	for (size_t i = 0; i < handed->then->hand_count; i++) {
		const struct ast_listener *listener = onward_of(handed, addr.family, i);

		if (listener && wide_equal(listener->addr[addr.family].bits, addr.bits))
			return listener;
	}
	return handed->then->listener;
}

static void takes(struct checks *checks, const struct ast_rule *handed, const struct ast_rule *rule,
		  struct addr addr)
{
	const struct ast_listener *listener = listener_at(handed, addr);
	char text[ADDR_TEXT];
	struct diag_record *record =
		diag_add(checks->diag, DIAG_onward, rule->then->span,
			 "this %s what the listener \"%s\" sends on from %s, too",
			 rule->then->action == THEN_DROP || rule->then->action == THEN_REJECT
				 ? "refuses"
				 : "takes",
			 listener->name, addr_format(addr, text));

	diag_also(record, handed->then->span, "it is handed the connections here");
	add_fixes(record, listener, addr);
}

/* Is this rule there to let the address go? */
static bool excepts(struct checks *checks, const struct ast_rule *handed,
		    const struct ast_rule *rule, struct addr addr)
{
	const struct match_condition *from = ast_condition(rule, "from");

	return rule->then->action == THEN_DIRECT && from && !from->negated &&
	       onward_takes(checks, handed, rule, addr);
}

enum next { GOES_ON, LET_GO, TAKEN };

static bool is_left(struct checks *checks, const struct ast_rule *rule, struct addr addr)
{
	size_t count;
	struct onward *excepted =
		onward_excepted(checks->arena, checks->policy, rule, addr.family, &count);

	for (size_t i = 0; i < count; i++)
		if (wide_equal(excepted[i].addr.bits, addr.bits))
			return true;
	return false;
}

/* A rule about a few destinations among many, as one that blocks them, is meant for all. */
static bool is_about_few(struct checks *checks, const struct ast_rule *handed,
			 const struct ast_rule *rule, enum addr_family family)
{
	const struct match_condition *all = ast_condition(handed, "to"),
				     *to = ast_condition(rule, "to");

	return to && !static_is_wide(checks, to, family) &&
	       (!all || static_is_wide(checks, all, family));
}

/* The first rule after the one that hands over that does not pass it on is what counts. */
static enum next judge_next(struct checks *checks, const struct ast_rule *handed,
			    const struct ast_rule *rule, struct addr addr)
{
	enum ast_action action = rule->then->action;

	if (action == THEN_CONTINUE || !onward_takes(checks, handed, rule, addr) ||
	    is_left(checks, rule, addr) || is_about_few(checks, handed, rule, addr.family))
		return GOES_ON;
	if (action == THEN_DIRECT)
		return excepts(checks, handed, rule, addr) || !rule->condition_count ? LET_GO
										     : GOES_ON;
	takes(checks, handed, rule, addr);
	return TAKEN;
}

static bool is_excepted(struct checks *checks, const struct ast_rule *handed, size_t before,
			struct addr addr)
{
	for (size_t i = 0; i < before; i++)
		if (excepts(checks, handed, &checks->policy->rules[i], addr))
			return true;
	return false;
}

static enum next judge(struct checks *checks, size_t order, enum addr_family family,
		       const struct ast_listener *listener)
{
	const struct ast_policy *policy = checks->policy;
	const struct ast_rule *handed = &policy->rules[order];
	enum next next = GOES_ON;

	if (is_excepted(checks, handed, order, listener->addr[family]))
		return LET_GO;
	for (size_t i = order + 1; i < policy->rule_count && next == GOES_ON; i++)
		next = judge_next(checks, handed, &policy->rules[i], listener->addr[family]);
	if (next == GOES_ON && policy->default_rules[0])
		next = judge_next(checks, handed, policy->default_rules[0], listener->addr[family]);
	return next;
}

/* One for each listener is enough. */
void static_onwards(struct checks *checks)
{
	const struct ast_policy *policy = checks->policy;
	const struct ast_listener *last = NULL;

	for (size_t i = 0; i < policy->rule_count; i++)
		for (size_t k = 0; k < policy->rules[i].then->hand_count * ADDR_FAMILIES; k++) {
			enum addr_family family = (enum addr_family)(k % ADDR_FAMILIES);
			const struct ast_listener *listener =
				onward_of(&policy->rules[i], family, k / ADDR_FAMILIES);

			if (listener && listener != last &&
			    judge(checks, i, family, listener) == TAKEN)
				last = listener;
		}
}
