/*
 * record_read: reads the file that record.c writes, and nothing else: one line that record.c would
 * not write, and the file is set aside as a whole (state.h).
 */
#include "state/record.h"

#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "state/rundir.h"
#include "state/state.h"

enum {
	WHENS = IR_SYSCTL_IF_DEFAULT + 1,
	CLASSES = IR_CLASS_MEMBER + 1,
	ACTIONS = IR_RULE_BLACKHOLE + 1,
	ROUTES = IR_ROUTE_THROW + 1,
	HOSTED = IR_HOSTED_CGROUP + 1,
};

struct line {
	struct arena *arena;
	char **fields;
	size_t count;
	bool broken; /* a field is not as record.c writes it */
};

static uint64_t number_to(struct line *line, const char *field, int base, uint64_t most)
{
	uint64_t number = 0;

	line->broken |= !state_number(field, base, most, &number);
	return number;
}

static uint32_t number(struct line *line, size_t field)
{
	return (uint32_t)number_to(line, line->fields[field], 10, UINT32_MAX);
}

/* One of `count` values. */
static unsigned int choice(struct line *line, size_t field, unsigned int count)
{
	return (unsigned int)number_to(line, line->fields[field], 10, count - 1);
}

static bool yes(struct line *line, size_t field)
{
	return choice(line, field, 2) != 0;
}

static uint16_t port(struct line *line, size_t field)
{
	return (uint16_t)number_to(line, line->fields[field], 10, UINT16_MAX);
}

static uint64_t digits(struct line *line, size_t field, int base)
{
	return number_to(line, line->fields[field], base, UINT64_MAX);
}

static int64_t moment(struct line *line, size_t field)
{
	int64_t seconds = 0;

	line->broken |= !state_signed(line->fields[field], &seconds);
	return seconds;
}

/* The text with its %XX put back. */
static char *unescaped(struct line *line, const char *from)
{
	char *out = arena_strdup(line->arena, from), *to = out;
	uint64_t byte;

	for (; *from; from++) {
		char hex[3] = { 0 };

		if (*from != '%') {
			*to++ = *from;
			continue;
		}
		memcpy(hex, from + 1, strnlen(from + 1, 2));
		byte = number_to(line, hex, 16, UINT8_MAX);
		line->broken |= strlen(hex) != 2 || !byte;
		if (line->broken)
			break;
		*to++ = (char)byte;
		from += 2;
	}
	*to = '\0';
	return out;
}

/* NULL for the "-" that stands for nothing. */
static const char *text(struct line *line, size_t field)
{
	return strcmp(line->fields[field], "-") ? unescaped(line, line->fields[field]) : NULL;
}

/* One that is always there. */
static const char *word(struct line *line, size_t field)
{
	const char *out = text(line, field);

	line->broken |= !out || !*out;
	return out;
}

/* The name of a setting, which becomes a path with '/' for '.' and '.' for '/': it stays below
 * /proc/sys/net. */
static const char *key(struct line *line, size_t field)
{
	const char *out = word(line, field);

	line->broken |= !out || strncmp(out, "net.", 4) || strstr(out, "..") || strstr(out, ".//.");
	return out;
}

static bool address(struct line *line, const char *field, struct addr *out)
{
	const char *why;

	if (strcmp(field, "-") == 0)
		return false;
	line->broken |= !addr_parse(line->arena, field, strlen(field), out, &why);
	return !line->broken;
}

static void read_policy(struct record *record, struct line *line)
{
	line->broken |= record->name != NULL;
	record->name = word(line, 1);
	record->since = moment(line, 2);
	record->digest = digits(line, 3, 16);
	record->is_complete = yes(line, 4);
	record->nft_rules = number(line, 5);
	record->policy = word(line, 6);
}

static void read_loaded(struct record *record, struct line *line)
{
	record->table_handle = digits(line, 1, 10);
	record->last_handle = digits(line, 2, 10);
}

static void read_chain(struct record *record, struct line *line)
{
	*arena_append(line->arena, record->chains, record->chain_count) =
		(struct record_chain){ word(line, 1), digits(line, 2, 16) };
}

static void read_held(struct record *record, struct line *line)
{
	*arena_append(line->arena, record->held, record->held_count) =
		(struct record_held){ word(line, 1), number(line, 2) };
}

static void read_ticket(struct record *record, struct line *line)
{
	record->ticket = word(line, 1);
}

static void read_returned(struct record *record, struct line *line)
{
	record->returned = moment(line, 1);
	record->by_watchdog = yes(line, 2);
}

static void read_claim(struct record *record, struct line *line)
{
	struct record_claim *claim = arena_append(line->arena, record->claims, record->claim_count);
	char *tables = line->fields[4], *table;

	claim->protocol = number(line, 1);
	claim->priority_first = number(line, 2);
	claim->priority_last = number(line, 3);
	if (!*tables)
		return;
	while ((table = strsep(&tables, ",")))
		*arena_append(line->arena, claim->tables, claim->table_count) =
			(uint32_t)number_to(line, table, 10, UINT32_MAX);
}

/* Of the claim before it. */
static void read_copy(struct record *record, struct line *line)
{
	line->broken |= !record->claim_count;
	if (record->claim_count)
		record->claims[record->claim_count - 1].main_copy = number(line, 1);
}

static void read_sysctl(struct record *record, struct line *line)
{
	struct record_sysctl *sysctl =
		arena_append(line->arena, record->sysctls, record->sysctl_count);

	sysctl->key = key(line, 1);
	sysctl->value = word(line, 2);
	sysctl->old = text(line, 3);
}

static void read_beside(struct record *record, struct line *line)
{
	struct record_beside *beside =
		arena_append(line->arena, record->besides, record->beside_count);

	beside->with = key(line, 1);
	beside->key = key(line, 2);
}

static void read_wish(struct record *record, struct line *line)
{
	struct ir_sysctl *wish = arena_append(line->arena, record->wishes, record->wish_count);

	wish->key = key(line, 1);
	wish->value = word(line, 2);
	wish->when = (enum ir_sysctl_when)choice(line, 3, WHENS);
	wish->has_via = address(line, line->fields[4], &wish->via);
	wish->why = word(line, 5);
	for (size_t i = 6; i < line->count; i++)
		*arena_append(line->arena, wish->devs, wish->dev_count) = word(line, i);
}

static void read_class(struct record *record, struct line *line)
{
	struct ir_class *class = arena_append(line->arena, record->classes, record->class_count);

	class->kind = (enum ir_class_kind)choice(line, 1, CLASSES);
	class->name = word(line, 2);
	class->mark = number(line, 3);
	class->mask = number(line, 4);
	class->table = number(line, 5);
	class->priority = number(line, 6);
	class->listener_mode = text(line, 7);
	class->port = port(line, 8);
}

static void take_listener(struct ir_listener *listener, struct line *line)
{
	listener->name = word(line, 1);
	listener->mode = word(line, 2);
	listener->port = port(line, 3);
	listener->tcp = yes(line, 4);
	listener->udp = yes(line, 5);
	listener->on_this_host = yes(line, 6);
	for (size_t i = 0; i < ADDR_FAMILIES; i++)
		listener->has[i] = address(line, line->fields[7 + i], &listener->addr[i]);
	/* An earlier version did not write them: all that the listener takes. */
	listener->ways = line->count > 9 ? number(line, 9) : UINT32_MAX;
	for (size_t i = 10; i < line->count; i++)
		*arena_append(line->arena, listener->ins, listener->in_count) = number(line, i);
}

static void read_listener(struct record *record, struct line *line)
{
	take_listener(arena_append(line->arena, record->listeners, record->listener_count), line);
}

static void read_left(struct record *record, struct line *line)
{
	take_listener(arena_append(line->arena, record->left, record->left_count), line);
}

static void read_row(struct record *record, struct line *line)
{
	arena_append(line->arena, record->rows, record->row_count)->chosen = number(line, 1);
}

/* Of the row before it. */
static void read_member(struct record *record, struct line *line)
{
	struct ir_row *row = record->row_count ? &record->rows[record->row_count - 1] : NULL;

	line->broken |= !row;
	if (row)
		take_listener(arena_append(line->arena, row->listeners, row->count), line);
}

static void read_asked(struct record *record, struct line *line)
{
	struct ir_asked *asked = arena_append(line->arena, record->asked, record->asked_count);

	asked->key = word(line, 1);
	asked->negated = yes(line, 2);
	for (size_t i = 3; i < line->count; i++)
		*arena_append(line->arena, asked->names, asked->name_count) = word(line, i);
}

static void read_links(struct record *record, struct line *line)
{
	record->newest_link = number(line, 1);
}

static void read_checks(struct record *record, struct line *line)
{
	(void)line;
	record->only_checks = true;
}

static void read_keeps(struct record *record, struct line *line)
{
	(void)line;
	record->keeps_connections = true;
}

static void read_given(struct record *record, struct line *line)
{
	struct addr_prefix source;
	const char *why;

	if (addr_parse_prefix(line->arena, line->fields[1], strlen(line->fields[1]), &source, &why))
		*arena_append(line->arena, record->given, record->given_count) = source;
	else
		line->broken = true;
}

static void read_let_go(struct record *record, struct line *line)
{
	*arena_append(line->arena, record->let_go, record->let_go_count) =
		(struct ir_let_go){ word(line, 1), number(line, 2) };
	record->ct_mask = number(line, 3);
}

static void read_hosted(struct record *record, struct line *line)
{
	struct record_hosted *hosted =
		arena_append(line->arena, record->hosted, record->hosted_count);

	hosted->kind = (enum ir_hosted_kind)choice(line, 1, HOSTED);
	line->broken |= hosted->kind == IR_HOSTED_NONE;
	hosted->is_missing = yes(line, 2);
	hosted->number = digits(line, 3, 10);
	hosted->name = word(line, 4);
}

static void read_rule(struct record *record, struct line *line)
{
	struct ir_ip_rule *rule =
		arena_append(line->arena, record->ip_rules, record->ip_rule_count);

	rule->family = (enum addr_family)choice(line, 1, ADDR_FAMILIES);
	rule->priority = number(line, 2);
	rule->mark = number(line, 3);
	rule->mask = number(line, 4);
	rule->action = (enum ir_rule_action)choice(line, 5, ACTIONS);
	rule->table = number(line, 6);
	rule->shortest = number(line, 7);
	line->broken |= line->count > 10;
	if (line->count == 9)
		rule->iif = word(line, 8);
	if (line->count == 10)
		rule->oif = word(line, 9);
}

/* via,dev,weight,onlink: see record.c. */
static void read_hop(struct ir_route *route, struct line *line, char *rest)
{
	struct ir_nexthop *hop = arena_append(line->arena, route->hops, route->hop_count);
	char *via = strsep(&rest, ","), *weight = strsep(&rest, ","), *onlink = strsep(&rest, ",");

	line->broken |= !rest;
	if (line->broken)
		return;
	hop->has_via = address(line, via, &hop->via);
	hop->weight = (unsigned int)number_to(line, weight, 10, UINT32_MAX);
	hop->onlink = number_to(line, onlink, 10, 1) != 0;
	if (*rest)
		hop->dev = unescaped(line, rest);
}

static void read_route(struct record *record, struct line *line)
{
	struct ir_route *route = arena_append(line->arena, record->routes, record->route_count);
	const char *why;

	route->family = (enum addr_family)choice(line, 1, ADDR_FAMILIES);
	route->table = number(line, 2);
	route->type = (enum ir_route_type)choice(line, 3, ROUTES);
	line->broken |= !addr_parse_prefix(line->arena, line->fields[4], strlen(line->fields[4]),
					   &route->to, &why);
	route->metric = number(line, 5);
	route->mtu = number(line, 6);
	route->has_src = address(line, line->fields[7], &route->src);
	for (size_t i = 8; i < line->count; i++)
		read_hop(route, line, line->fields[i]);
}

static const char *options(struct line *line, size_t field)
{
	return *line->fields[field] ? text(line, field) : NULL;
}

static void read_options(struct record *record, struct line *line)
{
	record->options = options(line, 1);
	record->options_before = options(line, 2);
}

/* How many fields a line has, its first word included, and whether more may follow. */
static const struct kind {
	const char *word;
	size_t fields;
	void (*read)(struct record *record, struct line *line);
	bool has_more;
} kinds[] = {
	{ "policy", 7, read_policy, false },     { "claim", 5, read_claim, false },
	{ "sysctl", 4, read_sysctl, false },     { "beside", 3, read_beside, false },
	{ "wish", 6, read_wish, true },          { "class", 9, read_class, false },
	{ "listener", 9, read_listener, true },  { "rule", 8, read_rule, true },
	{ "route", 8, read_route, true },        { "ticket", 2, read_ticket, false },
	{ "returned", 3, read_returned, false }, { "options", 3, read_options, false },
	{ "loaded", 3, read_loaded, false },     { "chain", 3, read_chain, false },
	{ "held", 3, read_held, false },         { "hosted", 5, read_hosted, false },
	{ "asked", 4, read_asked, true },        { "checks", 1, read_checks, false },
	{ "copy", 2, read_copy, false },         { "links", 2, read_links, false },
	{ "row", 2, read_row, false },           { "member", 9, read_member, true },
	{ "keeps", 1, read_keeps, false },       { "given", 2, read_given, false },
	{ "left", 9, read_left, true },          { "letgo", 4, read_let_go, false },
};

static struct line split(struct arena *arena, char *from)
{
	struct line line = { .arena = arena };
	char *field;

	while ((field = strsep(&from, "\t")))
		*arena_append(arena, line.fields, line.count) = field;
	return line;
}

/* False: record.c writes no such line. */
static bool read_line(struct arena *arena, struct record *record, char *from)
{
	struct line line = split(arena, from);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].word, line.fields[0]) != 0)
			continue;
		if (line.count < kinds[i].fields ||
		    (line.count > kinds[i].fields && !kinds[i].has_more))
			return false;
		kinds[i].read(record, &line);
		return !line.broken;
	}
	return false;
}

/* Every line ends in a line feed, the last one, too. *line counts them for the message. */
static bool read_lines(struct arena *arena, struct record *record, char *at, const char *end,
		       size_t *line)
{
	for (; at < end; ++*line) {
		char *feed = memchr(at, '\n', (size_t)(end - at));

		if (!feed || memchr(at, '\0', (size_t)(feed - at)))
			return false;
		*feed = '\0';
		if (*line > 1 && !read_line(arena, record, at))
			return false;
		at = feed + 1;
	}
	return true;
}

/* The record of this boot, or NULL; one of an earlier boot or of another format is as good as
 * none. */
struct record *record_read(struct arena *arena, const struct rundir *folder, const char *name)
{
	static const char format[] = "tpc-record\t";
	struct record *record = arena_new_of(arena, struct record);
	const char *head = arena_printf(arena, "tpc-record\t2\t%s\n", record_boot(arena));
	size_t size, line = 1;
	char *all = state_read(arena, folder, name, &size);

	if (!all || strncmp(all, head, strlen(head)) != 0) {
		if (all && strncmp(all, format, strlen(format)) != 0)
			state_set_aside(arena, folder, name, "it is no record");
		return NULL;
	}
	if (read_lines(arena, record, all, all + size, &line) && record->name &&
	    strcmp(record->name, name) == 0 && record->claim_count)
		return record;
	state_set_aside(arena, folder, name,
			arena_printf(arena, "line %zu is cut off or altered", line));
	return NULL;
}
