/*
 * foreign_ip_rules: ip rules and routes of other programs that come between a policy and its
 * packets.
 *
 * Nothing of it is ours to change, so all of it is a warning: the rule's or the route's text, where
 * it stands, and what to do.
 */
#ifndef TPC_HOST_FOREIGN_IP_RULES_H
#define TPC_HOST_FOREIGN_IP_RULES_H

#include <stddef.h>
#include <stdint.h>

struct arena;
struct ir_ip_rule;
struct observed;
struct record_claim;
struct report;

struct foreign_ip_rules_policy {
	const struct record_claim *claim;
	const struct ir_ip_rule *ip_rules; /* the policy's own */
	size_t ip_rule_count;
	uint32_t mark_mask; /* where ip_rules are not known: the bits that marks may have */
};

/* Rules in front of the policy's that could take a packet with one of its marks, and rules that
 * send others' packets by its own tables. */
void foreign_ip_rules_find(struct report *report, const struct foreign_ip_rules_policy *policy,
			   const struct observed *observed);
/* What an apply refuses, and what may have come since: rules among the policy's, routes in its
 * tables. */
void foreign_ip_rules_find_inside(struct report *report,
				  const struct foreign_ip_rules_policy *policy,
				  const struct observed *observed);

#endif
