/*
 * read/own: sets of this host's own addresses: `addresses_of` and `prefix_of`.
 *
 * In goes a mapping with one of them or both, or a list of such mappings; out comes a dynamic
 * ast_set that begins with nothing, and says whose addresses it holds. It holds nothing else.
 */
#include <string.h>

#include "base/arena.h"
#include "lang/read/read.h"

static bool refuse(struct decode *decode, struct span span, const char *what, bool is_source)
{
	return diag_refuse(
		decode->diag, DIAG_impossible, span,
		arena_printf(decode->arena, "a set of this host's own addresses has no %s", what),
		is_source
			? "give it a set of its own, and name both in the rule: `to: [MINE, OTHER]`"
			: "leave it out: each apply makes the set hold what the interfaces have");
}

static bool is_source(const char *key)
{
	return strcmp(key, "dynamic") != 0 && strcmp(key, "timeout") != 0 &&
	       strcmp(key, "size") != 0;
}

static bool read_interface(struct decode *decode, const char *key, const struct node *node,
			   struct ast_set *set)
{
	const struct decode_field field = { .key = key };
	struct ast_own own = { .prefixes = !strcmp(key, "prefix_of"), .span = node->span };

	if (!read_interface_field(decode, &field, node, &own.dev))
		return false;
	*arena_append(decode->arena, set->own, set->own_count) = own;
	return true;
}

static bool read_interfaces(struct decode *decode, const char *key, const struct node *node,
			    struct ast_set *set)
{
	bool good = true;

	if (node->kind != NODE_LIST)
		return read_interface(decode, key, node, set);
	if (!node->count)
		return diag_refuse(decode->diag, DIAG_bad_value, node->span,
				   arena_printf(decode->arena, "`%s` is an empty list", key),
				   "name at least one interface");
	for (size_t i = 0; i < node->count; i++)
		good &= read_interface(decode, key, &node->items[i], set);
	return good;
}

/* The keys beside these are other sources, or about what others add. */
static bool read_own(struct decode *decode, const struct node *node, struct ast_set *set)
{
	struct read_set_parts parts = { 0 };
	bool is_known, good;

	if (node->kind != NODE_MAP || !read_is_own(node))
		return refuse(decode, node->span, "other items", true);
	is_known = good = decode_map(decode, &read_set_table, node, &parts);
	for (size_t i = 0; i < node->count && is_known; i++) {
		const char *key = node->entries[i].key;

		if (strcmp(key, "addresses_of") != 0 && strcmp(key, "prefix_of") != 0)
			good = refuse(decode, node->entries[i].key_span,
				      arena_printf(decode->arena, "`%s`", key), is_source(key));
	}
	if (parts.addresses_of)
		good &= read_interfaces(decode, "addresses_of", parts.addresses_of, set);
	if (parts.prefix_of)
		good &= read_interfaces(decode, "prefix_of", parts.prefix_of, set);
	return good;
}

bool read_own_set(struct decode *decode, const struct node *node, struct ast_set *set)
{
	bool good = true;

	set->dynamic = true;
	set->expression.kind = SET_LIST;
	set->expression.span = node->span;
	if (node->kind != NODE_LIST)
		return read_own(decode, node, set);
	for (size_t i = 0; i < node->count; i++)
		good &= read_own(decode, &node->items[i], set);
	return good;
}
