/*
 * onward: what a proxy on another host sends on through this one: it looks like what the proxy was
 * handed, but for where it comes from.
 */
#ifndef TPC_LANG_STATIC_ONWARD_H
#define TPC_LANG_STATIC_ONWARD_H

#include "lang/static/tunnel.h"

/* The nth listener that the rule hands packets of the family to, if it is on another host; NULL
 * where there is none, or where it says by which source ports it sends. */
const struct ast_listener *onward_of(const struct ast_rule *rule, enum addr_family family,
				     size_t nth);
/* May what a listener was handed by the first rule, and sends on from this address, be the other's?
 */
bool onward_takes(struct checks *checks, const struct ast_rule *handed, const struct ast_rule *rule,
		  struct addr addr);

/* An address that a rule takes nothing from, lest a listener gets what it sends itself. */
struct onward {
	struct addr addr;
	const struct ast_listener *listener; /* whose address it is */
};

/*
 * Those of a rule: of its own listeners, and of those that a rule before it hands the same packets
 * to, where the two would go on handing them to each other. The rule is one of the policy's, or a
 * default.
 */
struct onward *onward_excepted(struct arena *arena, struct ast_policy *policy,
			       const struct ast_rule *rule, enum addr_family family, size_t *count);

#endif
