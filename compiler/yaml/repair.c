/*
 * repair: IPv6 addresses with a colon at their edge, of which libyaml makes an error or something
 * else.
 *
 * Each is reported with its quoted form. So that the rest of the text is still read, what
 * libyaml cannot read is covered with letters in a copy of the text, of the same length, and the
 * tree gets the address that the author meant.
 */
#include "yaml/build.h"

#include <string.h>

#include "base/arena.h"
#include "yaml/colon.h"

/* How many bytes may be read again to find more addresses: it bounds the time that a large file
 * takes. */
#define REPAIR_BYTES (256u << 20)

static const char *edge(const char *text)
{
	if (text[0] == '[')
		return "has brackets and colons";
	return text[0] == ':' ? "begins with a colon" : "ends with a colon";
}

static void report(const struct build *build, size_t begin, size_t end)
{
	const char *text = build->source->text + begin;
	const char *shown = node_excerpt(build->arena, text, end - begin);
	struct span span = build_span(build, begin, end);
	struct diag_record *record = diag_add(build->diag, DIAG_yaml_colon_address, span,
					      "the address %s %s, which YAML reads as its own",
					      shown, edge(text));

	diag_help(record, "put it in quotes: \"%s\"", shown);
}

bool repair_find(const struct build *build, const char *problem, size_t at, size_t *begin,
		 size_t *end)
{
	static const char *const problems[] = { "found unexpected ':'",
						"did not find expected node content",
						"mapping values are not allowed in this context",
						"did not find expected ',' or" };
	size_t size = build->source->size;

	if (colon_find_bracketed(build->text, size, at, begin, end))
		return true;
	for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++)
		if (!strncmp(problem, problems[i], strlen(problems[i])))
			return colon_find(build->text, size, at, begin, end);
	return false;
}

void repair_cover(struct build *build, size_t begin, size_t end)
{
	report(build, begin, end);
	if (!build->repaired)
		build->repaired =
			arena_strndup(build->arena, build->source->text, build->source->size);
	memset(build->repaired + begin, 'x', end - begin);
	build->text = build->repaired;
	build->repairs++;
}

bool repair_is_covered(const struct build *build, const struct node *node)
{
	size_t begin = node->span.begin, length = node->span.end - begin;

	return build->repaired && length == node->length &&
	       memcmp(build->repaired + begin, build->source->text + begin, length);
}

bool repair_may_repeat(const struct build *build)
{
	return build->repairs < BUILD_REPORTS &&
	       build->repairs * (uint64_t)build->source->size < REPAIR_BYTES;
}

static bool is_entry(const struct build *build, const struct build_frame *frame,
		     const struct node *value)
{
	size_t begin = frame->key_span.begin, end = frame->key_span.end;

	if (frame->key_quoted || value->kind != NODE_SCALAR || value->quoted || value->length)
		return false;
	return end < build->source->size && build->text[end] == ':' &&
	       colon_is_address(build->text + begin, end + 1 - begin);
}

void repair_entry(struct build *build, struct build_frame *frame, const struct node *value)
{
	size_t begin = frame->key_span.begin, end = frame->key_span.end + 1;

	if (!is_entry(build, frame, value))
		return;
	if (build_counts(build))
		report(build, begin, end);
	/* A mapping with a text: see repair_collapse. */
	frame->node.text = arena_strndup(build->arena, build->text + begin, end - begin);
	frame->node.length = end - begin;
}

void repair_collapse(struct node *map)
{
	if (map->text && map->count == 1) {
		map->kind = NODE_SCALAR;
		map->entries = NULL;
		map->count = 0;
		map->span.end = map->span.begin + (uint32_t)map->length;
	} else {
		map->text = NULL;
		map->length = 0;
	}
}
