/*
 * static/family: IPv6 that goes past rules which capture IPv4 alone.
 *
 * In go the rules, out comes one warning, at the first such rule. It is none where the author wrote
 * `family: ipv4`, where the settings say what IPv6 does, or where another rule, or a default, is
 * about the same packets of IPv6: one that asks nothing which the rule does not ask, too, or that
 * names the family.
 */
#include <string.h>

#include "addr/builtin.h"
#include "base/diag.h"
#include "lang/static/static.h"
#include "lang/static/share.h"
#include "lang/static/tunnel.h"
#include "match/kinds.h"

/* ---- families ---- */

/* Can an address of the family fit? What a set holds at run time is not known. */
static bool may_hold(struct checks *checks, const struct match_condition *condition,
		     enum addr_family family)
{
	const struct interval_set *set;

	if (!condition || condition->negated || condition->specials || condition->masked_count)
		return true;
	for (size_t i = 0; i < condition->reference_count; i++) {
		const struct ast_set *named =
			ast_set_find(checks->policy, condition->references[i].name);

		if (named && named->dynamic)
			return true;
	}
	for (size_t i = 0; (set = static_part(checks, condition, family, i)); i++)
		if (set->count)
			return true;
	return false;
}

bool static_is_about(struct checks *checks, const struct ast_rule *rule, enum addr_family family)
{
	return rule->families[family] && may_hold(checks, ast_condition(rule, "to"), family) &&
	       may_hold(checks, ast_condition(rule, "from"), family);
}

/* ---- what else there is about IPv6 ---- */

static bool captures(const struct ast_then *then)
{
	return then->action != THEN_DIRECT && then->action != THEN_ANSWER &&
	       then->action != THEN_CONTINUE;
}

/* Does the other rule ask this only where the first asks it, too? */
static bool asks_no_more(const struct ast_rule *rule, const struct ast_rule *other,
			 const struct match_condition *condition)
{
	const struct match_condition *own = ast_condition(rule, condition->key);

	if (!strcmp(condition->key, "proto"))
		return own || interval_contains(&other->protocols, wide(PROTOCOL_TCP));
	if (condition->kind->names_interfaces)
		return own && static_names_meet(own, condition);
	return own || !strcmp(condition->key, "family");
}

/* Is the other rule about IPv6 of the same packets? */
static bool is_counterpart(struct checks *checks, const struct ast_rule *rule,
			   const struct ast_rule *other)
{
	if (!static_is_about(checks, other, ADDR_IPV6) || !(rule->scopes & other->scopes))
		return false;
	if (!other->families[ADDR_IPV4] && ast_condition(other, "family"))
		return true;
	if (!captures(other->then) && static_is_about(checks, other, ADDR_IPV4))
		return false;
	for (size_t i = 0; i < other->condition_count; i++)
		if (!asks_no_more(rule, other, other->conditions[i]))
			return false;
	return true;
}

static bool default_captures(const struct ast_policy *policy, enum ir_scope scopes)
{
	return (scopes & SCOPE_FORWARD && policy->default_forward &&
		captures(policy->default_forward)) ||
	       (scopes & SCOPE_LOCAL && policy->default_local && captures(policy->default_local));
}

/* Does anything do something else with IPv6 than let it go, or name it? */
static bool speaks_of_ipv6(struct checks *checks)
{
	const struct ast_policy *policy = checks->policy;

	for (size_t i = 0; i < policy->rule_count; i++)
		if (static_is_about(checks, &policy->rules[i], ADDR_IPV6) &&
		    (captures(policy->rules[i].then) || ast_condition(&policy->rules[i], "family")))
			return true;
	return default_captures(policy, SCOPE_BOTH);
}

/* ---- rules about IPv4 alone ---- */

/* Few destinations may have no IPv6 at all; and who names an address of this host means it. */
static bool names_few(struct checks *checks, const struct ast_rule *rule)
{
	const struct match_condition *to = ast_condition(rule, "to");

	return (to && !static_is_wide(checks, to, ADDR_IPV4)) ||
	       (rule->scopes == SCOPE_LOCAL && ast_condition(rule, "from"));
}

static bool lets_ipv6_go(struct checks *checks, const struct ast_rule *rule, bool alone)
{
	const struct ast_policy *policy = checks->policy;
	enum ast_action action = rule->then->action;

	if (!static_is_about(checks, rule, ADDR_IPV4) || static_is_about(checks, rule, ADDR_IPV6) ||
	    !captures(rule->then) || ast_condition(rule, "family"))
		return false;
	if (alone)
		return true;
	if ((!ast_hands_over(rule->then) && action != THEN_ROUTE && action != THEN_BALANCE) ||
	    names_few(checks, rule) || default_captures(policy, rule->scopes))
		return false;
	for (size_t i = 0; i < policy->rule_count; i++)
		if (is_counterpart(checks, rule, &policy->rules[i]))
			return false;
	return true;
}

/* What to write where the rule's listener is the one that has no IPv6. A loopback address is none
 * for IPv6 that comes in: see check/then.c. */
static void help_listener(struct diag_record *record, const struct ast_rule *rule)
{
	const struct ast_listener *listener = ast_without_family(rule->then, ADDR_IPV6);
	const char *fix = "give the listener an IPv6 address, too: `{tproxy: {port: P, address: "
			  "[127.0.0.1, \"::1\"]}}`";

	diag_also(record, listener->mode_span, "the listener \"%s\" has no IPv6 address",
		  listener->name);
	if (listener->mode == MODE_DNAT)
		fix = "give the listener an IPv6 address, too: `{dnat: [\"ADDR:PORT\", "
		      "\"[ADDR]:PORT\"]}`";
	if (listener->mode == MODE_DNAT && addr_is_loopback(listener->addr[ADDR_IPV4]) &&
	    (rule->scopes & SCOPE_FORWARD))
		fix = "use `{redirect: PORT}`, which takes IPv6, too";
	diag_help(record,
		  "%s; or say what is meant: `family: ipv4` in the rule, `settings: {ipv6: block}` "
		  "refuses IPv6, `settings: {ipv6: off}` leaves it alone",
		  fix);
}

static struct diag_record *report(struct diag *diag, const struct ast_rule *rule, bool alone)
{
	bool by_source = ast_condition(rule, "from") && !ast_condition(rule, "to");
	struct diag_record *record =
		diag_add(diag, DIAG_ipv6_uncovered, rule->span,
			 "this %s is about IPv4 alone: IPv6 %s the same %s goes its usual way",
			 alone ? "policy" : "rule", by_source ? "of" : "to",
			 by_source ? "hosts" : "services");

	if (rule->cut_families[ADDR_IPV6])
		help_listener(record, rule);
	else
		diag_help(record,
			  "name IPv6 %s too, or say what is meant: `family: ipv4` in the rule, "
			  "`settings: {ipv6: block}` refuses IPv6, `settings: {ipv6: off}` leaves it "
			  "alone",
			  by_source ? "sources" : "destinations");
	return record;
}

void static_families(struct checks *checks)
{
	const struct ast_policy *policy = checks->policy;
	bool alone = !speaks_of_ipv6(checks);
	const struct ast_rule *first = NULL, *second = NULL;
	struct diag_record *record;
	size_t more = 0;

	if (policy->settings.ipv6 != IPV6_ON)
		return;
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct ast_rule *rule = &policy->rules[i];

		if (!lets_ipv6_go(checks, rule, alone))
			continue;
		if (first && !second)
			second = rule;
		more += first != NULL;
		first = first ? first : rule;
	}
	if (!first)
		return;
	record = report(checks->diag, first, alone);
	if (more == 1)
		diag_also(record, second->span, "so is this rule");
	else if (more)
		diag_also(record, second->span, "so are this rule and %zu more", more - 1);
}
