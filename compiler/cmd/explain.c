/*
 * explain: `tpc explain POLICY KEY=VALUE...` says what a policy does with a packet, and why.
 *
 * In go a policy and packets, one in the words of the command line or many in the lines of a file,
 * out comes a result for each. Needs neither root nor the kernel.
 */
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "cmd/explain_answer.h"
#include "cmd/help.h"
#include "cmd/verbs.h"
#include "host/lives.h"
#include "lang/lang.h"
#include "lang/packet.h"
#include "lang/read/read.h"

enum { EXPLAIN_BATCH, EXPLAIN_LIVE, EXPLAIN_LEVEL };

static const struct cmd_option options[] = {
	[EXPLAIN_BATCH] = { "batch", 0, "FILE", "one packet in each line; `-` is standard input",
			    NULL, false },
	[EXPLAIN_LIVE] = { "live", 0, NULL, "read this host too; exit 5 for a difference", NULL,
			   false },
	[EXPLAIN_LEVEL] = CMD_LEVEL_OPTION,
};

/* Results are printed in pieces of this size. */
enum { PIECE = 1 << 18 };
/* The memory of so many packets is given back at once: few, so that the next ones get it again
 * before it goes back to the system. */
enum { PACKETS_AT_ONCE = 16 };
/* Of a batch: places in it are 32 bits wide. */
#define BATCH_LIMIT ((size_t)1 << 31)

/* ---- one packet ---- */

/* The words as they would be typed, and where each stands among them. */
static const struct source *join_words(const struct cmd_call *call, struct packet_word **words,
				       size_t *count)
{
	struct buf text = { 0 };
	const struct source *source;

	for (size_t i = 1; i < call->arg_count; i++) {
		struct packet_word *word = arena_append(call->arena, *words, *count);

		if (i > 1)
			buf_putc(&text, ' ');
		word->text = call->args[i];
		word->begin = (uint32_t)text.length;
		buf_puts(&text, call->args[i]);
		word->end = (uint32_t)text.length;
	}
	source = source_from(call->arena, "command line", buf_text(&text), text.length);
	buf_free(&text);
	return source;
}

static void put_json(struct explain *explain, const struct explain_live *live,
		     const struct explain_answer *answer, unsigned int line, struct buf *out)
{
	struct json json = { .out = out };

	json_object(&json, NULL);
	explain_put_json(explain, answer, line, &json);
	if (live)
		explain_live_put_json(live, &json);
	json_end(&json);
	buf_putc(out, '\n');
}

/* The packet's result and, with --live, the host's after it. */
static enum cmd_status answer_packet(const struct cmd_call *call, struct explain *explain,
				     struct explain_live *live, struct arena *arena,
				     const struct ir_packet *asked, struct buf *element,
				     unsigned int line, struct buf *out)
{
	struct ir_packet packet = *asked;
	enum cmd_status status = live ? explain_live_begin(live, arena, &packet) : CMD_DONE;
	struct explain_answer answer;

	if (status != CMD_DONE)
		return status;
	answer = explain_packet(explain, &packet, element);
	if (live)
		status = explain_live_finish(live, &answer);
	if (call->format == CMD_JSON) {
		put_json(explain, live, &answer, line, out);
		return status;
	}
	if (line)
		explain_put_line(explain, &answer, line, out);
	else
		explain_put_words(explain, &answer, out);
	if (live)
		explain_live_put(live, line != 0, out);
	return status;
}

static enum cmd_status answer_one(const struct cmd_call *call, struct explain *explain,
				  struct explain_live *live, const struct ir_packet *packet)
{
	struct buf out = { 0 }, element = { 0 };
	enum cmd_status status =
		answer_packet(call, explain, live, call->arena, packet, &element, 0, &out);
	enum cmd_status printed = CMD_DONE;

	if (status != CMD_SYSTEM_REFUSED)
		printed = cmd_print_text(call, &out);
	buf_free(&out);
	buf_free(&element);
	return printed == CMD_DONE ? status : printed;
}

/* What was typed just now. */
struct typed {
	const struct source *source;
	struct packet_word *words;
	size_t count;
	struct ir_packet packet;
};

/* Wrong words are reported before the policy is read. */
static bool read_words(const struct cmd_call *call, struct typed *typed)
{
	struct diag *diag = diag_new(call->arena);
	bool good;

	typed->source = join_words(call, &typed->words, &typed->count);
	good = packet_check_text(diag, typed->source, 0, (uint32_t)typed->source->size) &&
	       packet_read(call->arena, diag, typed->source, typed->words, typed->count,
			   &typed->packet);
	cmd_show_diag(call, diag);
	return good;
}

static bool fits_policy(const struct cmd_call *call, const struct typed *typed, const struct ir *ir)
{
	struct diag *diag = diag_new(call->arena);
	bool good = packet_check_groups(call->arena, diag, typed->source, typed->words,
					typed->count, ir);

	cmd_show_diag(call, diag);
	return good;
}

/* ---- many ---- */

struct batch {
	const struct cmd_call *call;
	struct explain *explain;
	struct explain_live *live; /* or NULL */
	struct diag *diag;
	const struct source *source;
	struct arena *arena; /* of the packets that were read last */
	struct buf out, element;
	enum cmd_status status;
};

/* An error of the batch outweighs a difference. */
static void answer_line(struct batch *batch, const struct ir_packet *packet, unsigned int line)
{
	enum cmd_status status = answer_packet(batch->call, batch->explain, batch->live,
					       batch->arena, packet, &batch->element, line,
					       &batch->out);

	if (status == CMD_SYSTEM_REFUSED || batch->status == CMD_DONE)
		batch->status = status;
}

static void print_piece(struct batch *batch, size_t least)
{
	if (batch->out.length <= least || batch->status == CMD_SYSTEM_REFUSED)
		return;
	if (cmd_print_text(batch->call, &batch->out) != CMD_DONE)
		batch->status = CMD_SYSTEM_REFUSED;
	batch->out.length = 0;
}

static void read_line(struct batch *batch, size_t line)
{
	const struct source *source = batch->source;
	uint32_t begin = source->lines[line];
	uint32_t end = line + 1 < source->line_count ? source->lines[line + 1] - 1
						     : (uint32_t)source->size;
	struct packet_word *words = NULL;
	struct ir_packet packet;
	size_t count = 0;

	if (!packet_split(batch->arena, batch->diag, source, begin, end, &words, &count)) {
		batch->status = CMD_POLICY_WRONG;
		return;
	}
	if (!count)
		return;
	if (packet_read(batch->arena, batch->diag, source, words, count, &packet) &&
	    packet_check_groups(batch->arena, batch->diag, source, words, count,
				batch->explain->ir))
		answer_line(batch, &packet, (unsigned int)line + 1);
	else
		batch->status = CMD_POLICY_WRONG;
}

static void read_lines(struct batch *batch)
{
	for (size_t line = 0; line < batch->source->line_count; line++) {
		if (line % PACKETS_AT_ONCE == 0) {
			arena_free(batch->arena);
			batch->arena = arena_new();
		}
		read_line(batch, line);
		print_piece(batch, PIECE);
		if (batch->status == CMD_SYSTEM_REFUSED)
			break;
	}
	print_piece(batch, 0);
	arena_free(batch->arena);
}

static enum cmd_status answer_batch(const struct cmd_call *call, struct explain *explain,
				    struct explain_live *live)
{
	struct batch batch = {
		.call = call, .explain = explain, .live = live, .diag = diag_new(call->arena)
	};

	batch.source = source_read(call->arena, batch.diag, call->values[EXPLAIN_BATCH],
				   BATCH_LIMIT, (struct span){ 0 });
	if (batch.source)
		read_lines(&batch);
	else
		batch.status = CMD_POLICY_WRONG;
	cmd_show_diag(call, batch.diag);
	buf_free(&batch.out);
	buf_free(&batch.element);
	return batch.status;
}

/* ---- the call ---- */

/* What is odd in the policy, and whether it does what it expects of itself, is `check`'s to say:
 * here only what keeps it from being asked. */
static struct ir *compile(const struct cmd_call *call)
{
	struct diag *diag = diag_new(call->arena);
	struct lives *lives = lives_new(call->arena);
	const struct lang_host host = { lives_why_gone, lives };
	struct ir *ir = lang_lower(call->arena, diag, call->args[0],
				   cmd_given(call, EXPLAIN_LIVE) ? &host : NULL);

	lives_close(lives);

	if (!ir || call->verbose)
		cmd_show_diag(call, diag);
	return ir;
}

static enum cmd_status check_call(const struct cmd_call *call)
{
	const char *batch = call->values[EXPLAIN_BATCH];

	if (batch && call->arg_count > 1)
		return cmd_usage_error(call, "--batch reads packets from a file; leave out \"%s\"",
				       call->args[1]);
	if (batch && !strcmp(batch, "-") && !strcmp(call->args[0], "-"))
		return cmd_usage_error(
			call,
			"policy and packets cannot both come from standard input: name a file for one");
	if (!batch && call->arg_count < 2)
		return cmd_usage_error(
			call,
			"say which packet: in=lan0 to=203.0.113.8 proto=tcp port=443, or --batch FILE");
	return CMD_DONE;
}

static enum cmd_status run(struct cmd_call *call)
{
	bool batch = cmd_given(call, EXPLAIN_BATCH);
	enum cmd_status status = check_call(call);
	struct typed typed = { 0 };
	struct explain explain;
	struct explain_live *live = NULL;
	struct ir *ir;

	if (status != CMD_DONE)
		return status;
	if (!batch && !read_words(call, &typed))
		return CMD_POLICY_WRONG;
	ir = compile(call);
	if (!ir || (!batch && !fits_policy(call, &typed, ir)))
		return CMD_POLICY_WRONG;
	explain = explain_new(call->arena, ir, cmd_optimise(call, ir, EXPLAIN_LEVEL));
	explain.level = cmd_level(call, EXPLAIN_LEVEL);
	if (cmd_given(call, EXPLAIN_LIVE))
		status = explain_live_open(call, &explain, &live);
	if (status == CMD_DONE)
		status = batch ? answer_batch(call, &explain, live)
			       : answer_one(call, &explain, live, &typed.packet);
	if (live)
		explain_live_close(live);
	return status;
}

static void put_keys(struct buf *out)
{
	struct buf text = { 0 };

	buf_puts(&text, "Keys of a packet, as in `expect`:");
	for (size_t i = 0; i < read_packet_table.count; i++)
		buf_printf(&text, "%s %s", i ? "," : "", read_packet_table.fields[i].key);
	help_put_wrapped(buf_text(&text), out);
	buf_free(&text);
}

const struct cmd_verb verb_explain = {
	.name = "explain",
	.usage = "POLICY KEY=VALUE... | POLICY --batch FILE",
	.summary = "show what a policy does with a packet, and why",
	.detail = "Shows the rule that takes the packet, the set and its\nelement, the mark, ip "
		  "rule, table, route and listener, and for each earlier rule the first condition "
		  "that\ndoes not hold. A batch has one packet in each line (blank lines and text "
		  "after `#` are ignored). Needs\nneither root nor the kernel, except with --live: "
		  "that reads from this host whether this policy is applied\nand unchanged, the "
		  "elements of its sets, foreign nft rules, the route with the packet's mark, "
		  "forwarding,\nand the listener's socket. It reports what it read, what differs, "
		  "and what it cannot know.",
	.put_list = put_keys,
	.least_args = 1,
	.most_args = CMD_ANY_NUMBER,
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
