/*
 * static/source: rules that send what this host itself sends by a table, with the source address
 * that was chosen for the route it would have taken before.
 *
 * In go the rules and defaults, out comes a warning for each that may send such packets out by a
 * table which neither masquerades nor has a `snat` of their family. None where the rule names the
 * address in `from`: then it is meant. Nothing leaves by a table that has no next hop.
 */
#include <string.h>

#include "base/diag.h"
#include "lang/check/check.h"
#include "lang/static/static.h"
#include "lang/static/tunnel.h"

static bool names_source(struct checks *checks, const struct ast_rule *rule)
{
	const struct match_condition *from = ast_condition(rule, "from");

	return from && !from->negated && !static_is_wide(checks, from, ADDR_IPV4) &&
	       !static_is_wide(checks, from, ADDR_IPV6);
}

static void report(struct checks *checks, const struct ast_rule *rule,
		   const struct ast_table *table, enum addr_family family)
{
	bool is_one = table->snat.span.source || ast_masquerades(table);
	const char *other = !is_one ? "" : family == ADDR_IPV6 ? "IPv6 " : "IPv4 ";
	struct diag_record *record =
		diag_add(checks->diag, DIAG_needs_masquerade, rule->then->name_span,
			 "the host's own %spackets keep the source address of their old way out",
			 other);

	diag_also(record, table->span, "the table \"%s\" does not change it", table->name);
	if (family == ADDR_IPV6 && table->npt_count)
		diag_help(record,
			  "`nptv6` changes addresses in its `inside` alone: name them in `from`, and have "
			  "programs bind to one");
	else if (table->snat.span.source)
		diag_help(record,
			  "add an address to `snat` for %s, unless the other end knows that address",
			  addr_family_name(family));
	else
		diag_help(record,
			  "add `masquerade: true` to the table, unless the other end knows that address");
}

static void judge_table(struct checks *checks, const struct ast_rule *rule,
			const struct ast_table *table)
{
	int family = 0;

	while (family < ADDR_FAMILIES && (table->snat.has[family] || table->masquerades[family] ||
					  !check_leads_out(table, (enum addr_family)family) ||
					  !static_is_about(checks, rule, (enum addr_family)family)))
		family++;
	if (family < ADDR_FAMILIES)
		report(checks, rule, table, (enum addr_family)family);
}

static void judge(struct checks *checks, const struct ast_rule *rule)
{
	const struct ast_then *then = rule->then;

	if (!(rule->scopes & SCOPE_LOCAL) || names_source(checks, rule))
		return;
	for (size_t i = 0; i < then->hand_count; i++)
		if (then->hands[i].listener->via && !then->hands[i].listener->masquerade)
			judge_table(checks, rule, then->hands[i].listener->via);
	for (size_t i = 0; i < then->target_count; i++) {
		const struct ast_table *table =
			ast_table_find(checks->policy, then->targets[i].name);

		/* What the host sends has a route of the main table, or is not sent at all. */
		if (!table && then->action == THEN_ROUTE)
			return;
		if (table)
			judge_table(checks, rule, table);
	}
}

void static_sources(struct checks *checks)
{
	const struct ast_policy *policy = checks->policy;

	for (size_t i = 0; i < policy->rule_count; i++)
		judge(checks, &policy->rules[i]);
	if (policy->default_rules[1])
		judge(checks, policy->default_rules[1]);
}
