/*
 * unmarked: which interfaces' unmarked packets can be refused on this host, and are; see
 * unmarked.h. In go rules and settings, out come rules and words.
 */
#include "host/unmarked.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "host/host.h"
#include "kernel/sysctl.h"
#include "state/record.h"

static const char RP_FILTER[] = "net.ipv4.conf.*.rp_filter";
static const char PROXY_ARP[] = "net.ipv4.conf.*.proxy_arp";

struct rules {
	const struct ir_ip_rule *items;
	size_t count;
	const struct ir_sysctl *sysctls;
	size_t sysctl_count;
};

static bool names_interface(const struct rules *rules, const char *dev)
{
	for (size_t i = 0; i < rules->count; i++)
		if (rules->items[i].iif && !strcmp(rules->items[i].iif, dev))
			return true;
	return false;
}

/* Will the policy switch its filter off? */
static bool is_wanted_off(const struct rules *rules, const char *key)
{
	for (size_t i = 0; i < rules->sysctl_count; i++)
		if (!strcmp(rules->sysctls[i].key, key) && !strcmp(rules->sysctls[i].value, "0"))
			return sysctl_is_writable(key);
	return false;
}

/* Of the setting's values for all interfaces and for this one the greater counts. */
static bool is_on(struct arena *arena, const char *pattern, const char *dev)
{
	const char *all = sysctl_read(arena, sysctl_key(arena, pattern, "all"));
	const char *own = sysctl_read(arena, sysctl_key(arena, pattern, dev));

	return (all && atoi(all)) || (own && atoi(own));
}

static const char *filter_of(struct arena *arena, const struct rules *rules, const char *dev)
{
	const char *key = sysctl_key(arena, RP_FILTER, dev);

	if (!strcmp(dev, "lo") || names_interface(rules, dev) || is_wanted_off(rules, key) ||
	    !is_on(arena, RP_FILTER, dev))
		return NULL;
	return arena_printf(arena, "%s has a reverse-path filter (%s, or that of `all`, is not 0)",
			    dev, key);
}

/* Why IPv4 packets without a mark cannot be refused; NULL: they can. */
static const char *obstacle(struct arena *arena, const struct rules *rules)
{
	size_t count;
	const char **devs = sysctl_interfaces(arena, RP_FILTER, &count);
	const char *why = filter_of(arena, rules, "default");

	for (size_t i = 0; i < count && !why; i++)
		why = filter_of(arena, rules, devs[i]);
	/* proxy_arp looks routes up without a mark too. */
	for (size_t i = 0; i < rules->count && !why; i++)
		if (rules->items[i].iif && is_on(arena, PROXY_ARP, rules->items[i].iif))
			why = arena_printf(arena, "%s answers ARP for other hosts (%s)",
					   rules->items[i].iif,
					   sysctl_key(arena, PROXY_ARP, rules->items[i].iif));
	return why;
}

void unmarked_sift(struct arena *arena, struct ir *ir)
{
	bool is_set = ir->sysctl_policy == IR_SYSCTL_SET;
	const struct rules rules = { ir->ip_rules, ir->ip_rule_count, ir->sysctls,
				     is_set ? ir->sysctl_count : 0 };
	size_t kept = 0;

	if (!obstacle(arena, &rules))
		return;
	for (size_t i = 0; i < ir->ip_rule_count; i++)
		if (!ir->ip_rules[i].iif || ir->ip_rules[i].family != ADDR_IPV4)
			ir->ip_rules[kept++] = ir->ip_rules[i];
	ir->ip_rule_count = kept;
}

/* "lan0, lan1": what the rules there are refuse in the family; "" where there are none. */
static const char *devices(struct arena *arena, const struct observed *observed,
			   enum addr_family family)
{
	const char *list = "";

	for (size_t i = 0; i < observed->rules.count; i++) {
		const struct ip_rule_seen *seen = &observed->rules.items[i];

		if (seen->rule.iif && seen->rule.family == family &&
		    seen->rule.action == IR_RULE_UNREACHABLE && host_owns_rule(observed, seen))
			list = arena_printf(arena, "%s%s%s", list, *list ? ", " : "",
					    seen->rule.iif);
	}
	return list;
}

static bool is_wanted(const struct record *record)
{
	for (size_t i = 0; i < record->ir.class_count; i++)
		if (record->ir.classes[i].kind == IR_CLASS_DIRECT)
			return true;
	return false;
}

static struct rules rules_of(const struct record *record)
{
	return (struct rules){ record->ir.ip_rules, record->ir.ip_rule_count, NULL, 0 };
}

const char *unmarked_words(struct arena *arena, const struct record *record,
			   const struct observed *observed)
{
	const char *ipv4 = devices(arena, observed, ADDR_IPV4);
	const char *ipv6 = devices(arena, observed, ADDR_IPV6);
	struct rules rules = rules_of(record);
	const char *why;

	if (!is_wanted(record))
		return NULL;
	if (!strcmp(ipv4, ipv6) && *ipv4)
		return arena_printf(arena, "%s (IPv4 and IPv6)", ipv4);
	if (*ipv4)
		return arena_printf(arena, "%s (IPv4 alone)", ipv4);
	why = obstacle(arena, &rules);
	return arena_printf(arena, "%s%s; IPv4 is not%s%s", *ipv6 ? ipv6 : "nothing",
			    *ipv6 ? " (IPv6 alone)" : "", why ? ": " : "", why ? why : "");
}

const char *unmarked_harm(struct arena *arena, const struct record *record,
			  const struct observed *observed)
{
	struct rules rules = rules_of(record);

	return *devices(arena, observed, ADDR_IPV4) ? obstacle(arena, &rules) : NULL;
}
