/*
 * remove: `tpc remove [NAME]` takes everything of a policy off this host, without the policy's
 * file.
 *
 * Without a name the only policy there is goes; where there are several, they are named and nothing
 * is done. Removing what is not there is no failure.
 */
#include <stdio.h>
#include <string.h>

#include "apply/remove.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "cmd/show.h"
#include "cmd/verbs.h"
#include "cmd/which.h"

static const char *outcome_word(enum apply_outcome outcome)
{
	switch (outcome) {
	case APPLY_UNCHANGED:
		return "nothing-there";
	case APPLY_DONE:
		return "removed";
	case APPLY_REFUSED:
		return "refused";
	case APPLY_IN_DOUBT:
		return "in-doubt";
	}
	return "";
}

static void put_json(const struct report *report, const char *name, enum apply_outcome outcome,
		     struct buf *out)
{
	struct json json = { .out = out };

	json_object(&json, NULL);
	json_text(&json, "policy", name);
	json_text(&json, "outcome", outcome_word(outcome));
	show_json_steps(&json, "steps", report);
	show_json_end(&json, NULL, report);
}

static void put_nothing(const struct cmd_call *call, const char *name, struct buf *out)
{
	struct report report = { .arena = call->arena };
	const char **names;
	size_t count = 0;

	buf_printf(out, "%s: nothing is applied", name ? name : "tpc");
	if (name && remove_candidates(call->arena, &report, &names, &count))
		show_names(out, names, count);
	buf_putc(out, '\n');
}

static void put_text(const struct cmd_call *call, const struct report *report, const char *name,
		     enum apply_outcome outcome, struct buf *out)
{
	if (outcome == APPLY_UNCHANGED)
		put_nothing(call, name, out);
	else if (outcome == APPLY_DONE)
		buf_printf(out, "%s: removed\n", name);
	show_steps(out, report, call->verbose ? "" : "sysctl ");
	if (!call->verbose)
		show_steps(out, report, "connections: ");
}

static enum cmd_status show(const struct cmd_call *call, const struct report *report,
			    const char *name, enum apply_outcome outcome)
{
	struct buf out = { 0 };

	if (call->format == CMD_JSON) {
		put_json(report, name, outcome, &out);
	} else {
		show_problems(call, report);
		if (!call->quiet)
			put_text(call, report, name, outcome, &out);
	}
	return show_end(call, &out, outcome,
			arena_printf(call->arena, "the policy %s is removed", name ? name : "tpc"),
			"`tpc status` shows what is applied");
}

enum { REMOVE_KEEP };

static const struct cmd_option options[] = {
	[REMOVE_KEEP] = CMD_KEEP_CONNECTIONS_OPTION,
};

static enum cmd_status run(struct cmd_call *call)
{
	struct report report = { .arena = call->arena };
	const char *name;

	switch (which_policy(call, &report, &name)) {
	case WHICH_ONE:
		return show(call, &report, name,
			    remove_policy(call->arena, &report, name,
					  cmd_given(call, REMOVE_KEEP)));
	case WHICH_NONE:
		return show(call, &report, NULL, APPLY_UNCHANGED);
	case WHICH_UNKNOWN:
		return show(call, &report, NULL, APPLY_REFUSED);
	case WHICH_WRONG:
		return CMD_USAGE_WRONG;
	}
	return CMD_USAGE_WRONG;
}

const struct cmd_verb verb_remove = {
	.name = "remove",
	.usage = "[NAME]",
	.summary = "remove a policy from this host",
	.detail = "Removes the nft rules first, then ip rules, routes, and restores the sysctls "
		  "that the policy had changed. The policy's\nfile is not needed: the nft table "
		  "and the saved state say what belongs to it. NAME is optional if only one "
		  "policy\nis applied. Conntrack entries that still use the policy's marks are "
		  "deleted.",
	.most_args = 1,
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
