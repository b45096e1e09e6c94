/*
 * read/set_items: what a set is made of: lists, files, and set algebra, as expressions that
 * ast/sets.c resolves.
 */
#include <string.h>

#include "addr/builtin.h"
#include "base/arena.h"
#include "lang/read/read.h"

static const struct decode_field set_fields[] = {
	{ .key = "file", .read = decode_node, .offset = offsetof(struct read_set_parts, file) },
	{ .key = "include",
	  .read = decode_node,
	  .offset = offsetof(struct read_set_parts, include) },
	{ .key = "exclude",
	  .read = decode_node,
	  .offset = offsetof(struct read_set_parts, exclude) },
	{ .key = "geoip", .read = decode_node, .offset = offsetof(struct read_set_parts, geoip) },
	{ .key = "database",
	  .read = decode_node,
	  .offset = offsetof(struct read_set_parts, database) },
	{ .key = "domains",
	  .read = decode_node,
	  .offset = offsetof(struct read_set_parts, domains) },
	{ .key = "dynamic",
	  .read = decode_node,
	  .offset = offsetof(struct read_set_parts, dynamic) },
	{ .key = "timeout",
	  .read = decode_node,
	  .offset = offsetof(struct read_set_parts, timeout) },
	{ .key = "size", .read = decode_node, .offset = offsetof(struct read_set_parts, size) },
	{ .key = "elements",
	  .read = decode_node,
	  .offset = offsetof(struct read_set_parts, elements) },
	{ .key = "addresses_of",
	  .read = decode_node,
	  .offset = offsetof(struct read_set_parts, addresses_of) },
	{ .key = "prefix_of",
	  .read = decode_node,
	  .offset = offsetof(struct read_set_parts, prefix_of) },
};

const struct decode_table read_set_table = { "set", set_fields,
					     sizeof(set_fields) / sizeof(set_fields[0]) };

static const char *const dynamic_keys[] = { "dynamic", "domains", "timeout", "size", "elements" };

bool read_is_dynamic(const struct node *node)
{
	for (size_t i = 0; i < sizeof(dynamic_keys) / sizeof(dynamic_keys[0]); i++)
		if (node->kind == NODE_MAP && node_find(node, dynamic_keys[i]))
			return true;
	return false;
}

static bool is_own_map(const struct node *node)
{
	return node->kind == NODE_MAP &&
	       (node_find(node, "addresses_of") || node_find(node, "prefix_of"));
}

bool read_is_own(const struct node *node)
{
	for (size_t i = 0; node->kind == NODE_LIST && i < node->count; i++)
		if (is_own_map(&node->items[i]))
			return true;
	return is_own_map(node);
}

static bool read_word(struct decode *decode, const struct node *node,
		      struct ast_set_expression *out)
{
	const char *why;

	if (addr_looks_like(node->text, node->length)) {
		out->kind = SET_LITERAL;
		if (addr_parse_range(decode->arena, node->text, node->length, &out->range, &why))
			return true;
		diag_help(diag_add(decode->diag, DIAG_bad_address, node->span,
				   "\"%s\" is no address, prefix or range", node->text),
			  "%s", why);
		return false;
	}
	out->kind = SET_REFERENCE;
	out->text = node->text;
	if (decode_is_name(node->text))
		return true;
	if (addr_looks_like_domain(node->text)) {
		out->kind = SET_LIST;
		diag_help(diag_add(decode->diag, DIAG_bad_address, node->span,
				   "\"%s\" is a domain, and stands in a set of domains",
				   node->text),
			  "write `NAME: {domains: [%s]}` under `sets`, and name that set in a rule",
			  node->text);
		return false;
	}
	out->kind = SET_LIST; /* of nothing: that name has been spoken of */
	return diag_refuse(decode->diag, DIAG_bad_address, node->span,
			   "this is no address and no name of a set",
			   "write an address, a prefix, a range first-last, or the name of another set");
}

bool read_set_items(struct decode *decode, const struct node *node,
		    struct ast_set_expression **items, size_t *count)
{
	const struct node *nodes = node->kind == NODE_LIST ? node->items : node;
	size_t node_count = node->kind == NODE_LIST ? node->count : 1;
	bool good = true;

	for (size_t i = 0; i < node_count; i++) {
		struct ast_set_expression item = { 0 };

		good &= read_set_expression(decode, &nodes[i], &item);
		*arena_append(decode->arena, *items, *count) = item;
	}
	return good;
}

static bool has_one_source(struct decode *decode, const struct node *node,
			   const struct read_set_parts *parts)
{
	bool geoip = parts->geoip || parts->database;
	int sources = !!parts->file + !!parts->include + geoip;

	if (sources != 1)
		return diag_refuse(
			decode->diag, sources ? DIAG_bad_value : DIAG_missing_key, node->span,
			sources ? "a set has one source" : "this set says nothing of what is in it",
			"write a list, {file: PATH}, {geoip: [CN], database: PATH}, or {include: [...], exclude: [...]}");
	if (parts->exclude && !parts->include) {
		diag_help(diag_add(decode->diag, DIAG_impossible, parts->exclude->span,
				   "`exclude` takes away from `include`"),
			  "write {include: [{%s%s}], exclude: [...]}",
			  geoip ? "geoip: ..., database: ..." : "file: ",
			  geoip || parts->file->kind != NODE_SCALAR ? "" : parts->file->text);
		return false;
	}
	return true;
}

static bool read_source(struct decode *decode, const struct node *node,
			struct ast_set_expression *out)
{
	struct read_set_parts parts = { 0 };
	bool good;

	if (read_is_dynamic(node) || read_is_own(node))
		return diag_refuse(
			decode->diag, DIAG_impossible, node->span,
			"a set that is filled at run time cannot be a part of another one",
			"give it a name of its own in `sets`, and name it in a rule's from or to beside the others");
	good = decode_map(decode, &read_set_table, node, &parts);
	if (good && !has_one_source(decode, node, &parts))
		return false;
	if (parts.geoip || parts.database)
		return (good || (parts.geoip && parts.database)) &&
		       read_geoip(decode, parts.geoip, parts.database, out) && good;
	if (parts.file) {
		out->text = read_path(decode, "file", parts.file);
		out->kind = out->text ? SET_FILE : SET_LIST; /* of nothing, after an error */
		return out->text && good;
	}
	out->kind = SET_DIFFERENCE;
	if (parts.include)
		good &= read_set_items(decode, parts.include, &out->items, &out->count);
	if (parts.exclude)
		good &= read_set_items(decode, parts.exclude, &out->without, &out->without_count);
	return good;
}

bool read_set_expression(struct decode *decode, const struct node *node,
			 struct ast_set_expression *out)
{
	out->span = node->span;
	switch (node->kind) {
	case NODE_SCALAR:
		return read_word(decode, node, out);
	case NODE_MAP:
		return read_source(decode, node, out);
	case NODE_LIST:
		out->kind = SET_LIST;
		return read_set_items(decode, node, &out->items, &out->count);
	}
	return false;
}
