/*
 * plan: `tpc plan POLICY` shows what `apply` would change on this host, and changes nothing.
 *
 * In goes a policy, out come lines with + - ~ in the order of their kinds, or JSON; exit 5 when
 * there is anything.
 */
#include <inttypes.h>
#include <string.h>

#include "addr/addr.h"
#include "apply/plan.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/file.h"
#include "base/json.h"
#include "base/shown.h"
#include "cmd/show.h"
#include "cmd/verbs.h"
#include "ir/ir.h"
#include "kernel/op.h"

enum { PLAN_ALLOW_FOREIGN, PLAN_LEVEL, PLAN_STRICT };

static const struct cmd_option options[] = {
	[PLAN_ALLOW_FOREIGN] = CMD_ALLOW_FOREIGN_OPTION,
	[PLAN_LEVEL] = CMD_LEVEL_OPTION,
	[PLAN_STRICT] = CMD_STRICT_OPTION,
};

static const char *const section_names[] = {
	[OP_SETS] = "sets",
	[OP_NFT] = "nft",
	[OP_IP_RULES] = "ip rules",
	[OP_ROUTES] = "routes",
	[OP_SYSCTLS] = "kernel settings",
	[OP_FLOWS] = "connection tracking",
};

static const char *const section_keys[] = {
	[OP_SETS] = "set",     [OP_NFT] = "nft",        [OP_IP_RULES] = "ip_rule",
	[OP_ROUTES] = "route", [OP_SYSCTLS] = "sysctl", [OP_FLOWS] = "connections",
};

static const struct {
	char sign;
	const char *word, *color;
} signs[] = {
	[OP_ADD] = { '+', "add", "\33[32m" },
	[OP_CHANGE] = { '~', "change", "\33[33m" },
	[OP_REMOVE] = { '-', "remove", "\33[31m" },
};

/* ---- elements ---- */

static void put_element(const struct ir_set *set, size_t i, struct buf *out)
{
	struct interval element = set->elements.items[i];

	switch (set->type) {
	case IR_SET_IPV4:
	case IR_SET_IPV6:
		addr_put_interval(out, set->type == IR_SET_IPV4 ? ADDR_IPV4 : ADDR_IPV6, element);
		return;
	case IR_SET_PORT:
	case IR_SET_TIME:
		buf_printf(out, "%" PRIu64, element.first.low);
		if (!interval_is_one(element))
			buf_printf(out, "-%" PRIu64, element.last.low);
		return;
	case IR_SET_LINK:
		ir_put_link(out, element.first.low);
		return;
	case IR_SET_FLOW_IPV4:
	case IR_SET_FLOW_IPV6: /* of those no elements are known */
		return;
	}
}

static size_t count_of(const struct ir_set *set)
{
	return set ? set->elements.count : 0;
}

/* ---- text ---- */

static void put_colored(const struct cmd_call *call, enum op_sign sign, const char *text,
			struct buf *out)
{
	buf_printf(out, "%s%c ", call->color_out ? signs[sign].color : "", signs[sign].sign);
	shown_text(out, text);
	buf_puts(out, call->color_out ? "\33[0m" : "");
}

static void put_elements(const struct cmd_call *call, const struct ir_set *set, enum op_sign sign,
			 struct buf *out)
{
	struct buf text = { 0 };

	for (size_t i = 0; i < count_of(set); i++) {
		text.length = 0;
		put_element(set, i, &text);
		buf_puts(out, "        ");
		put_colored(call, sign, buf_text(&text), out);
		buf_putc(out, '\n');
	}
	buf_free(&text);
}

static void put_item(const struct cmd_call *call, const struct op *op, struct buf *out)
{
	buf_puts(out, "    ");
	put_colored(call, op_sign(op), op_what(call->arena, op), out);
	if (count_of(op->added))
		buf_printf(out, "  +%zu", count_of(op->added));
	if (count_of(op->removed))
		buf_printf(out, "  -%zu", count_of(op->removed));
	if (count_of(op->added) || count_of(op->removed))
		buf_puts(out, " elements");
	if (op->why) {
		buf_puts(out, "  (");
		shown_text(out, op->why);
		buf_putc(out, ')');
	}
	buf_putc(out, '\n');
	if (!call->verbose)
		return;
	put_elements(call, op->removed, OP_REMOVE, out);
	put_elements(call, op->added, OP_ADD, out);
}

/* How the rules differ, where -v asks for it and what was applied is known. */
static void put_rules(const struct cmd_call *call, const struct plan *plan, struct buf *out)
{
	struct buf diff = { 0 };
	const char *line;

	if (!call->verbose || !plan->new_rules || !plan->old_rules)
		return;
	file_diff(&diff, "applied", plan->old_rules, strlen(plan->old_rules), "planned",
		  plan->new_rules, strlen(plan->new_rules));
	if (!diff.length)
		buf_puts(out,
			 "        (the rules are the applied ones; the loaded ones were changed "
			 "by hand, and are rewritten)\n");
	for (line = buf_text(&diff); *line;) {
		size_t length = strcspn(line, "\n");
		enum op_sign sign = *line == '+' ? OP_ADD : OP_REMOVE;
		bool colored = call->color_out && (*line == '+' || *line == '-');

		buf_puts(out, colored ? signs[sign].color : "");
		buf_puts(out, "        ");
		shown_lines(out, line, length);
		buf_puts(out, colored ? "\33[0m\n" : "\n");
		line += length + (line[length] == '\n');
	}
	buf_free(&diff);
}

static void put_sum(const struct plan *plan, struct buf *out)
{
	size_t counts[] = { 0, 0, 0 };

	for (size_t i = 0; i < plan->count; i++)
		counts[op_sign(plan->items[i])]++;
	buf_printf(out, "to add: %zu, to change: %zu, to remove: %zu\n", counts[OP_ADD],
		   counts[OP_CHANGE], counts[OP_REMOVE]);
}

static void put_text(const struct cmd_call *call, const struct ir *ir, const struct plan *plan,
		     struct buf *out)
{
	if (!plan->count) {
		buf_printf(out, "%s: nothing to change\n", ir->name);
		show_rows(out, call->arena, ir->rows, ir->row_count);
		return;
	}
	buf_printf(out, "%s: apply would change this host\n", ir->name);
	for (size_t i = 0; i < plan->count; i++) {
		enum op_section section = op_section(plan->items[i]);

		if (!i || op_section(plan->items[i - 1]) != section)
			buf_printf(out, "  %s\n", section_names[section]);
		put_item(call, plan->items[i], out);
		if (section == OP_NFT &&
		    (i + 1 == plan->count || op_section(plan->items[i + 1]) != section))
			put_rules(call, plan, out);
	}
	show_rows(out, call->arena, ir->rows, ir->row_count);
	put_sum(plan, out);
}

/* ---- JSON ---- */

static void put_json_elements(const char *key, const struct ir_set *set, struct json *out)
{
	struct buf text = { 0 };

	json_list(out, key);
	for (size_t i = 0; i < count_of(set); i++) {
		text.length = 0;
		put_element(set, i, &text);
		json_text(out, NULL, buf_text(&text));
	}
	json_end(out);
	buf_free(&text);
}

static void put_json_item(const struct cmd_call *call, const struct op *op, struct json *out)
{
	json_object(out, NULL);
	json_text(out, "kind", section_keys[op_section(op)]);
	json_text(out, "action", signs[op_sign(op)].word);
	json_text(out, "what", op_what(call->arena, op));
	json_text(out, "why", op->why);
	if (op_section(op) == OP_SETS) {
		json_number(out, "added", count_of(op->added));
		if (call->verbose && op->added)
			put_json_elements("added_elements", op->added, out);
		json_number(out, "removed", count_of(op->removed));
		if (call->verbose && op->removed)
			put_json_elements("removed_elements", op->removed, out);
	}
	json_end(out);
}

static void put_json(const struct cmd_call *call, const struct apply_job *job, struct buf *out)
{
	struct json json = { .out = out };

	json_object(&json, NULL);
	json_text(&json, "policy", job->ir->name);
	show_json_rows(call->arena, job->ir->rows, job->ir->row_count, &json);
	json_list(&json, "changes");
	for (size_t i = 0; i < job->plan->count; i++)
		put_json_item(call, job->plan->items[i], &json);
	json_end(&json);
	show_json_end(&json, job->diag, job->report);
}

/* ---- the call ---- */

static enum cmd_status show(const struct cmd_call *call, const struct apply_job *job,
			    enum apply_outcome outcome)
{
	enum cmd_status status = show_status(outcome), printed;
	struct buf out = { 0 };

	if (outcome == APPLY_DONE)
		status = CMD_DIFFERENCE;
	if (call->format == CMD_JSON) {
		put_json(call, job, &out);
	} else {
		cmd_show_diag(call, job->diag);
		show_problems(call, job->report);
		if (outcome == APPLY_REFUSED)
			cmd_error(call, DIAG_refused, NULL, "apply would be refused");
		else if (!call->quiet)
			put_text(call, job->ir, job->plan, &out);
	}
	printed = call->color_out ? cmd_print(call, &out) : cmd_print_text(call, &out);
	buf_free(&out);
	return status != CMD_DONE ? status : printed;
}

static enum cmd_status run(struct cmd_call *call)
{
	struct report report = { .arena = call->arena };
	struct plan plan = { 0 };
	struct apply_job job = { .arena = call->arena,
				 .report = &report,
				 .policy = call->args[0],
				 .plan = &plan,
				 .dry_run = true };
	struct apply_counts counts;
	const struct ir *ir;

	call->strict = job.strict = cmd_given(call, PLAN_STRICT);
	ir = cmd_compile_here(call, job.policy);
	if (!ir)
		return CMD_POLICY_WRONG;
	job.ir = cmd_optimise(call, ir, PLAN_LEVEL);
	job.diag = diag_new(call->arena);
	job.allow_foreign = cmd_given(call, PLAN_ALLOW_FOREIGN);
	return show(call, &job, apply_policy(&job, &counts));
}

const struct cmd_verb verb_plan = {
	.name = "plan",
	.usage = "POLICY",
	.summary = "show what apply would change on this host",
	.detail =
		"Compares the policy with the kernel and with the last apply, and changes nothing. -v shows the elements of sets that\n"
		"are added and removed, and how the nft rules differ. The exit status is 5 if there is anything to do, else 0. Needs\n"
		"CAP_NET_ADMIN.",
	.least_args = 1,
	.most_args = 1,
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
