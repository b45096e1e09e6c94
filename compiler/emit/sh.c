/*
 * sh: the policy as a POSIX shell script.
 *
 * In goes a finished ir, out come shell variables, three functions that name every route, ip rule
 * and sysctl, and after them the part that is the same for every policy, script.sh. Every word
 * that a policy could have a say in is quoted.
 */
#include "emit/sh.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/names.h"
#include "emit/about.h"
#include "emit/dnsmasq.h"
#include "emit/emit.h"
#include "emit/ipbatch.h"
#include "emit/overview.h"
#include "emit/text.h"
#include "ir/ir_sysctl.h"

/* script.sh and clock.sh, from the build. */
extern const char script_text[], clock_text[];
extern const size_t script_size, clock_size;

/* The metric that the kernel gives an IPv6 route without one: IP6_RT_PRIO_USER, linux/ipv6_route.h.
 */
enum { IPV6_METRIC = 1024 };

static unsigned int family_number(enum addr_family family)
{
	return family == ADDR_IPV4 ? 4 : 6;
}

static const char *sysctl_policy(enum ir_sysctl_policy policy)
{
	switch (policy) {
	case IR_SYSCTL_SET:
		return "set";
	case IR_SYSCTL_CHECK:
		return "check";
	case IR_SYSCTL_IGNORE:
		return "ignore";
	}
	return "";
}

static void put_head(const struct emit_job *job, struct buf *out)
{
	buf_puts(out, "#!/bin/sh\n");
	overview_put_origin(job, ".sh", out);
	buf_puts(out, "#\n#   up      puts the policy into force; again and again if you like\n"
		      "#   down    takes all of it away and puts sysctls back\n"
		      "#   status  shows what is there and what is missing (exit status 5)\n");
	if (emit_dnsmasq_is_needed(job->ir)) {
		buf_puts(out, "#\n# dnsmasq has to read ");
		text_put_comment(out, job->stem);
		buf_puts(out, ".dnsmasq.conf, which says how: it fills the sets with domains.\n");
	}
	buf_puts(out, "#\n");
	overview_put(job->ir, out);
	buf_putc(out, '\n');
}

static void put_tables(const struct ir *ir, struct buf *out)
{
	struct arena *arena = arena_new();
	size_t count;
	const uint32_t *ids = about_tables(arena, ir, &count);

	buf_puts(out, "tables='");
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "%s%" PRIu32, i ? " " : "", ids[i]);
	buf_puts(out, "'\n");
	arena_free(arena);
}

/* A path has no spaces in it. */
static void put_cgroups(const struct ir *ir, struct buf *out)
{
	struct buf paths = { 0 };

	for (size_t i = 0; i < ir->cgroup_count; i++)
		buf_printf(&paths, "%s%s", i ? " " : "", ir->cgroups[i].name);
	text_put_shell(out, buf_text(&paths));
	buf_free(&paths);
}

/* The names of all sets, or of those that others fill at run time. */
static void put_sets(const struct ir *ir, bool only_dynamic, struct buf *out)
{
	const char *gap = "";

	buf_puts(out, only_dynamic ? "dynamic_sets='" : "sets='");
	for (size_t i = 0; i < ir->set_count; i++) {
		if (only_dynamic && !ir_set_is_learned(&ir->sets[i]))
			continue;
		buf_printf(out, "%s%s", gap, ir->sets[i].base);
		gap = " ";
	}
	buf_puts(out, "'\n");
}

/* A line each, "main" for the address of those of the main table's default routes, "auto4" or
 * "auto6" for one that is learnt. */
static void put_gateways(const struct ir *ir, struct buf *out)
{
	struct buf lines = { 0 };

	for (size_t i = 0; i < ir->fill_count; i++) {
		const struct ir_fill *gateway = &ir->fills[i];
		char via[ADDR_TEXT];

		if (ir_fill_is_own(gateway))
			continue;
		buf_printf(&lines, "%s%s %s ", lines.length ? "\n" : "", gateway->set,
			   gateway->dev);
		if (gateway->kind == IR_FILL_LEARNT)
			buf_printf(&lines, "auto%u", family_number(gateway->via.family));
		else
			buf_puts(&lines,
				 gateway->has_via ? addr_format(gateway->via, via) : "main");
	}
	buf_puts(out, "gateways=");
	text_put_shell(out, buf_text(&lines));
	buf_putc(out, '\n');
	buf_free(&lines);
}

/* SET DEV WHAT FAMILY, a line each. */
static void put_own(const struct ir *ir, struct buf *out)
{
	struct buf lines = { 0 };

	for (size_t i = 0; i < ir->fill_count; i++) {
		const struct ir_fill *fill = &ir->fills[i];

		if (ir_fill_is_own(fill))
			buf_printf(&lines, "%s%s %s %s %u", lines.length ? "\n" : "", fill->set,
				   fill->dev,
				   fill->kind == IR_FILL_PREFIXES ? "networks" : "addresses",
				   family_number(fill->via.family));
	}
	buf_puts(out, "own=");
	text_put_shell(out, buf_text(&lines));
	buf_putc(out, '\n');
	buf_free(&lines);
}

/* The interfaces that rules and routes name, or patterns of them, a line each. */
static void put_named(const struct ir *ir, struct buf *out)
{
	struct arena *arena = arena_new();
	const char **names = NULL;
	struct buf lines = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < ir->asked_count; i++)
		for (size_t k = 0; k < ir->asked[i].name_count; k++)
			names_add(arena, &names, &count, ir->asked[i].names[k]);
	for (size_t i = 0; i < ir->route_count; i++)
		for (size_t k = 0; k < ir->routes[i].hop_count; k++)
			if (ir->routes[i].hops[k].dev)
				names_add(arena, &names, &count, ir->routes[i].hops[k].dev);
	for (size_t i = 0; i < count; i++)
		buf_printf(&lines, "%s%s", i ? "\n" : "", names[i]);
	buf_puts(out, "named=");
	text_put_shell(out, buf_text(&lines));
	buf_putc(out, '\n');
	buf_free(&lines);
	arena_free(arena);
}

static void put_variables(const struct emit_job *job, struct buf *out)
{
	const struct ir *ir = job->ir;

	buf_puts(out, "stem=");
	text_put_shell(out, job->stem);
	buf_printf(out,
		   "\ntable=%s\ndigest=%016" PRIx64 "\nprotocol=%" PRIu32 "\nfirst=%" PRIu32
		   "\nlast=%" PRIu32 "\n",
		   ir->table, ir->digest, ir->protocol, ir->priority_first, ir->priority_last);
	buf_printf(out, "sysctl_policy='%s'\n", sysctl_policy(ir->sysctl_policy));
	put_tables(ir, out);
	if (ir->main_copy)
		buf_printf(out, "main_copy=%" PRIu32 "\n", ir->main_copy);
	else
		buf_puts(out, "main_copy=''\n");
	put_sets(ir, false, out);
	put_sets(ir, true, out);
	put_gateways(ir, out);
	put_own(ir, out);
	put_named(ir, out);
	buf_puts(out, "cgroups=");
	put_cgroups(ir, out);
	buf_putc(out, '\n');
}

/* Which sets are windows of time, and what a script with some needs beside: the first and the last
 * second of them, and the part that knows the zone. */
static void put_times(const struct ir *ir, struct buf *out)
{
	uint64_t first = UINT64_MAX, last = 0;

	buf_puts(out, "time_sets='");
	for (size_t i = 0; i < ir->set_count; i++) {
		const struct interval_set *windows = &ir->sets[i].elements;

		if (ir->sets[i].type != IR_SET_TIME)
			continue;
		buf_printf(out, "%s%s", last ? " " : "", ir->sets[i].base);
		if (windows->items[0].first.low < first)
			first = windows->items[0].first.low;
		if (windows->items[windows->count - 1].last.low > last)
			last = windows->items[windows->count - 1].last.low;
	}
	buf_puts(out, "'\n");
	if (!last)
		return;
	buf_printf(out, "time_first=%" PRIu64 "\ntime_last=%" PRIu64 "\n", first, last);
	buf_add(out, clock_text, clock_size);
}

/* How `ip route` shows the destination, and the metric the route will have. */
static void put_route_key(const struct ir_route *route, struct buf *out)
{
	char text[ADDR_TEXT];
	uint32_t metric = route->metric;

	if (metric == 0 && route->family == ADDR_IPV6)
		metric = IPV6_METRIC;
	if (route->to.length == 0)
		buf_puts(out, "default");
	else if (route->to.length == addr_width(route->family))
		buf_puts(out, addr_format(route->to.addr, text));
	else
		buf_puts(out, addr_format_prefix(route->to, text));
	buf_printf(out, " %" PRIu32, metric);
}

/* VIA DEVICE WEIGHT ONLINK, as with_gateways of script.sh takes them. */
static void put_hops(const struct ir_route *route, struct buf *out)
{
	char text[ADDR_TEXT];

	for (size_t i = 0; i < route->hop_count; i++) {
		const struct ir_nexthop *hop = &route->hops[i];

		buf_printf(out, " %s %s %u %s",
			   hop->has_via  ? addr_format(hop->via, text)
			   : hop->learnt ? "auto"
					 : "-",
			   hop->dev ? hop->dev : "-", hop->weight, hop->onlink ? "onlink" : "-");
	}
}

static void put_route(const struct ir *ir, const struct ir_route *route, struct buf *out)
{
	struct ir_route head = *route;
	bool learns = ir_route_is_open(route);

	buf_printf(out, "\t%s\"$1\" %u %" PRIu32 " '", learns ? "with_gateways " : "",
		   family_number(route->family), route->table);
	put_route_key(route, out);
	buf_puts(out, "' ");
	head.hop_count = learns ? 0 : route->hop_count;
	buf_puts(out, learns ? "'" : "");
	ipbatch_put_route(&head, ir->protocol, out);
	buf_puts(out, learns ? "'" : "");
	if (learns)
		put_hops(route, out);
	buf_putc(out, '\n');
}

static void put_routes(const struct ir *ir, struct buf *out)
{
	buf_putc(out, '\n');
	ipbatch_put_bare(ir, out);
	buf_puts(out,
		 "# family, table, destination and metric, and the words for ip\neach_route() {\n\t:\n");
	for (size_t i = 0; i < ir->route_count; i++)
		put_route(ir, &ir->routes[i], out);
	buf_puts(out, "}\n");
}

static void put_rule_key(const struct ir_ip_rule *rule, struct buf *out)
{
	/* ip shows 0 without its 0x. */
	buf_printf(out, "%" PRIu32 " %s%" PRIx32 "/0x%" PRIx32, rule->priority,
		   rule->mark ? "0x" : "", rule->mark, rule->mask);
	if (rule->action == IR_RULE_LOOKUP)
		buf_printf(out, " %" PRIu32, rule->table);
	else
		buf_printf(out, " %s", ir_action_name(rule->action));
	if (rule->shortest)
		buf_printf(out, " %u", rule->shortest - 1);
	else
		buf_puts(out, " -");
	buf_printf(out, " %s%s", rule->oif ? "oif/" : "",
		   rule->oif   ? rule->oif
		   : rule->iif ? rule->iif
			       : "-");
}

/* Those about what is unmarked on an interface, or the others. */
static void put_rules(const struct ir *ir, bool unmarked, struct buf *out)
{
	buf_printf(out,
		   "\n# family, what tells the rule from others, and the words for ip%s\n%s() {\n\t:\n",
		   unmarked ? ": what has no mark is refused" : "",
		   unmarked ? "each_unmarked" : "each_rule");
	for (size_t i = 0; i < ir->ip_rule_count; i++) {
		if ((ir->ip_rules[i].iif != NULL) != unmarked)
			continue;
		buf_printf(out, "\t\"$1\" %u '", family_number(ir->ip_rules[i].family));
		put_rule_key(&ir->ip_rules[i], out);
		buf_puts(out, "' ");
		ipbatch_put_rule(&ir->ip_rules[i], ir->protocol, out);
		buf_putc(out, '\n');
	}
	buf_puts(out, "}\n");
}

/* What has to hold for it to matter, a line each: script.sh's function, key, number. */
static void put_tests(const struct ir_sysctl *sysctl, struct buf *out)
{
	static const char *const functions[] = {
		[IR_ASKED_OWN] = "own_value",       [IR_ASKED_ALL] = "value_of_all",
		[IR_ASKED_EFFECTIVE] = "effective", [IR_ASKED_LOCAL] = "is_local",
		[IR_ASKED_BRIDGE] = "has_bridge",
	};
	const struct ir_sysctl_test *tests = ir_sysctl_condition(sysctl->when)->tests;
	char text[ADDR_TEXT];

	buf_putc(out, '\'');
	for (size_t i = 0; i < 2 && tests[i].asked != IR_ASKED_NOTHING; i++)
		buf_printf(out, "%s%s %s %s%d", i ? "\n" : "", functions[tests[i].asked],
			   tests[i].key                       ? tests[i].key
			   : tests[i].asked == IR_ASKED_LOCAL ? addr_format(sysctl->via, text)
							      : "-",
			   tests[i].differs ? "!" : "", tests[i].value);
	buf_puts(out, "' ");
}

static void put_sysctl(const struct ir_sysctl *sysctl, struct buf *out)
{
	char text[ADDR_TEXT];

	buf_puts(out, "\t\"$1\" ");
	text_put_shell(out, sysctl->key);
	buf_putc(out, ' ');
	text_put_shell(out, sysctl->value);
	buf_printf(out, " %s %s ", ir_sysctl_condition(sysctl->when)->links,
		   sysctl->has_via ? addr_format(sysctl->via, text) : "-");
	put_tests(sysctl, out);
	text_put_shell(out, sysctl->why);
	for (size_t i = 0; i < sysctl->dev_count; i++) {
		buf_putc(out, ' ');
		text_put_shell(out, sysctl->devs[i]);
	}
	buf_putc(out, '\n');
}

static bool has_sysctl(const struct ir *ir, const char *key)
{
	for (size_t i = 0; i < ir->sysctl_count; i++)
		if (!strcmp(ir->sysctls[i].key, key))
			return true;
	return false;
}

static void put_companions(const struct ir *ir, struct buf *out)
{
	size_t count;
	const struct ir_sysctl_companion *companions = ir_sysctl_companions(&count);
	const char *gap = "";

	buf_puts(out,
		 "\n# sysctls that the kernel resets when another one is given back: that one, key, the value that stays\ncompanions='");
	for (size_t i = 0; i < count; i++) {
		if (!has_sysctl(ir, companions[i].with))
			continue;
		buf_printf(out, "%s%s %s %s", gap, companions[i].with, companions[i].key,
			   companions[i].value);
		gap = "\n";
	}
	buf_puts(out, "'\n");
}

static void put_sysctls(const struct ir *ir, struct buf *out)
{
	put_companions(ir, out);
	buf_puts(out,
		 "\n# key, value, for which interfaces and towards which address, when it matters, why, and interfaces\neach_sysctl() {\n\t:\n");
	for (size_t i = 0; i < ir->sysctl_count; i++)
		put_sysctl(&ir->sysctls[i], out);
	buf_puts(out, "}\n");
}

void emit_sh_put(const struct emit_job *job, struct buf *out)
{
	put_head(job, out);
	put_variables(job, out);
	put_times(job->ir, out);
	put_routes(job->ir, out);
	put_rules(job->ir, false, out);
	put_rules(job->ir, true, out);
	put_sysctls(job->ir, out);
	buf_add(out, script_text, script_size);
}
