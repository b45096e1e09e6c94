/*
 * read/settings: `settings` and `interfaces`.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "lang/read/read.h"

static const char *const ipv6_words[] = { "on", "off", "block", NULL };
static const char *const connection_words[] = { "follow", "keep", NULL };
static const char *const sysctl_words[] = { "set", "check", "ignore", NULL };

/* Clear of Tailscale (0xff0000), pbr, mwan3 (0x3f00), Kubernetes (0xc000), AWS (0x80) and Docker.
 */
enum {
	DEFAULT_MARK_MASK = 0x7f000000,
	DEFAULT_TABLE_FIRST = 7100,
	DEFAULT_TABLE_LAST = 7199,
	DEFAULT_PRIORITY = 10000
};
/* Unassigned in linux/rtnetlink.h and iproute2's rt_protos. */
enum { DEFAULT_PROTOCOL = 116 };
/* NF_IP_PRI_MANGLE; after connection tracking (-200), before destination NAT (-100, ours at -105).
 * linux/netfilter_ipv4.h */
enum { DEFAULT_HOOK_PRIORITY = -150, HOOK_PRIORITY_LEAST = -199, HOOK_PRIORITY_MOST = -106 };

static bool read_table_ids(struct decode *decode, const struct decode_field *field,
			   const struct node *value, void *target)
{
	struct ast_settings *settings = target;
	uint64_t first, last;

	(void)field;
	if (match_read_range(value, UINT32_MAX, &first, &last) && first > 0 &&
	    (last < 253 || first > 255)) {
		settings->table_first = (uint32_t)first;
		settings->table_last = (uint32_t)last;
		return true;
	}
	return diag_refuse(
		decode->diag, DIAG_bad_value, value->span, "this is no range of table ids",
		"write FIRST-LAST, such as 7100-7199; 253, 254 and 255 are the kernel's own tables");
}

static bool read_hook_priority(struct decode *decode, const struct decode_field *field,
			       const struct node *value, void *target)
{
	int64_t *priority = target;

	(void)field;
	if (value->kind == NODE_SCALAR && !strcmp(value->text, "mangle")) {
		*priority = DEFAULT_HOOK_PRIORITY;
		return true;
	}
	if (node_parse_integer(value, priority) && *priority >= HOOK_PRIORITY_LEAST &&
	    *priority <= HOOK_PRIORITY_MOST)
		return true;
	diag_help(diag_add(decode->diag, DIAG_bad_value, value->span,
			   "the rules cannot stand at this priority"),
		  "write `mangle` or a number from %d to %d: after connection tracking, which knows replies, and before NAT",
		  HOOK_PRIORITY_LEAST, HOOK_PRIORITY_MOST);
	return false;
}

#define SETTING(key_, reader, member) \
	.key = key_, .read = reader, .offset = offsetof(struct ast_settings, member)

static const struct decode_field settings_fields[] = {
	{ SETTING("mark_mask", decode_integer, mark_mask), .least = 1, .most = UINT32_MAX },
	{ .key = "table_ids", .read = read_table_ids },
	{ SETTING("priority", decode_integer, priority), .least = 1, .most = 32765 },
	{ SETTING("protocol", decode_integer, protocol), .least = 5, .most = 255 },
	{ SETTING("hook_priority", read_hook_priority, hook_priority) },
	{ SETTING("ipv6", decode_choice, ipv6), .choices = ipv6_words },
	{ SETTING("sysctls", decode_choice, sysctls), .choices = sysctl_words },
	{ SETTING("connections", decode_choice, connections), .choices = connection_words },
};

const struct decode_table read_settings_table = {
	"settings", settings_fields, sizeof(settings_fields) / sizeof(settings_fields[0])
};

bool read_settings(struct decode *decode, const struct node *node, struct ast_settings *settings)
{
	bool good;

	*settings = (struct ast_settings){
		.mark_mask = DEFAULT_MARK_MASK,
		.priority = DEFAULT_PRIORITY,
		.protocol = DEFAULT_PROTOCOL,
		.hook_priority = DEFAULT_HOOK_PRIORITY,
		.table_first = DEFAULT_TABLE_FIRST,
		.table_last = DEFAULT_TABLE_LAST,
	};
	good = decode_map(decode, &read_settings_table, node, settings);
	settings->mark_mask_span = read_key_span(node, "mark_mask");
	settings->priority_span = read_key_span(node, "priority");
	settings->table_span = read_key_span(node, "table_ids");
	return good;
}

/* A group's members are read as a rule's `in` is, without {not: ...}. */
bool read_groups(struct decode *decode, const struct node *node, struct ast_policy *policy)
{
	bool good = true;

	if (node->kind != NODE_MAP) {
		diag_help(diag_add(decode->diag, DIAG_wrong_type, node->span,
				   "`interfaces` is a mapping of names, not %s",
				   node_describe(node)),
			  "write `interfaces: {NAME: [eth1, eth2]}`");
		return false;
	}
	for (size_t i = 0; i < node->count; i++) {
		const struct node_entry *entry = &node->entries[i];
		struct ast_group *group =
			arena_append(decode->arena, policy->groups, policy->group_count);
		struct match_condition members = { .kind = &match_interface,
						   .key = entry->key,
						   .may_be_group = true };
		const struct node *items = entry->value.kind == NODE_LIST ? entry->value.items
									  : &entry->value;
		size_t count = entry->value.kind == NODE_LIST ? entry->value.count : 1;
		struct span *spans = arena_alloc(decode->arena, (count + 1) * sizeof(*spans));

		good &= read_definition_name(decode, entry, "group of interfaces");
		for (size_t k = 0; k < count; k++) {
			spans[members.name_count] = items[k].span;
			good &= match_interface.read(decode, &items[k], &members);
		}
		if (!count) {
			good = false;
			diag_add(decode->diag, DIAG_bad_value, entry->value.span,
				 "the group \"%s\" has no interface", entry->key);
		}
		*group = (struct ast_group){ .name = entry->key,
					     .span = entry->key_span,
					     .members = members.names,
					     .member_count = members.name_count,
					     .member_spans = spans };
	}
	return good;
}
