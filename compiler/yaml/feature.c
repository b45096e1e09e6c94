/*
 * feature: what YAML has and a policy has no use for: anchors, aliases, merge keys, tags,
 * directives, several documents.
 *
 * Each is refused at its place with what to write instead. What it would have meant is still put
 * into the tree where that costs little (a short alias is followed), because a tree with holes
 * makes errors that are none.
 */
#include "yaml/build.h"

#include <string.h>

#include "base/arena.h"

/* What aliases may add to a tree: enough for any policy that a person wrote, too little for a bomb.
 */
enum { FEATURE_ANCHORS = 64, FEATURE_BORROWED = 10000, FEATURE_MERGED = 64 };

static const char instead[] =
	"give the value a name under `sets:`, `listeners:` or `tables:` and use that name, or "
	"write it out";

static void refuse(struct build *build, struct span span, const char *what, const char *help)
{
	const char *text =
		node_excerpt(build->arena, build->source->text + span.begin, span.end - span.begin);
	struct diag_record *record = build_report(build, DIAG_yaml_feature, span,
						  "a policy has no %s: \"%s\"", what, text);

	if (record)
		diag_help(record, "%s", help);
}

static bool ends_property(char c)
{
	return strchr(" \t\r\n,[]{}", c) != NULL; /* and NUL */
}

/* Over white space and comments. */
static size_t skip_blanks(const char *text, size_t at, size_t end)
{
	while (at < end && strchr(" \t\r\n#", text[at])) {
		if (text[at] == '#')
			while (at < end && text[at] != '\n')
				at++;
		else
			at++;
	}
	return at;
}

size_t feature_properties(struct build *build, size_t begin, size_t end, bool has_anchor,
			  bool has_tag)
{
	const char *text = build->text;
	size_t at = begin;

	while ((has_anchor || has_tag) && at < end && (text[at] == '&' || text[at] == '!')) {
		size_t stop = at + 1;
		bool is_anchor = text[at] == '&';

		while (stop < end && !ends_property(text[stop]))
			stop++;
		if (is_anchor)
			refuse(build, build_span(build, at, stop), "anchors", instead);
		else
			refuse(build, build_span(build, at, stop), "tags",
			       "remove the tag; text that begins with \"!\" goes in quotes");
		at = skip_blanks(text, stop, end);
		*(is_anchor ? &has_anchor : &has_tag) = false;
	}
	return at;
}

void feature_directives(struct build *build, size_t begin, size_t end)
{
	const char *text = build->text;
	bool at_line_start = true;

	for (size_t at = begin; at < end; at++) {
		if (at_line_start && text[at] == '%') {
			size_t stop = at + strcspn(text + at, "\r\n");

			refuse(build, build_span(build, at, stop), "directives", "remove the line");
		}
		at_line_start = text[at] == '\n' || text[at] == '\r';
	}
}

void feature_document(struct build *build, size_t begin, size_t end)
{
	struct diag_record *record =
		build_report(build, DIAG_yaml_feature, build_span(build, begin, end),
			     "a second document begins here, and a policy is one");

	if (record)
		diag_help(record,
			  "make it a file of its own and name that under `include:`, or remove this line");
}

void feature_merge_key(struct build *build, struct span span)
{
	refuse(build, span, "merge keys", "write the keys out");
}

void feature_remember(struct build *build, const char *name, const struct node *node, size_t nodes)
{
	struct build_anchor *anchor;

	if (build->anchor_count == FEATURE_ANCHORS)
		return;
	anchor = arena_append(build->arena, build->anchors, build->anchor_count);
	anchor->name = arena_strdup(build->arena, name);
	anchor->node = *node;
	anchor->nodes = nodes;
}

/* The last one of that name, as YAML has it. */
static const struct build_anchor *find_anchor(const struct build *build, const char *name)
{
	for (size_t i = build->anchor_count; i-- > 0;)
		if (!strcmp(build->anchors[i].name, name))
			return &build->anchors[i];
	return NULL;
}

static void *copy_array(struct build *build, const void *items, size_t count, size_t size)
{
	void *copy = NULL;

	for (size_t i = 0; i < count; i++) {
		copy = arena_room(build->arena, copy, i, size);
		memcpy((char *)copy + i * size, (const char *)items + i * size, size);
	}
	return copy;
}

bool feature_alias(struct build *build, struct span span, const char *name, struct node *out)
{
	const struct build_anchor *anchor = find_anchor(build, name);

	refuse(build, span, "aliases", instead);
	if (!anchor || build->borrowed + anchor->nodes > FEATURE_BORROWED)
		return false;
	build->borrowed += anchor->nodes;
	build->nodes += anchor->nodes;
	*out = anchor->node;
	out->span = span;
	out->items = copy_array(build, out->items, out->kind == NODE_LIST ? out->count : 0,
				sizeof(*out->items));
	out->entries = copy_array(build, out->entries, out->kind == NODE_MAP ? out->count : 0,
				  sizeof(*out->entries));
	return true;
}

void feature_merge(struct build *build, struct node *map, const struct node *merged)
{
	if (merged->kind != NODE_MAP || merged->count > FEATURE_MERGED)
		return;
	for (size_t i = 0; i < merged->count; i++)
		if (!node_find(map, merged->entries[i].key))
			*arena_append(build->arena, map->entries, map->count) = merged->entries[i];
}
