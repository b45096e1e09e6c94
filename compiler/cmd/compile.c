/*
 * compile: `tpc compile POLICY` writes a policy's outputs into a folder, prints one of them, or
 * shows what would change.
 *
 * In goes a policy, out come files of one stem that all appear or none; outputs that an earlier
 * compile wrote and this one does not are taken away. Without -o nothing is written but standard
 * output.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/shown.h"
#include "base/suggest.h"
#include "cmd/verbs.h"
#include "emit/emit.h"
#include "ir/ir.h"

enum { COMPILE_OUTPUT, COMPILE_EMIT, COMPILE_CHECK, COMPILE_LEVEL, COMPILE_STRICT };

static const struct cmd_option options[] = {
	[COMPILE_OUTPUT] = { "output", 'o', "DIR",
			     "the folder for the outputs, created if "
			     "missing",
			     NULL, false },
	[COMPILE_EMIT] = { "emit", 0, "KIND", "print one output, named as above", NULL, false },
	[COMPILE_CHECK] = { "check", 0, NULL, "write nothing, show a diff against DIR", NULL,
			    false },
	[COMPILE_LEVEL] = CMD_LEVEL_OPTION,
	[COMPILE_STRICT] = CMD_STRICT_OPTION,
};

/* The outputs of one policy: those that are needed, with their texts, and the names of those that
 * are not. */
struct plan {
	const char *folder;
	struct file_output *outputs;
	struct buf *texts; /* of the outputs */
	size_t count;
	const char **stale; /* NULL-terminated */
};

static void add_output(struct arena *arena, struct plan *plan, const struct emit_job *job,
		       const struct emit_output *output)
{
	struct file_output *file = &plan->outputs[plan->count];
	struct buf *text = &plan->texts[plan->count++];

	output->put(job, text);
	file->name = arena_printf(arena, "%s%s", job->stem, output->suffix);
	file->text = buf_text(text);
	file->length = text->length;
	file->mode = output->mode;
}

static struct plan make_plan(struct arena *arena, const struct emit_job *job, const char *folder)
{
	size_t count, stale = 0;
	const struct emit_output *all = emit_outputs(&count);
	struct plan plan = { .folder = folder };

	plan.outputs = arena_alloc(arena, count * sizeof(*plan.outputs));
	plan.texts = arena_alloc(arena, count * sizeof(*plan.texts));
	plan.stale = arena_alloc(arena, (count + 1) * sizeof(*plan.stale));
	for (size_t i = 0; i < count; i++) {
		if (!all[i].is_needed || all[i].is_needed(job->ir))
			add_output(arena, &plan, job, &all[i]);
		else
			plan.stale[stale++] = arena_printf(arena, "%s%s", job->stem, all[i].suffix);
	}
	return plan;
}

static void drop_plan(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		buf_free(&plan->texts[i]);
}

static const char *path_of(struct arena *arena, const struct plan *plan, const char *name)
{
	size_t length = strlen(plan->folder);
	bool has_slash = length && plan->folder[length - 1] == '/';

	return arena_printf(arena, "%s%s%s", plan->folder, has_slash ? "" : "/", name);
}

/* All that would be replaced or taken away, NULL-terminated. */
static const char **touched(struct arena *arena, const struct plan *plan)
{
	const char **paths = NULL;
	size_t count = 0;

	for (size_t i = 0; i < plan->count; i++)
		*arena_append(arena, paths, count) = path_of(arena, plan, plan->outputs[i].name);
	for (size_t i = 0; plan->stale[i]; i++)
		*arena_append(arena, paths, count) = path_of(arena, plan, plan->stale[i]);
	*arena_append(arena, paths, count) = NULL;
	return paths;
}

/* ---- --check ---- */

enum found { FOUND, FOUND_NOTHING, FOUND_TROUBLE };

static enum found read_old(const struct cmd_call *call, const char *path, struct buf *out)
{
	char block[1 << 16];
	size_t count;
	FILE *file = fopen(path, "re");
	bool good;

	if (!file && (errno == ENOENT || errno == ENOTDIR))
		return FOUND_NOTHING;
	if (!file) {
		cmd_error(call, DIAG_file_unreadable, NULL, "cannot read %s: %s", path,
			  strerror(errno));
		return FOUND_TROUBLE;
	}
	while ((count = fread(block, 1, sizeof(block), file)) > 0)
		buf_add(out, block, count);
	good = !ferror(file);
	if (!good)
		cmd_error(call, DIAG_file_unreadable, NULL, "cannot read %s: %s", path,
			  strerror(errno));
	fclose(file);
	return good ? FOUND : FOUND_TROUBLE;
}

/* Adds the difference between a file and what it should hold; NULL for a file that should not be.
 * False when it cannot be read. */
static bool add_difference(const struct cmd_call *call, const char *path,
			   const struct file_output *wanted, struct buf *out)
{
	struct buf old = { 0 };
	enum found found = read_old(call, path, &old);

	if (wanted && found != FOUND_TROUBLE)
		file_diff(out, found == FOUND ? path : "/dev/null", buf_text(&old), old.length,
			  path, wanted->text, wanted->length);
	else if (found == FOUND)
		file_diff(out, path, buf_text(&old), old.length, "/dev/null", "", 0);
	buf_free(&old);
	return found != FOUND_TROUBLE;
}

static enum cmd_status show_differences(const struct cmd_call *call, const struct plan *plan)
{
	struct buf out = { 0 };
	enum cmd_status status = CMD_DONE;
	bool is_readable = true;

	for (size_t i = 0; i < plan->count; i++)
		is_readable &= add_difference(call,
					      path_of(call->arena, plan, plan->outputs[i].name),
					      &plan->outputs[i], &out);
	for (size_t i = 0; plan->stale[i]; i++)
		is_readable &= add_difference(call, path_of(call->arena, plan, plan->stale[i]),
					      NULL, &out);
	if (out.length)
		status = call->quiet || cmd_print(call, &out) == CMD_DONE ? CMD_DIFFERENCE
									  : CMD_SYSTEM_REFUSED;
	buf_free(&out);
	return is_readable ? status : CMD_SYSTEM_REFUSED;
}

/* ---- writing ---- */

static void put_text_summary(const struct cmd_call *call, const struct plan *plan,
			     const struct ir *ir, struct buf *out)
{
	for (size_t i = 0; i < plan->count; i++) {
		buf_puts(out, i ? ", " : "");
		shown_text(out, path_of(call->arena, plan, plan->outputs[i].name));
	}
	buf_printf(out, ": %zu rule%s, %zu set%s\n", ir->policy_rules,
		   ir->policy_rules == 1 ? "" : "s", ir->policy_sets,
		   ir->policy_sets == 1 ? "" : "s");
}

static void put_json_summary(const struct cmd_call *call, const struct plan *plan,
			     const struct ir *ir, struct buf *out)
{
	struct json json = { .out = out };

	json_object(&json, NULL);
	json_list(&json, "files");
	for (size_t i = 0; i < plan->count; i++)
		json_text(&json, NULL, path_of(call->arena, plan, plan->outputs[i].name));
	json_end(&json);
	json_number(&json, "rules", ir->policy_rules);
	json_number(&json, "sets", ir->policy_sets);
	json_end(&json);
	buf_putc(out, '\n');
}

static enum cmd_status write_outputs(const struct cmd_call *call, const struct plan *plan,
				     const struct ir *ir)
{
	struct buf out = { 0 };
	enum cmd_status status = CMD_DONE;
	const char *why = NULL;

	if (!file_write_all(call->arena, plan->folder, plan->outputs, plan->count, plan->stale,
			    &why)) {
		cmd_error(call, DIAG_output_write, NULL, "%s; no file was changed", why);
		return CMD_SYSTEM_REFUSED;
	}
	if (call->quiet)
		return CMD_DONE;
	if (call->format == CMD_JSON)
		put_json_summary(call, plan, ir, &out);
	else
		put_text_summary(call, plan, ir, &out);
	status = cmd_print_text(call, &out);
	buf_free(&out);
	return status;
}

static enum cmd_status print_output(const struct cmd_call *call, const struct emit_job *job,
				    const struct emit_output *output)
{
	struct buf out = { 0 };
	enum cmd_status status;

	output->put(job, &out);
	status = cmd_print(call, &out);
	buf_free(&out);
	return status;
}

/* ---- the call ---- */

static enum cmd_status unknown_kind(const struct cmd_call *call, const char *word)
{
	size_t count;
	const struct emit_output *all = emit_outputs(&count);
	const char **kinds = arena_alloc(call->arena, count * sizeof(*kinds));
	const char *list = "", *nearest;

	for (size_t i = 0; i < count; i++) {
		kinds[i] = all[i].kind;
		list = arena_printf(call->arena, "%s%s%s", list, i ? ", " : "", kinds[i]);
	}
	nearest = suggest_nearest(word, kinds, count);
	if (nearest)
		return cmd_usage_error(call,
				       "no output \"%s\"; did you mean `--emit %s`? There are %s",
				       word, nearest, list);
	return cmd_usage_error(call, "no output \"%s\"; there are %s", word, list);
}

static enum cmd_status check_call(const struct cmd_call *call)
{
	const char *kind = call->values[COMPILE_EMIT], *folder = call->values[COMPILE_OUTPUT];

	if (kind && (folder || cmd_given(call, COMPILE_CHECK)))
		return cmd_usage_error(call,
				       "--emit prints to standard output; leave out -o and --check");
	if (!kind && !folder)
		return cmd_usage_error(
			call,
			"say where the outputs go: `-o DIR` writes all of them, `--emit nft` prints one");
	if (folder && !*folder)
		return cmd_usage_error(call, "-o needs the name of a folder; `-o .` is this one");
	if (kind && !emit_find(kind))
		return unknown_kind(call, kind);
	return CMD_DONE;
}

static enum cmd_status carry_out(const struct cmd_call *call, const struct plan *plan,
				 const struct ir *ir)
{
	if (cmd_given(call, COMPILE_CHECK))
		return show_differences(call, plan);
	/* A policy may be called policy.json, and lie with its lists in the folder of its outputs.
	 */
	if (cmd_refuse_outputs(call, touched(call->arena, plan)))
		return CMD_USAGE_WRONG;
	return write_outputs(call, plan, ir);
}

static enum cmd_status run(struct cmd_call *call)
{
	enum cmd_status status = check_call(call);
	struct ir *ir;
	struct emit_job job;
	struct plan plan;

	if (status != CMD_DONE)
		return status;
	call->strict = cmd_given(call, COMPILE_STRICT);
	ir = cmd_compile_policy(call, call->args[0], NULL);
	if (!ir)
		return CMD_POLICY_WRONG;
	ir = cmd_optimise(call, ir, COMPILE_LEVEL);
	job = emit_job_of(call->arena, ir, call->args[0]);
	if (cmd_given(call, COMPILE_EMIT))
		return print_output(call, &job, emit_find(call->values[COMPILE_EMIT]));
	plan = make_plan(call->arena, &job, call->values[COMPILE_OUTPUT]);
	status = carry_out(call, &plan, ir);
	drop_plan(&plan);
	return status;
}

static void put_outputs(struct buf *out)
{
	size_t count;
	const struct emit_output *outputs = emit_outputs(&count);

	buf_puts(out, "Outputs of policy.yaml:\n");
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "  %-8s policy%-14s %s\n", outputs[i].kind, outputs[i].suffix,
			   outputs[i].use);
}

const struct cmd_verb verb_compile = {
	.name = "compile",
	.usage = "POLICY -o DIR | POLICY --emit KIND",
	.summary = "write the files that put a policy into force",
	.detail = "An error in the policy leaves the folder as it was. With --check nothing is "
		  "written: a\nunified diff shows the changes, and the exit status is 5 for any.",
	.put_list = put_outputs,
	.least_args = 1,
	.most_args = 1,
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
