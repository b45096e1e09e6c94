/*
 * read/lists: `macs` and `ports`: lists of values, files and names of other lists of the kind, that
 * lists.c resolves.
 */
#include "base/arena.h"
#include "lang/read/read.h"
#include "match/kinds.h"

struct list_parts {
	const struct node *file;
};

static const struct decode_field list_fields[] = {
	{ .key = "file",
	  .read = decode_node,
	  .offset = offsetof(struct list_parts, file),
	  .required = true },
};

const struct decode_table read_list_table = { "list", list_fields, 1 };

static bool read_item(struct decode *decode, const struct node *item, struct ast_list *list)
{
	struct list_parts parts = { 0 };
	const char *path;

	if (item->kind != NODE_MAP)
		return list->kind->read(decode, item, &list->written);
	if (!decode_map(decode, &read_list_table, item, &parts))
		return false;
	path = read_path(decode, "file", parts.file);
	if (path)
		*arena_append(decode->arena, list->files, list->file_count) =
			(struct match_reference){ path, parts.file->span };
	return path != NULL;
}

static bool read_list(struct decode *decode, const struct node_entry *entry, struct ast_list *list)
{
	const struct node *value = &entry->value;
	bool good;

	list->name = entry->key;
	list->span = entry->key_span;
	list->written = (struct match_condition){ .kind = list->kind,
						  .key = list->kind->lists,
						  .span = value->span,
						  .may_be_list = true };
	good = read_definition_name(decode, entry,
				    arena_printf(decode->arena, "list of %s", list->kind->lists));
	if (value->kind == NODE_SCALAR) {
		diag_help(diag_add(decode->diag, DIAG_wrong_type, value->span,
				   "one of `%s` is a list, or {file: PATH}", list->kind->lists),
			  "write [%s]", value->text);
		return false;
	}
	if (value->kind == NODE_MAP)
		return read_item(decode, value, list) && good;
	for (size_t i = 0; i < value->count; i++)
		good &= read_item(decode, &value->items[i], list);
	return good;
}

bool read_lists(struct decode *decode, const struct node *node, const struct match_kind *kind,
		struct ast_policy *policy)
{
	bool good = true;

	if (node->kind != NODE_MAP) {
		diag_help(diag_add(decode->diag, DIAG_wrong_type, node->span,
				   "`%s` is a mapping of names, not %s", kind->lists,
				   node_describe(node)),
			  "write `%s: {NAME: [%s]}`", kind->lists,
			  kind == &match_port ? "443, 8000-8099" : "02:00:5e:10:00:01");
		return false;
	}
	for (size_t i = 0; i < node->count; i++) {
		struct ast_list *list =
			arena_append(decode->arena, policy->lists, policy->list_count);

		list->kind = kind;
		good &= read_list(decode, &node->entries[i], list);
	}
	return good;
}
