/*
 * apply: `tpc apply POLICY` makes this host do what the policy says.
 *
 * In goes a policy, out come a few lines of what was done. Errors of the policy end it before the
 * kernel is asked anything; what the host has against it ends it before anything is changed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/apply.h"
#include "apply/rollback.h"
#include "apply/watchdog.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/duration.h"
#include "base/json.h"
#include "cmd/show.h"
#include "cmd/verbs.h"
#include "ir/ir.h"
#include "opt/opt.h"

enum { CONFIRM_MOST = 86400 }; /* seconds: a day */

enum { APPLY_DRY_RUN, APPLY_CONFIRM, APPLY_ALLOW_FOREIGN, APPLY_KEEP, APPLY_LEVEL, APPLY_STRICT };

/* Seconds, or a time as the language has it; 0: neither. */
static unsigned int read_time(const char *text)
{
	size_t length = strlen(text);
	uint64_t seconds;

	if (length && length <= 5 && strspn(text, "0123456789") == length)
		seconds = strtoul(text, NULL, 10);
	else
		seconds = duration_parse(text);
	return seconds <= CONFIRM_MOST ? (unsigned int)seconds : 0;
}

static const char *refuse_time(const char *text)
{
	return read_time(text) ? NULL : "a time from 1s to 1d, such as 300 (seconds), 90s or 5m";
}

static const struct cmd_option options[] = {
	[APPLY_DRY_RUN] = { "dry-run", 'n', NULL, "show what would be done, and change nothing",
			    NULL, false },
	[APPLY_CONFIRM] = { .name = "confirm",
			    .value = "TIME",
			    .help = "roll back unless `tpc confirm` comes in time: 300, 5m",
			    .refuse = refuse_time },
	[APPLY_ALLOW_FOREIGN] = CMD_ALLOW_FOREIGN_OPTION,
	[APPLY_KEEP] = CMD_KEEP_CONNECTIONS_OPTION,
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

static void put_change(struct json *out, const char *key, size_t added, size_t removed)
{
	json_object(out, key);
	json_number(out, "added", added);
	json_number(out, "removed", removed);
	json_end(out);
}

static void put_json(const struct apply_job *job, enum apply_outcome outcome,
		     const struct apply_counts *counts, struct buf *out)
{
	struct json json = { .out = out };

	json_object(&json, NULL);
	json_text(&json, "policy", job->ir->name);
	json_text(&json, "outcome", outcome_word(outcome, job->dry_run));
	json_number(&json, "sysctls", counts->sysctls);
	put_change(&json, "routes", counts->new_routes, counts->old_routes);
	put_change(&json, "ip_rules", counts->new_rules, counts->old_rules);
	json_object(&json, "sets");
	json_number(&json, "filled", counts->new_sets);
	json_number(&json, "elements", counts->elements);
	json_number(&json, "removed", counts->old_sets);
	json_number(&json, "in_place", counts->updated_sets);
	json_number(&json, "added", counts->added);
	json_number(&json, "taken_out", counts->removed);
	json_end(&json);
	json_object(&json, "chains");
	json_number(&json, "removed", counts->old_chains);
	json_end(&json);
	json_object(&json, "counters");
	json_number(&json, "removed", counts->old_counters);
	json_end(&json);
	json_number(&json, "nft_rules", counts->nft_rules);
	show_json_rows(job->arena, job->ir->rows, job->ir->row_count, &json);
	show_json_steps(&json, "steps", job->report);
	if (counts->forgotten)
		json_number(&json, "connections_deleted", counts->forgotten);
	json_number_or_null(&json, "confirm_within", counts->waits);
	show_json_end(&json, job->diag, job->report);
}

static void put_forgotten(const struct apply_counts *counts, struct buf *out)
{
	if (counts->forgotten)
		buf_printf(out, "  stale connections: -%zu\n", counts->forgotten);
}

/* What others may rely on, settings of the host, is named even here. */
static void put_summary(const struct apply_job *job, const struct apply_counts *counts,
			struct buf *out)
{
	if (counts->commit)
		buf_printf(out, "  nft table inet %s: %zu rules (%s)\n", job->ir->table,
			   counts->nft_rules, counts->commit);
	if (counts->updated_sets)
		buf_printf(out, "  sets in place: %zu, with +%zu -%zu elements\n",
			   counts->updated_sets, counts->added, counts->removed);
	if (counts->new_sets || counts->old_sets)
		buf_printf(out, "  sets: +%zu with %zu elements, -%zu\n", counts->new_sets,
			   counts->elements, counts->old_sets);
	if (counts->old_chains)
		buf_printf(out, "  chains: -%zu\n", counts->old_chains);
	if (counts->old_counters)
		buf_printf(out, "  counters: -%zu\n", counts->old_counters);
	if (counts->new_rules || counts->old_rules)
		buf_printf(out, "  ip rules: +%zu -%zu\n", counts->new_rules, counts->old_rules);
	if (counts->new_routes || counts->old_routes)
		buf_printf(out, "  routes: +%zu -%zu\n", counts->new_routes, counts->old_routes);
	put_forgotten(counts, out);
	if (counts->sysctls)
		buf_printf(out, "  sysctls: %zu\n", counts->sysctls);
	show_steps(out, job->report, "sysctl ");
}

static void put_waiting(const struct apply_job *job, const struct apply_counts *counts,
			struct buf *out)
{
	if (!counts->waits)
		return;
	buf_printf(out, "  rolled back in %u s unless you run: tpc confirm %s\n", counts->waits,
		   job->ir->name);
	buf_printf(out, "  to roll back now: tpc rollback %s\n", job->ir->name);
}

static void put_text(const struct cmd_call *call, const struct apply_job *job,
		     enum apply_outcome outcome, const struct apply_counts *counts, struct buf *out)
{
	if (outcome == APPLY_UNCHANGED) {
		buf_printf(out, "%s: nothing to change\n", job->ir->name);
		show_rows(out, job->arena, job->ir->rows, job->ir->row_count);
		put_forgotten(counts, out);
	} else if (outcome == APPLY_DONE && job->dry_run) {
		buf_printf(out, "%s: would change\n", job->ir->name);
		show_steps(out, job->report, "");
	} else if (outcome == APPLY_DONE) {
		buf_printf(out, "%s: applied\n", job->ir->name);
		show_rows(out, job->arena, job->ir->rows, job->ir->row_count);
		if (call->verbose)
			show_steps(out, job->report, "");
		else
			put_summary(job, counts, out);
		put_waiting(job, counts, out);
	}
}

static void put_outcome(const struct cmd_call *call, enum apply_outcome outcome,
			const struct apply_counts *counts)
{
	if (outcome == APPLY_REFUSED)
		cmd_error(call, DIAG_refused, NULL, "nothing changed");
	else if (outcome == APPLY_IN_DOUBT)
		cmd_error(call, DIAG_in_doubt,
			  counts->waits ? "run the commands above, or wait for the rollback"
					: "run the commands above",
			  "the host is half changed");
}

/* Where the report is lost. */
static const char *what_next(const struct apply_job *job, const struct apply_counts *counts)
{
	const char *name = job->ir->name;

	if (counts->waits)
		return arena_printf(job->arena,
				    "it is rolled back in %u s unless you run: tpc confirm %s",
				    counts->waits, name);
	return arena_printf(job->arena, "`tpc status %s` shows it", name);
}

static enum cmd_status show(const struct cmd_call *call, const struct apply_job *job,
			    enum apply_outcome outcome, const struct apply_counts *counts)
{
	struct buf out = { 0 };

	if (call->format == CMD_JSON) {
		put_json(job, outcome, counts, &out);
	} else {
		cmd_show_diag(call, job->diag);
		show_problems(call, job->report);
		put_outcome(call, outcome, counts);
		if (!call->quiet)
			put_text(call, job, outcome, counts, &out);
	}
	return show_end(call, &out, outcome,
			job->dry_run ? NULL
				     : arena_printf(job->arena, "the policy %s is applied",
						    job->ir->name),
			what_next(job, counts));
}

/* Everything that needs memory comes later: the watchdog is a copy of this process as it is now. */
static enum cmd_status guard(const struct cmd_call *call, struct watchdog *watchdog)
{
	if (watchdog_start(watchdog, read_time(call->values[APPLY_CONFIRM]), rollback_overdue))
		return CMD_DONE;
	cmd_error(call, DIAG_no_watchdog, NULL,
		  "cannot start the process that would roll back: %s; nothing changed",
		  strerror(errno));
	return CMD_SYSTEM_REFUSED;
}

static enum cmd_status apply(struct cmd_call *call, struct apply_job *job)
{
	struct apply_counts counts;
	enum apply_outcome outcome;

	job->ir = cmd_compile_here(call, job->policy);
	if (!job->ir)
		return CMD_POLICY_WRONG;
	job->ir = cmd_optimise(call, job->ir, APPLY_LEVEL);
	job->diag = diag_new(call->arena);
	outcome = apply_policy(job, &counts);
	return show(call, job, outcome, &counts);
}

/* Without them another apply of the file would not make the same, or be refused. */
static const char *lasting_options(const struct cmd_call *call, const struct apply_job *job)
{
	bool has_level = cmd_level(call, APPLY_LEVEL) != OPT_DEFAULT;
	const char *level =
		has_level ? arena_printf(call->arena, "-O%d", cmd_level(call, APPLY_LEVEL)) : "";

	if (!job->allow_foreign)
		return has_level ? level : NULL;
	return arena_printf(call->arena, "--allow-foreign%s%s", has_level ? " " : "", level);
}

static enum cmd_status run(struct cmd_call *call)
{
	struct report report = { .arena = call->arena };
	struct apply_job job = { .arena = call->arena, .report = &report, .policy = call->args[0] };
	struct watchdog watchdog = { 0 };
	enum cmd_status status;

	call->strict = job.strict = cmd_given(call, APPLY_STRICT);
	job.dry_run = cmd_given(call, APPLY_DRY_RUN);
	job.allow_foreign = cmd_given(call, APPLY_ALLOW_FOREIGN);
	job.keep_connections = cmd_given(call, APPLY_KEEP);
	job.options = lasting_options(call, &job);
	if (cmd_given(call, APPLY_CONFIRM)) {
		status = guard(call, &watchdog);
		if (status != CMD_DONE)
			return status;
		job.watchdog = &watchdog;
	}
	status = apply(call, &job);
	watchdog_dismiss(&watchdog);
	return status;
}

const struct cmd_verb verb_apply = {
	.name = "apply",
	.usage = "POLICY",
	.summary = "put a policy into force on this host",
	.detail = "Adds routes and ip rules first, then sets, then replaces all nft rules in one "
		  "transaction, and removes what is old\nlast: each packet meets the old policy or "
		  "the new one. Applying the same policy again changes nothing. Foreign\nobjects "
		  "are never changed. With --confirm the previous policy is restored unless `tpc "
		  "confirm` comes in time, even if\nthe session ends or this command is killed. "
		  "Stale conntrack entries are deleted. Needs CAP_NET_ADMIN.",
	.least_args = 1,
	.most_args = 1,
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
