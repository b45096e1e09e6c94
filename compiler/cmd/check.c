/*
 * check: `tpc check POLICY...` says everything that is wrong with policies, and nothing else
 * happens.
 *
 * In go policies, out come their errors and warnings, the verdicts of their own expectations among
 * them, and a line for each that is good. With --format json all of it is on standard output, an
 * object a line.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/json.h"
#include "base/shown.h"
#include "cmd/verbs.h"
#include "ir/ir.h"
#include "lang/lang.h"

enum { CHECK_STRICT };

static const struct cmd_option options[] = {
	[CHECK_STRICT] = CMD_STRICT_OPTION,
};

static void put_count(size_t count, const char *noun, struct buf *out)
{
	buf_printf(out, "%zu %s%s", count, noun, count == 1 ? "" : "s");
}

static void put_text(const char *name, const struct ir *ir, const struct diag *diag,
		     struct buf *out)
{
	size_t before;

	shown_text(out, name);
	buf_puts(out, ": ok (");
	put_count(ir->policy_rules, "rule", out);
	buf_puts(out, ", ");
	put_count(ir->policy_sets, "set", out);
	buf_puts(out, ", ");
	put_count(ir->expectation_count, "expectation", out);
	buf_puts(out, "; ");
	before = out->length;
	diag_put_silenced(diag, out);
	if (out->length == before)
		out->length -= strlen("; ");
	buf_puts(out, ")\n");
}

static void put_json(const char *name, const struct ir *ir, const struct diag *diag,
		     struct buf *out)
{
	struct json json = { .out = out };

	json_object(&json, NULL);
	json_text(&json, "policy", name);
	json_bool(&json, "ok", ir != NULL);
	json_number(&json, "errors", diag_error_count(diag));
	json_number(&json, "warnings", diag_warning_count(diag));
	if (ir) {
		json_number(&json, "rules", ir->policy_rules);
		json_number(&json, "sets", ir->policy_sets);
		json_number(&json, "expectations", ir->expectation_count);
	}
	diag_put_silenced_json(diag, &json, "silenced");
	json_end(&json);
	buf_putc(out, '\n');
}

static void put_cut_short(const char *name)
{
	struct buf text = { 0 };

	shown_text(&text, name);
	buf_puts(&text, ": more errors may be found once these are fixed\n");
	fputs(buf_text(&text), stderr);
	buf_free(&text);
}

static enum cmd_status show(const struct cmd_call *call, const char *name, const struct ir *ir,
			    const struct diag *diag)
{
	struct buf out = { 0 };
	enum cmd_status status;

	if (call->format == CMD_JSON) {
		diag_render(diag, &out, (struct diag_style){ .json = true });
		put_json(name, ir, diag, &out);
	} else {
		cmd_show_diag(call, diag);
		if (ir && !call->quiet)
			put_text(name, ir, diag, &out);
		else if (!call->quiet && diag_is_cut_short(diag))
			put_cut_short(name);
	}
	status = cmd_print_text(call, &out);
	buf_free(&out);
	return status;
}

static enum cmd_status check_policy(const struct cmd_call *call, const char *path)
{
	struct arena *arena = arena_new();
	struct diag *diag = diag_new(arena);
	const struct ir *ir;
	enum cmd_status status;

	diag_configure(diag, cmd_given(call, CHECK_STRICT), call->verbose ? NOTES_ALL : NOTES_SOME);
	ir = cmd_compile(arena, diag, path, NULL);
	status = show(call, strcmp(path, "-") ? path : "<stdin>", ir, diag);
	arena_free(arena);
	return status == CMD_DONE && !ir ? CMD_POLICY_WRONG : status;
}

static enum cmd_status run(struct cmd_call *call)
{
	enum cmd_status worst = CMD_DONE;

	for (size_t i = 0; i < call->arg_count; i++) {
		enum cmd_status status = check_policy(call, call->args[i]);

		worst = status > worst ? status : worst;
	}
	return worst;
}

const struct cmd_verb verb_check = {
	.name = "check",
	.usage = "POLICY...",
	.summary = "report all errors and warnings of policies",
	.detail =
		"Reads the policies, checks them, and tests their expectations (`expect`). Writes nothing, and needs neither root nor\n"
		"the kernel.",
	.least_args = 1,
	.most_args = CMD_ANY_NUMBER,
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
