/*
 * archive: writes and reads the files, and turns them over. In goes a finished ir, out comes one
 * whose rules are nft's words.
 */
#include "state/archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "emit/emit.h"
#include "ir/ir_codec.h"
#include "state/piece.h"
#include "state/rundir.h"
#include "state/snapshot.h"

static const char KIND[] = "archive";

/* ---- rules ---- */

/*
 * A rule of nft is kept as pieces (piece.h) that end where a set is named: by its place in the ir.
 * What asks for a name that the host may lack later stays a match of its own.
 */
enum { NAME_BEGIN = 1, NAME_END = 2 };

static void add_piece(struct codec *codec, struct ir_rule *rule, const char *words, size_t length,
		      const struct ir_set *named, bool is_match)
{
	const char *copy = arena_strndup(codec->arena, words, length);

	*arena_append(codec->arena, rule->matches, rule->match_count) =
		is_match ? piece_match(codec->arena, copy, named)
			 : piece_statements(codec->arena, copy, named);
}

/* From "ip daddr @" NAME_BEGIN "3" NAME_END " drop"; what names the set writes the '@', too. */
static void cut_words(struct codec *codec, struct ir_rule *rule, const char *line, bool is_match)
{
	const struct ir *ir = ((const struct emit_job *)codec->user)->ir;
	const char *end;

	while ((end = strchr(line, NAME_BEGIN))) {
		char *after;
		unsigned long index = strtoul(end + 1, &after, 10);

		codec->broken |= index >= ir->set_count || *after != NAME_END || end == line ||
				 end[-1] != '@';
		if (codec->broken)
			return;
		add_piece(codec, rule, line, (size_t)(end - 1 - line), &ir->sets[index], is_match);
		line = after + 1;
		line += *line == ' ';
	}
	if (*line)
		add_piece(codec, rule, line, strlen(line), NULL, is_match);
}

static void hosted_match(struct codec *codec, struct ir_match *item)
{
	const char *words = NULL, *name = NULL;

	if (codec->out) {
		struct buf printed = { 0 };

		item->ops->print(item, &printed);
		words = buf_keep(codec->arena, &printed);
		name = piece_hosted_name(item);
	}
	CODEC_ENUM(codec, item->hosted, IR_HOSTED_CGROUP);
	CODEC_FIELD(codec, item->negated);
	codec_text(codec, &words);
	codec_text(codec, &name);
	codec->broken |= !words || !name;
	if (!codec->out && !codec->broken)
		*item = piece_hosted(codec->arena, words, item->hosted, item->negated, name);
}

/* One rule of nft in nft's words, without the tabs before it and the line end after it. */
static void nft_rule(struct codec *codec, struct ir_rule *item)
{
	const char *matches = NULL, *statements = NULL;
	struct ir_match *hosted = NULL;
	size_t count = 0;

	codec_text(codec, &matches);
	CODEC_ITEMS(codec, hosted, count, hosted_match);
	codec_text(codec, &statements);
	cut_words(codec, item, matches ? matches : "", true);
	for (size_t i = 0; i < count; i++)
		*arena_append(codec->arena, item->matches, item->match_count) = hosted[i];
	cut_words(codec, item, statements ? statements : "", false);
}

static void write_text(struct codec *codec, const struct ir_rule *rule, size_t nth)
{
	struct buf out = { 0 };
	const char *all;

	emit_nft_put_nth(codec->user, rule, nth, &out);
	all = buf_text(&out) + strspn(buf_text(&out), "\t");
	all = arena_strndup(codec->arena, all, strlen(all) - 1);
	codec_text(codec, &all);
	buf_free(&out);
}

static void write_rule(struct codec *codec, const struct ir_rule *rule, size_t nth)
{
	struct ir_rule matches = { 0 }, hosted = { 0 }, statements = *rule;

	statements.matches = NULL;
	statements.match_count = 0;
	for (size_t i = 0; i < rule->match_count; i++) {
		const struct ir_match *match = &rule->matches[i];
		struct ir_rule *part = piece_is_statements(match) ? &statements
				       : match->hosted            ? &hosted
								  : &matches;

		*arena_append(codec->arena, part->matches, part->match_count) = *match;
	}
	write_text(codec, &matches, 0);
	CODEC_ITEMS(codec, hosted.matches, hosted.match_count, hosted_match);
	write_text(codec, &statements, nth);
}

/* What becomes several rules in nft is several rules when it is read. */
static void rules(struct codec *codec, struct ir_chain *chain)
{
	if (!codec->out) {
		CODEC_ITEMS(codec, chain->rules, chain->rule_count, nft_rule);
		return;
	}
	codec_count(codec, emit_nft_chain_length(chain));
	for (size_t i = 0; i < chain->rule_count; i++)
		for (size_t k = 0; k < emit_nft_rule_count(&chain->rules[i]); k++)
			write_rule(codec, &chain->rules[i], k);
}

static void chain(struct codec *codec, struct ir_chain *item)
{
	ir_codec_chain(codec, item);
	rules(codec, item);
}

static const char *const *place_names(struct arena *arena, const struct ir *ir)
{
	const char **names = arena_alloc(arena, (ir->set_count + 1) * sizeof(*names));

	for (size_t i = 0; i < ir->set_count; i++)
		names[i] = arena_printf(arena, "%c%zu%c", NAME_BEGIN, i, NAME_END);
	return names;
}

static void policy(struct codec *codec, struct ir *ir)
{
	struct emit_job job = { .ir = ir,
				.set_names = codec->out ? place_names(codec->arena, ir) : NULL };

	codec->user = &job;
	ir_codec_head(codec, ir);
	CODEC_ITEMS(codec, ir->sets, ir->set_count, ir_codec_set);
	CODEC_ITEMS(codec, ir->chains, ir->chain_count, chain);
	CODEC_ITEMS(codec, ir->written, ir->written_count, chain);
	CODEC_FIELD(codec, ir->written_digest);
	codec_texts(codec, &ir->counters, &ir->counter_count);
	ir_codec_routing(codec, ir);
}

/* ---- files ---- */

const char *archive_file(struct arena *arena, const char *policy, enum archive_kind kind)
{
	static const char *const words[] = { "applied", "previous" };

	return arena_printf(arena, "%s.%s", policy, words[kind]);
}

/* What is asked for without reading the rest. */
static void head(struct codec *codec, void *thing)
{
	struct archive *archive = thing;

	codec_text(codec, &archive->policy);
	CODEC_FIELD(codec, archive->shape);
	CODEC_FIELD(codec, archive->ir->digest);
}

static void body(struct codec *codec, void *thing)
{
	head(codec, thing);
	policy(codec, ((struct archive *)thing)->ir);
}

bool archive_write(struct arena *arena, const struct rundir *folder, const char *policy,
		   const struct archive *archive, const char **why)
{
	const char *file = archive_file(arena, policy, ARCHIVE_APPLIED);
	struct archive copy = *archive;

	return snapshot_write(arena, folder, file, KIND, body, &copy, why);
}

enum archive_state archive_look(struct arena *arena, const struct rundir *folder,
				const char *policy, enum archive_kind kind, uint64_t *digest)
{
	struct archive archive = { .ir = arena_new_of(arena, struct ir) };

	*digest = 0;
	switch (snapshot_look(arena, folder, archive_file(arena, policy, kind), KIND, head,
			      &archive)) {
	case SNAPSHOT_NONE:
		return ARCHIVE_NONE;
	case SNAPSHOT_READ:
		*digest = archive.ir->digest;
		return ARCHIVE_THERE;
	case SNAPSHOT_BROKEN:
	case SNAPSHOT_OLD:
		break;
	}
	return ARCHIVE_BROKEN;
}

struct archive *archive_read(struct arena *arena, const struct rundir *folder, const char *policy,
			     enum archive_kind kind)
{
	struct archive *archive = arena_new_of(arena, struct archive);
	const char *file = archive_file(arena, policy, kind);
	const char *why;

	archive->ir = arena_new_of(arena, struct ir);
	return snapshot_read(arena, folder, file, KIND, body, archive, &why) == SNAPSHOT_READ
		       ? archive
		       : NULL;
}

void archive_settle(struct arena *arena, const struct rundir *folder, const char *policy)
{
	const char *why;

	for (int kind = ARCHIVE_APPLIED; kind <= ARCHIVE_PREVIOUS; kind++) {
		const char *file = archive_file(arena, policy, (enum archive_kind)kind);

		/* What it holds is not read: it may be millions of addresses. */
		if (snapshot_read(arena, folder, file, KIND, NULL, NULL, &why) == SNAPSHOT_BROKEN)
			snapshot_set_aside(arena, folder, file, why);
	}
}

/* ---- what becomes of them when something else is applied, taken back or removed ---- */

static const char *path_of(struct arena *arena, const struct rundir *folder, const char *policy,
			   enum archive_kind kind)
{
	return arena_printf(arena, "%s/%s", folder->path, archive_file(arena, policy, kind));
}

void archive_keep(struct arena *arena, const struct rundir *folder, const char *policy)
{
	if (rename(path_of(arena, folder, policy, ARCHIVE_APPLIED),
		   path_of(arena, folder, policy, ARCHIVE_PREVIOUS)) < 0)
		snapshot_remove(arena, folder, archive_file(arena, policy, ARCHIVE_PREVIOUS));
}

void archive_return(struct arena *arena, const struct rundir *folder, const char *policy)
{
	rename(path_of(arena, folder, policy, ARCHIVE_PREVIOUS),
	       path_of(arena, folder, policy, ARCHIVE_APPLIED));
}

void archive_remove(struct arena *arena, const struct rundir *folder, const char *policy)
{
	snapshot_remove(arena, folder, archive_file(arena, policy, ARCHIVE_APPLIED));
	snapshot_remove(arena, folder, archive_file(arena, policy, ARCHIVE_PREVIOUS));
}
