/*
 * ipbatch: the files for `ip -batch` and `ip -6 -batch`.
 *
 * In goes a finished ir, out come lines of one address family: first the ip rules that refuse, then
 * the routes, then the ip rules that lead to them. A batch stops at what ip cannot do (an interface
 * that is missing): what it leaves after then refuses, and lets nothing out by another way. And no
 * packet is sent to a table that is still empty. Everything carries the policy's rtnetlink protocol
 * number, by which it is known to be ours.
 */
#include "emit/ipbatch.h"

#include <inttypes.h>

#include "base/buf.h"
#include "emit/emit.h"
#include "emit/overview.h"
#include "emit/text.h"
#include "ir/ir.h"

static const char *route_type(enum ir_route_type type)
{
	switch (type) {
	case IR_ROUTE_UNICAST:
		return "";
	case IR_ROUTE_LOCAL:
		return "local ";
	case IR_ROUTE_BLACKHOLE:
		return "blackhole ";
	case IR_ROUTE_UNREACHABLE:
		return "unreachable ";
	case IR_ROUTE_PROHIBIT:
		return "prohibit ";
	case IR_ROUTE_THROW:
		return "throw ";
	}
	return "";
}

static void put_hop(const struct ir_nexthop *hop, struct buf *out)
{
	char text[ADDR_TEXT];

	if (hop->has_via)
		buf_printf(out, " via %s", addr_format(hop->via, text));
	else if (hop->learnt == IR_TO_LEARN || hop->learnt == IR_LACKING)
		buf_puts(out, " via auto");
	if (hop->dev) {
		buf_puts(out, " dev ");
		text_put_word(out, hop->dev);
	}
}

/* A single hop stands in the route's own words, several come last, each after `nexthop`. */
static void put_hops(const struct ir_route *route, struct buf *out)
{
	if (route->hop_count == 1) {
		if (route->hops[0].onlink)
			buf_puts(out, " onlink");
		return;
	}
	for (size_t i = 0; i < route->hop_count; i++) {
		buf_puts(out, " nexthop");
		put_hop(&route->hops[i], out);
		buf_printf(out, " weight %u", route->hops[i].weight);
		if (route->hops[i].onlink)
			buf_puts(out, " onlink");
	}
}

void ipbatch_put_route(const struct ir_route *route, uint32_t protocol, struct buf *out)
{
	char text[ADDR_TEXT];

	buf_puts(out, route_type(route->type));
	buf_puts(out, route->to.length ? addr_format_prefix(route->to, text) : "default");
	if (route->hop_count == 1)
		put_hop(&route->hops[0], out);
	if (protocol)
		buf_printf(out, " table %" PRIu32 " protocol %" PRIu32, route->table, protocol);
	if (route->has_src)
		buf_printf(out, " src %s", addr_format(route->src, text));
	if (route->metric)
		buf_printf(out, " metric %" PRIu32, route->metric);
	if (route->mtu)
		buf_printf(out, " mtu %" PRIu32, route->mtu);
	put_hops(route, out);
}

static void put_action(const struct ir_ip_rule *rule, struct buf *out)
{
	buf_printf(out, " %s", ir_action_name(rule->action));
	if (rule->action != IR_RULE_LOOKUP)
		return;
	if (rule->table == IR_TABLE_MAIN)
		buf_puts(out, " main");
	else if (rule->table == IR_TABLE_LOCAL)
		buf_puts(out, " local");
	else
		buf_printf(out, " %" PRIu32, rule->table);
}

void ipbatch_put_rule(const struct ir_ip_rule *rule, uint32_t protocol, struct buf *out)
{
	if (rule->iif) {
		buf_puts(out, "iif ");
		text_put_word(out, rule->iif);
		buf_putc(out, ' ');
	}
	if (rule->oif) {
		buf_puts(out, "oif ");
		text_put_word(out, rule->oif);
		buf_putc(out, ' ');
	}
	buf_printf(out, "fwmark 0x%" PRIx32 "/0x%" PRIx32, rule->mark, rule->mask);
	put_action(rule, out);
	if (rule->shortest)
		buf_printf(out, " suppress_prefixlength %u", rule->shortest - 1);
	buf_printf(out, " priority %" PRIu32 " protocol %" PRIu32, rule->priority, protocol);
}

/* ---- which way a line belongs to ---- */

static const struct ir_class *class_of_rule(const struct ir *ir, const struct ir_ip_rule *rule)
{
	for (size_t i = 0; i < ir->class_count; i++)
		if (ir->classes[i].mark == rule->mark && ir->classes[i].mask == rule->mask)
			return &ir->classes[i];
	return NULL;
}

static const char *table_name(const struct ir *ir, uint32_t id)
{
	const struct ir_class *class = ir_table_class(ir, id);

	for (size_t i = 0; i < ir->table_count; i++)
		if (ir->tables[i].id == id)
			return ir->tables[i].name;
	return class ? class->name : NULL;
}

static void put_table(const struct ir *ir, uint32_t id, const char **before, struct buf *out)
{
	const char *name = table_name(ir, id);

	if (!name || name == *before)
		return;
	*before = name;
	buf_puts(out, "# ");
	text_put_comment(out, name);
	buf_putc(out, '\n');
}

/* "# vpn: the table's routes", above the first of several lines of one way. */
static void put_way(const struct ir *ir, const struct ir_ip_rule *rule,
		    const struct ir_class **before, struct buf *out)
{
	const struct ir_class *class = class_of_rule(ir, rule);

	if (!class || class == *before)
		return;
	*before = class;
	buf_puts(out, "# ");
	text_put_comment(out, class->name);
	buf_puts(out, ": ");
	overview_put_class(class, out);
	buf_putc(out, '\n');
}

static void put_routes(const struct ir *ir, enum addr_family family, struct buf *out)
{
	const char *before = NULL;

	for (size_t i = 0; i < ir->route_count; i++) {
		if (ir->routes[i].family != family)
			continue;
		put_table(ir, ir->routes[i].table, &before, out);
		if (ir_route_is_open(&ir->routes[i]))
			buf_puts(out,
				 "# Only the host knows the gateway: `tpc apply` and policy.sh ask it.\n# ");
		buf_puts(out, "route add ");
		ipbatch_put_route(&ir->routes[i], ir->protocol, out);
		buf_putc(out, '\n');
	}
}

static void put_rules(const struct ir *ir, enum addr_family family, bool refusing, struct buf *out)
{
	const struct ir_class *before = NULL;

	for (size_t i = 0; i < ir->ip_rule_count; i++) {
		if (ir->ip_rules[i].family != family || ir->ip_rules[i].iif ||
		    (ir->ip_rules[i].action != IR_RULE_LOOKUP) != refusing)
			continue;
		put_way(ir, &ir->ip_rules[i], &before, out);
		buf_puts(out, "rule add ");
		ipbatch_put_rule(&ir->ip_rules[i], ir->protocol, out);
		buf_putc(out, '\n');
	}
}

/* What only the host knows. */
static void put_copy(const struct ir *ir, struct buf *out)
{
	buf_printf(out,
		   "# Table %" PRIu32
		   " is for a copy of main's routes that are more specific than a default route; the rules\n"
		   "# below ask it instead of main. This file cannot make it: `tpc apply` and the script (--emit sh)\n"
		   "# do, or `ip -6 route add ... table %" PRIu32
		   "` for each. Without it they go by the tables below.\n",
		   ir->main_copy, ir->main_copy);
}

static bool has_unmarked(const struct ir *ir, enum addr_family family)
{
	for (size_t i = 0; i < ir->ip_rule_count; i++)
		if (ir->ip_rules[i].iif && ir->ip_rules[i].family == family)
			return true;
	return false;
}

/* The last, and in their order: without the rules of the nft file they refuse what those leave
 * alone. */
static void put_unmarked(const struct ir *ir, enum addr_family family, struct buf *out)
{
	if (!has_unmarked(ir, family))
		return;
	buf_puts(out,
		 "# What carries no mark is refused, also when the nft table is lost. Load the nft "
		 "file first.\n");
	if (family == ADDR_IPV4)
		buf_puts(out,
			 "# A reverse-path filter would drop replies then, and only the host knows where one is: take\n# these lines in if net.ipv4.conf.*.rp_filter is 0 everywhere, `default` and `all` among them.\n");
	for (size_t i = 0; i < ir->ip_rule_count; i++) {
		if (!ir->ip_rules[i].iif || ir->ip_rules[i].family != family)
			continue;
		buf_puts(out, family == ADDR_IPV4 ? "# rule add " : "rule add ");
		ipbatch_put_rule(&ir->ip_rules[i], ir->protocol, out);
		buf_putc(out, '\n');
	}
}

void ipbatch_put_bare(const struct ir *ir, struct buf *out)
{
	for (size_t i = 0; i < ir->route_count; i++) {
		if (ir->routes[i].family != ADDR_IPV4 ||
		    !ir_masquerades(ir, ir->routes[i].table, ADDR_IPV4))
			continue;
		buf_puts(out,
			 "# Masquerade by an interface without an IPv4 address would give packets that of another one.\n"
			 "# `tpc apply` leaves such a route out, and this file does not.\n");
		return;
	}
}

static void put_lines(const struct ir *ir, enum addr_family family, struct buf *out)
{
	overview_put(ir, out);
	buf_putc(out, '\n');
	put_rules(ir, family, true, out);
	if (family == ADDR_IPV6 && ir->main_copy)
		put_copy(ir, out);
	if (family == ADDR_IPV4)
		ipbatch_put_bare(ir, out);
	put_routes(ir, family, out);
	put_rules(ir, family, false, out);
	put_unmarked(ir, family, out);
}

void ipbatch_put_ipv4(const struct emit_job *job, struct buf *out)
{
	overview_put_origin(job, ".ip.batch", out);
	buf_puts(out,
		 "# Load it once, with `ip -batch`: what is there already is refused, and never replaced.\n"
		 "# With -force it goes on, also where an interface is missing.\n#\n");
	put_lines(job->ir, ADDR_IPV4, out);
}

void ipbatch_put_ipv6(const struct emit_job *job, struct buf *out)
{
	overview_put_origin(job, ".ip6.batch", out);
	buf_puts(out,
		 "# Load it once, with `ip -6 -batch`: what is there already is refused, and never replaced.\n"
		 "# With -force it goes on, also where an interface is missing.\n#\n");
	put_lines(job->ir, ADDR_IPV6, out);
}

bool ipbatch_needs_ipv6(const struct ir *ir)
{
	for (size_t i = 0; i < ir->ip_rule_count; i++)
		if (ir->ip_rules[i].family == ADDR_IPV6)
			return true;
	for (size_t i = 0; i < ir->route_count; i++)
		if (ir->routes[i].family == ADDR_IPV6)
			return true;
	return false;
}
