/*
 * record: writes the file that record.h tells of. Everything that could hold a tab or a line end is
 * escaped as %XX, so a line is always one fact.
 */
#include "state/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "emit/about.h"
#include "emit/emit.h"
#include "emit/text.h"
#include "state/rundir.h"

static void put_escaped(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == '%' || *text == 0x7f)
			buf_printf(out, "%%%02x", (unsigned char)*text);
		else
			buf_putc(out, *text);
	}
}

static void put_claim(struct buf *out, const struct record_claim *claim)
{
	buf_printf(out, "claim\t%" PRIu32 "\t%" PRIu32 "\t%" PRIu32 "\t", claim->protocol,
		   claim->priority_first, claim->priority_last);
	for (size_t i = 0; i < claim->table_count; i++)
		buf_printf(out, "%s%" PRIu32, i ? "," : "", claim->tables[i]);
	buf_putc(out, '\n');
	if (claim->main_copy)
		buf_printf(out, "copy\t%" PRIu32 "\n", claim->main_copy);
}

static void put_sysctl(struct buf *out, const struct record_sysctl *sysctl)
{
	buf_puts(out, "sysctl\t");
	put_escaped(out, sysctl->key);
	buf_putc(out, '\t');
	put_escaped(out, sysctl->value);
	buf_putc(out, '\t');
	put_escaped(out, sysctl->old ? sysctl->old : "-");
	buf_putc(out, '\n');
}

static void put_beside(struct buf *out, const struct record_beside *beside)
{
	buf_puts(out, "beside\t");
	put_escaped(out, beside->with);
	buf_putc(out, '\t');
	put_escaped(out, beside->key);
	buf_putc(out, '\n');
}

/* The interfaces follow in one field each. */
static void put_wish(struct buf *out, const struct ir_sysctl *wish)
{
	char text[ADDR_TEXT];

	buf_puts(out, "wish\t");
	put_escaped(out, wish->key);
	buf_printf(out, "\t%s\t%d\t%s\t", wish->value, (int)wish->when,
		   wish->has_via ? addr_format(wish->via, text) : "-");
	put_escaped(out, wish->why);
	for (size_t i = 0; i < wish->dev_count; i++) {
		buf_putc(out, '\t');
		put_escaped(out, wish->devs[i]);
	}
	buf_putc(out, '\n');
}

static void put_class(struct buf *out, const struct ir_class *class)
{
	buf_printf(out,
		   "class\t%d\t%s\t%" PRIu32 "\t%" PRIu32 "\t%" PRIu32 "\t%" PRIu32 "\t%s\t%u\n",
		   (int)class->kind, class->name, class->mark, class->mask, class->table,
		   class->priority, class->listener_mode ? class->listener_mode : "-", class->port);
}

static void put_listener(struct buf *out, const char *word, const struct ir_listener *listener)
{
	char text[ADDR_TEXT];

	buf_printf(out, "%s\t%s\t%s\t%u\t%d\t%d\t%d", word, listener->name, listener->mode,
		   listener->port, listener->tcp, listener->udp, listener->on_this_host);
	for (size_t i = 0; i < ADDR_FAMILIES; i++)
		buf_printf(out, "\t%s",
			   listener->has[i] ? addr_format(listener->addr[i], text) : "-");
	buf_printf(out, "\t%u", listener->ways);
	for (size_t i = 0; i < listener->in_count; i++)
		buf_printf(out, "\t%zu", listener->ins[i]);
	buf_putc(out, '\n');
}

/* Its listeners follow, a line each. */
static void put_row(struct buf *out, const struct ir_row *row)
{
	buf_printf(out, "row\t%zu\n", row->chosen);
	for (size_t i = 0; i < row->count; i++)
		put_listener(out, "member", &row->listeners[i]);
}

static void put_given(struct buf *out, struct addr_prefix source)
{
	char text[ADDR_TEXT];

	buf_printf(out, "given\t%s\n", addr_format_prefix(source, text));
}

static void put_rule(struct buf *out, const struct ir_ip_rule *rule)
{
	buf_printf(out, "rule\t%d\t%" PRIu32 "\t%" PRIu32 "\t%" PRIu32 "\t%d\t%" PRIu32 "\t%u",
		   (int)rule->family, rule->priority, rule->mark, rule->mask, (int)rule->action,
		   rule->table, rule->shortest);
	if (rule->iif || rule->oif) {
		buf_putc(out, '\t');
		put_escaped(out, rule->iif ? rule->iif : "-");
	}
	if (rule->oif) {
		buf_putc(out, '\t');
		put_escaped(out, rule->oif);
	}
	buf_putc(out, '\n');
}

/* The hops follow in one field each: via,dev,weight,onlink. */
static void put_route(struct buf *out, const struct ir_route *route)
{
	char text[ADDR_TEXT];

	buf_printf(out, "route\t%d\t%" PRIu32 "\t%d\t", (int)route->family, route->table,
		   (int)route->type);
	buf_printf(out, "%s\t%" PRIu32 "\t%" PRIu32 "\t", addr_format_prefix(route->to, text),
		   route->metric, route->mtu);
	buf_puts(out, route->has_src ? addr_format(route->src, text) : "-");
	for (size_t i = 0; i < route->hop_count; i++) {
		const struct ir_nexthop *hop = &route->hops[i];

		buf_printf(out, "\t%s,", hop->has_via ? addr_format(hop->via, text) : "-");
		buf_printf(out, "%u,%d,", hop->weight, hop->onlink);
		put_escaped(out, hop->dev ? hop->dev : "");
	}
	buf_putc(out, '\n');
}

static void put_hosted(struct buf *out, const struct record_hosted *hosted)
{
	buf_printf(out, "hosted\t%d\t%d\t%" PRIu64 "\t", (int)hosted->kind, hosted->is_missing,
		   hosted->number);
	put_escaped(out, hosted->name);
	buf_putc(out, '\n');
}

/* The interfaces follow in one field each. */
static void put_asked(struct buf *out, const struct ir_asked *asked)
{
	buf_printf(out, "asked\t%s\t%d", asked->key, asked->negated);
	for (size_t i = 0; i < asked->name_count; i++) {
		buf_putc(out, '\t');
		put_escaped(out, asked->names[i]);
	}
	buf_putc(out, '\n');
}

static void put_noted(struct buf *out, const struct record *record)
{
	if (record->table_handle)
		buf_printf(out, "loaded\t%" PRIu64 "\t%" PRIu64 "\n", record->table_handle,
			   record->last_handle);
	for (size_t i = 0; i < record->chain_count; i++)
		buf_printf(out, "chain\t%s\t%" PRIx64 "\n", record->chains[i].name,
			   record->chains[i].sum);
	for (size_t i = 0; i < record->held_count; i++)
		buf_printf(out, "held\t%s\t%" PRIu32 "\n", record->held[i].set,
			   record->held[i].count);
}

static void put_record(struct buf *out, const struct record *record, const char *boot)
{
	buf_printf(out, "tpc-record\t2\t%s\n", boot);
	buf_printf(out, "policy\t%s\t%" PRId64 "\t%" PRIx64 "\t%d\t%zu\t", record->name,
		   record->since, record->digest, record->is_complete, record->nft_rules);
	put_escaped(out, record->policy);
	buf_putc(out, '\n');
	put_noted(out, record);
	if (record->options || record->options_before) {
		buf_puts(out, "options\t");
		put_escaped(out, record->options ? record->options : "");
		buf_putc(out, '\t');
		put_escaped(out, record->options_before ? record->options_before : "");
		buf_putc(out, '\n');
	}
	if (record->ticket)
		buf_printf(out, "ticket\t%s\n", record->ticket);
	if (record->returned)
		buf_printf(out, "returned\t%" PRId64 "\t%d\n", record->returned,
			   record->by_watchdog);
	for (size_t i = 0; i < record->claim_count; i++)
		put_claim(out, &record->claims[i]);
	for (size_t i = 0; i < record->sysctl_count; i++)
		put_sysctl(out, &record->sysctls[i]);
	for (size_t i = 0; i < record->beside_count; i++)
		put_beside(out, &record->besides[i]);
	for (size_t i = 0; i < record->wish_count; i++)
		put_wish(out, &record->wishes[i]);
	for (size_t i = 0; i < record->class_count; i++)
		put_class(out, &record->classes[i]);
	for (size_t i = 0; i < record->given_count; i++)
		put_given(out, record->given[i]);
	for (size_t i = 0; i < record->listener_count; i++)
		put_listener(out, "listener", &record->listeners[i]);
	for (size_t i = 0; i < record->let_go_count; i++)
		buf_printf(out, "letgo\t%s\t%" PRIu32 "\t%" PRIu32 "\n", record->let_go[i].listener,
			   record->let_go[i].value, record->ct_mask);
	for (size_t i = 0; i < record->left_count; i++)
		put_listener(out, "left", &record->left[i]);
	for (size_t i = 0; i < record->row_count; i++)
		put_row(out, &record->rows[i]);
	for (size_t i = 0; i < record->asked_count; i++)
		put_asked(out, &record->asked[i]);
	if (record->newest_link)
		buf_printf(out, "links\t%u\n", record->newest_link);
	if (record->only_checks)
		buf_puts(out, "checks\n");
	if (record->keeps_connections)
		buf_puts(out, "keeps\n");
	for (size_t i = 0; i < record->hosted_count; i++)
		put_hosted(out, &record->hosted[i]);
	for (size_t i = 0; i < record->ip_rule_count; i++)
		put_rule(out, &record->ip_rules[i]);
	for (size_t i = 0; i < record->route_count; i++)
		put_route(out, &record->routes[i]);
}

bool record_write(struct arena *arena, const struct rundir *folder, const struct record *record,
		  const char **why)
{
	struct file_output output = { .name = record->name, .mode = 0600 };
	const char *none[] = { NULL };
	struct buf out = { 0 };
	bool done;

	put_record(&out, record, record_boot(arena));
	output.text = buf_text(&out);
	output.length = out.length;
	done = file_write_all(arena, folder->path, &output, 1, none, why);
	buf_free(&out);
	return done;
}

void record_remove(struct arena *arena, const struct rundir *folder, const char *name)
{
	if (folder->path)
		unlink(arena_printf(arena, "%s/%s", folder->path, name));
}

const char *record_apply_command(struct arena *arena, const char *options, const char *policy)
{
	struct buf out = { 0 };
	const char *command;

	buf_printf(&out, "tpc apply %s%s", options ? options : "", options ? " " : "");
	text_put_word(&out, policy);
	command = arena_strdup(arena, buf_text(&out));
	buf_free(&out);
	return command;
}

const char *record_command(struct arena *arena, const struct record *record)
{
	if (!record || !record->policy || record->policy[0] != '/')
		return NULL;
	return record_apply_command(arena, record->options, record->policy);
}

const char *record_boot(struct arena *arena)
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	char line[64] = "-";

	if (file) {
		if (!fgets(line, sizeof(line), file))
			line[0] = '-';
		fclose(file);
	}
	return arena_strndup(arena, line, strcspn(line, "\n"));
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
	record->classes = ir->classes;
	record->class_count = ir->class_count;
	record->given = ir->given;
	record->given_count = ir->given_count;
	record->let_go = ir->let_go;
	record->let_go_count = ir->let_go_count;
	record->ct_mask = ir->ct_mask;
	record->listeners = ir->listeners;
	record->listener_count = ir->listener_count;
	record->rows = ir->rows;
	record->row_count = ir->row_count;
	record->asked = ir->asked;
	record->asked_count = ir->asked_count;
	record->keeps_connections = ir->keeps_connections;
	record->only_checks = ir->sysctl_policy == IR_SYSCTL_CHECK;
	add_hosted(arena, record, IR_HOSTED_USER, ir->users, ir->user_count);
	add_hosted(arena, record, IR_HOSTED_GROUP, ir->groups, ir->group_count);
	add_hosted(arena, record, IR_HOSTED_CGROUP, ir->cgroups, ir->cgroup_count);
	record->ip_rules = ir->ip_rules;
	record->ip_rule_count = ir->ip_rule_count;
	record->routes = ir->routes;
	record->route_count = ir->route_count;
	if (ir->sysctl_policy != IR_SYSCTL_IGNORE) {
		record->wishes = ir->sysctls;
		record->wish_count = ir->sysctl_count;
	}
	return record;
}

const struct ir_class *record_way(const struct record *record, uint32_t mark)
{
	for (size_t i = 0; record && i < record->class_count; i++) {
		const struct ir_class *way = &record->classes[i];

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
