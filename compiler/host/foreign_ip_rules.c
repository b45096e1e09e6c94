/*
 * foreign_ip_rules: finds the foreign ip rules that a policy's packets meet
 * before its own (see foreign_ip_rules.h). In go what was observed and what the policy has taken,
 * out come warnings.
 *
 * A rule that waits for a bit which no policy of ours sets (another program's mark) takes nothing
 * of ours.
 */
#include "host/foreign_ip_rules.h"

#include <inttypes.h>
#include <stdbool.h>

#include <linux/rtnetlink.h>

#include "base/arena.h"
#include "base/report.h"
#include "host/host.h"
#include "ir/ir.h"

/* `from all lookup local`, wherever it stands: only the host's own addresses are in that table. */
static bool is_lookup_local(const struct ip_rule_seen *seen)
{
	return !seen->is_other && !seen->rule.mask && seen->rule.action == IR_RULE_LOOKUP &&
	       seen->rule.table == RT_TABLE_LOCAL;
}

/* Could a packet with this mark, and any bits beside its mask, carry what the rule asks for? Not
 * where the rule asks for a bit beside it that another program must have set. */
static bool meets_mark(const struct ir_ip_rule *rule, uint32_t mark, uint32_t mask)
{
	if (rule->mark & rule->mask & ~mask)
		return false;
	return ((rule->mark ^ mark) & rule->mask & mask) == 0;
}

/* Does every packet with this mark carry what the rule asks for? */
static bool always_meets_mark(const struct ir_ip_rule *rule, uint32_t mark, uint32_t mask)
{
	return !(rule->mask & ~mask) && meets_mark(rule, mark, mask);
}

static bool takes_mark(const struct ip_rule_seen *seen, uint32_t mark, uint32_t mask)
{
	if (!seen->rule.mask)
		return true;
	if (seen->is_negated)
		return seen->has_selector || !always_meets_mark(&seen->rule, mark, mask);
	return meets_mark(&seen->rule, mark, mask);
}

/* Could the rule take a packet that the policy has marked? */
static bool takes_ours(const struct foreign_ip_rules_policy *policy,
		       const struct ip_rule_seen *seen)
{
	if (seen->is_idle || is_lookup_local(seen))
		return false;
	if (!policy->ip_rule_count)
		return seen->is_negated || !(seen->rule.mark & ~policy->mark_mask);
	for (size_t i = 0; i < policy->ip_rule_count; i++) {
		const struct ir_ip_rule *own = &policy->ip_rules[i];

		if (own->family == seen->rule.family && !own->iif && !own->oif &&
		    takes_mark(seen, own->mark, own->mask))
			return true;
	}
	return false;
}

static bool is_in_front(const struct foreign_ip_rules_policy *policy,
			const struct observed *observed, const struct ip_rule_seen *seen)
{
	return policy->claim->priority_first &&
	       seen->rule.priority < policy->claim->priority_first &&
	       !host_owns_rule(observed, seen) &&
	       !host_priority_owner(observed, seen->rule.priority) && takes_ours(policy, seen);
}

/* The first priority of a block that lies before all rules in question, a round number where there
 * is one; 0 when there is no room. */
static uint32_t room_before(const struct foreign_ip_rules_policy *policy,
			    const struct observed *observed)
{
	const struct record_claim *claim = policy->claim;
	uint32_t size = claim->priority_last - claim->priority_first + 1;
	uint32_t lowest = claim->priority_first;

	for (size_t i = 0; i < observed->rules.count; i++)
		if (is_in_front(policy, observed, &observed->rules.items[i]) &&
		    observed->rules.items[i].rule.priority < lowest)
			lowest = observed->rules.items[i].rule.priority;
	if (lowest <= size)
		return 0;
	lowest -= size;
	return lowest >= 200 ? lowest - lowest % 100 : lowest;
}

static void tell_in_front(struct report *report, const struct foreign_ip_rules_policy *policy,
			  const struct ip_rule_seen *seen, uint32_t room)
{
	struct diag_record *line = report_add(report, SEVERITY_WARNING, DIAG_foreign_ip_rule,
					      "a foreign IPv%c rule at priority %" PRIu32
					      " comes before the policy's (%" PRIu32 "-%" PRIu32
					      ") and can match packets with the policy's marks: %s",
					      addr_digit(seen->rule.family), seen->rule.priority,
					      policy->claim->priority_first,
					      policy->claim->priority_last, seen->text);

	diag_help_text(line,
		       room ? arena_printf(report->arena,
					   "remove that rule, or write `settings: {priority: %" PRIu32
					   "}` in the policy, so that its rules come first",
					   room)
			    : "remove that rule, or add it again with a greater priority");
}

/* A foreign rule that leads to a table of the policy's. */
static bool uses_table(const struct foreign_ip_rules_policy *policy,
		       const struct observed *observed, const struct ip_rule_seen *seen)
{
	return seen->is_lookup && record_claims_table(policy->claim, seen->rule.table) &&
	       !host_owns_rule(observed, seen);
}

void foreign_ip_rules_find(struct report *report, const struct foreign_ip_rules_policy *policy,
			   const struct observed *observed)
{
	uint32_t room = room_before(policy, observed);

	for (size_t i = 0; i < observed->rules.count; i++) {
		const struct ip_rule_seen *seen = &observed->rules.items[i];

		if (is_in_front(policy, observed, seen))
			tell_in_front(report, policy, seen, room);
		if (uses_table(policy, observed, seen))
			diag_help_text(
				report_add(report, SEVERITY_WARNING, DIAG_foreign_ip_rule,
					   "a foreign IPv%c rule sends packets to the policy's table %" PRIu32
					   ": %s",
					   addr_digit(seen->rule.family), seen->rule.table,
					   seen->text),
				"remove that rule, or give the policy other table ids (`settings: {table_ids: ...}`, or the table's `id:`)");
	}
}

void foreign_ip_rules_find_inside(struct report *report,
				  const struct foreign_ip_rules_policy *policy,
				  const struct observed *observed)
{
	const struct record_claim *claim = policy->claim;

	for (size_t i = 0; i < observed->rules.count; i++) {
		const struct ip_rule_seen *seen = &observed->rules.items[i];

		if (!claim->priority_first || seen->rule.priority < claim->priority_first ||
		    seen->rule.priority > claim->priority_last || host_owns_rule(observed, seen))
			continue;
		diag_help_text(report_add(report, SEVERITY_WARNING, DIAG_foreign_ip_rule,
					  "a foreign IPv%c rule is among the policy's (%" PRIu32
					  "-%" PRIu32 "): %s",
					  addr_digit(seen->rule.family), claim->priority_first,
					  claim->priority_last, seen->text),
			       "remove that rule, or write `settings: {priority: N}` in the policy with other numbers");
	}
	for (size_t i = 0; i < observed->routes.count; i++) {
		const struct route_seen *seen = &observed->routes.items[i];

		if (record_claims_table(claim, seen->route.table) &&
		    !host_owns_route(observed, seen))
			diag_help_text(report_add(report, SEVERITY_WARNING, DIAG_foreign_route,
						  "the policy's table %" PRIu32
						  " holds a foreign IPv%c route: %s",
						  seen->route.table, addr_digit(seen->route.family),
						  seen->text),
				       "remove that route, or give the policy other table ids (`settings: {table_ids: ...}`, or the table's `id:`)");
	}
}
