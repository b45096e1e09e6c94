/*
 * read/values: the values that several parts of a policy share: marks, addresses, interface names,
 * names of definitions, paths.
 */
#include <string.h>

#include "addr/builtin.h"
#include "base/arena.h"
#include "lang/read/read.h"

struct mark_parts {
	int64_t value, mask;
};

static const struct decode_field mark_fields[] = {
	{ .key = "value",
	  .read = decode_integer,
	  .offset = offsetof(struct mark_parts, value),
	  .required = true,
	  .least = 1,
	  .most = UINT32_MAX },
	{ .key = "mask",
	  .read = decode_integer,
	  .offset = offsetof(struct mark_parts, mask),
	  .required = true,
	  .least = 1,
	  .most = UINT32_MAX },
};

const struct decode_table read_mark_table = { "mark", mark_fields, 2 };

bool read_mark_field(struct decode *decode, const struct decode_field *field,
		     const struct node *value, void *target)
{
	static const struct decode_field number = { .key = "mark", .least = 1, .most = UINT32_MAX };
	struct mark_parts parts = { .mask = UINT32_MAX };
	struct ast_mark *mark = target;

	(void)field;
	if (value->kind == NODE_MAP ? !decode_map(decode, &read_mark_table, value, &parts)
				    : !decode_integer(decode, &number, value, &parts.value))
		return false;
	if (parts.value & ~parts.mask) {
		diag_help(diag_add(decode->diag, DIAG_bad_value, value->span,
				   "the value has bits that its mask leaves out"),
			  "write {value: 0x%x, mask: 0x%x}", (unsigned int)parts.value,
			  (unsigned int)(parts.mask | parts.value));
		return false;
	}
	*mark = (struct ast_mark){ true, (uint32_t)parts.value, (uint32_t)parts.mask, value->span };
	return true;
}

static bool add_address(struct decode *decode, const struct node *value,
			struct ast_addresses *addresses)
{
	struct addr addr;
	const char *why = "write an address such as 192.0.2.1";
	struct diag_record *record;

	if (value->kind != NODE_SCALAR ||
	    !addr_parse(decode->arena, value->text, value->length, &addr, &why)) {
		record =
			diag_add(decode->diag, DIAG_bad_address, value->span, "this is no address");
		diag_help(record, "%s", why);
		return false;
	}
	if (addresses->has[addr.family])
		return diag_refuse(decode->diag, DIAG_bad_value, value->span,
				   "a second address of the same family",
				   "one IPv4 and one IPv6 address may stand here");
	addresses->has[addr.family] = true;
	addresses->addr[addr.family] = addr;
	return true;
}

bool read_addresses_field(struct decode *decode, const struct decode_field *field,
			  const struct node *value, void *target)
{
	struct ast_addresses *addresses = target;
	bool good = true;

	(void)field;
	addresses->span = value->span;
	if (value->kind != NODE_LIST)
		return add_address(decode, value, addresses);
	for (size_t i = 0; i < value->count; i++)
		good &= add_address(decode, &value->items[i], addresses);
	return good;
}

/* The same check as a rule's `in`, for one name that is no pattern. */
bool read_interface_field(struct decode *decode, const struct decode_field *field,
			  const struct node *value, void *target)
{
	struct match_condition condition = { .kind = &match_interface, .key = field->key };

	if (!match_interface.read(decode, value, &condition))
		return false;
	if (strchr(condition.names[0], '*')) {
		diag_help(diag_add(decode->diag, DIAG_bad_value, value->span,
				   "`%s` takes one interface, not a pattern", field->key),
			  "name the interface");
		return false;
	}
	*(const char **)target = condition.names[0];
	return true;
}

struct span read_key_span(const struct node *map, const char *key)
{
	const struct node_entry *entry = node_find(map, key);

	return entry ? entry->key_span : (struct span){ 0 };
}

struct span read_value_span(const struct node *map, const char *key)
{
	const struct node_entry *entry = node_find(map, key);

	return entry ? entry->value.span : (struct span){ 0 };
}

bool read_definition_name(struct decode *decode, const struct node_entry *entry, const char *what)
{
	if (decode_is_name(entry->key))
		return true;
	diag_help(diag_add(decode->diag, DIAG_bad_name, entry->key_span,
			   "\"%s\" cannot be the name of a %s", entry->key, what),
		  "a name begins with a letter a-z; up to 30 letters, digits, '-' and '_' follow, all lower case");
	return false;
}

const char *read_relative_path(struct arena *arena, const struct source *source, const char *path)
{
	const char *slash = strrchr(source->name, '/');

	if (path[0] == '/' || !slash)
		return path;
	return arena_printf(arena, "%.*s/%s", (int)(slash - source->name), source->name, path);
}
