/*
 * read/listeners: `listeners`: where a local proxy waits, and how its own traffic is known.
 */
#include <string.h>

#include "base/arena.h"
#include "lang/read/read.h"
#include "match/kinds.h"

static const char *const failure_words[] = { "reject", "drop", "direct", NULL };

struct port_parts {
	int64_t port;
	struct ast_addresses address;
};

static const struct decode_field tproxy_fields[] = {
	{ .key = "port",
	  .read = decode_integer,
	  .offset = offsetof(struct port_parts, port),
	  .required = true,
	  .least = 1,
	  .most = 65535 },
	{ .key = "address",
	  .read = read_addresses_field,
	  .offset = offsetof(struct port_parts, address) },
};

const struct decode_table read_tproxy_table = { "tproxy", tproxy_fields, 2 };
const struct decode_table read_redirect_table = { "redirect", tproxy_fields, 1 };

static bool set_mode(struct decode *decode, struct ast_listener *listener, enum ast_mode mode,
		     struct span span)
{
	struct diag_record *record;

	if (!listener->mode_span.source) {
		listener->mode = mode;
		listener->mode_span = span;
		return true;
	}
	record = diag_add(decode->diag, DIAG_bad_value, span, "a listener is reached in one way");
	diag_also(record, listener->mode_span, "the other one");
	diag_help(record,
		  "keep one of tproxy, redirect and dnat, and define a second listener for the other");
	return false;
}

/* "127.0.0.1:12345", "[::1]:12345", ":12345" or "localhost:12345": the port that was meant, or
 * NULL. */
static const char *port_of(const struct node *value)
{
	const char *colon = value->kind == NODE_SCALAR ? strrchr(value->text, ':') : NULL;

	return colon && colon[1] && !colon[1 + strspn(colon + 1, "0123456789")] ? colon + 1 : NULL;
}

/* An address and a port in one text, where a port alone belongs. */
static bool refuse_endpoint(struct decode *decode, const char *key, const struct node *value,
			    const char *port)
{
	bool has_brackets = *value->text == '[';
	int length = (int)(port - 1 - value->text) - 2 * has_brackets;
	const char *address = value->text + has_brackets;
	struct diag_record *record = diag_add(decode->diag, DIAG_wrong_type, value->span,
					      "`%s` takes a port of this host, not an address",
					      key);

	if (length <= 0 || !strcmp(key, "redirect"))
		diag_help(record, "write `%s: %s`", key, port);
	else
		diag_help(record, "write `%s: {port: %s, address: \"%.*s\"}`", key, port, length,
			  address);
	if (length > 0 && strncmp(address, "127.", 4) && strncmp(address, "::1]", 4) &&
	    strncmp(address, "localhost", 9))
		diag_help(record, "where the proxy runs on another host, write `dnat: \"%s\"`",
			  value->text);
	return false;
}

static bool read_port(struct decode *decode, const struct decode_table *table,
		      const struct node *value, struct port_parts *parts)
{
	const char *port = port_of(value);
	struct decode_field field = tproxy_fields[0];

	field.key = table->what;
	if (value->kind == NODE_MAP)
		return decode_map(decode, table, value, parts);
	if (port)
		return refuse_endpoint(decode, field.key, value, port);
	if (value->kind == NODE_LIST && value->count > 1) {
		diag_help(diag_add(decode->diag, DIAG_wrong_type, value->span,
				   "`%s` takes one port, and this is a list", field.key),
			  "write `%s: %s`, and a listener of its own for each other port",
			  field.key,
			  value->items[0].kind == NODE_SCALAR ? value->items[0].text : "PORT");
		return false;
	}
	return decode_integer(decode, &field, value, &parts->port);
}

/* Without an address: what is bound to every address is found at 127.0.0.1 and ::1, and so is what
 * is bound only there. */
static bool read_tproxy(struct decode *decode, const struct decode_field *field,
			const struct node *value, void *target)
{
	struct port_parts parts = { 0 };
	struct ast_listener *listener = target;
	bool good = read_port(decode, &read_tproxy_table, value, &parts);

	(void)field;
	if (!parts.address.span.source) {
		parts.address.has[ADDR_IPV4] = parts.address.has[ADDR_IPV6] = true;
		parts.address.addr[ADDR_IPV4] = (struct addr){ ADDR_IPV4, wide(0x7f000001) };
		parts.address.addr[ADDR_IPV6] = (struct addr){ ADDR_IPV6, wide(1) };
	}
	memcpy(listener->has, parts.address.has, sizeof(listener->has));
	memcpy(listener->addr, parts.address.addr, sizeof(listener->addr));
	listener->port = (uint16_t)parts.port;
	return set_mode(decode, listener, MODE_TPROXY, value->span) && good;
}

static bool read_redirect(struct decode *decode, const struct decode_field *field,
			  const struct node *value, void *target)
{
	struct port_parts parts = { 0 };
	struct ast_listener *listener = target;
	bool good = read_port(decode, &read_redirect_table, value, &parts);

	(void)field;
	listener->has[ADDR_IPV4] = listener->has[ADDR_IPV6] = true;
	listener->port = (uint16_t)parts.port;
	return set_mode(decode, listener, MODE_REDIRECT, value->span) && good;
}

/* With what was written in it, where that is known. */
static const char *endpoint_help(struct decode *decode, const struct node *value)
{
	const char *why = NULL,
		   *last = value->kind == NODE_SCALAR ? strrchr(value->text, ':') : NULL;
	struct addr addr;
	int64_t port;

	if (node_parse_integer(value, &port))
		return arena_printf(decode->arena,
				    "write \"ADDRESS:%s\"; a port of this host is `redirect: %s`",
				    value->text, value->text);
	if (last && port_of(value) && *value->text != '[' && strchr(value->text, ':') != last)
		return arena_printf(decode->arena, "write \"[%.*s]:%s\"", (int)(last - value->text),
				    value->text, last + 1);
	if (value->kind == NODE_SCALAR &&
	    addr_parse(decode->arena, value->text, value->length, &addr, &why))
		return arena_printf(decode->arena,
				    addr.family == ADDR_IPV6 ? "write \"[%s]:PORT\""
							     : "write \"%s:PORT\"",
				    value->text);
	return "write \"ADDRESS:PORT\", or \"[ADDRESS]:PORT\" for IPv6";
}

/* "ADDR:PORT" or "[ADDR]:PORT" */
static bool read_endpoint(struct decode *decode, const struct node *value,
			  struct ast_listener *listener)
{
	const char *colon = value->kind == NODE_SCALAR ? strrchr(value->text, ':') : NULL;
	const char *begin = value->text, *end = colon, *why = NULL;
	struct node port = { .kind = NODE_SCALAR };
	struct addr addr;
	int64_t number = 0;

	if (colon) {
		port.text = colon + 1;
		port.length = strlen(port.text);
		if (*begin == '[' && end > begin && end[-1] == ']')
			begin++, end--;
	}
	if (!colon || !node_parse_integer(&port, &number) || number < 1 || number > 65535 ||
	    !addr_parse(decode->arena, begin, (size_t)(end - begin), &addr, &why) ||
	    (addr.family == ADDR_IPV6) != (begin > value->text)) {
		diag_help(diag_add(decode->diag, DIAG_bad_address, value->span,
				   "this is no address with a port"),
			  "%s",
			  why && addr_looks_like(begin, (size_t)(end - begin))
				  ? why
				  : endpoint_help(decode, value));
		return false;
	}
	if (listener->has[addr.family] || (listener->port && listener->port != number))
		return diag_refuse(decode->diag, DIAG_bad_value, value->span,
				   "this does not go with the address before it",
				   "a dnat listener has one address a family, and one port");
	listener->has[addr.family] = true;
	listener->addr[addr.family] = addr;
	listener->port = (uint16_t)number;
	return true;
}

static bool read_dnat(struct decode *decode, const struct decode_field *field,
		      const struct node *value, void *target)
{
	struct ast_listener *listener = target;
	const struct node *items = value->kind == NODE_LIST ? value->items : value;
	size_t count = value->kind == NODE_LIST ? value->count : 1;
	bool good = set_mode(decode, listener, MODE_DNAT, value->span);

	(void)field;
	for (size_t i = 0; good && i < count; i++)
		good &= read_endpoint(decode, &items[i], listener);
	return good;
}

static bool read_protocols(struct decode *decode, const struct decode_field *field,
			   const struct node *value, void *target)
{
	const struct node *items = value->kind == NODE_LIST ? value->items : value;
	size_t count = value->kind == NODE_LIST ? value->count : 1;
	unsigned int *protocols = target;

	(void)field;
	for (size_t i = 0; i < count; i++) {
		if (items[i].kind == NODE_SCALAR && !strcmp(items[i].text, "tcp"))
			*protocols |= TAKES_TCP;
		else if (items[i].kind == NODE_SCALAR && !strcmp(items[i].text, "udp"))
			*protocols |= TAKES_UDP;
		else
			diag_help(diag_add(decode->diag, DIAG_bad_value, items[i].span,
					   "a listener takes tcp and udp"),
				  "write [tcp], [udp] or [tcp, udp]");
	}
	if (!count)
		diag_add(decode->diag, DIAG_bad_value, value->span,
			 "a listener that takes no protocol");
	return *protocols != 0;
}

/* ---- runs_as ---- */

struct identity_parts {
	const struct node *user, *group, *cgroup, *port;
	struct ast_mark mark;
};

static const struct decode_field runs_as_fields[] = {
	{ .key = "user",
	  .read = decode_node,
	  .offset = offsetof(struct identity_parts, user),
	  .bare = 'w' },
	{ .key = "group", .read = decode_node, .offset = offsetof(struct identity_parts, group) },
	{ .key = "mark", .read = read_mark_field, .offset = offsetof(struct identity_parts, mark) },
	{ .key = "cgroup", .read = decode_node, .offset = offsetof(struct identity_parts, cgroup) },
	{ .key = "port", .read = decode_node, .offset = offsetof(struct identity_parts, port) },
};

const struct decode_table read_runs_as_table = { "runs_as", runs_as_fields, 5 };

/* A rule's condition of the same meaning. */
static struct match_condition *identity_for(struct decode *decode, const struct node_entry *entry)
{
	const char *key = strcmp(entry->key, "port") ? entry->key : "sport";
	struct match_condition *identity = arena_new_of(decode->arena, struct match_condition);

	for (size_t i = 0; i < match_key_count; i++)
		if (!strcmp(match_keys[i].key, key))
			*identity = (struct match_condition){
				.kind = match_keys[i].kind,
				.key = match_keys[i].key,
				.span = entry->value.span,
				.selector = match_keys[i].selector,
				.may_be_list = match_keys[i].kind->lists != NULL
			};
	return identity;
}

static bool is_range(const struct match_condition *identity)
{
	return identity->kind == &match_identity && identity->values.count &&
	       !interval_is_one(identity->values.items[0]);
}

static bool read_identity(struct decode *decode, const struct node *value,
			  struct ast_identity *runs_as)
{
	struct identity_parts parts = { 0 };
	struct match_condition *identity;

	if (!decode_map(decode, &read_runs_as_table, value, &parts))
		return false;
	if (value->count != 1)
		return diag_refuse(
			decode->diag, DIAG_bad_value, value->span,
			"`runs_as` takes one of user, group, mark, cgroup and port",
			"write {user: U}, {group: G}, {mark: M} or {cgroup: PATH}, or {port: N-M} for a "
			"listener on another host; or a list of these: [{user: U}, {group: G}]");
	identity = identity_for(decode, value->entries);
	*arena_append(decode->arena, runs_as->items, runs_as->count) = identity;
	if (parts.mark.given) {
		identity->mask = parts.mark.mask;
		interval_add(decode->arena, &identity->values, wide(parts.mark.value),
			     wide(parts.mark.value));
		return true;
	}
	if (!identity->kind->read(decode, &value->entries->value, identity))
		return false;
	if (!is_range(identity))
		return true;
	return diag_refuse(decode->diag, DIAG_bad_value, identity->span,
			   "a listener runs as one user, not a range", "name the user");
}

static bool read_runs_as(struct decode *decode, const struct decode_field *field,
			 const struct node *value, void *target)
{
	struct ast_identity *runs_as = target;
	const struct node *items = value->kind == NODE_LIST ? value->items : value;
	size_t count = value->kind == NODE_LIST ? value->count : 1;
	bool good = true;

	(void)field;
	*runs_as = (struct ast_identity){ .span = value->span };
	for (size_t i = 0; i < count; i++)
		good &= read_identity(decode, &items[i], runs_as);
	if (count)
		return good;
	return diag_refuse(decode->diag, DIAG_bad_value, value->span,
			   "this list names no user, group, mark, cgroup or port",
			   "write {user: U}, or leave `runs_as` out");
}

/* ---- listeners ---- */

#define LISTENER(key_, reader, member) \
	.key = key_, .read = reader, .offset = offsetof(struct ast_listener, member)

static const struct decode_field listener_fields[] = {
	{ .key = "tproxy", .read = read_tproxy, .bare = 'n' },
	{ .key = "redirect", .read = read_redirect },
	{ .key = "dnat", .read = read_dnat },
	{ LISTENER("protocols", read_protocols, protocols) },
	{ LISTENER("runs_as", read_runs_as, runs_as) },
	{ LISTENER("on_failure", decode_choice, on_failure), .choices = failure_words },
	{ LISTENER("spoofs_client", decode_bool, spoofs_client) },
	{ LISTENER("masquerade", decode_bool, masquerade) },
	{ LISTENER("mark", read_mark_field, mark) },
	{ LISTENER("table", decode_integer, table), .least = 1, .most = UINT32_MAX },
	{ LISTENER("via", decode_name, via_name) },
};

const struct decode_table read_listener_table = {
	"listener", listener_fields, sizeof(listener_fields) / sizeof(listener_fields[0])
};

static bool read_listener(struct decode *decode, const struct node_entry *entry,
			  struct ast_listener *listener)
{
	bool good = read_definition_name(decode, entry, "listener");

	listener->name = entry->key;
	listener->span = entry->key_span;
	listener->broken = true;
	good &= decode_map(decode, &read_listener_table, &entry->value, listener);
	if (entry->value.kind != NODE_MAP)
		return false;
	listener->on_failure_span = read_key_span(&entry->value, "on_failure");
	listener->spoofs_client_span = read_key_span(&entry->value, "spoofs_client");
	listener->masquerade_span = read_key_span(&entry->value, "masquerade");
	listener->table_span = read_value_span(&entry->value, "table");
	listener->via_span = read_value_span(&entry->value, "via");
	if (!listener->protocols)
		listener->protocols = listener->mode == MODE_REDIRECT ? TAKES_TCP
								      : TAKES_TCP | TAKES_UDP;
	if (good && !listener->mode_span.source) {
		good = false;
		diag_help(diag_add(decode->diag, DIAG_missing_key, entry->key_span,
				   "the listener \"%s\" has no port", entry->key),
			  "write {tproxy: PORT}, {redirect: PORT} or {dnat: \"ADDRESS:PORT\"}");
	}
	listener->broken = !good;
	return good;
}

bool read_listeners(struct decode *decode, const struct node *node, struct ast_policy *policy)
{
	bool good = true;

	if (node->kind != NODE_MAP) {
		diag_help(diag_add(decode->diag, DIAG_wrong_type, node->span,
				   "`listeners` is a mapping of names, not %s",
				   node_describe(node)),
			  "write `listeners: {NAME: {tproxy: PORT}}`");
		return false;
	}
	for (size_t i = 0; i < node->count; i++)
		good &= read_listener(decode, &node->entries[i],
				      arena_append(decode->arena, policy->listeners,
						   policy->listener_count));
	return good;
}
