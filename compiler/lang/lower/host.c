/*
 * lower/host: the host stays a host: what no rule of the author's meets unless it says so.
 */
#include "addr/builtin.h"
#include "lang/lower/lower.h"
#include "match/kinds.h"

void lower_leave_host(struct lower *lower, struct ir_chain *chain, const char *host)
{
	static const char *const prefixes[] = { "multicast", "link-local" };
	struct ir_rule *rule = lower_guarantee(lower, chain, "the host stays a host");

	lower_match(lower, rule, fib_match(FIB_HOST));
	lower_end(lower, rule, host);
	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++)
		for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
			struct addr_set set = { 0 };
			struct addr_prefix prefix = { 0 };

			if (family == ADDR_IPV6 && lower->policy->settings.ipv6 == IPV6_OFF)
				continue;
			builtin_find(lower->arena, prefixes[i], &set);
			addr_interval_is_prefix(family, set.family[family].items[0], &prefix);
			rule = lower_guarantee(lower, chain, NULL);
			lower_match(lower, rule, address_match(lower->arena, ADDRESS_TO, prefix));
			lower_end(lower, rule, host);
		}
}

void lower_leave_ipv6(struct lower *lower, struct ir_chain *chain)
{
	struct ir_rule *rule;

	if (lower->policy->settings.ipv6 != IPV6_OFF)
		return;
	rule = lower_guarantee(lower, chain, "IPv6 is left alone");
	lower_match(lower, rule, family_match(lower->arena, ADDR_IPV6));
	lower_op(lower, rule, IR_ACCEPT);
}

void lower_leave_discovery(struct lower *lower, struct ir_chain *chain)
{
	struct ir_rule *rule;

	if (lower->policy->settings.ipv6 == IPV6_OFF)
		return;
	rule = lower_guarantee(lower, chain, "neighbour discovery goes to unicast addresses too");
	lower_match(lower, rule, discovery_match());
	lower_op(lower, rule, IR_ACCEPT);
}

void lower_leave_loopback(struct lower *lower, struct ir_chain *chain)
{
	struct ir_rule *rule = lower_guarantee(lower, chain, "what this host sends to itself");

	lower_match(lower, rule, loopback_match(INTERFACE_IN, false));
	lower_op(lower, rule, IR_ACCEPT);
}

/*
 * Where a listener waits on a loopback address the kernel lets such addresses in by the interface
 * (route_localnet). What is translated to them comes with another one and is not met here; all that
 * asks for them by itself would reach what is for this host alone (CVE-2020-8558).
 */
void lower_guard_loopback(struct lower *lower, struct ir_chain *chain)
{
	static const struct addr_prefix prefix = { { ADDR_IPV4, { 0, 127u << 24 } }, 8 };
	struct lower_ingress in = lower_loopback_ingress(lower);

	for (unsigned int selector = ADDRESS_FROM; in.count && selector <= ADDRESS_TO; selector++) {
		struct ir_rule *rule =
			lower_guarantee(lower, chain,
					selector == ADDRESS_FROM
						? "loopback addresses are this host's own"
						: NULL);

		lower_match(lower, rule, interface_match(INTERFACE_IN, in.devs, in.count, false));
		lower_match(lower, rule, address_match(lower->arena, selector, prefix));
		lower_op(lower, rule, IR_DROP);
	}
}
