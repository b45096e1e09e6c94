/*
 * record_read: reads the file that record.c writes. A line that says nothing known is passed over,
 * a file without the right first line is none.
 */
#include "live/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "live/folder.h"

struct line {
	struct arena *arena;
	char **fields;
	size_t count;
};

static uint32_t number(const struct line *line, size_t field)
{
	return (uint32_t)strtoul(line->fields[field], NULL, 10);
}

/* The text with its %XX put back; NULL for the "-" that stands for nothing. */
static const char *text(const struct line *line, size_t field)
{
	char *out = arena_strdup(line->arena, line->fields[field]), *to = out;

	if (strcmp(out, "-") == 0)
		return NULL;
	for (const char *from = out; *from; from++) {
		char hex[3] = { 0 };

		if (*from == '%' && from[1] && from[2]) {
			memcpy(hex, from + 1, 2);
			*to++ = (char)strtol(hex, NULL, 16);
			from += 2;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
	return out;
}

static bool address(const struct line *line, const char *field, struct addr *out)
{
	const char *why;

	return strcmp(field, "-") != 0 && addr_parse(line->arena, field, strlen(field), out, &why);
}

static void read_policy(struct record *record, const struct line *line)
{
	record->name = text(line, 1);
	record->since = strtoll(line->fields[2], NULL, 10);
	record->digest = strtoull(line->fields[3], NULL, 16);
	record->is_complete = number(line, 4);
	record->nft_rules = number(line, 5);
	record->policy = text(line, 6);
}

static void read_loaded(struct record *record, const struct line *line)
{
	record->table_handle = strtoull(line->fields[1], NULL, 10);
	record->last_handle = strtoull(line->fields[2], NULL, 10);
}

static void read_chain(struct record *record, const struct line *line)
{
	*arena_append(line->arena, record->chains, record->chain_count) =
		(struct record_chain){ line->fields[1], strtoull(line->fields[2], NULL, 16) };
}

static void read_held(struct record *record, const struct line *line)
{
	*arena_append(line->arena, record->held, record->held_count) =
		(struct record_held){ line->fields[1], number(line, 2) };
}

static void read_ticket(struct record *record, const struct line *line)
{
	record->ticket = line->fields[1];
}

static void read_returned(struct record *record, const struct line *line)
{
	record->returned = strtoll(line->fields[1], NULL, 10);
	record->by_watchdog = number(line, 2);
}

static void read_claim(struct record *record, const struct line *line)
{
	struct record_claim *claim = arena_append(line->arena, record->claims, record->claim_count);
	char *at = line->fields[4];

	claim->protocol = number(line, 1);
	claim->priority_first = number(line, 2);
	claim->priority_last = number(line, 3);
	while (*at) {
		*arena_append(line->arena, claim->tables, claim->table_count) =
			(uint32_t)strtoul(at, &at, 10);
		at += strspn(at, ",");
	}
}

static void read_sysctl(struct record *record, const struct line *line)
{
	struct record_sysctl *sysctl =
		arena_append(line->arena, record->sysctls, record->sysctl_count);

	sysctl->key = line->fields[1];
	sysctl->value = text(line, 2);
	sysctl->old = text(line, 3);
}

static void read_beside(struct record *record, const struct line *line)
{
	struct record_beside *beside =
		arena_append(line->arena, record->besides, record->beside_count);

	beside->with = line->fields[1];
	beside->key = line->fields[2];
}

static void read_wish(struct record *record, const struct line *line)
{
	struct ir_sysctl *wish = arena_append(line->arena, record->wishes, record->wish_count);

	wish->key = line->fields[1];
	wish->value = line->fields[2];
	wish->when = (enum ir_sysctl_when)number(line, 3);
	wish->has_via = address(line, line->fields[4], &wish->via);
	wish->why = text(line, 5);
	for (size_t i = 6; i < line->count; i++)
		*arena_append(line->arena, wish->devs, wish->dev_count) = text(line, i);
}

static void read_class(struct record *record, const struct line *line)
{
	struct ir_class *class = arena_append(line->arena, record->classes, record->class_count);

	class->kind = (enum ir_class_kind)number(line, 1);
	class->name = line->fields[2];
	class->mark = number(line, 3);
	class->mask = number(line, 4);
	class->table = number(line, 5);
	class->priority = number(line, 6);
	class->listener_mode = text(line, 7);
	class->port = (uint16_t)number(line, 8);
}

static void read_listener(struct record *record, const struct line *line)
{
	struct ir_listener *listener =
		arena_append(line->arena, record->listeners, record->listener_count);

	listener->name = line->fields[1];
	listener->mode = line->fields[2];
	listener->port = (uint16_t)number(line, 3);
	listener->tcp = number(line, 4);
	listener->udp = number(line, 5);
	listener->on_this_host = number(line, 6);
	for (size_t i = 0; i < ADDR_FAMILIES; i++)
		listener->has[i] = address(line, line->fields[7 + i], &listener->addr[i]);
}

static void read_rule(struct record *record, const struct line *line)
{
	struct ir_ip_rule *rule =
		arena_append(line->arena, record->ip_rules, record->ip_rule_count);

	rule->family = (enum addr_family)number(line, 1);
	rule->priority = number(line, 2);
	rule->mark = number(line, 3);
	rule->mask = number(line, 4);
	rule->action = (enum ir_rule_action)number(line, 5);
	rule->table = number(line, 6);
	rule->suppress_default = number(line, 7);
}

static void read_hop(struct ir_route *route, const struct line *line, size_t field)
{
	struct ir_nexthop *hop = arena_append(line->arena, route->hops, route->hop_count);
	char *rest = strchr(line->fields[field], ',');

	if (!rest)
		return;
	*rest++ = '\0';
	hop->has_via = address(line, line->fields[field], &hop->via);
	hop->weight = (unsigned int)strtoul(rest, &rest, 10);
	rest += *rest == ',';
	hop->onlink = strtoul(rest, &rest, 10);
	rest += *rest == ',';
	line->fields[field] = rest;
	if (*rest)
		hop->dev = text(line, field);
}

static void read_route(struct record *record, const struct line *line)
{
	struct ir_route *route = arena_append(line->arena, record->routes, record->route_count);
	const char *why;

	route->family = (enum addr_family)number(line, 1);
	route->table = number(line, 2);
	route->type = (enum ir_route_type)number(line, 3);
	addr_parse_prefix(line->arena, line->fields[4], strlen(line->fields[4]), &route->to, &why);
	route->metric = number(line, 5);
	route->mtu = number(line, 6);
	route->has_src = address(line, line->fields[7], &route->src);
	for (size_t i = 8; i < line->count; i++)
		read_hop(route, line, i);
}

static const char *options(const struct line *line, size_t field)
{
	return *line->fields[field] ? text(line, field) : NULL;
}

static void read_options(struct record *record, const struct line *line)
{
	record->options = options(line, 1);
	record->options_before = options(line, 2);
}

/* How many fields a line has at least, its first word included. */
static const struct kind {
	const char *word;
	size_t fields;
	void (*read)(struct record *record, const struct line *line);
} kinds[] = {
	{ "policy", 7, read_policy },     { "claim", 5, read_claim },
	{ "sysctl", 4, read_sysctl },     { "beside", 3, read_beside },
	{ "wish", 6, read_wish },         { "class", 9, read_class },
	{ "listener", 9, read_listener }, { "rule", 8, read_rule },
	{ "route", 8, read_route },       { "ticket", 2, read_ticket },
	{ "returned", 3, read_returned }, { "options", 3, read_options },
	{ "loaded", 3, read_loaded },     { "chain", 3, read_chain },
	{ "held", 3, read_held },
};

static struct line split(struct arena *arena, char *from)
{
	struct line line = { .arena = arena };
	char *field;

	while ((field = strsep(&from, "\t")))
		*arena_append(arena, line.fields, line.count) = field;
	return line;
}

static void read_line(struct arena *arena, struct record *record, const char *from)
{
	struct line line = split(arena, arena_strdup(arena, from));

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].word, line.fields[0]) == 0 && line.count >= kinds[i].fields)
			kinds[i].read(record, &line);
}

struct record *record_read(struct arena *arena, const struct folder *folder, const char *name)
{
	struct record *record = arena_new_of(arena, struct record);
	const char *head = arena_printf(arena, "tpc-record\t2\t%s", record_boot(arena));
	FILE *file = folder->path ? fopen(arena_printf(arena, "%s/%s", folder->path, name), "re")
				  : NULL;
	char *line = NULL;
	size_t room = 0;
	bool is_first = true, is_ours = false;

	if (!file)
		return NULL;
	while (getline(&line, &room, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (is_first)
			is_ours = strcmp(line, head) == 0;
		else if (is_ours)
			read_line(arena, record, line);
		is_first = false;
	}
	free(line);
	fclose(file);
	return is_ours && record->name && strcmp(record->name, name) == 0 ? record : NULL;
}
