/*
 * status: `tpc status [NAME]` shows applied policies, counters and drift.
 * Reads only.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/shown.h"
#include "cmd/show.h"
#include "cmd/verbs.h"
#include "emit/overview.h"
#include "host/status.h"
#include "state/pending.h"

enum { STATUS_DRIFT };

static const struct cmd_option options[] = {
	[STATUS_DRIFT] = { "drift", 0, NULL, "show drift only", NULL, false },
};

static void put_since(int64_t since, struct buf *out)
{
	time_t seconds = (time_t)since;
	char text[64] = "";
	struct tm local;

	if (localtime_r(&seconds, &local))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &local);
	buf_puts(out, text);
}

/* ---- text ---- */

static void put_class(const struct ir_class *class, struct buf *out)
{
	buf_printf(out, "  way:      %-20s mark 0x%08" PRIx32 "/0x%08" PRIx32, class->name,
		   class->mark, class->mask);
	if (class->priority)
		buf_printf(out, "  ip rule %" PRIu32, class->priority);
	if (class->table)
		buf_printf(out, "  table %" PRIu32, class->table);
	buf_puts(out, "  ");
	overview_put_class(class, out);
	buf_putc(out, '\n');
}

static void put_claim(const struct record_claim *claim, struct buf *out)
{
	if (!claim->priority_first && !claim->table_count)
		return;
	buf_puts(out, "  routing:  ");
	if (claim->priority_first)
		buf_printf(out, "ip rules %" PRIu32 "-%" PRIu32 ", ", claim->priority_first,
			   claim->priority_last);
	buf_printf(out, "protocol %" PRIu32, claim->protocol);
	for (size_t i = 0; i < claim->table_count; i++)
		buf_printf(out, "%s%" PRIu32, i ? ", " : ", tables ", claim->tables[i]);
	buf_putc(out, '\n');
}

/* Only sets that are filled at run time: what the others hold is the policy's. */
static void put_sets(const struct nft_table *table, struct buf *out)
{
	for (size_t i = 0; i < table->set_count; i++) {
		const struct nft_table_set *set = &table->sets[i];

		if (!nft_table_is_learned(set) && !set->holds_flows)
			continue;
		buf_printf(out,
			   set->holds_flows
				   ? "  flows:    %-20s kept in case the kernel forgets them"
				   : "  set:      %-20s filled at run time",
			   set->name);
		if (set->has_count)
			buf_printf(out, ", %" PRIu32 " elements", set->count);
		if (set->size)
			buf_printf(out, " of at most %" PRIu32, set->size);
		buf_putc(out, '\n');
	}
}

/* How it came to be what it is, where that was no apply that came to its end. */
static void put_turns(const struct status_policy *policy, struct buf *out)
{
	const struct record *record = policy->record;

	if (policy->pending)
		buf_printf(out,
			   "  pending:  %u s left for `tpc confirm %s`, then it is rolled back\n",
			   pending_left(policy->pending), policy->name);
	if (record->returned && record->is_complete) {
		buf_puts(out, "restored: since ");
		put_since(record->returned, out);
		buf_puts(out, record->by_watchdog ? ", because a later apply was not confirmed\n"
						  : ", by a rollback of a later apply\n");
	}
}

static void put_policy(const struct status_policy *policy, struct buf *out)
{
	const struct nft_table *table = &policy->observed.table;
	const struct record *record = policy->record;

	buf_printf(out, "%s\n  applied:  ", policy->name);
	if (record) {
		put_since(record->since, out);
		buf_puts(out, " from ");
		shown_text(out, record->policy);
		buf_putc(out, '\n');
		put_turns(policy, out);
	} else {
		buf_puts(out, "by hand, or by a user whose state cannot be read\n");
	}
	buf_printf(out, "  nft:      table inet %s, ", table->name);
	if (table->exists)
		buf_printf(out, "%zu rule%s, %zu set%s\n", nft_table_rule_count(table),
			   nft_table_rule_count(table) == 1 ? "" : "s", table->set_count,
			   table->set_count == 1 ? "" : "s");
	else
		buf_puts(out, "missing\n");
	if (policy->observed.claim_count)
		put_claim(&policy->observed.claims[0], out);
	if (policy->unmarked)
		buf_printf(out,
			   "  unmarked: refused without nft too, except to the main table's own "
			   "networks: %s\n",
			   policy->unmarked);
	for (size_t i = 0; record && i < record->ir.class_count; i++)
		put_class(&record->ir.classes[i], out);
	show_rows(out, policy->problems->arena, policy->rows, policy->row_count);
	put_sets(table, out);
	for (size_t i = 0; i < table->counter_count; i++)
		buf_printf(out, "  counter:  %-20s %" PRIu64 " packets, %" PRIu64 " bytes\n",
			   table->counters[i].name, table->counters[i].packets,
			   table->counters[i].bytes);
	show_messages(out, policy->problems);
	if (!policy->problems->count)
		buf_puts(out,
			 record ? "  everything holds\n"
				: "  rules and routes hold; listeners and sysctls are known only "
				  "after `tpc apply`: see policy.json and policy.sysctl.conf\n");
}

/* Is none of the name that was asked for applied? */
static bool is_absent(const struct cmd_call *call, const struct status *status)
{
	return call->arg_count && !status->count;
}

static void put_nothing(const struct cmd_call *call, const struct status *status, struct buf *out)
{
	if (call->arg_count) {
		shown_text(out, call->args[0]);
		buf_puts(out, ": ");
	}
	buf_puts(out, "nothing is applied");
	show_names(out, status->names, status->name_count);
	buf_putc(out, '\n');
}

/* Only what differs: nothing where nothing does. */
static void put_drift(const struct cmd_call *call, const struct status *status, struct buf *out)
{
	if (is_absent(call, status))
		put_nothing(call, status, out);
	for (size_t i = 0; i < status->count; i++) {
		if (!status->policies[i].drift->count)
			continue;
		buf_printf(out, "%s\n", status->policies[i].name);
		show_messages(out, status->policies[i].drift);
	}
}

static void put_text(const struct cmd_call *call, const struct status *status, struct buf *out)
{
	if (!status->count)
		put_nothing(call, status, out);
	for (size_t i = 0; i < status->count; i++) {
		if (i)
			buf_putc(out, '\n');
		put_policy(&status->policies[i], out);
	}
	if (call->verbose && status->folder)
		buf_printf(out, "run directory: %s\n", status->folder);
}

/* ---- json ---- */

static void put_json_classes(const struct record *record, struct json *out)
{
	json_list(out, "classes");
	for (size_t i = 0; record && i < record->ir.class_count; i++) {
		const struct ir_class *class = &record->ir.classes[i];

		json_object(out, NULL);
		json_text(out, "name", class->name);
		json_number(out, "mark", class->mark);
		json_number(out, "mask", class->mask);
		json_number(out, "priority", class->priority);
		json_number(out, "table", class->table);
		json_text(out, "listener", class->listener_mode);
		json_number(out, "port", class->port);
		json_end(out);
	}
	json_end(out);
}

static void put_json_counters(const struct nft_table *table, struct json *out)
{
	json_list(out, "counters");
	for (size_t i = 0; i < table->counter_count; i++) {
		json_object(out, NULL);
		json_text(out, "name", table->counters[i].name);
		json_number(out, "packets", table->counters[i].packets);
		json_number(out, "bytes", table->counters[i].bytes);
		json_end(out);
	}
	json_end(out);
}

static void put_json_sets(const struct nft_table *table, bool of_flows, struct json *out)
{
	json_list(out, of_flows ? "flow_sets" : "dynamic_sets");
	for (size_t i = 0; i < table->set_count; i++) {
		const struct nft_table_set *set = &table->sets[i];

		if (of_flows ? !set->holds_flows : !nft_table_is_learned(set))
			continue;
		json_object(out, NULL);
		json_text(out, "name", set->name);
		if (set->has_count)
			json_number(out, "elements", set->count);
		else
			json_null(out, "elements");
		json_end(out);
	}
	json_end(out);
}

static void put_json_claim(const struct observed *observed, struct json *out)
{
	const struct record_claim *claim = observed->claim_count ? &observed->claims[0] : NULL;

	if (claim) {
		json_number(out, "protocol", claim->protocol);
		json_list(out, "priority");
		json_number(out, NULL, claim->priority_first);
		json_number(out, NULL, claim->priority_last);
		json_end(out);
	}
	json_list(out, "tables");
	for (size_t i = 0; claim && i < claim->table_count; i++)
		json_number(out, NULL, claim->tables[i]);
	json_end(out);
}

static void put_json_turns(const struct status_policy *policy, struct json *out)
{
	const struct record *record = policy->record;
	bool is_returned = record && record->is_complete && record->returned;

	if (policy->pending)
		json_number(out, "confirm_within", pending_left(policy->pending));
	else
		json_null(out, "confirm_within");
	json_number_or_null(out, "returned", is_returned ? (uint64_t)record->returned : 0);
	json_bool(out, "unconfirmed", is_returned && record->by_watchdog);
}

static void put_json_policy(const struct status_policy *policy, struct json *out)
{
	const struct nft_table *table = &policy->observed.table;
	const struct record *record = policy->record;

	json_object(out, NULL);
	json_text(out, "name", policy->name);
	json_text(out, "file", record ? record->policy : NULL);
	if (record)
		json_number(out, "since", (uint64_t)record->since);
	else
		json_null(out, "since");
	put_json_turns(policy, out);
	json_text(out, "nft_table", table->exists ? table->name : NULL);
	json_number(out, "nft_rules", nft_table_rule_count(table));
	json_number(out, "sets", table->set_count);
	put_json_claim(&policy->observed, out);
	json_text(out, "refused_unmarked", policy->unmarked);
	put_json_classes(record, out);
	show_json_rows(policy->problems->arena, policy->rows, policy->row_count, out);
	put_json_sets(table, false, out);
	put_json_sets(table, true, out);
	put_json_counters(table, out);
	json_bool(out, "drift", policy->drift->count);
	show_json_messages(out, "problems", policy->problems);
	json_end(out);
}

static void put_json(const struct status *status, const struct report *report, struct buf *out)
{
	struct json json = { .out = out };

	json_object(&json, NULL);
	json_list(&json, "policies");
	for (size_t i = 0; i < status->count; i++)
		put_json_policy(&status->policies[i], &json);
	json_end(&json);
	json_text(&json, "notes", status->folder);
	show_json_end(&json, NULL, report);
}

static enum cmd_status run(struct cmd_call *call)
{
	struct report report = { .arena = call->arena };
	struct status status;
	struct buf out = { 0 };
	enum cmd_status printed;

	if (!status_read(call->arena, &report, call->arg_count ? call->args[0] : NULL, &status)) {
		show_problems(call, &report);
		return CMD_SYSTEM_REFUSED;
	}
	if (call->format == CMD_JSON)
		put_json(&status, &report, &out);
	else if (cmd_given(call, STATUS_DRIFT))
		put_drift(call, &status, &out);
	else
		put_text(call, &status, &out);
	if (call->format != CMD_JSON)
		show_problems(call, &report);
	printed = cmd_print_text(call, &out);
	buf_free(&out);
	if (printed != CMD_DONE)
		return printed;
	for (size_t i = 0; i < status.count; i++)
		if (status.policies[i].drift->count)
			return CMD_DIFFERENCE;
	if (report.count)
		return CMD_DIFFERENCE;
	/* Who asks for its drift takes it that it is there. */
	return cmd_given(call, STATUS_DRIFT) && is_absent(call, &status) ? CMD_DIFFERENCE
									 : CMD_DONE;
}

const struct cmd_verb verb_status = {
	.name = "status",
	.usage = "[NAME]",
	.summary = "show applied policies and drift",
	.detail = "For each policy: its file, since when, marks, ip rules and tables, counters, "
		  "and every ip rule, route, listener and\nsysctl with a problem, and the command "
		  "that fixes it. The exit status is 5 when rules, sets, ip rules,\nroutes or "
		  "sysctls are not as apply left them, or another listener of a row has a socket; "
		  "a listener without a socket and\nforeign rules are only reported. Needs "
		  "CAP_NET_ADMIN.",
	.most_args = 1,
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
