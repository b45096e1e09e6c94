/*
 * node: the tree's questions, and what a policy's root must be.
 */
#include "yaml/node.h"

#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/utf8.h"
#include "yaml/build.h"
#include "yaml/decode.h"
#include "yaml/encoding.h"

static const char begins_with[] = "a policy begins with the line `version: 1`";

static bool is_null(const struct node *node)
{
	const char *const words[] = { "", "~", "null", "Null", "NULL" };

	if (node->kind != NODE_SCALAR || node->quoted)
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(node->text, words[i]))
			return true;
	return false;
}

static void refuse_empty(struct diag *diag, const struct source *source)
{
	struct span begin = { source, 0, 0 };

	diag_help(diag_add(diag, DIAG_wrong_type, begin, "the policy is empty"), "%s", begins_with);
}

static void refuse_root(struct diag *diag, const struct node *root)
{
	struct diag_record *record = diag_add(diag, DIAG_wrong_type, root->span,
					      "a policy is a mapping (`key: value` lines), not %s",
					      node_describe(root));

	if (root->kind == NODE_SCALAR && !root->quoted && strchr(root->text, ':'))
		diag_help(record, "write a space behind every colon: `key: value`");
	diag_help(record, "%s", begins_with);
}

struct node *node_parse(struct arena *arena, struct diag *diag, const struct source *source)
{
	size_t errors = diag_error_count(diag);
	struct node *root;

	if (!encoding_check(diag, source))
		return NULL;
	root = build_document(arena, diag, source);
	if (root && root->kind == NODE_MAP)
		return root;
	if (root ? is_null(root) : diag_error_count(diag) == errors)
		refuse_empty(diag, source);
	else if (root)
		refuse_root(diag, root);
	return NULL;
}

struct node_entry *node_find(const struct node *map, const char *key)
{
	if (map->kind != NODE_MAP)
		return NULL;
	for (size_t i = 0; i < map->count; i++)
		if (!strcmp(map->entries[i].key, key))
			return &map->entries[i];
	return NULL;
}

const char *node_describe(const struct node *node)
{
	int64_t number;

	if (node->kind == NODE_MAP)
		return "a mapping";
	if (node->kind == NODE_LIST)
		return "a list";
	if (is_null(node))
		return "an empty value";
	if (node->quoted)
		return "text in quotes";
	if (!strcmp(node->text, "true") || !strcmp(node->text, "false"))
		return "true or false";
	if (decode_parse_integer(node, &number))
		return "a number";
	return "a word";
}

const char *node_excerpt(struct arena *arena, const char *text, size_t length)
{
	size_t end = length;

	if (length > NODE_EXCERPT) {
		end = NODE_EXCERPT;
		while (end > 0 && !utf8_begins(text[end]))
			end--;
	}
	return arena_printf(arena, "%.*s%s", (int)end, text, end < length ? "..." : "");
}
