/*
 * explain_live: an answer beside what the kernel says of the same packet.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "cmd/explain_answer.h"
#include "cmd/show.h"
#include "live/ask.h"

/* The policy's file, as a command may name it from anywhere. */
static const char *file_of(const struct cmd_call *call)
{
	char *path = strcmp(call->args[0], "-") ? realpath(call->args[0], NULL) : NULL;
	const char *kept = path ? arena_strdup(call->arena, path) : NULL;

	free(path);
	return kept;
}

static void put_json(const struct ask_answer *live, struct buf *out)
{
	buf_printf(out, ",\"live\":{\"applied\":%s,", live->is_applied ? "true" : "false");
	show_json_text(out, "route", live->route);
	buf_putc(out, ',');
	show_json_text(out, "refusal", live->refusal);
	buf_puts(out, ",\"problems\":");
	show_json(out, live->problems, REPORT_WARNING);
	buf_putc(out, '}');
}

static void put_words(const struct ask_answer *live, struct buf *out)
{
	buf_printf(out, "on this host:\n  applied   %s\n",
		   live->is_applied ? "yes, this very policy" : "no");
	if (live->route)
		buf_printf(out, "  route     %s\n", live->route);
	if (live->refusal)
		buf_printf(out, "  route     none: %s\n", live->refusal);
	for (size_t i = 0; i < live->problems->count; i++)
		show_line(out, &live->problems->lines[i], "  ");
	if (!live->problems->count)
		buf_puts(out, "  the kernel agrees\n");
}

enum cmd_status explain_ask(const struct cmd_call *call, const struct explain *explain,
			    const struct explain_answer *answer, struct buf *out)
{
	bool passes = answer->outcome.verdict == VERDICT_ACCEPT && !answer->shares;
	struct ask_question question = {
		.ir = explain->ir,
		.policy = file_of(call),
		.packet = answer->packet,
		.mark = answer->outcome.mark,
		.is_routed = passes && !(answer->listener && !answer->way->priority),
		.lookup = answer->lookup,
		.listener = answer->listener,
	};
	struct report report = { .arena = call->arena };
	struct ask_answer live;

	if (!ask_host(call->arena, &report, &question, &live)) {
		show_problems(call, &report);
		return CMD_SYSTEM_REFUSED;
	}
	if (call->format == CMD_JSON)
		put_json(&live, out);
	else
		put_words(&live, out);
	return live.problems->count ? CMD_DIFFERENCE : CMD_DONE;
}
