/*
 * graph: `tpc graph POLICY` shows a policy as a picture.
 *
 * In goes a policy, out comes text for Graphviz or Mermaid, or what Graphviz draws of it, to
 * standard output or into one file, which appears whole or not at all. Reads nothing but the
 * policy, needs no root.
 */
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/shown.h"
#include "cmd/graph_draw.h"
#include "cmd/verbs.h"
#include "emit/emit.h"
#include "emit/graph.h"
#include "ir/ir.h"

enum { GRAPH_OUTPUT, GRAPH_EMIT };

static const char *const kinds[] = { "dot", "mermaid", "svg", "png", NULL };

static const struct cmd_option options[] = {
	[GRAPH_OUTPUT] = { "output", 'o', "FILE",
			   "write FILE; .dot, .mmd, .svg or .png is the format", NULL, false },
	[GRAPH_EMIT] = { "emit", 0, "KIND", "the format: dot, mermaid, svg or png", kinds, false },
};

/* What a name's end says; NULL for one that says nothing. */
static const char *kind_of(const char *path)
{
	static const struct {
		const char *end, *kind;
	} ends[] = { { ".dot", "dot" },         { ".gv", "dot" },  { ".mmd", "mermaid" },
		     { ".mermaid", "mermaid" }, { ".svg", "svg" }, { ".png", "png" } };
	const char *dot = strrchr(path, '.');

	for (size_t i = 0; dot && i < sizeof(ends) / sizeof(ends[0]); i++)
		if (!strcmp(dot, ends[i].end))
			return ends[i].kind;
	return NULL;
}

/* The picture of this kind; false after an error message. */
static bool put_picture(const struct cmd_call *call, const struct emit_job *job, const char *kind,
			struct buf *out)
{
	struct buf text = { 0 };
	bool is_good = true;

	if (!strcmp(kind, "mermaid")) {
		graph_put_mermaid(job, out);
	} else if (!strcmp(kind, "dot")) {
		graph_put_dot(job, out);
	} else {
		graph_put_dot(job, &text);
		is_good = graph_draw(call, &text, kind, out);
	}
	buf_free(&text);
	return is_good;
}

static void put_summary(const struct cmd_call *call, const char *path, const struct ir *ir,
			struct buf *out)
{
	const char *plural = ir->policy_rules == 1 ? "" : "s";

	if (call->format == CMD_JSON) {
		struct json json = { .out = out };

		json_object(&json, NULL);
		json_list(&json, "files");
		json_text(&json, NULL, path);
		json_end(&json);
		json_number(&json, "rules", ir->policy_rules);
		json_end(&json);
		buf_putc(out, '\n');
	} else {
		shown_text(out, path);
		buf_printf(out, ": %zu rule%s\n", ir->policy_rules, plural);
	}
}

static enum cmd_status write_picture(const struct cmd_call *call, const struct ir *ir,
				     const struct buf *picture)
{
	const char *path = call->values[GRAPH_OUTPUT], *slash = strrchr(path, '/'), *why = NULL;
	const char *folder = !slash ? "."
			     : slash == path
				     ? "/"
				     : arena_strndup(call->arena, path, (size_t)(slash - path));
	struct file_output file = { .name = slash ? slash + 1 : path,
				    .text = picture->text,
				    .length = picture->length,
				    .mode = 0666 };
	struct buf summary = { 0 };
	struct stat info;
	enum cmd_status status = CMD_DONE;

	/* A picture goes into a folder that is there: only outputs of a compile have one of their
	 * own. */
	if (stat(folder, &info) || !S_ISDIR(info.st_mode)) {
		cmd_error(call, DIAG_output_write, NULL,
			  "there is no folder \"%s\" to write %s into; nothing was written", folder,
			  file.name);
		return CMD_SYSTEM_REFUSED;
	}
	if (!file_write_all(call->arena, folder, &file, 1, (const char *const[]){ NULL }, &why)) {
		cmd_error(call, DIAG_output_write, NULL, "%s; nothing was written", why);
		return CMD_SYSTEM_REFUSED;
	}
	put_summary(call, path, ir, &summary);
	if (!call->quiet)
		status = cmd_print_text(call, &summary);
	buf_free(&summary);
	return status;
}

static enum cmd_status check_call(const struct cmd_call *call, const char *kind)
{
	const char *path = call->values[GRAPH_OUTPUT];

	if (path && (!*path || path[strlen(path) - 1] == '/'))
		return cmd_usage_error(call, "-o needs the name of a file");
	if (!kind)
		return cmd_usage_error(call,
				       "\"%s\" does not say what to draw: end it in .svg, .png, .dot or .mmd, or add --emit KIND",
				       path);
	return CMD_DONE;
}

static enum cmd_status run(struct cmd_call *call)
{
	const char *path = call->values[GRAPH_OUTPUT];
	const char *kind = cmd_given(call, GRAPH_EMIT) ? call->values[GRAPH_EMIT]
			   : path                      ? kind_of(path)
						       : "dot";
	struct buf picture = { 0 };
	enum cmd_status status = check_call(call, kind);
	struct emit_job job;
	struct ir *ir;

	if (status != CMD_DONE)
		return status;
	ir = cmd_compile_policy(call, call->args[0], NULL);
	if (!ir)
		return CMD_POLICY_WRONG;
	if (path && cmd_refuse_outputs(call, (const char *const[]){ path, NULL }))
		return CMD_USAGE_WRONG;
	job = emit_job_of(call->arena, ir, call->args[0]);
	if (!put_picture(call, &job, kind, &picture))
		status = CMD_SYSTEM_REFUSED;
	else if (path)
		status = write_picture(call, ir, &picture);
	else
		status = cmd_print(call, &picture);
	buf_free(&picture);
	return status;
}

const struct cmd_verb verb_graph = {
	.name = "graph",
	.usage = "POLICY [-o FILE] [--emit KIND]",
	.summary = "draw a policy",
	.detail = "Where traffic enters, the rules in order with their conditions and actions, the "
		  "marks and ip rules, the tables with\ntheir routes, the listeners, and the "
		  "links. The formats are dot (text for Graphviz, the default), mermaid (a "
		  "flowchart\nthat wikis draw), svg and png (both drawn by Graphviz). Without -o "
		  "the picture goes to\nstandard output.",
	.least_args = 1,
	.most_args = 1,
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
