/*
 * watch: `tpc watch POLICY|NAME` stays, and keeps a policy true while the host changes.
 *
 * In goes a policy's file, or the name of one that is applied; out come lines of what was put back
 * or applied, on standard error, or JSON, an object a line, on standard output.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apply/repair.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/json.h"
#include "cmd/show.h"
#include "cmd/verbs.h"
#include "opt/opt.h"
#include "state/record.h"
#include "state/rundir.h"
#include "watch/watch.h"

enum { WATCH_ALLOW_FOREIGN, WATCH_LEVEL };

static const struct cmd_option options[] = {
	[WATCH_ALLOW_FOREIGN] = CMD_ALLOW_FOREIGN_OPTION,
	[WATCH_LEVEL] = CMD_LEVEL_OPTION,
};

struct watching {
	struct cmd_call *call;
	const char *file; /* NULL: a name was given */
};

static enum watch_end end_of(enum apply_outcome outcome)
{
	switch (outcome) {
	case APPLY_UNCHANGED:
		return WATCH_UNCHANGED;
	case APPLY_DONE:
		return WATCH_DONE;
	case APPLY_REFUSED:
	case APPLY_IN_DOUBT:
		return WATCH_REFUSED;
	}
	return WATCH_REFUSED;
}

/* ---- events ---- */

static void put_event(const struct cmd_call *call, const char *event, const char *policy,
		      const struct diag *diag, const struct report *report)
{
	struct buf out = { 0 };
	struct json json = { .out = &out };

	json_object(&json, NULL);
	json_text(&json, "event", event);
	json_text(&json, "policy", *policy ? policy : NULL);
	show_json_steps(&json, "steps", report);
	show_json_end(&json, diag, report);
	cmd_print_text(call, &out);
	buf_free(&out);
}

/* Nothing is said where nothing was done and nothing is wrong. */
static void tell(const struct cmd_call *call, const char *event, const char *policy,
		 const struct diag *diag, const struct report *report, enum apply_outcome outcome)
{
	if (outcome == APPLY_UNCHANGED && !report->count)
		return;
	if (call->format == CMD_JSON) {
		put_event(call, event, policy, diag, report);
		return;
	}
	if (diag)
		cmd_show_diag(call, diag);
	show_problems(call, report);
	for (size_t i = 0; outcome == APPLY_DONE && !call->quiet && i < report->step_count; i++)
		fprintf(stderr, "tpc: %s: %s: %s\n", policy, event, report->steps[i]);
}

static void say(void *user, const char *code, const char *text)
{
	const struct watching *watching = user;
	const struct cmd_call *call = watching->call;
	struct buf out = { 0 };
	struct json json = { .out = &out };

	if (call->format != CMD_JSON) {
		fprintf(stderr, "tpc: watch: %s [%s]\n", text, code);
		return;
	}
	json_object(&json, NULL);
	json_text(&json, "event", code);
	json_text(&json, "text", text);
	json_end(&json);
	cmd_print_text(call, &out);
	buf_free(&out);
}

/* ---- work, in a process of its own ---- */

static bool is_applied(struct cmd_call *call, const char *name)
{
	struct rundir folder;
	const char *why;

	return rundir_open(call->arena, &folder, false, &why) && folder.path &&
	       record_read(call->arena, &folder, name);
}

static enum watch_end repair(const struct watching *watching, const char *policy)
{
	struct report report = { .arena = watching->call->arena };
	struct repair job = { .arena = watching->call->arena, .report = &report, .policy = policy };
	enum apply_outcome outcome;

	if (!*policy) /* its file has had errors from the beginning: nothing is kept */
		return WATCH_WRONG;
	outcome = repair_run(&job);
	tell(watching->call, "repaired", policy, NULL, &report, outcome);
	return job.is_gone ? WATCH_GONE : end_of(outcome);
}

/* From wherever the work is done, the same file. */
static void write_names(const struct watching *watching, const char *policy, int names)
{
	struct buf out = { 0 };
	const char *path;

	buf_add(&out, policy, strlen(policy) + 1);
	buf_add(&out, watching->file, strlen(watching->file) + 1);
	for (size_t i = 0; watching->call->diag && (path = diag_input(watching->call->diag, i));
	     i++)
		buf_add(&out, path, strlen(path) + 1);
	for (size_t at = 0; at < out.length;) {
		ssize_t done = write(names, buf_text(&out) + at, out.length - at);

		if (done <= 0)
			break;
		at += (size_t)done;
	}
	buf_free(&out);
}

static enum watch_end apply(const struct watching *watching, int names)
{
	struct cmd_call *call = watching->call;
	struct report report = { .arena = call->arena };
	struct apply_job job = { .arena = call->arena,
				 .report = &report,
				 .policy = watching->file,
				 .diag = diag_new(call->arena),
				 .allow_foreign = cmd_given(call, WATCH_ALLOW_FOREIGN) };
	struct apply_counts counts;
	enum apply_outcome outcome;
	const struct ir *ir = cmd_compile_here(call, watching->file);

	write_names(watching, ir ? ir->name : "", names);
	if (!ir)
		return WATCH_WRONG;
	job.ir = cmd_optimise(call, ir, WATCH_LEVEL);
	outcome = apply_policy(&job, &counts);
	tell(call, "applied", ir->name, job.diag, &report, outcome);
	return end_of(outcome);
}

static int work(void *user, enum watch_work work, const char *policy, int names)
{
	const struct watching *watching = user;

	if (work == WATCH_APPLY_AGAIN && !is_applied(watching->call, policy))
		return WATCH_GONE;
	return work == WATCH_REPAIR ? repair(watching, policy) : apply(watching, names);
}

/* ---- the call ---- */

static enum cmd_status run(struct cmd_call *call)
{
	struct stat info;
	bool is_file = strchr(call->args[0], '/') || stat(call->args[0], &info) == 0;
	struct watching watching = { .call = call, .file = is_file ? call->args[0] : NULL };
	struct watch_job job = { .file = watching.file,
				 .name = is_file ? NULL : call->args[0],
				 .run = work,
				 .say = say,
				 .user = &watching };
	const char *why;

	if (!is_file && !is_applied(call, job.name)) {
		cmd_error(call, DIAG_watch,
			  "name a policy's file, or a policy that `tpc status` shows",
			  "there is no file \"%s\", and no policy of that name is applied here",
			  job.name);
		return CMD_SYSTEM_REFUSED;
	}
	if (watch_run(call->arena, &job, &why))
		return CMD_DONE;
	cmd_error(call, DIAG_watch, NULL, "cannot watch this host: %s", why);
	return CMD_SYSTEM_REFUSED;
}

const struct cmd_verb verb_watch = {
	.name = "watch",
	.usage = "POLICY|NAME",
	.summary = "apply a policy, and keep it true while this host changes",
	.detail =
		"Applies the policy's file, then stays. When links, addresses, routes, ip rules or nft tables change, what the policy\n"
		"has lost is put back, with the gateways that this host has then; when one of the policy's files changes, it is applied\n"
		"again, and the policy before stays if it has errors. With a NAME what is applied is kept, and no file is read. SIGHUP\n"
		"applies the file again; SIGTERM ends it, and the policy stays in force. Keeps CAP_NET_ADMIN alone.",
	.least_args = 1,
	.most_args = 1,
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
