/*
 * confirm: `tpc confirm [NAME]` keeps what `tpc apply --confirm` applied.
 *
 * In goes the name of a policy, or none where only one waits; the watchdog ends, and what was kept
 * of the policy before goes.
 */
#include <stdio.h>

#include "apply/rollback.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "cmd/show.h"
#include "cmd/verbs.h"
#include "cmd/which.h"

static enum cmd_status show(const struct cmd_call *call, const struct report *report,
			    const char *name, enum apply_outcome outcome)
{
	struct buf out = { 0 };

	if (call->format == CMD_JSON) {
		struct json json = { .out = &out };

		json_object(&json, NULL);
		json_text(&json, "policy", name);
		json_text(&json, "outcome", outcome == APPLY_DONE ? "confirmed" : "refused");
		show_json_end(&json, NULL, report);
	} else {
		show_problems(call, report);
		if (!call->quiet && outcome == APPLY_DONE)
			buf_printf(&out, "%s: confirmed\n", name);
	}
	return show_end(call, &out, outcome,
			arena_printf(call->arena, "the policy %s is confirmed",
				     name ? name : "tpc"),
			"`tpc status` shows it");
}

static enum cmd_status run(struct cmd_call *call)
{
	struct report report = { .arena = call->arena };
	const char *name, **names;
	size_t count;

	names = rollback_pending(call->arena, &count);
	switch (which_of(call, names, count, &name)) {
	case WHICH_ONE:
		return show(call, &report, name, rollback_confirm(call->arena, &report, name));
	case WHICH_NONE:
		if (!rollback_find_foreign(call->arena, &report))
			diag_help_text(report_add(&report, SEVERITY_ERROR, DIAG_nothing_pending,
						  "no apply waits for a confirmation"),
				       "`tpc status` shows what is applied, and whether an apply was rolled back");
		return show(call, &report, NULL, APPLY_REFUSED);
	case WHICH_UNKNOWN:
	case WHICH_WRONG:
		break;
	}
	return CMD_USAGE_WRONG;
}

const struct cmd_verb verb_confirm = {
	.name = "confirm",
	.usage = "[NAME]",
	.summary = "keep the policy of `tpc apply --confirm`",
	.detail = "Ends the wait and deletes the retained sets of the previous policy. Exit status "
		  "3 if no apply waits, because the time\nis over or --confirm was not given. NAME "
		  "is optional if only one policy waits. Needs CAP_NET_ADMIN.",
	.most_args = 1,
	.run = run,
};
