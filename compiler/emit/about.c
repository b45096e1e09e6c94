/*
 * about: writes and reads the comments by which our nft table says what it holds (the format is in
 * about.h).
 *
 * In goes a finished ir, out come rules; in goes a comment, out comes what it said. What about_put
 * writes, about_parse reads back.
 */
#include "emit/about.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "emit/elements.h"
#include "emit/emit.h"
#include "ir/ir.h"

static int compare_ids(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

uint32_t *about_tables(struct arena *arena, const struct ir *ir, size_t *count)
{
	uint32_t *ids = arena_alloc(arena, (ir->route_count + 1) * sizeof(*ids));
	size_t all = ir->route_count, kept = 0;

	for (size_t i = 0; i < all; i++)
		ids[i] = ir->routes[i].table;
	if (ir->main_copy)
		ids[all++] = ir->main_copy;
	qsort(ids, all, sizeof(*ids), compare_ids);
	for (size_t i = 0; i < all; i++)
		if (ids[i] != IR_TABLE_MAIN && (kept == 0 || ids[kept - 1] != ids[i]))
			ids[kept++] = ids[i];
	*count = kept;
	return ids;
}

static void put_line(struct buf *out, const char *text)
{
	buf_printf(out, "\t\treturn comment \"%s\"\n", text);
}

static void put_marks(const struct ir *ir, struct buf *out)
{
	struct buf line = { 0 };

	for (size_t i = 0; i < ir->class_count; i++) {
		/* A bare mark is set for whoever waits for it: another policy may set it, too. */
		if (ir->classes[i].kind == IR_CLASS_MARK)
			continue;
		line.length = 0;
		buf_printf(&line, "mark=0x%08" PRIx32 "/0x%08" PRIx32, ir->classes[i].mark,
			   ir->classes[i].mask);
		put_line(out, buf_text(&line));
	}
	line.length = 0;
	buf_printf(&line, "connections=0x%08" PRIx32, ir->ct_mask);
	if (ir->mark_mask)
		put_line(out, buf_text(&line));
	buf_free(&line);
}

static void put_tables(const struct ir *ir, struct buf *out)
{
	struct arena *arena = arena_new();
	size_t count;
	const uint32_t *ids = about_tables(arena, ir, &count);

	for (size_t i = 0; i < count; i++)
		put_line(out, arena_printf(arena, "table=%" PRIu32 "%s", ids[i],
					   ids[i] == ir->main_copy ? " copy" : ""));
	arena_free(arena);
}

void about_put_policy(const struct ir *ir, struct buf *out)
{
	buf_printf(out, "tpc %d %s digest=%016" PRIx64, ABOUT_VERSION, ir->name, ir->digest);
}

void about_put_set(const struct ir_set *set, const char *name, struct buf *out)
{
	buf_printf(out, "set=%s name=%s contents=%016" PRIx64, set->base, name, set->contents);
}

void about_put(const struct emit_job *job, struct buf *out)
{
	const struct ir *ir = job->ir;
	struct buf line = { 0 };

	about_put_policy(ir, &line);
	put_line(out, buf_text(&line));
	line.length = 0;
	buf_printf(&line, "protocol=%" PRIu32 " priority=%" PRIu32 "-%" PRIu32 " mask=0x%08" PRIx32,
		   ir->protocol, ir->priority_first, ir->priority_last, ir->mark_mask);
	put_line(out, buf_text(&line));
	put_marks(ir, out);
	put_tables(ir, out);
	for (size_t i = 0; i < ir->set_count; i++) {
		line.length = 0;
		about_put_set(&ir->sets[i], elements_name(job, &ir->sets[i]), &line);
		put_line(out, buf_text(&line));
	}
	for (size_t i = 0; i < ir->retained_count; i++) {
		const struct ir_retained *kept = &ir->retained[i];

		line.length = 0;
		buf_printf(&line, "kept=%s name=%s contents=%016" PRIx64, kept->base, kept->name,
			   kept->contents);
		put_line(out, buf_text(&line));
	}
	if (ir->waits)
		put_line(out, ir->waits);
	buf_free(&line);
}

/* Did sscanf read the whole line? `end` is where %n stopped, 0 when it never came that far. */
static bool is_whole(const char *comment, int end)
{
	return end > 0 && comment[end] == '\0';
}

static bool parse_policy(const char *comment, struct about_line *out)
{
	int end = 0;

	out->kind = ABOUT_POLICY;
	return sscanf(comment, "tpc %u %99s digest=%" SCNx64 "%n", &out->version, out->name,
		      &out->digest, &end) == 3 &&
	       is_whole(comment, end);
}

static bool parse_routing(const char *comment, struct about_line *out)
{
	int end = 0;

	out->kind = ABOUT_ROUTING;
	return sscanf(comment,
		      "protocol=%" SCNu32 " priority=%" SCNu32 "-%" SCNu32 " mask=%" SCNx32 "%n",
		      &out->protocol, &out->priority_first, &out->priority_last, &out->mask,
		      &end) == 4 &&
	       is_whole(comment, end);
}

static bool parse_mark(const char *comment, struct about_line *out)
{
	int end = 0;

	out->kind = ABOUT_MARK;
	return sscanf(comment, "mark=%" SCNx32 "/%" SCNx32 "%n", &out->mark, &out->mask, &end) ==
		       2 &&
	       is_whole(comment, end);
}

static bool parse_connections(const char *comment, struct about_line *out)
{
	int end = 0;

	out->kind = ABOUT_CONNECTIONS;
	return sscanf(comment, "connections=%" SCNx32 "%n", &out->mask, &end) == 1 &&
	       is_whole(comment, end);
}

static bool parse_table(const char *comment, struct about_line *out)
{
	int end = 0;

	out->kind = ABOUT_TABLE;
	out->is_copy = strstr(comment, " copy") != NULL;
	return sscanf(comment, out->is_copy ? "table=%" SCNu32 " copy%n" : "table=%" SCNu32 "%n",
		      &out->table, &end) == 1 &&
	       is_whole(comment, end);
}

static bool parse_set(const char *comment, struct about_line *out)
{
	int end = 0;

	out->kind = ABOUT_SET;
	return sscanf(comment, "set=%99s name=%99s contents=%" SCNx64 "%n", out->base, out->name,
		      &out->digest, &end) == 3 &&
	       is_whole(comment, end);
}

static bool parse_kept(const char *comment, struct about_line *out)
{
	int end = 0;

	out->kind = ABOUT_RETAINED;
	return sscanf(comment, "kept=%99s name=%99s contents=%" SCNx64 "%n", out->base, out->name,
		      &out->digest, &end) == 3 &&
	       is_whole(comment, end);
}

static bool parse_waits(const char *comment, struct about_line *out)
{
	int end = 0;

	out->kind = ABOUT_WAITS;
	return sscanf(comment, "waits=%" SCNd64 "-%" SCNu64 " until=%" SCNd64 " uid=%" SCNu32 "%n",
		      &out->pid, &out->started, &out->until, &out->uid, &end) == 4 &&
	       is_whole(comment, end);
}

bool about_parse(const char *comment, struct about_line *out)
{
	static bool (*const parsers[])(const char *, struct about_line *) = {
		parse_policy, parse_routing, parse_mark, parse_connections,
		parse_table,  parse_set,     parse_kept, parse_waits
	};

	for (size_t i = 0; i < sizeof(parsers) / sizeof(parsers[0]); i++) {
		memset(out, 0, sizeof(*out));
		if (parsers[i](comment, out))
			return true;
	}
	return false;
}
