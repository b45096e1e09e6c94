/*
 * read/sets: `sets`: each is an expression (read/set_items.c), or filled at run time, by others
 * (read/dynamic.c) or with this host's own addresses (read/own.c).
 */
#include <string.h>

#include "addr/builtin.h"
#include "base/arena.h"
#include "lang/read/read.h"

static bool is_built_in(struct decode *decode, const char *name)
{
	struct addr_set contents;

	return !strcmp(name, "local") || !strcmp(name, "broadcast") ||
	       builtin_find(decode->arena, name, &contents);
}

static bool read_set(struct decode *decode, const struct node_entry *entry, struct ast_set *set)
{
	bool good = read_definition_name(decode, entry, "set");

	set->name = entry->key;
	set->span = entry->key_span;
	if (good && is_built_in(decode, entry->key)) {
		good = false;
		diag_help(diag_add(decode->diag, DIAG_reserved_name, entry->key_span,
				   "the set \"%s\" is built in", entry->key),
			  "give yours another name");
	}
	if (entry->value.kind == NODE_SCALAR) {
		diag_help(diag_add(decode->diag, DIAG_wrong_type, entry->value.span,
				   "a set is a list, or a mapping with a source"),
			  "write [%s]", entry->value.text);
		return false;
	}
	if (read_is_own(&entry->value))
		return read_own_set(decode, &entry->value, set) && good;
	if (read_is_dynamic(&entry->value))
		return read_dynamic_set(decode, &entry->value, set) && good;
	return read_set_expression(decode, &entry->value, &set->expression) && good;
}

bool read_sets(struct decode *decode, const struct node *node, struct ast_policy *policy)
{
	bool good = true;

	if (node->kind != NODE_MAP) {
		diag_help(diag_add(decode->diag, DIAG_wrong_type, node->span,
				   "`sets` is a mapping of names, not %s", node_describe(node)),
			  "write `sets: {NAME: [192.0.2.0/24]}`");
		return false;
	}
	for (size_t i = 0; i < node->count; i++)
		good &= read_set(decode, &node->entries[i],
				 arena_append(decode->arena, policy->sets, policy->set_count));
	return good;
}
