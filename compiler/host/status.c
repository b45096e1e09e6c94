/*
 * status: compares what the records say with what there is (see status.h). In go the kernel's
 * answers and the records, out come the policies and sentences about what is missing.
 */
#include "host/status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/names.h"
#include "base/report.h"
#include "emit/ipbatch.h"
#include "host/diff.h"
#include "host/flows.h"
#include "host/flushers.h"
#include "host/foreign_ip_rules.h"
#include "host/hosted.h"
#include "host/interfaces.h"
#include "host/learnt.h"
#include "host/listening.h"
#include "host/lives.h"
#include "host/obstacles.h"
#include "host/own_networks.h"
#include "host/stale_fills.h"
#include "host/sysctl_plan.h"
#include "host/table_checks.h"
#include "host/translators.h"
#include "host/unmarked.h"
#include "kernel/link.h"
#include "kernel/nft_elements.h"
#include "kernel/socket_table.h"
#include "kernel/sysctl.h"
#include "state/archive.h"
#include "state/pending.h"
#include "state/rundir.h"

static const char *apply_command(struct arena *arena, const struct status_policy *policy)
{
	return record_command(arena, policy->record);
}

/* Of what an apply has put there. */
__attribute__((format(printf, 3, 4))) static struct diag_record *
complain(struct arena *arena, struct status_policy *policy, const char *format, ...)
{
	struct diag_record *line;
	va_list args;

	va_start(args, format);
	line = report_add(policy->drift, SEVERITY_WARNING, DIAG_drift, "%s",
			  arena_vprintf(arena, format, args));
	va_end(args);
	line->command = apply_command(arena, policy);
	return line;
}

static void check_table(struct arena *arena, const struct rundir *folder,
			struct status_policy *policy)
{
	const struct record *record = policy->record;
	const struct archive *archive;
	struct table_checks checks = { .observed = &policy->observed,
				       .record = record,
				       .is_open = policy->is_open,
				       .command = apply_command(arena, policy),
				       .problems = policy->problems,
				       .drift = policy->drift };

	table_checks_find(&checks);
	archive = record ? archive_read(arena, folder, policy->name, ARCHIVE_APPLIED) : NULL;
	if (!archive || archive->ir->digest != record->digest)
		return;
	policy->applied = archive->ir;
	checks.applied = archive->ir;
	if (!policy->drift->count)
		table_checks_contents(arena, &checks);
}

/* ---- with a record: what should be there, and nothing else ---- */

/* One that is missing, or is too much. */
static void tell_rule(struct arena *arena, struct status_policy *policy, const struct op *op)
{
	char digit = addr_digit(op->rule->family);

	complain(arena, policy, "%s",
		 op->kind == OP_RULE_REMOVE
			 ? arena_printf(arena,
					"an IPv%c rule has the policy's protocol number (%" PRIu32
					") and is not the policy's: %s",
					digit, op->protocol, op->seen)
			 : arena_printf(arena, "the IPv%c rule %" PRIu32 " is missing", digit,
					op->rule->priority))
		->command = op_command(arena, op);
}

/* "isp2 (7104)": by the name it has in the policy, where that can be read. */
static const char *table_words(struct arena *arena, const struct status_policy *policy, uint32_t id)
{
	const struct ir_class *class = policy->applied ? ir_table_class(policy->applied, id) : NULL;

	return class ? arena_printf(arena, "table %s (%" PRIu32 ")", class->name, id)
		     : arena_printf(arena, "table %" PRIu32, id);
}

static bool is_of_copy(const struct status_policy *policy, const struct ir_route *route)
{
	uint32_t copy = policy->record->claims[0].main_copy;

	return copy && route->table == copy;
}

/* One line for all of them: a new network of the host often brings several routes. */
static void tell_copy(struct arena *arena, struct status_policy *policy, const struct op_list *ops)
{
	const struct ir_route *lacked = NULL, *old = NULL, *first;
	size_t lacks = 0, stale = 0;
	char to[ADDR_TEXT];

	for (const struct op *op = ops->first; op; op = op->next) {
		if (!op->route || !is_of_copy(policy, op->route))
			continue;
		if (op->kind == OP_ROUTE_REMOVE) {
			old = old ? old : op->route;
			stale++;
		} else {
			lacked = lacked ? lacked : op->route;
			lacks++;
		}
	}
	first = lacked ? lacked : old;
	if (!first)
		return;
	addr_format_prefix(first->to, to);
	complain(arena, policy,
		 "main's IPv6 routes have changed since the apply: the policy's copy of them, table %" PRIu32
		 ", lacks %zu and has %zu too many (%s); until the next apply packets to them use the old copy",
		 policy->record->claims[0].main_copy, lacks, stale, to)
		->command = apply_command(arena, policy);
}

/* A command only where the kernel would take the route. */
static void tell_missing_route(struct arena *arena, struct netlink *netlink,
			       struct status_policy *policy, const struct op *op)
{
	const struct ir_route *route = op->route;
	const char *table = table_words(arena, policy, route->table);
	const char *down = diff_down_device(netlink, route), *words;
	const char *bare = route->family == ADDR_IPV4 && policy->applied
				   ? obstacles_bare_device(netlink, policy->applied, route)
				   : NULL;
	struct buf text = { 0 };
	struct diag_record *line;

	ipbatch_put_route(route, 0, &text);
	words = buf_keep(arena, &text);
	if (down)
		words = arena_printf(arena, "the interface %s is down, so %s has no route `%s`",
				     down, table, words);
	else if (bare)
		words = arena_printf(arena,
				     "the interface %s has no IPv4 address to masquerade with, so %s has no route `%s`",
				     bare, table, words);
	else if (op->kind == OP_ROUTE_REPLACE)
		words = arena_printf(arena, "%s has another route than `%s`", table, words);
	else
		words = arena_printf(arena, "%s lacks the route `%s`", table, words);
	line = complain(arena, policy, "%s", words);
	if (down)
		diag_help_text(line, "apply the policy again when the interface is up");
	else if (bare)
		diag_help_text(line, "apply the policy again when the interface has an address");
	line->command = down || bare ? NULL : op_command(arena, op);
}

static void tell_route_too_many(struct arena *arena, struct status_policy *policy,
				const struct op *op)
{
	complain(arena, policy,
		 "a route in table %" PRIu32 " has the policy's protocol number (%" PRIu32
		 ") and is not the policy's: %s",
		 op->route->table, op->protocol, op->seen)
		->command = op_command(arena, op);
}

/* The kernel's own answer to a cable that is out, where the setting stands: what the routes by the
 * interface took goes by what comes after them. */
static void check_carrier(struct arena *arena, struct netlink *netlink,
			  struct status_policy *policy, enum addr_family family, const char *dev)
{
	struct link_state state = link_state(arena, netlink, dev);
	const char *pattern = family == ADDR_IPV6 ? "net.ipv6.conf.*.ignore_routes_with_linkdown"
						  : "net.ipv4.conf.*.ignore_routes_with_linkdown";
	const char *value = sysctl_read(arena, sysctl_key(arena, pattern, dev));
	bool is_left = value && strcmp(value, "0") != 0;
	struct diag_record *line;

	if (!state.index || !state.is_up || state.has_carrier)
		return;
	line = report_add(policy->problems, SEVERITY_WARNING, DIAG_interface_down,
			  "the interface %s has no carrier: %s", dev,
			  is_left ? "until it has one, the kernel ignores its routes and uses the next ones"
				  : "packets of its routes are lost");
	diag_help_text(line,
		       "check its cable and its other end; for a tun or tap, the program that opens it");
}

static void check_carriers(struct arena *arena, struct netlink *netlink,
			   struct status_policy *policy)
{
	const char **seen = NULL;
	size_t count = 0;

	for (size_t i = 0; i < policy->observed.routes.count; i++) {
		const struct route_seen *route = &policy->observed.routes.items[i];

		for (size_t k = 0; k < route->route.hop_count; k++) {
			const char *dev = route->route.hops[k].dev;
			size_t before = count;

			/* A copy leads where main leads: that is the host's own affair. */
			if (!dev || is_of_copy(policy, &route->route) ||
			    !host_owns_route(&policy->observed, route))
				continue;
			names_add(arena, &seen, &count, dev);
			if (count > before)
				check_carrier(arena, netlink, policy, route->route.family, dev);
		}
	}
}

static void check_routing(struct arena *arena, struct netlink *netlink,
			  struct status_policy *policy)
{
	const struct record *record = policy->record;
	struct ir wanted = record->ir;
	bool has_ipv6 = sysctl_has_ipv6(arena);
	struct op_list ops = { 0 };

	wanted.protocol = record->claims[0].protocol;
	wanted.main_copy = record->claims[0].main_copy;
	learnt_resolve(arena, netlink, &policy->observed, &wanted);
	diff_routing(arena, &wanted, &policy->observed, &ops);
	for (const struct op *op = ops.first; op; op = op->next) {
		if (op->rule)
			tell_rule(arena, policy, op);
		else if (is_of_copy(policy, op->route))
			continue;
		else if (op->kind == OP_ROUTE_REMOVE)
			tell_route_too_many(arena, policy, op);
		else if (!has_ipv6 && op->route->family == ADDR_IPV6)
			continue;
		else if (op->state == OP_LEFT_OUT)
			complain(arena, policy, "%s", diff_lost_words(arena, op->route));
		else
			tell_missing_route(arena, netlink, policy, op);
	}
	if (has_ipv6)
		tell_copy(arena, policy, &ops);
	check_carriers(arena, netlink, policy);
}

static void check_settings(struct arena *arena, struct netlink *netlink,
			   struct status_policy *policy)
{
	const struct record *record = policy->record;
	struct sysctl_plan needs = sysctl_plan_find(arena, netlink, record->ir.sysctls,
						    record->ir.sysctl_count, record);

	for (size_t i = 0; i < needs.count; i++) {
		const struct sysctl_plan_setting *need = &needs.items[i];
		const char *value = need->wanted->value;

		if (need->absent)
			report_add(policy->problems, SEVERITY_WARNING, DIAG_no_interface,
				   "there is no interface %s, so %s is not %s: %s", need->absent,
				   need->key, value, need->wanted->why)
				->command = apply_command(arena, policy);
		else if (need->is_open)
			report_add(record->ir.sysctl_policy != IR_SYSCTL_CHECK ||
						   record_find_sysctl(record, need->key)
					   ? policy->drift
					   : policy->problems,
				   SEVERITY_WARNING, DIAG_sysctl_drift,
				   "%s is %s and should be %s: %s", need->key, need->now, value,
				   need->wanted->why)
				->command =
				arena_printf(arena, "sysctl -w %s=%s", need->key, value);
	}
}

static void check_fills(struct arena *arena, struct kernel *kernel, struct status_policy *policy)
{
	const char *const *stale;
	size_t count = 0;

	if (!policy->applied || !policy->observed.table.exists)
		return;
	stale = stale_fills(arena, kernel, policy->applied, policy->problems, &count);
	for (size_t i = 0; i < count; i++)
		complain(arena, policy, "%s", stale[i]);
}

static void check_unmarked(struct arena *arena, struct status_policy *policy)
{
	const struct record *record = policy->record;
	const char *harm = unmarked_harm(arena, record, &policy->observed);

	policy->unmarked = unmarked_words(arena, record, &policy->observed);
	if (harm)
		report_add(policy->problems, SEVERITY_WARNING, DIAG_unmarked_drops,
			   "%s, and with the IPv4 rules that refuse packets without a mark it drops replies: switch it off, or apply again, which leaves those rules out",
			   harm)
			->command = apply_command(arena, policy);
}

static void check_record(struct arena *arena, struct kernel *kernel, struct status_policy *policy)
{
	const struct record *record = policy->record;
	struct netlink *netlink = &kernel->route;
	struct listening_job sockets = { .report = policy->problems,
					 .netlink = netlink,
					 .listeners = record->ir.listeners,
					 .count = record->ir.listener_count,
					 .asked = record->ir.asked,
					 .asked_count = record->ir.asked_count };

	check_routing(arena, netlink, policy);
	check_fills(arena, kernel, policy);
	listening_check(&sockets);
	lives_tell(policy->drift, apply_command(arena, policy), record, &policy->rows,
		   &policy->row_count);
	check_settings(arena, netlink, policy);
	check_unmarked(arena, policy);
	interfaces_tell(policy->problems, netlink, record->ir.asked, record->ir.asked_count);
	hosted_tell_missing(policy->problems, record, apply_command(arena, policy));
}

/* ---- without: only whether there is anything at all ---- */

static bool has_any_route(const struct observed *observed, uint32_t table)
{
	for (size_t i = 0; i < observed->routes.count; i++)
		if (observed->routes.items[i].route.table == table)
			return true;
	return false;
}

static void check_claim(struct arena *arena, struct status_policy *policy,
			const struct record_claim *claim)
{
	bool has_rules = false;

	for (size_t i = 0; i < policy->observed.rules.count; i++)
		has_rules |= host_owns_rule(&policy->observed, &policy->observed.rules.items[i]);
	if (claim->table_count && !has_rules)
		complain(arena, policy, "none of its ip rules (%" PRIu32 "-%" PRIu32 ") is there",
			 claim->priority_first, claim->priority_last);
	for (size_t i = 0; i < claim->table_count; i++)
		if (claim->tables[i] != claim->main_copy &&
		    !has_any_route(&policy->observed, claim->tables[i]))
			complain(arena, policy, "its routing table %" PRIu32 " is empty",
				 claim->tables[i]);
}

/* Foreign objects before, among or after the policy's. */
static void check_foreign_rules(struct status_policy *policy)
{
	const struct record *record = policy->record;
	const struct about_line *routing = nft_table_about(&policy->observed.table, ABOUT_ROUTING);
	struct foreign_ip_rules_policy own = { .mark_mask = routing ? routing->mask : UINT32_MAX };

	if (record && record->claim_count) {
		own.claim = &record->claims[0];
		own.ip_rules = record->ir.ip_rules;
		own.ip_rule_count = record->ir.ip_rule_count;
	} else if (policy->observed.claim_count) {
		own.claim = &policy->observed.claims[0];
	} else {
		return;
	}
	if (!record || record->ir.ip_rule_count)
		foreign_ip_rules_find(policy->problems, &own, &policy->observed);
	foreign_ip_rules_find_inside(policy->problems, &own, &policy->observed);
}

/* What keeps an apply from being taken back by itself, where no confirmation comes. */
static void check_pending(struct arena *arena, const struct rundir *folder,
			  struct status_policy *policy)
{
	const struct pending *pending = pending_read(arena, folder, policy->name);
	const char *command = arena_printf(arena, "tpc rollback %s", policy->name);

	if (!pending_waits(arena, pending, policy->record))
		return;
	policy->is_open = true;
	if (!pending->failure && pending_lives(pending))
		policy->pending = pending;
	else if (pending->failure)
		report_add(policy->problems, SEVERITY_WARNING, DIAG_rollback_failed,
			   "the last apply was not confirmed in time and could not be rolled back: %s",
			   pending->failure)
			->command = command;
	else
		report_add(policy->problems, SEVERITY_WARNING, DIAG_rollback_failed,
			   "the process that would roll the last apply back is gone: the apply stays until you confirm it or roll it back")
			->command = command;
}

/* Drift first. */
static void join_problems(struct arena *arena, struct status_policy *policy)
{
	struct report *others = policy->problems;

	policy->problems = arena_new_of(arena, struct report);
	policy->problems->arena = arena;
	for (int i = 0; i < 2; i++) {
		const struct report *from = i ? others : policy->drift;

		for (size_t k = 0; k < from->count; k++)
			*arena_append(arena, policy->problems->records, policy->problems->count) =
				from->records[k];
	}
}

/* What on this host keeps the policy from doing what it says. */
static void check_host(struct arena *arena, struct kernel *kernel, struct status_policy *policy)
{
	struct translators_job job = { .arena = arena,
				       .report = policy->problems,
				       .kernel = kernel,
				       .ir = policy->applied,
				       .is_applied = true };

	obstacles_tell(arena, policy->problems, &kernel->route, policy->applied);
	translators_tell(&job);
}

static void check_flows(struct arena *arena, struct kernel *kernel, struct status_policy *policy)
{
	const struct flows_job job = { .arena = arena,
				       .report = policy->problems,
				       .kernel = kernel,
				       .before = policy->record,
				       .after = policy->record };
	size_t count;

	if (!policy->record || policy->record->ir.keeps_connections ||
	    !policy->observed.table.exists)
		return;
	count = flows_find(&job).count;
	if (count)
		report_add(policy->problems, SEVERITY_WARNING, DIAG_stale_connections,
			   "%zu connection%s stale: the rules would now give another listener or source address; an apply deletes %s",
			   count, count == 1 ? " is" : "s are", count == 1 ? "it" : "them")
			->command = apply_command(arena, policy);
}

static void check_networks(struct arena *arena, struct kernel *kernel, struct status_policy *policy)
{
	const struct own_networks_job job = { .arena = arena,
					      .report = policy->problems,
					      .kernel = kernel,
					      .record = policy->record };

	if (policy->record && policy->observed.table.exists)
		own_networks_tell(&job);
}

/* What was applied, with the gateways that this host has now. */
static void learn(struct arena *arena, struct kernel *kernel, struct status_policy *policy)
{
	struct ir *ir = arena_new_of(arena, struct ir);

	if (!policy->applied)
		return;
	*ir = *policy->applied;
	learnt_resolve(arena, &kernel->route, &policy->observed, ir);
	policy->applied = ir;
}

static bool read_policy(struct arena *arena, struct kernel *kernel, const struct rundir *folder,
			const char *name, struct status_policy *out, struct netlink_error *error)
{
	out->name = name;
	out->record = record_read(arena, folder, name);
	out->problems = arena_new_of(arena, struct report);
	out->drift = arena_new_of(arena, struct report);
	out->problems->arena = out->drift->arena = arena;
	if (!host_observe(arena, kernel, host_table_name(arena, name), out->record, NULL,
			  &out->observed, error))
		return false;
	check_pending(arena, folder, out);
	check_table(arena, folder, out);
	learn(arena, kernel, out);
	if (out->record && out->record->claim_count)
		check_record(arena, kernel, out);
	else if (out->observed.claim_count)
		check_claim(arena, out, &out->observed.claims[0]);
	check_foreign_rules(out);
	if (out->applied)
		check_host(arena, kernel, out);
	check_flows(arena, kernel, out);
	check_networks(arena, kernel, out);
	if (out->observed.table.exists)
		flushers_tell(out->problems, NULL);
	join_problems(arena, out);
	return true;
}

static bool read_all(struct arena *arena, struct kernel *kernel, const struct rundir *folder,
		     const char *only, struct status *out, struct netlink_error *error)
{
	if (!host_policies(arena, kernel, folder, &out->names, &out->name_count, error))
		return false;
	for (size_t i = 0; i < out->name_count; i++) {
		if (only && strcmp(only, out->names[i]) != 0)
			continue;
		if (!read_policy(arena, kernel, folder, out->names[i],
				 arena_append(arena, out->policies, out->count), error))
			return false;
	}
	return true;
}

bool status_read(struct arena *arena, struct report *report, const char *only, struct status *out)
{
	struct netlink_error error;
	struct kernel kernel;
	struct rundir folder;
	const char *why;
	bool done;

	memset(out, 0, sizeof(*out));
	if (!host_open(&kernel, &error))
		return host_refused(report, &error);
	rundir_open(arena, &folder, false, &why);
	folder.report = report;
	out->folder = folder.path;
	done = read_all(arena, &kernel, &folder, only, out, &error);
	host_close(&kernel);
	return done || host_refused(report, &error);
}
