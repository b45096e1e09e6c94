/*
 * lower/dynamic: sets that are filled at run time.
 *
 * Their names in nft are an interface that resolvers and scripts write to, so both families are
 * always there. Everything else asks for them by name, like any other set.
 */
#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "ir/domains.h"
#include "lang/lower/lower.h"

static void lower_dynamic_set(struct lower *lower, const struct ast_set *set,
			      enum addr_family family)
{
	bool is_ipv4 = family == ADDR_IPV4;
	bool is_resolved = is_ipv4 || lower->policy->settings.ipv6 != IPV6_OFF;

	lower_add_set(lower, (struct ir_set){
				     .base = arena_printf(lower->arena, "%s_%s", set->name,
							  is_ipv4 ? "v4" : "v6"),
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

/* dnsmasq obeys one line for a name: has it room for all sets that the name is in? */
static bool fits(struct lower *lower, const struct ir_domain *domain)
{
	size_t length = strlen("nftset=//") + strlen(domain->name);

	for (size_t i = 0; i < domain->set_count; i++)
		length += strlen("4#inet##,") + strlen(lower->ir->table) +
			  strlen(lower->sets[domain->sets[i]]->base);
	return length <= IR_RESOLVER_LINE;
}

/* One error is enough: the same names are in the other sets. */
static bool check_domains(struct lower *lower, const struct ir_domains *domains,
			  const struct ast_set *set)
{
	for (size_t i = 0; i < set->domain_count; i++) {
		if (fits(lower, ir_domains_find(domains, set->domains[i])))
			continue;
		lower->failed = true;
		diag_help(diag_add(lower->diag, DIAG_too_complex, set->span,
				   "the domain %s is in more sets than a line of dnsmasq can name",
				   set->domains[i]),
			  "put it into one set, and name that set in the rules");
		return false;
	}
	return true;
}

void lower_dynamic_sets(struct lower *lower)
{
	struct ir_domains domains;

	for (size_t i = 0; i < lower->policy->set_count; i++)
		for (int family = 0; family < ADDR_FAMILIES; family++)
			if (lower->policy->sets[i].dynamic)
				lower_dynamic_set(lower, &lower->policy->sets[i],
						  (enum addr_family)family);
	domains = ir_domains_of(lower->arena, (const struct ir_set *const *)lower->sets,
				lower->set_count);
	for (size_t i = 0; i < lower->policy->set_count; i++)
		if (!check_domains(lower, &domains, &lower->policy->sets[i]))
			return;
}
