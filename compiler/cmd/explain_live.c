/*
 * explain_live: compares a result with what the kernel does with the same packet.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "cmd/explain_answer.h"
#include "cmd/show.h"
#include "host/hosted.h"
#include "host/probe.h"
#include "ir/ir.h"
#include "kernel/timezone.h"
#include "opt/opt.h"

/* The policy's file, as a command may name it from anywhere. */
static const char *file_of(const struct cmd_call *call)
{
	char *path = strcmp(call->args[0], "-") ? realpath(call->args[0], NULL) : NULL;
	const char *kept = path ? arena_strdup(call->arena, path) : NULL;

	free(path);
	return kept;
}

struct explain_live {
	struct probe *ask;
	const struct cmd_call *call;
	struct report report; /* why this host cannot be asked */
	struct probe_answer answer;
	int level;
};

static void put_applied(const struct probe_answer *live, int level, struct buf *out)
{
	buf_puts(out, "on this host:\n  applied   ");
	if (!live->is_applied)
		buf_puts(out, "no\n");
	else if (live->level == level)
		buf_puts(out, "yes, this very policy\n");
	else
		buf_printf(out, "yes, this very policy, with -O%d\n", live->level);
}

static void put_list(const char *head, const struct report *report, struct buf *out)
{
	for (size_t i = 0; i < report->step_count; i++)
		buf_printf(out, "  %-9s %s\n", head, report->steps[i]);
}

static void put_end(const struct probe_answer *live, struct buf *out)
{
	if (live->problems->count)
		return;
	if (live->lacks_route)
		buf_puts(out,
			 "  the policy leaves it to the main table, and the kernel has no route for it\n");
	else if (live->unknown->step_count)
		buf_puts(out, "  no difference in what was read; the rest is unknown\n");
	else
		buf_puts(out, "  the kernel agrees\n");
}

static void put_words(const struct probe_answer *live, int level, struct buf *out)
{
	put_applied(live, level, out);
	if (live->route)
		buf_printf(out, "  route     %s\n", live->route);
	if (live->refusal)
		buf_printf(out, "  route     none: %s\n", live->refusal);
	put_list("asked", live->asked, out);
	show_messages(out, live->problems);
	put_list("unknown", live->unknown, out);
	put_end(live, out);
}

/* After a result in one line: only differences from the policy. */
static void put_short(const struct probe_answer *live, struct buf *out)
{
	show_messages(out, live->problems);
	put_list("unknown", live->unknown, out);
	if (!live->problems->count && live->lacks_route)
		put_end(live, out);
}

/* As an apply with either level would name it: local times have become this host's. */
static struct probe_policy make_policy(const struct cmd_call *call, const struct explain *explain)
{
	struct probe_policy policy = { .level = explain->level, .file = file_of(call) };
	struct report unsaid = { .arena = call->arena };

	for (int level = 0; level < PROBE_LEVELS; level++) {
		policy.levels[level] = opt_run(call->arena, explain->trace->ir, level);
		timezone_localise(call->arena, &unsaid, policy.levels[level]);
		hosted_resolve(call->arena, policy.levels[level]);
	}
	return policy;
}

static enum cmd_status refuse(const struct explain_live *live)
{
	show_problems(live->call, &live->report);
	return CMD_SYSTEM_REFUSED;
}

enum cmd_status explain_live_open(const struct cmd_call *call, const struct explain *explain,
				  struct explain_live **out)
{
	struct explain_live *live = arena_new_of(call->arena, struct explain_live);
	struct probe_policy policy = make_policy(call, explain);

	*live = (struct explain_live){ .call = call,
				       .report = { .arena = call->arena },
				       .level = explain->level };
	*out = live;
	return probe_open(call->arena, &live->report, &policy, &live->ask) ? CMD_DONE
									   : refuse(live);
}

void explain_live_close(struct explain_live *live)
{
	probe_close(live->ask);
}

enum cmd_status explain_live_begin(struct explain_live *live, struct arena *arena,
				   struct ir_packet *packet)
{
	return probe_begin(live->ask, arena, &live->report, packet, &live->answer) ? CMD_DONE
										   : refuse(live);
}

enum cmd_status explain_live_finish(struct explain_live *live, const struct explain_answer *answer)
{
	const struct probe_question question = {
		.packet = answer->packet,
		.base = answer->outcome.base,
		.passes = answer->outcome.verdict == VERDICT_ACCEPT,
		.is_balanced = answer->shares != NULL,
		.mark = answer->outcome.mark,
		.ct_mark = answer->outcome.ct_mark,
		.class = answer->class,
		.lookup = answer->lookup,
		.listener = answer->listener,
		.shares = answer->shares ? answer->shares->listeners : NULL,
		.share_count = answer->shares ? answer->shares->listener_count : 0,
	};

	if (!probe_finish(live->ask, &live->report, &question, &live->answer))
		return refuse(live);
	return live->answer.problems->count ? CMD_DIFFERENCE : CMD_DONE;
}

void explain_live_put(const struct explain_live *live, bool is_batch, struct buf *out)
{
	if (is_batch)
		put_short(&live->answer, out);
	else
		put_words(&live->answer, live->level, out);
}

void explain_live_put_json(const struct explain_live *live, struct json *out)
{
	const struct probe_answer *answer = &live->answer;

	json_object(out, "live");
	json_bool(out, "applied", answer->is_applied);
	if (answer->is_applied)
		json_number(out, "level", (uint64_t)answer->level);
	else
		json_null(out, "level");
	json_text(out, "route", answer->route);
	json_text(out, "refusal", answer->refusal);
	show_json_steps(out, "asked", answer->asked);
	show_json_messages(out, "problems", answer->problems);
	show_json_steps(out, "unknown", answer->unknown);
	json_end(out);
}
