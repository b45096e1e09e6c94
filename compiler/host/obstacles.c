/*
 * obstacles: see obstacles.h. In go a policy and what the kernel says, out come warnings.
 */
#include "host/obstacles.h"

#include <inttypes.h>
#include <net/if.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/names.h"
#include "base/report.h"
#include "ir/ir.h"
#include "kernel/addresses.h"
#include "kernel/link.h"
#include "kernel/netlink.h"
#include "kernel/route.h"
#include "kernel/sysctl.h"

/*
 * ---- interfaces without an address of the family, by which a table leaves that masquerades ----
 *
 * Masquerade gives such packets another address of this host's, whichever comes first: that of
 * another uplink, where the replies would arrive. IPv6 packets are dropped then (lower/nat.c). The
 * kernel takes IPv4 routes away with the last address of their interface, and an apply puts none
 * there before it has one.
 */

static bool is_bare(struct netlink *netlink, const char *device, enum addr_family family)
{
	unsigned int index = device ? if_nametoindex(device) : 0;
	struct addresses_sources sources;

	if (!index)
		return false;
	sources = addresses_sources(netlink, index, family);
	return !sources.here && sources.of_another;
}

const char *obstacles_bare_device(struct netlink *netlink, const struct ir *ir,
				  const struct ir_route *route)
{
	if (route->type != IR_ROUTE_UNICAST || !ir_masquerades(ir, route->table, route->family))
		return NULL;
	for (size_t i = 0; i < route->hop_count; i++)
		if (is_bare(netlink, route->hops[i].dev, route->family))
			return route->hops[i].dev;
	return NULL;
}

static void tell_bare(struct arena *arena, struct report *report, struct netlink *netlink,
		      const struct ir *ir)
{
	const char **told = NULL;
	size_t told_count = 0;

	for (size_t i = 0; i < ir->route_count; i++) {
		const struct ir_route *route = &ir->routes[i];
		const char *device = route->family == ADDR_IPV6
					     ? obstacles_bare_device(netlink, ir, route)
					     : NULL;
		struct diag_record *line;
		size_t before = told_count;

		if (device)
			names_add(arena, &told, &told_count, device);
		if (before == told_count)
			continue;
		line = report_add(report, SEVERITY_WARNING, DIAG_no_masquerade_address,
				  "%s has no IPv6 address to masquerade with: IPv6 packets through it (table %" PRIu32
				  ") are dropped",
				  device, route->table);
		line->where = route->origin;
		diag_help_text(line,
			       "give it one; or leave IPv6 out of the table (`family: ipv4` in its route), so that its `fallback` applies");
	}
}

/*
 * ---- what this host sends itself while the main table leads nowhere ----
 *
 * The kernel looks for a route before the policy's chain `output` gives a packet its mark, and
 * where it finds none the program is refused at once (ENETUNREACH): no rule is asked. Routes by an
 * interface without carrier count for nothing where a table leaves by that, too.
 */

/* 192.0.0.8 (RFC 7600) and 100:: (RFC 6666) are in no network, so a default route takes them. */
static struct addr nowhere(enum addr_family family)
{
	struct wide bits = family == ADDR_IPV6 ? wide_left(wide(0x0100), 112) : wide(0xc0000008);

	return (struct addr){ family, bits };
}

/* "wan0 has no carrier, wan1 is down" */
static const char *links_words(struct arena *arena, struct netlink *netlink,
			       enum addr_family family)
{
	struct buf text = { 0 };
	size_t count;
	const char **names = link_defaults(arena, netlink, family, &count);

	for (size_t i = 0; i < count; i++)
		buf_printf(&text, "%s%s has no carrier", i ? ", " : "", names[i]);
	return buf_keep(arena, &text);
}

static void tell_main(struct arena *arena, struct report *report, struct netlink *netlink,
		      enum addr_family family)
{
	char digit = addr_digit(family);

	diag_help(report_add(report, SEVERITY_WARNING, DIAG_main_route,
			     "the IPv%c default route of table main cannot be used (%s), so packets of this host are unreachable before the policy's rules match them",
			     digit, links_words(arena, netlink, family)),
		  "give main a second default route through a link that works, with a larger metric: ip -%c route add default via GATEWAY dev INTERFACE metric 4000",
		  digit);
}

static void tell_unrouted(struct arena *arena, struct report *report, struct netlink *netlink,
			  const struct ir *ir)
{
	for (int family = 0; family < ADDR_FAMILIES; family++)
		if (ir->sends_local[family] &&
		    !link_fib(arena, netlink, nowhere((enum addr_family)family)).device &&
		    link_has_default(arena, netlink, (enum addr_family)family))
			tell_main(arena, report, netlink, (enum addr_family)family);
}

/*
 * ---- echo requests that this host is to answer (`then: answer`) while it answers none ----
 *
 * The sysctl is the administrator's: it is about all of this host's addresses, so none is changed.
 */

static const struct {
	const char *key, *words;
} families[] = { [ADDR_IPV4] = { "net.ipv4.icmp_echo_ignore_all", "icmp type echo-request" },
		 [ADDR_IPV6] = { "net.ipv6.icmp.echo_ignore_all", "icmpv6 type echo-request" } };

static const struct ir_class *answering(const struct ir *ir)
{
	for (size_t i = 0; i < ir->class_count; i++)
		if (ir->classes[i].kind == IR_CLASS_ANSWER)
			return &ir->classes[i];
	return NULL;
}

static bool says(const struct ir_rule *rule, const char *words)
{
	struct buf text = { 0 };
	bool found;

	for (size_t i = 0; i < rule->match_count; i++)
		rule->matches[i].ops->print(&rule->matches[i], &text);
	found = strstr(buf_text(&text), words) != NULL;
	buf_free(&text);
	return found;
}

/* Does a rule ask for the family's? An archive keeps rules in nft's words. */
static bool asks(const struct ir *ir, const char *words)
{
	for (size_t i = 0; i < ir->chain_count; i++)
		for (size_t k = 0; k < ir->chains[i].rule_count; k++)
			if (says(&ir->chains[i].rules[k], words))
				return true;
	return false;
}

static void tell_mute(struct arena *arena, struct report *report, const struct ir *ir)
{
	const struct ir_class *way = answering(ir);

	for (int family = 0; way && family < ADDR_FAMILIES; family++) {
		const char *key = families[family].key, *value = sysctl_read(arena, key);
		struct diag_record *line;

		if (!value || !strcmp(value, "0") || !asks(ir, families[family].words))
			continue;
		line = report_add(report, SEVERITY_WARNING, DIAG_ping_off,
				  "the kernel answers no ping over IPv%c (%s is %s), so `then: answer` sends no replies",
				  addr_digit(family), key, value);
		line->where = way->origin;
		diag_help_text(line, "this also allows ping to this host's own addresses");
		line->command = arena_printf(report->arena, "sysctl -w %s=0", key);
	}
}

/* ---- tables that another program fills, and that are empty ---- */

/* An earlier rule looks the same table up. */
static bool is_repeated(const struct ir *ir, size_t index)
{
	const struct ir_ip_rule *rule = &ir->ip_rules[index];

	for (size_t i = 0; i < index; i++)
		if (ir->ip_rules[i].action == IR_RULE_LOOKUP &&
		    ir->ip_rules[i].family == rule->family && ir->ip_rules[i].table == rule->table)
			return true;
	return false;
}

static void tell_empty(struct arena *arena, struct report *report, struct netlink *netlink,
		       const struct ir *ir)
{
	bool has_ipv6 = sysctl_has_ipv6(arena);

	for (size_t i = 0; i < ir->ip_rule_count; i++) {
		const struct ir_ip_rule *rule = &ir->ip_rules[i];
		struct route_list list = { 0 };
		struct netlink_error error;

		if (rule->action != IR_RULE_LOOKUP || !ir_table_is_foreign(ir, rule->table) ||
		    (rule->family == ADDR_IPV6 && !has_ipv6) || is_repeated(ir, i) ||
		    !route_observe(arena, netlink, rule->family, rule->table, &list, &error) ||
		    list.count)
			continue;
		diag_help_text(report_add(report, SEVERITY_WARNING, DIAG_empty_table,
					  "routing table %" PRIu32
					  " (`from_table`) has no IPv%c route, so the fallback applies",
					  rule->table, addr_digit(rule->family)),
			       "start the program that fills it; the policy follows without an apply");
	}
}

/* ---- all ---- */

void obstacles_tell(struct arena *arena, struct report *report, struct netlink *netlink,
		    const struct ir *ir)
{
	tell_bare(arena, report, netlink, ir);
	tell_unrouted(arena, report, netlink, ir);
	tell_mute(arena, report, ir);
	tell_empty(arena, report, netlink, ir);
}
