/*
 * lower/dynamic: sets that are filled at run time.
 *
 * Their names in nft are an interface that resolvers and scripts write to, so both families are
 * always there. Everything else asks for them by name, like any other set.
 */
#include "base/arena.h"
#include "lang/lower/lower.h"

static void lower_dynamic_set(struct lower *lower, const struct ast_set *set,
			      enum addr_family family)
{
	bool is_ipv4 = family == ADDR_IPV4;
	bool is_resolved = is_ipv4 || lower->policy->settings.ipv6 != IPV6_OFF;

	lower_add_set(lower, (struct ir_set){
				     .base = arena_printf(lower->arena, "%s_v%c", set->name,
							  addr_digit(family)),
				     .type = is_ipv4 ? IR_SET_IPV4 : IR_SET_IPV6,
				     .elements = set->contents.family[family],
				     .origin = set->span,
				     .dynamic = true,
				     .timeout = set->timeout,
				     .size = set->size,
				     .domains = set->domains,
				     .domain_count = is_resolved ? set->domain_count : 0,
			     });
}

void lower_dynamic_sets(struct lower *lower)
{
	for (size_t i = 0; i < lower->policy->set_count; i++)
		for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++)
			if (lower->policy->sets[i].dynamic)
				lower_dynamic_set(lower, &lower->policy->sets[i], family);
}
