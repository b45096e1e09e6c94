/*
 * explain_live: an answer beside what the kernel says of the same packet.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "cmd/explain_answer.h"
#include "cmd/show.h"
#include "ir/ir.h"
#include "live/ask.h"
#include "live/zone.h"
#include "opt/opt.h"

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
	if (live->is_applied)
		buf_printf(out, "\"level\":%d,", live->level);
	else
		buf_puts(out, "\"level\":null,");
	show_json_text(out, "route", live->route);
	buf_putc(out, ',');
	show_json_text(out, "refusal", live->refusal);
	buf_puts(out, ",\"problems\":");
	show_json(out, live->problems, REPORT_WARNING);
	buf_putc(out, '}');
}

static void put_applied(const struct ask_answer *live, int level, struct buf *out)
{
	buf_puts(out, "on this host:\n  applied   ");
	if (!live->is_applied)
		buf_puts(out, "no\n");
	else if (live->level == level)
		buf_puts(out, "yes, this very policy\n");
	else
		buf_printf(out, "yes, this very policy, with -O%d\n", live->level);
}

static void put_words(const struct ask_answer *live, int level, struct buf *out)
{
	put_applied(live, level, out);
	if (live->route)
		buf_printf(out, "  route     %s\n", live->route);
	if (live->refusal)
		buf_printf(out, "  route     none: %s\n", live->refusal);
	for (size_t i = 0; i < live->problems->count; i++)
		show_line(out, &live->problems->lines[i], "  ");
	if (!live->problems->count)
		buf_puts(out,
			 live->lacks_route
				 ? "  the policy leaves it to the main table, and the kernel has no route for it\n"
				 : "  the kernel agrees\n");
}

/* As an apply with either level would name it: local times have become this host's. */
static void find_digests(const struct cmd_call *call, const struct explain *explain,
			 uint64_t digests[ASK_LEVELS])
{
	struct report unsaid = { .arena = call->arena };

	for (int level = 0; level < ASK_LEVELS; level++) {
		struct ir *ir = opt_run(call->arena, explain->trace->ir, level);

		zone_localise(call->arena, &unsaid, ir);
		digests[level] = ir->digest;
	}
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

	find_digests(call, explain, question.digests);
	if (!ask_host(call->arena, &report, &question, &live)) {
		show_problems(&report);
		return CMD_SYSTEM_REFUSED;
	}
	if (call->format == CMD_JSON)
		put_json(&live, out);
	else
		put_words(&live, explain->level, out);
	return live.problems->count ? CMD_DIFFERENCE : CMD_DONE;
}
