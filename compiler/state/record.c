/*
 * record: writes and reads the file, and makes a record of an ir.
 */
#include "state/record.h"

#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/buf.h"
#include "emit/about.h"
#include "emit/emit.h"
#include "emit/text.h"
#include "ir/ir_codec.h"
#include "state/archive.h"
#include "state/old.h"
#include "state/rundir.h"
#include "state/snapshot.h"

static const char KIND[] = "record";

/* ---- what is in the file ---- */

static void table(struct codec *codec, uint32_t *item)
{
	CODEC_FIELD(codec, *item);
}

static void claim(struct codec *codec, struct record_claim *item)
{
	CODEC_FIELD(codec, item->protocol);
	CODEC_FIELD(codec, item->priority_first);
	CODEC_FIELD(codec, item->priority_last);
	CODEC_ITEMS(codec, item->tables, item->table_count, table);
	CODEC_FIELD(codec, item->main_copy);
}

static void sysctl(struct codec *codec, struct record_sysctl *item)
{
	ir_codec_key(codec, &item->key);
	codec_word(codec, &item->value);
	codec_text(codec, &item->old);
}

static void companion(struct codec *codec, struct record_companion *item)
{
	ir_codec_key(codec, &item->with);
	ir_codec_key(codec, &item->key);
}

static void chain(struct codec *codec, struct record_chain *item)
{
	codec_word(codec, &item->name);
	CODEC_FIELD(codec, item->sum);
}

static void set(struct codec *codec, struct record_set *item)
{
	codec_word(codec, &item->set);
	CODEC_FIELD(codec, item->count);
}

static void hosted(struct codec *codec, struct record_hosted *item)
{
	CODEC_ENUM(codec, item->kind, IR_HOSTED_CGROUP);
	codec_word(codec, &item->name);
	CODEC_FIELD(codec, item->is_missing);
	CODEC_FIELD(codec, item->number);
}

static void body(struct codec *codec, void *thing)
{
	struct record *record = thing;

	codec_word(codec, &record->name);
	CODEC_FIELD(codec, record->is_complete);
	codec_text(codec, &record->ticket);
	codec_word(codec, &record->policy);
	codec_text(codec, &record->options);
	codec_text(codec, &record->options_before);
	CODEC_FIELD(codec, record->since);
	CODEC_FIELD(codec, record->returned);
	CODEC_FIELD(codec, record->by_watchdog);
	CODEC_FIELD(codec, record->digest);
	codec_size(codec, &record->nft_rules);
	CODEC_FIELD(codec, record->table_handle);
	CODEC_FIELD(codec, record->last_handle);
	CODEC_ITEMS(codec, record->chains, record->chain_count, chain);
	CODEC_ITEMS(codec, record->sets, record->set_count, set);
	CODEC_ITEMS(codec, record->claims, record->claim_count, claim);
	CODEC_ITEMS(codec, record->sysctls, record->sysctl_count, sysctl);
	CODEC_ITEMS(codec, record->companions, record->companion_count, companion);
	CODEC_FIELD(codec, record->newest_link);
	CODEC_ITEMS(codec, record->left, record->left_count, ir_codec_listener);
	CODEC_ITEMS(codec, record->hosted, record->hosted_count, hosted);
	ir_codec_head(codec, &record->ir);
	ir_codec_routing(codec, &record->ir);
	codec->broken |= !record->claim_count;
}

static void add_hosted(struct arena *arena, struct record *record, enum ir_hosted_kind kind,
		       const struct ir_hosted *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (items[i].state != IR_HOSTED_UNASKED)
			*arena_append(arena, record->hosted, record->hosted_count) =
				(struct record_hosted){ kind, items[i].name,
							items[i].state == IR_HOSTED_MISSING,
							items[i].number };
}

/* What stands in the ir as it is. */
static void take(struct arena *arena, struct record *record, const struct ir *ir)
{
	record->ir = *ir;
	record->ir.set_count = record->ir.chain_count = record->ir.written_count = 0;
	if (ir->sysctl_policy == IR_SYSCTL_IGNORE)
		record->ir.sysctl_count = 0;
	add_hosted(arena, record, IR_HOSTED_USER, ir->users, ir->user_count);
	add_hosted(arena, record, IR_HOSTED_GROUP, ir->groups, ir->group_count);
	add_hosted(arena, record, IR_HOSTED_CGROUP, ir->cgroups, ir->cgroup_count);
}

static struct record *read_old(struct arena *arena, const struct rundir *folder, const char *name)
{
	struct record *record = old_record_read(arena, folder, name);
	const struct archive *applied = record ? archive_read(arena, folder, name, ARCHIVE_APPLIED)
					       : NULL;

	/* Of an apply that was cut off, it is what was there before. */
	if (applied)
		take(arena, record, applied->ir);
	return record;
}

struct record *record_read(struct arena *arena, const struct rundir *folder, const char *name)
{
	struct record *record = arena_new_of(arena, struct record);
	enum snapshot_state state = snapshot_load(arena, folder, name, KIND, body, record);

	if (state == SNAPSHOT_OLD)
		return read_old(arena, folder, name);
	if (state != SNAPSHOT_READ)
		return NULL;
	if (strcmp(record->name, name) == 0)
		return record;
	snapshot_set_aside(arena, folder, name, "it is another policy's");
	return NULL;
}

bool record_write(struct arena *arena, const struct rundir *folder, const struct record *record,
		  const char **why)
{
	struct record copy = *record;

	return snapshot_write(arena, folder, record->name, KIND, body, &copy, why);
}

void record_remove(struct arena *arena, const struct rundir *folder, const char *name)
{
	snapshot_remove(arena, folder, name);
}

/* ---- what it says ---- */

const char *record_apply_command(struct arena *arena, const char *options, const char *policy)
{
	struct buf out = { 0 };

	buf_printf(&out, "tpc apply %s%s", options ? options : "", options ? " " : "");
	text_put_word(&out, policy);
	return buf_keep(arena, &out);
}

const char *record_command(struct arena *arena, const struct record *record)
{
	if (!record || !record->policy || record->policy[0] != '/')
		return NULL;
	return record_apply_command(arena, record->options, record->policy);
}

struct record *record_of(struct arena *arena, const struct ir *ir, const char *policy)
{
	struct record *record = arena_new_of(arena, struct record);
	struct record_claim *claim = arena_append(arena, record->claims, record->claim_count);

	record->name = ir->name;
	record->policy = policy;
	record->since = (int64_t)time(NULL);
	record->digest = ir->digest;
	record->is_complete = true;
	for (size_t i = 0; i < ir->chain_count; i++)
		record->nft_rules += emit_nft_chain_length(&ir->chains[i]);
	claim->protocol = ir->protocol;
	claim->priority_first = ir->priority_first;
	claim->priority_last = ir->priority_last;
	claim->tables = about_tables(arena, ir, &claim->table_count);
	claim->main_copy = ir->main_copy;
	take(arena, record, ir);
	return record;
}

bool record_claims_table(const struct record_claim *claim, uint32_t table)
{
	for (size_t i = 0; i < claim->table_count; i++)
		if (claim->tables[i] == table)
			return true;
	return false;
}

const struct ir_class *record_way(const struct record *record, uint32_t mark)
{
	for (size_t i = 0; record && i < record->ir.class_count; i++) {
		const struct ir_class *way = &record->ir.classes[i];

		if (way->kind != IR_CLASS_DIRECT && way->kind != IR_CLASS_MARK &&
		    (mark & way->mask) == way->mark)
			return way;
	}
	return NULL;
}

struct record_sysctl *record_find_sysctl(const struct record *record, const char *key)
{
	for (size_t i = 0; record && i < record->sysctl_count; i++)
		if (strcmp(record->sysctls[i].key, key) == 0)
			return &record->sysctls[i];
	return NULL;
}
