/*
 * apply: `tpc apply POLICY` makes this host do what the policy says.
 *
 * In goes a policy, out come a few lines of what was done. Errors of the policy end it before the
 * kernel is asked anything; what the host has against it ends it before anything is changed.
 */
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "cmd/show.h"
#include "cmd/verbs.h"
#include "ir/ir.h"
#include "live/apply.h"

enum { APPLY_DRY_RUN, APPLY_CONFIRM, APPLY_BESIDE, APPLY_LEVEL, APPLY_STRICT };

static const struct cmd_option options[] = {
	[APPLY_DRY_RUN] = { "dry-run", 'n', NULL, "show what would be done, and change nothing",
			    NULL, false },
	[APPLY_CONFIRM] = { "confirm", 0, "SECONDS", "a key of a later version", NULL, true },
	[APPLY_BESIDE] = CMD_BESIDE_OPTION,
	[APPLY_LEVEL] = CMD_LEVEL_OPTION,
	[APPLY_STRICT] = CMD_STRICT_OPTION,
};

static const char *outcome_word(enum apply_outcome outcome, bool is_dry)
{
	switch (outcome) {
	case APPLY_UNCHANGED:
		return "unchanged";
	case APPLY_DONE:
		return is_dry ? "would-change" : "applied";
	case APPLY_REFUSED:
		return "refused";
	case APPLY_IN_DOUBT:
		return "in-doubt";
	}
	return "";
}

static void put_json(const struct apply_job *job, enum apply_outcome outcome,
		     const struct apply_counts *counts, struct buf *out)
{
	buf_putc(out, '{');
	show_json_text(out, "policy", job->ir->name);
	buf_putc(out, ',');
	show_json_text(out, "outcome", outcome_word(outcome, job->dry_run));
	buf_printf(out, ",\"sysctls\":%zu,\"routes\":{\"added\":%zu,\"removed\":%zu}",
		   counts->sysctls, counts->new_routes, counts->old_routes);
	buf_printf(out, ",\"ip_rules\":{\"added\":%zu,\"removed\":%zu}", counts->new_rules,
		   counts->old_rules);
	buf_printf(out, ",\"sets\":{\"filled\":%zu,\"elements\":%zu,\"removed\":%zu",
		   counts->new_sets, counts->elements, counts->old_sets);
	buf_printf(out, ",\"in_place\":%zu,\"added\":%zu,\"taken_out\":%zu}", counts->updated_sets,
		   counts->added, counts->removed);
	buf_printf(out, ",\"nft_rules\":%zu,\"steps\":", counts->nft_rules);
	show_json(out, job->report, REPORT_STEP);
	show_json_end(out, job->report, outcome);
}

/* What others may rely on, settings of the host, is named even here. */
static void put_summary(const struct apply_job *job, const struct apply_counts *counts,
			struct buf *out)
{
	if (counts->flip)
		buf_printf(out, "  nft table inet %s: %zu rules (%s)\n", job->ir->table,
			   counts->nft_rules, counts->flip);
	if (counts->updated_sets)
		buf_printf(out, "  sets in place: %zu, with +%zu -%zu elements\n",
			   counts->updated_sets, counts->added, counts->removed);
	if (counts->new_sets || counts->old_sets)
		buf_printf(out, "  sets: +%zu with %zu elements, -%zu\n", counts->new_sets,
			   counts->elements, counts->old_sets);
	if (counts->new_rules || counts->old_rules)
		buf_printf(out, "  ip rules: +%zu -%zu\n", counts->new_rules, counts->old_rules);
	if (counts->new_routes || counts->old_routes)
		buf_printf(out, "  routes: +%zu -%zu\n", counts->new_routes, counts->old_routes);
	if (counts->sysctls)
		buf_printf(out, "  sysctls: %zu\n", counts->sysctls);
	show_steps(out, job->report, "sysctl ");
}

static void put_text(const struct cmd_call *call, const struct apply_job *job,
		     enum apply_outcome outcome, const struct apply_counts *counts, struct buf *out)
{
	if (outcome == APPLY_UNCHANGED) {
		buf_printf(out, "%s: nothing to change\n", job->ir->name);
	} else if (outcome == APPLY_DONE && job->dry_run) {
		buf_printf(out, "%s: would change\n", job->ir->name);
		show_steps(out, job->report, "");
	} else if (outcome == APPLY_DONE) {
		buf_printf(out, "%s: applied\n", job->ir->name);
		if (call->verbose)
			show_steps(out, job->report, "");
		else
			put_summary(job, counts, out);
	}
}

static void tell_outcome(enum apply_outcome outcome)
{
	if (outcome == APPLY_REFUSED)
		cmd_error("nothing changed");
	else if (outcome == APPLY_IN_DOUBT)
		cmd_error("the host is half way; run the commands above");
}

static enum cmd_status show(const struct cmd_call *call, const struct apply_job *job,
			    enum apply_outcome outcome, const struct apply_counts *counts)
{
	enum cmd_status status = show_status(outcome), printed = CMD_DONE;
	struct buf out = { 0 };

	cmd_show_diag(call, job->diag);
	if (call->format == CMD_JSON) {
		put_json(job, outcome, counts, &out);
	} else {
		show_problems(call, job->report);
		tell_outcome(outcome);
		if (!call->quiet)
			put_text(call, job, outcome, counts, &out);
	}
	if (out.length)
		printed = cmd_print(&out);
	buf_free(&out);
	return status != CMD_DONE ? status : printed;
}

static enum cmd_status run(struct cmd_call *call)
{
	struct report report = { .arena = call->arena };
	struct apply_job job = { .arena = call->arena, .report = &report, .policy = call->args[0] };
	struct apply_counts counts;
	enum apply_outcome outcome;

	if (cmd_given(call, APPLY_CONFIRM))
		return cmd_usage_error(call->verb, "--confirm is not there yet");
	call->strict = cmd_given(call, APPLY_STRICT);
	job.ir = cmd_compile_policy(call, job.policy);
	if (!job.ir)
		return CMD_POLICY_WRONG;
	job.ir = cmd_optimise(call, job.ir, APPLY_LEVEL);
	job.diag = diag_new(call->arena);
	job.dry_run = cmd_given(call, APPLY_DRY_RUN);
	job.beside = cmd_given(call, APPLY_BESIDE);
	outcome = apply_policy(&job, &counts);
	return show(call, &job, outcome, &counts);
}

const struct cmd_verb verb_apply = {
	.name = "apply",
	.usage = "POLICY",
	.summary = "make this host do what a policy says",
	.detail =
		"Routes and ip rules come first, then sets, then all nft rules at once, and only then what is old goes: a packet\n"
		"meets the old policy or the new one. Nothing changes when nothing changed, and what is not the policy's own is\n"
		"never touched. Needs CAP_NET_ADMIN.",
	.least_args = 1,
	.most_args = 1,
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
