/*
 * read/tables: `tables`: other routes out, by a shorthand for one default route or by a list of
 * routes.
 */
#include <string.h>

#include "base/arena.h"
#include "lang/read/read.h"

static const char *const type_words[] = { "unicast",  "local", "blackhole", "unreachable",
					  "prohibit", "throw", NULL };
static const char *const fallback_words[] = { "main", "unreachable", "prohibit", "blackhole",
					      NULL };

/* Smallest MTU of IPv4, RFC 791; the field's range is the kernel's. */
enum { MTU_LEAST = 68, MTU_MOST = 65535, MSS_LEAST = 536, MSS_MOST = 9000, WEIGHT_MOST = 256 };

/* ---- hops ---- */

static bool is_auto(const struct node *value)
{
	return value->kind == NODE_SCALAR && !strcmp(value->text, "auto");
}

/* Addresses, or `auto` for the families that have none. */
static bool read_via(struct decode *decode, const struct decode_field *field,
		     const struct node *value, void *target)
{
	struct ast_hop *hop = target;
	struct node given = *value;

	hop->learns = is_auto(value);
	hop->via.span = value->span;
	if (hop->learns)
		return true;
	if (value->kind == NODE_LIST) {
		given.items = NULL;
		given.count = 0;
	}
	for (size_t i = 0; value->kind == NODE_LIST && i < value->count; i++) {
		hop->learns |= is_auto(&value->items[i]);
		if (!is_auto(&value->items[i]))
			*arena_append(decode->arena, given.items, given.count) = value->items[i];
	}
	if (!read_addresses_field(decode, field, &given, &hop->via))
		return false;
	if (!hop->learns || !hop->via.has[ADDR_IPV4] || !hop->via.has[ADDR_IPV6])
		return true;
	diag_help(diag_add(decode->diag, DIAG_bad_value, value->span,
			   "`auto` beside a gateway of each family"),
		  "remove `auto`, or the address of the family whose gateway this host knows");
	return false;
}

#define HOP(key_, reader, member) \
	.key = key_, .read = reader, .offset = offsetof(struct ast_hop, member)

static const struct decode_field nexthop_fields[] = {
	{ .key = "via", .read = read_via },
	{ HOP("dev", read_interface_field, dev) },
	{ HOP("weight", decode_integer, weight), .least = 1, .most = WEIGHT_MOST },
	{ HOP("onlink", decode_bool, onlink) },
};

const struct decode_table read_nexthop_table = { "nexthop", nexthop_fields, 4 };

static bool read_hops(struct decode *decode, const struct decode_field *field,
		      const struct node *value, void *target)
{
	struct ast_route *route = target;
	bool good = true;

	(void)field;
	if (value->kind != NODE_LIST || !value->count)
		return diag_refuse(decode->diag, DIAG_wrong_type, value->span,
				   "`nexthops` is a list",
				   "write [{via: ADDRESS, dev: INTERFACE, weight: N}, ...]");
	for (size_t i = 0; i < value->count; i++) {
		struct ast_hop *hop = arena_append(decode->arena, route->hops, route->hop_count);

		hop->span = value->items[i].span;
		good &= decode_map(decode, &read_nexthop_table, &value->items[i], hop);
		if (!good || hop->dev || hop->via.span.source)
			continue;
		good = false;
		diag_help(diag_add(decode->diag, DIAG_missing_key, hop->span,
				   "a next hop without `via` and `dev` leads nowhere"),
			  "write {via: ADDRESS} or {dev: INTERFACE}");
	}
	return good;
}

/* ---- routes ---- */

static bool read_to(struct decode *decode, const struct decode_field *field,
		    const struct node *value, void *target)
{
	struct ast_route *route = target;
	const char *why = "write a prefix such as 10.0.0.0/8, or default";

	(void)field;
	route->to_span = value->span;
	route->is_default = value->kind == NODE_SCALAR && !strcmp(value->text, "default");
	if (route->is_default)
		return true;
	if (value->kind == NODE_SCALAR &&
	    addr_parse_prefix(decode->arena, value->text, value->length, &route->to, &why))
		return true;
	diag_help(diag_add(decode->diag, DIAG_bad_address, value->span,
			   "this is no destination of a route"),
		  "%s", why);
	return false;
}

#define ROUTE(key_, reader, member) \
	.key = key_, .read = reader, .offset = offsetof(struct ast_route, member)

static const struct decode_field route_fields[] = {
	{ .key = "to", .read = read_to },
	{ ROUTE("type", decode_choice, type), .choices = type_words },
	{ ROUTE("via", read_via, hop) },
	{ ROUTE("dev", read_interface_field, hop.dev) },
	{ ROUTE("onlink", decode_bool, hop.onlink) },
	{ ROUTE("src", read_addresses_field, src) },
	{ ROUTE("metric", decode_integer, metric), .least = 1, .most = UINT32_MAX },
	{ ROUTE("mtu", decode_integer, mtu), .least = MTU_LEAST, .most = MTU_MOST },
	{ .key = "nexthops", .read = read_hops },
};

const struct decode_table read_route_table = { "route", route_fields,
					       sizeof(route_fields) / sizeof(route_fields[0]) };

/* What is wrong with a route as a whole; families are checked when it is lowered. */
static bool check_route(struct decode *decode, const struct node *node, struct ast_route *route)
{
	bool leads_out = route->hop.dev || route->hop.via.span.source;
	bool wants_hop = route->type == IR_ROUTE_UNICAST || route->type == IR_ROUTE_LOCAL;
	struct diag_record *record;

	if (route->hop_count && leads_out) {
		record = diag_add(decode->diag, DIAG_bad_value, node->span,
				  "a route has `via` and `dev`, or `nexthops`");
		diag_help(record, "write all ways of this route under `nexthops`");
		return false;
	}
	if (wants_hop && !leads_out && !route->hop_count) {
		record = diag_add(decode->diag, DIAG_missing_key, node->span,
				  "a route without `via` and `dev` leads nowhere");
		diag_help(record, "write {via: ADDRESS}, {dev: INTERFACE}, or {type: unreachable}");
		return false;
	}
	if (!wants_hop && (leads_out || route->hop_count)) {
		record = diag_add(decode->diag, DIAG_impossible, node->span,
				  "a route of this type has no next hop");
		diag_help(record, "remove `via`, `dev` and `nexthops`, or the `type`");
		return false;
	}
	return true;
}

static bool read_routes(struct decode *decode, const struct decode_field *field,
			const struct node *value, void *target)
{
	struct ast_table *table = target;
	bool good = true;

	(void)field;
	if (value->kind != NODE_LIST)
		return diag_refuse(decode->diag, DIAG_wrong_type, value->span, "`routes` is a list",
				   "write [{to: default, via: ADDRESS}]");
	for (size_t i = 0; i < value->count; i++) {
		struct ast_route *route =
			arena_append(decode->arena, table->routes, table->route_count);

		*route = (struct ast_route){ .span = value->items[i].span, .is_default = true };
		good &= decode_map(decode, &read_route_table, &value->items[i], route) &&
			check_route(decode, &value->items[i], route);
	}
	return good;
}

/* ---- source addresses ---- */

static bool read_masquerade(struct decode *decode, const struct decode_field *field,
			    const struct node *value, void *target)
{
	static const char *const families[] = { "ipv4", "ipv6" };
	bool *masquerades = target, both = false;

	for (int family = 0; family < ADDR_FAMILIES; family++) {
		if (value->kind != NODE_SCALAR || strcmp(value->text, families[family]) != 0)
			continue;
		masquerades[family] = true;
		return true;
	}
	if (value->kind == NODE_SCALAR && !strncmp(value->text, "ip", 2)) {
		diag_help(diag_add(decode->diag, DIAG_bad_value, value->span, "no family \"%s\"",
				   node_excerpt(decode->arena, value->text, value->length)),
			  "write `masquerade: true`, or ipv4 or ipv6 for one family alone");
		return false;
	}
	if (!decode_bool(decode, field, value, &both))
		return false;
	masquerades[ADDR_IPV4] = masquerades[ADDR_IPV6] = both;
	return true;
}

static bool read_prefix(struct decode *decode, const struct decode_field *field,
			const struct node *value, void *target)
{
	struct addr_prefix *prefix = target;
	const char *why = "write a prefix such as \"fd00::/48\"";

	if (value->kind == NODE_SCALAR &&
	    addr_parse_prefix(decode->arena, value->text, value->length, prefix, &why)) {
		if (prefix->addr.family == ADDR_IPV6 && prefix->length > 0 &&
		    prefix->length < addr_width(ADDR_IPV6))
			return true;
		why = prefix->addr.family == ADDR_IPV4
			      ? "IPv4 has `masquerade` and `snat`; `nptv6` is for IPv6 alone"
		      : prefix->length ? "add the prefix's length, as in \"fd00::/48\"; for one "
					 "address there is `snat`"
				       : "name the network's own prefix, as in \"fd00::/48\"";
	}
	diag_help(diag_add(decode->diag, DIAG_bad_address, value->span, "this is no IPv6 prefix"),
		  "%s", why);
	(void)field;
	return false;
}

static const struct decode_field npt_fields[] = {
	{ .key = "inside", .read = read_prefix, .offset = offsetof(struct ast_npt, inside) },
	{ .key = "outside", .read = read_prefix, .offset = offsetof(struct ast_npt, outside) },
};

const struct decode_table read_npt_table = { "nptv6", npt_fields,
					     sizeof(npt_fields) / sizeof(npt_fields[0]) };

static bool lacks_prefix(struct decode *decode, struct span span)
{
	return diag_refuse(decode->diag, DIAG_missing_key, span, "`nptv6` needs both prefixes",
			   "write {inside: \"fd00::/48\", outside: \"2001:db8:1::/48\"}");
}

static bool read_npt(struct decode *decode, const struct node *value, struct ast_npt *npt)
{
	npt->span = value->span;
	if (!decode_map(decode, &read_npt_table, value, npt))
		return false;
	npt->inside_span = read_value_span(value, "inside");
	npt->outside_span = read_value_span(value, "outside");
	if (npt->inside_span.source && npt->outside_span.source)
		return true;
	return lacks_prefix(decode, value->span);
}

static bool read_npts(struct decode *decode, const struct decode_field *field,
		      const struct node *value, void *target)
{
	const struct node *items = value->kind == NODE_LIST ? value->items : value;
	size_t count = value->kind == NODE_LIST ? value->count : 1;
	struct ast_table *table = target;
	bool good = true;

	(void)field;
	table->npt_span = value->span;
	if (!count)
		return lacks_prefix(decode, value->span);
	for (size_t i = 0; i < count; i++)
		good &= read_npt(decode, &items[i],
				 arena_append(decode->arena, table->npts, table->npt_count));
	return good;
}

/* ---- tables ---- */

static bool read_clamp(struct decode *decode, const struct decode_field *field,
		       const struct node *value, void *target)
{
	static const struct decode_field bytes = { .key = "clamp_mss",
						   .least = MSS_LEAST,
						   .most = MSS_MOST };
	int64_t *clamp = target;
	bool automatic = false;
	int64_t number;

	(void)field;
	if (value->kind == NODE_SCALAR && !value->quoted && node_parse_integer(value, &number))
		return decode_integer(decode, &bytes, value, clamp);
	if (!decode_bool(decode, &bytes, value, &automatic))
		return false;
	*clamp = automatic ? 0 : -1;
	return true;
}

/* Single addresses: what they are, what to write instead of what is none, and where they go. */
struct address_list {
	const char *what, *why;
	struct ast_endpoint **items;
	size_t *count;
};

static bool read_one(struct decode *decode, const struct node *value,
		     const struct address_list *list)
{
	const char *why = list->why;
	struct addr addr;

	if (value->kind != NODE_SCALAR ||
	    !addr_parse(decode->arena, value->text, value->length, &addr, &why)) {
		diag_help(diag_add(decode->diag, DIAG_bad_address, value->span, "this is no %s",
				   list->what),
			  "%s", why);
		return false;
	}
	*arena_append(decode->arena, *list->items, *list->count) =
		(struct ast_endpoint){ addr, value->span };
	return true;
}

static bool read_list(struct decode *decode, const struct node *value,
		      const struct address_list *list)
{
	bool good = true;

	if (value->kind != NODE_LIST)
		return read_one(decode, value, list);
	for (size_t i = 0; i < value->count; i++)
		good &= read_one(decode, &value->items[i], list);
	return good;
}

static bool read_endpoints(struct decode *decode, const struct decode_field *field,
			   const struct node *value, void *target)
{
	struct ast_table *table = target;

	(void)field;
	return read_list(decode, value,
			 &(struct address_list){
				 "address of a tunnel's other end",
				 "write the address that the tunnel is set up with, or a list of them",
				 &table->endpoints, &table->endpoint_count });
}

static bool read_answers(struct decode *decode, const struct decode_field *field,
			 const struct node *value, void *target)
{
	struct ast_table *table = target;

	(void)field;
	table->answers_span = value->span;
	if (value->kind == NODE_SCALAR && !strcmp(value->text, "none"))
		return true;
	return read_list(decode, value,
			 &(struct address_list){
				 "address of this host's own",
				 "write `none`, or the addresses whose connections this table answers",
				 &table->answers, &table->answer_count });
}

#define TABLE(key_, reader, member) \
	.key = key_, .read = reader, .offset = offsetof(struct ast_table, member)

static const struct decode_field table_fields[] = {
	{ TABLE("via", read_via, shorthand.hop), .bare = 'a' },
	{ TABLE("dev", read_interface_field, shorthand.hop.dev), .bare = 'w' },
	{ TABLE("src", read_addresses_field, shorthand.src) },
	{ TABLE("metric", decode_integer, shorthand.metric), .least = 1, .most = UINT32_MAX },
	{ TABLE("mtu", decode_integer, shorthand.mtu), .least = MTU_LEAST, .most = MTU_MOST },
	{ TABLE("onlink", decode_bool, shorthand.hop.onlink) },
	{ .key = "routes", .read = read_routes },
	{ TABLE("from_table", decode_integer, from_table), .least = 1, .most = UINT32_MAX },
	{ .key = "endpoint", .read = read_endpoints },
	{ .key = "answers", .read = read_answers },
	{ TABLE("fallback", decode_choice, fallback), .choices = fallback_words },
	{ TABLE("prefer_main", decode_bool, prefer_main) },
	{ TABLE("masquerade", read_masquerade, masquerades) },
	{ TABLE("snat", read_addresses_field, snat) },
	{ .key = "nptv6", .read = read_npts },
	{ TABLE("clamp_mss", read_clamp, clamp_mss) },
	{ TABLE("strict", decode_bool, strict) },
	{ TABLE("id", decode_integer, id), .least = 1, .most = UINT32_MAX },
	{ TABLE("mark", read_mark_field, mark) },
	{ TABLE("priority", decode_integer, priority), .least = 1, .most = 32765 },
};

const struct decode_table read_table_table = { "table", table_fields,
					       sizeof(table_fields) / sizeof(table_fields[0]) };

/* A source has one translation of a family. */
static bool check_translations(struct decode *decode, const struct ast_table *table)
{
	bool twice = false;

	for (int family = 0; family < ADDR_FAMILIES; family++)
		twice |= table->masquerades[family] && table->snat.has[family];
	if (twice)
		return diag_refuse(
			decode->diag, DIAG_bad_value, table->snat.span,
			"`snat` beside `masquerade`",
			"`masquerade` takes the interface's address, `snat` the one you give: keep one");
	if (!table->npt_count || (!table->masquerades[ADDR_IPV6] && !table->snat.has[ADDR_IPV6]))
		return true;
	diag_help(diag_add(decode->diag, DIAG_bad_value, table->npt_span,
			   "`nptv6` beside `%s` for IPv6",
			   table->snat.has[ADDR_IPV6] ? "snat" : "masquerade"),
		  table->snat.has[ADDR_IPV6]
			  ? "both give IPv6 another source: keep one, and in `snat` the IPv4 address alone"
			  : "both give IPv6 another source: write `masquerade: ipv4`, or remove `nptv6`");
	return false;
}

/* Of its routes we say no more than the interface that they leave by. */
static bool check_from_table(struct decode *decode, const struct node *node)
{
	static const char *const keys[] = {
		"via", "src", "metric", "mtu", "onlink", "routes", "id"
	};
	bool good = true;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (!node_find(node, keys[i]))
			continue;
		good = false;
		diag_help(diag_add(decode->diag, DIAG_bad_value, read_key_span(node, keys[i]),
				   "`%s` beside `from_table`: another program fills that table",
				   keys[i]),
			  "remove one of the two; `dev` may stay: it says which interface the table leaves by");
	}
	return good;
}

static bool check_table(struct decode *decode, const struct node_entry *entry,
			struct ast_table *table)
{
	const struct node *node = &entry->value;
	const char *keys[] = { "via", "dev", "src", "metric", "mtu", "onlink" };
	const char *first = NULL;
	struct diag_record *record;

	if (table->from_table && !check_from_table(decode, node))
		return false;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && !first; i++)
		first = node_find(node, keys[i]) ? keys[i] : NULL;
	table->has_shorthand = table->from_table || table->shorthand.hop.dev ||
			       table->shorthand.hop.via.span.source;
	if (first && table->route_count) {
		record = diag_add(decode->diag, DIAG_bad_value, read_key_span(node, first),
				  "`%s` beside `routes` says two things at once", first);
		diag_help(record, "write all routes of this table under `routes`");
		return false;
	}
	if (!table->has_shorthand && !table->route_count) {
		record = diag_add(decode->diag, DIAG_missing_key, entry->key_span,
				  "the table \"%s\" has no route", entry->key);
		diag_help(record,
			  "write {dev: INTERFACE}, {via: ADDRESS}, {routes: [...]}, or {from_table: NUMBER}");
		return false;
	}
	return check_translations(decode, table);
}

static bool read_table(struct decode *decode, const struct node_entry *entry,
		       struct ast_table *table)
{
	bool good = read_definition_name(decode, entry, "table");

	*table = (struct ast_table){
		.name = entry->key, .span = entry->key_span, .broken = true, .clamp_mss = -1
	};
	if (good && (ast_is_last_resort(entry->key) || !strcmp(entry->key, "main"))) {
		good = false;
		diag_help(diag_add(decode->diag, DIAG_reserved_name, entry->key_span,
				   "\"%s\" already means something as the target of a route",
				   entry->key),
			  "give the table another name");
	}
	table->shorthand.is_default = true;
	table->shorthand.span = entry->key_span;
	good &= decode_map(decode, &read_table_table, &entry->value, table);
	if (entry->value.kind != NODE_MAP)
		return false;
	table->prefer_main_span = read_key_span(&entry->value, "prefer_main");
	table->masquerade_span = read_key_span(&entry->value, "masquerade");
	table->strict_span = read_key_span(&entry->value, "strict");
	table->id_span = read_value_span(&entry->value, table->from_table ? "from_table" : "id");
	if (table->from_table)
		table->id = table->from_table;
	table->priority_span = read_key_span(&entry->value, "priority");
	table->broken = !(good && check_table(decode, entry, table));
	return !table->broken;
}

bool read_tables(struct decode *decode, const struct node *node, struct ast_policy *policy)
{
	bool good = true;

	if (node->kind != NODE_MAP) {
		diag_help(diag_add(decode->diag, DIAG_wrong_type, node->span,
				   "`tables` is a mapping of names, not %s", node_describe(node)),
			  "write `tables: {NAME: {dev: INTERFACE}}`");
		return false;
	}
	for (size_t i = 0; i < node->count; i++)
		good &= read_table(decode, &node->entries[i],
				   arena_append(decode->arena, policy->tables,
						policy->table_count));
	return good;
}
