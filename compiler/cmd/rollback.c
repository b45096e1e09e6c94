/*
 * rollback: `tpc rollback [NAME]` restores the policy from before the last apply, without any
 * policy's file.
 *
 * Without a name the policy that waits for a confirmation is meant, or else the only one there is.
 */
#include "apply/rollback.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/json.h"
#include "cmd/show.h"
#include "cmd/verbs.h"
#include "cmd/which.h"

static const char *outcome_word(const struct rollback *rollback, enum apply_outcome outcome)
{
	switch (outcome) {
	case APPLY_UNCHANGED:
		return "unchanged";
	case APPLY_DONE:
		return rollback->file ? "rolled-back" : "removed";
	case APPLY_REFUSED:
		return "refused";
	case APPLY_IN_DOUBT:
		return "in-doubt";
	}
	return "";
}

static void put_json(const struct rollback *rollback, enum apply_outcome outcome, struct buf *out)
{
	struct json json = { .out = out };

	json_object(&json, NULL);
	json_text(&json, "policy", rollback->policy);
	json_text(&json, "outcome", outcome_word(rollback, outcome));
	json_text(&json, "file", outcome == APPLY_DONE ? rollback->file : NULL);
	show_json_steps(&json, "steps", rollback->report);
	show_json_end(&json, rollback->diag, rollback->report);
}

static void put_text(const struct cmd_call *call, const struct rollback *rollback,
		     enum apply_outcome outcome, struct buf *out)
{
	if (outcome == APPLY_UNCHANGED)
		buf_printf(out, "%s: the last apply was interrupted before it changed anything\n",
			   rollback->policy);
	else if (outcome == APPLY_DONE && rollback->file)
		buf_printf(out, "%s: rolled back; the policy of %s is in force again\n",
			   rollback->policy, rollback->file);
	else if (outcome == APPLY_DONE)
		buf_printf(out, "%s: rolled back; nothing was applied before, so it is removed\n",
			   rollback->policy);
	show_steps(out, rollback->report, call->verbose ? "" : "sysctl ");
	if (!call->verbose)
		show_steps(out, rollback->report, "connections: ");
}

static enum cmd_status show(const struct cmd_call *call, const struct rollback *rollback,
			    enum apply_outcome outcome)
{
	struct buf out = { 0 };

	if (call->format == CMD_JSON) {
		put_json(rollback, outcome, &out);
	} else {
		if (rollback->diag)
			cmd_show_diag(call, rollback->diag);
		show_problems(call, rollback->report);
		if (!call->quiet)
			put_text(call, rollback, outcome, &out);
	}
	return show_end(call, &out, outcome,
			arena_printf(call->arena, "the policy %s is rolled back", rollback->policy),
			"`tpc status` shows what is in force");
}

/* Where one policy waits for its confirmation, that is what a person in a hurry means. */
static enum which find_policy(const struct cmd_call *call, struct report *report, const char **name)
{
	size_t count;
	const char **names = rollback_pending(call->arena, &count);

	return count == 1 ? which_of(call, names, count, name) : which_policy(call, report, name);
}

enum { ROLLBACK_KEEP };

static const struct cmd_option options[] = {
	[ROLLBACK_KEEP] = CMD_KEEP_CONNECTIONS_OPTION,
};

static enum cmd_status run(struct cmd_call *call)
{
	struct report report = { .arena = call->arena };
	struct rollback rollback = { .arena = call->arena,
				     .report = &report,
				     .keep_connections = cmd_given(call, ROLLBACK_KEEP) };

	switch (find_policy(call, &report, &rollback.policy)) {
	case WHICH_ONE:
		return show(call, &rollback, rollback_run(&rollback));
	case WHICH_NONE:
		report_add(&report, SEVERITY_ERROR, DIAG_nothing_to_restore,
			   "nothing is applied here, so there is nothing to roll back to");
		return show(call, &rollback, APPLY_REFUSED);
	case WHICH_UNKNOWN:
		return show(call, &rollback, APPLY_REFUSED);
	case WHICH_WRONG:
		return CMD_USAGE_WRONG;
	}
	return CMD_USAGE_WRONG;
}

const struct cmd_verb verb_rollback = {
	.name = "rollback",
	.usage = "[NAME]",
	.summary = "restore the policy from before the last apply",
	.detail = "Restores the previous policy as it was applied, from the saved state; its files "
		  "are not read. If nothing was\napplied before, the policy is removed. An "
		  "interrupted apply is undone too. It goes one step: a second rollback "
		  "is\nrefused. NAME is optional if only one policy is applied, or only one waits "
		  "for its confirmation. Needs\nCAP_NET_ADMIN.",
	.most_args = 1,
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
