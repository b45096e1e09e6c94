/*
 * read/read: a policy file and all that it includes, merged, then decoded part by part.
 *
 * Included files come before the file that includes them: mappings are merged by key (the same key
 * twice is an error that shows both places), lists are appended. A file's paths are relative to
 * that file.
 */
#include "lang/read/read.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "lang/lang.h"
#include "match/kinds.h"

/* The parts of one file, or of all files merged; a part that is missing has no source in its span.
 */
struct parts {
	const struct node *version, *name, *include, *settings, *interfaces, *sets, *macs, *ports,
		*listeners, *tables, *rules, *otherwise, *expect;
};

#define PART(key_, member)                                                                 \
	{                                                                                  \
		.key = key_, .read = decode_node, .offset = offsetof(struct parts, member) \
	}

static const struct decode_field policy_fields[] = {
	PART("version", version),
	PART("name", name),
	PART("include", include),
	PART("settings", settings),
	PART("interfaces", interfaces),
	PART("sets", sets),
	PART("macs", macs),
	PART("ports", ports),
	PART("listeners", listeners),
	PART("tables", tables),
	PART("rules", rules),
	PART("default", otherwise),
	PART("expect", expect),
};

static const struct decode_table policy_table = {
	"policy", policy_fields, sizeof(policy_fields) / sizeof(policy_fields[0])
};

struct defaults {
	struct ast_then *forward, *local;
};

static const struct decode_field default_fields[] = {
	{ .key = "forward", .read = read_then_field, .offset = offsetof(struct defaults, forward) },
	{ .key = "local", .read = read_then_field, .offset = offsetof(struct defaults, local) },
};

static const struct decode_table default_table = { "default", default_fields, 2 };

static const struct decode_table *const tables[] = {
	&policy_table,        &read_settings_table, &read_set_table,      &read_list_table,
	&read_listener_table, &read_tproxy_table,   &read_redirect_table, &read_runs_as_table,
	&read_mark_table,     &read_table_table,    &read_route_table,    &read_nexthop_table,
	&read_npt_table,      &read_rule_table,     &read_then_table,     &default_table,
	&read_expect_table,   &read_packet_table,   &payload_table,       &time_table,
};

static const size_t table_count = sizeof(tables) / sizeof(tables[0]);

void lang_put_fields(struct buf *out)
{
	for (size_t i = 0; i < table_count; i++) {
		const struct decode_table *table = tables[i];

		for (size_t k = 0; k < table->count; k++)
			buf_printf(out, "%s %s\n", table->what, table->fields[k].key);
	}
}

/* ---- merging ---- */

struct include {
	const char *path;
	struct span wanted_by;
};

struct reading {
	struct decode decode;
	struct parts merged;
	const struct source **open; /* the files that are being read, for cycles */
	size_t open_count;
	struct include *seen; /* every file that was read, and where it was asked for */
	size_t seen_count;
	bool whole; /* no file is missing from the merged parts */
};

static void merge_map(struct reading *reading, const struct node **into, const struct node *part)
{
	struct diag *diag = reading->decode.diag;
	struct node *sum;

	if (!part)
		return;
	if (!*into || part->kind != NODE_MAP || (*into)->kind != NODE_MAP) {
		*into = *into && (*into)->kind == NODE_MAP ? *into : part;
		return;
	}
	sum = arena_new_of(reading->decode.arena, struct node);
	*sum = **into;
	sum->entries = arena_alloc(reading->decode.arena,
				   (sum->count + part->count) * sizeof(*sum->entries));
	if ((*into)->count)
		memcpy(sum->entries, (*into)->entries, (*into)->count * sizeof(*sum->entries));
	for (size_t i = 0; i < part->count; i++) {
		struct node_entry *twin = node_find(*into, part->entries[i].key);
		struct diag_record *record;

		if (!twin) {
			sum->entries[sum->count++] = part->entries[i];
			continue;
		}
		record = diag_add(diag, DIAG_duplicate_key, part->entries[i].key_span,
				  "\"%s\" is defined in two files", part->entries[i].key);
		diag_also(record, twin->key_span, "the other one");
		diag_help(record,
			  "files are merged, and neither definition may win: rename or remove one");
	}
	*into = sum;
}

static void merge_list(struct reading *reading, const struct node **into, const struct node *part)
{
	struct node *sum;

	if (!part)
		return;
	if (!*into || part->kind != NODE_LIST || (*into)->kind != NODE_LIST) {
		*into = *into && (*into)->kind == NODE_LIST ? *into : part;
		return;
	}
	sum = arena_new_of(reading->decode.arena, struct node);
	*sum = **into;
	sum->count += part->count;
	sum->items = arena_alloc(reading->decode.arena, sum->count * sizeof(*sum->items));
	if ((*into)->count)
		memcpy(sum->items, (*into)->items, (*into)->count * sizeof(*sum->items));
	if (part->count)
		memcpy(sum->items + (*into)->count, part->items, part->count * sizeof(*sum->items));
	*into = sum;
}

static void merge_single(struct reading *reading, const struct node **into, const struct node *part,
			 const char *key)
{
	struct diag_record *record;

	if (!part)
		return;
	if (!*into) {
		*into = part;
		return;
	}
	record = diag_add(reading->decode.diag, DIAG_duplicate_key, part->span,
			  "`%s` is given in two files", key);
	diag_also(record, (*into)->span, "the other one");
	diag_help(record, "keep one of them");
}

static void check_version(struct reading *reading, const struct node *root,
			  const struct node *version, bool is_first)
{
	struct diag *diag = reading->decode.diag;
	int64_t number;

	if (version && node_parse_integer(version, &number) && number == 1)
		return;
	if (!version && !is_first)
		return;
	if (!version)
		diag_help(diag_add(diag, DIAG_missing_key,
				   (struct span){ root->span.source, root->span.begin,
						  root->span.begin },
				   "the policy does not say which version of the language it is written in"),
			  "begin it with `version: 1`");
	else
		diag_help(diag_add(diag, DIAG_bad_value, version->span,
				   "this version of the language does not exist"),
			  "write `version: 1`");
}

static void read_file(struct reading *reading, const char *path, struct span wanted_by);

static void read_includes(struct reading *reading, const struct source *source,
			  const struct node *include)
{
	struct decode *decode = &reading->decode;

	if (!include)
		return;
	if (include->kind != NODE_LIST) {
		diag_help(diag_add(decode->diag, DIAG_wrong_type, include->span,
				   "`include` is a list of file names"),
			  "write `include: [FILE]`");
		return;
	}
	for (size_t i = 0; i < include->count; i++) {
		const struct node *name = &include->items[i];

		if (name->kind == NODE_SCALAR && name->length) {
			read_file(reading, read_relative_path(decode->arena, source, name->text),
				  name->span);
			continue;
		}
		diag_add(decode->diag, DIAG_wrong_type, name->span,
			 "a file name belongs here, not %s", node_describe(name));
	}
}

static void merge_parts(struct reading *reading, const struct parts *parts)
{
	struct parts *merged = &reading->merged;

	merge_single(reading, &merged->name, parts->name, "name");
	merge_single(reading, &merged->otherwise, parts->otherwise, "default");
	merge_map(reading, &merged->settings, parts->settings);
	merge_map(reading, &merged->interfaces, parts->interfaces);
	merge_map(reading, &merged->sets, parts->sets);
	merge_map(reading, &merged->macs, parts->macs);
	merge_map(reading, &merged->ports, parts->ports);
	merge_map(reading, &merged->listeners, parts->listeners);
	merge_map(reading, &merged->tables, parts->tables);
	merge_list(reading, &merged->rules, parts->rules);
	merge_list(reading, &merged->expect, parts->expect);
}

static bool is_open(struct reading *reading, const char *path, struct span wanted_by)
{
	struct diag_record *record;

	for (size_t i = 0; i < reading->open_count; i++) {
		if (strcmp(reading->open[i]->name, path))
			continue;
		record = diag_add(reading->decode.diag, DIAG_include_cycle, wanted_by,
				  "\"%s\" includes itself", path);
		diag_help(record,
			  i + 1 == reading->open_count
				  ? "remove this line"
				  : "it is included from a file that it includes; move what both need into a third");
		return true;
	}
	return false;
}

/* The same definitions twice would be reported one by one; the file is the mistake. */
static bool was_included(struct reading *reading, const char *path, struct span wanted_by)
{
	struct include *seen = reading->seen;
	struct diag_record *record;

	for (size_t i = 0; i < reading->seen_count; i++) {
		if (strcmp(seen[i].path, path))
			continue;
		record = diag_add(reading->decode.diag, DIAG_duplicate_key, wanted_by,
				  "\"%s\" is included twice", path);
		diag_also(record, seen[i].wanted_by, "first here");
		diag_help(record, "one include is enough, in whichever file: all files are merged");
		return true;
	}
	*arena_append(reading->decode.arena, reading->seen, reading->seen_count) =
		(struct include){ path, wanted_by };
	return false;
}

static void read_file(struct reading *reading, const char *path, struct span wanted_by)
{
	struct decode *decode = &reading->decode;
	const struct source *source;
	struct parts parts = { 0 };
	struct node *root;

	if (is_open(reading, path, wanted_by) || was_included(reading, path, wanted_by))
		return;
	source = source_read(decode->arena, decode->diag, path, SOURCE_LIMIT, wanted_by);
	if (source)
		diag_read_allows(decode->diag, source);
	root = source ? node_parse(decode->arena, decode->diag, source) : NULL;
	if (!root || root->kind != NODE_MAP)
		reading->whole = false;
	if (!root || !(decode_map(decode, &policy_table, root, &parts) || root->kind == NODE_MAP))
		return;
	check_version(reading, root, parts.version, !wanted_by.source);
	*arena_append(decode->arena, reading->open, reading->open_count) = source;
	read_includes(reading, source, parts.include);
	reading->open_count--;
	merge_parts(reading, &parts);
}

/* ---- decoding ---- */

static bool read_default(struct decode *decode, const struct node *node, struct ast_policy *policy)
{
	struct defaults defaults = { 0 };
	bool good = true;

	if (node->kind == NODE_MAP && (node_find(node, "forward") || node_find(node, "local")))
		good = decode_map(decode, &default_table, node, &defaults);
	else
		good = (defaults.forward = read_then(decode, node)) != NULL;
	policy->default_forward = defaults.forward;
	policy->default_local = defaults.local;
	for (int i = 0; i < 2; i++) {
		struct ast_then *then = i ? defaults.local : defaults.forward;

		if (!then || then->action != THEN_CONTINUE)
			continue;
		good = false;
		diag_help(diag_add(decode->diag, DIAG_impossible, then->span,
				   "nothing comes after the default"),
			  "write `default: direct` to leave the rest alone");
	}
	return good;
}

static bool read_name(struct decode *decode, const struct node *node, struct ast_policy *policy)
{
	static const struct decode_field field = { .key = "name" };

	return decode_name(decode, &field, node, &policy->name);
}

static const struct node *or_empty(const struct node *node, const struct node *empty)
{
	return node ? node : empty;
}

/* Could its names be read at all? What is not defined there is no mistake then. */
static bool has_names(const struct node *node)
{
	return !node || node->kind == NODE_MAP;
}

static void decode_parts(struct decode *decode, const struct parts *parts,
			 struct ast_policy *policy)
{
	static const struct node no_map = { .kind = NODE_MAP }, no_list = { .kind = NODE_LIST };

	decode->user = policy;
	policy->name = "tpc";
	if (parts->name)
		read_name(decode, parts->name, policy);
	read_settings(decode, or_empty(parts->settings, &no_map), &policy->settings);
	read_groups(decode, or_empty(parts->interfaces, &no_map), policy);
	read_sets(decode, or_empty(parts->sets, &no_map), policy);
	read_lists(decode, or_empty(parts->macs, &no_map), &match_mac, policy);
	read_lists(decode, or_empty(parts->ports, &no_map), &match_port, policy);
	read_listeners(decode, or_empty(parts->listeners, &no_map), policy);
	read_tables(decode, or_empty(parts->tables, &no_map), policy);
	read_rules(decode, or_empty(parts->rules, &no_list), policy);
	if (parts->otherwise)
		read_default(decode, parts->otherwise, policy);
	read_expectations(decode, or_empty(parts->expect, &no_list), policy);
}

struct ast_policy *read_policy(struct arena *arena, struct diag *diag, const char *path)
{
	struct reading reading = { .decode = { .arena = arena, .diag = diag }, .whole = true };
	struct ast_policy *policy = arena_new_of(arena, struct ast_policy);

	read_file(&reading, path, (struct span){ 0 });
	decode_parts(&reading.decode, &reading.merged, policy);
	policy->whole = reading.whole && has_names(reading.merged.sets) &&
			has_names(reading.merged.macs) && has_names(reading.merged.ports) &&
			has_names(reading.merged.listeners) && has_names(reading.merged.tables);
	return policy;
}
