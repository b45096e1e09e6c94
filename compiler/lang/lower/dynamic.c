/*
 * lower/dynamic: sets that are filled at run time.
 *
 * Their names in nft are an interface that resolvers and scripts write to, so both families are
 * always there. Those of this host's addresses are ours to write to, and have a dot in their names.
 * Everything else asks for them by name, like any other set.
 */
#include "base/arena.h"
#include "lang/lower/lower.h"

const char *lower_set_base(struct lower *lower, const char *name, const struct ast_set *set,
			   enum addr_family family)
{
	return arena_printf(lower->arena, "%s%s_v%c", name, set && set->own_count ? ".host" : "",
			    addr_digit(family));
}

static void add_own(struct lower *lower, const struct ast_set *set, const char *base,
		    enum addr_family family)
{
	for (size_t i = 0; i < set->own_count; i++)
		*arena_append(lower->arena, lower->fills, lower->fill_count) = (struct ir_fill){
			.set = base,
			.name = set->name,
			.dev = set->own[i].dev,
			.kind = set->own[i].prefixes ? IR_FILL_PREFIXES : IR_FILL_ADDRESSES,
			.via.family = family,
			.origin = set->own[i].span,
		};
}

static void lower_dynamic_set(struct lower *lower, const struct ast_set *set,
			      enum addr_family family)
{
	const char *base = lower_set_base(lower, set->name, set, family);
	bool is_ipv4 = family == ADDR_IPV4;
	bool is_resolved = is_ipv4 || lower->policy->settings.ipv6 != IPV6_OFF;

	lower_add_set(lower, (struct ir_set){
				     .base = base,
				     .type = is_ipv4 ? IR_SET_IPV4 : IR_SET_IPV6,
				     .elements = set->contents.family[family],
				     .origin = set->span,
				     .dynamic = true,
				     .timeout = set->timeout,
				     .size = set->size,
				     .domains = set->domains,
				     .domain_count = is_resolved ? set->domain_count : 0,
			     });
	add_own(lower, set, base, family);
}

void lower_dynamic_sets(struct lower *lower)
{
	for (size_t i = 0; i < lower->policy->set_count; i++)
		for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++)
			if (lower->policy->sets[i].dynamic)
				lower_dynamic_set(lower, &lower->policy->sets[i], family);
}
