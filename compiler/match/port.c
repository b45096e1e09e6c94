/*
 * port: source and destination ports of the protocols that have them, by number, range or service
 * name.
 *
 * The service names are a table of ours, so that a policy means the same on every machine. Sources:
 * IANA service name registry.
 */
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "match/kinds.h"

static const struct {
	const char *name;
	uint16_t port;
} services[] = {
	{ "bgp", 179 },         { "dhcp", 67 },     { "dhcpv6", 547 },
	{ "dns", 53 },          { "domain", 53 },   { "dns-tls", 853 },
	{ "domain-s", 853 },    { "ftp", 21 },      { "ftp-data", 20 },
	{ "git", 9418 },        { "http", 80 },     { "http-alt", 8080 },
	{ "https", 443 },       { "imap", 143 },    { "imaps", 993 },
	{ "ipp", 631 },         { "irc", 6667 },    { "ircs", 6697 },
	{ "isakmp", 500 },      { "kerberos", 88 }, { "l2tp", 1701 },
	{ "ldap", 389 },        { "ldaps", 636 },   { "mdns", 5353 },
	{ "mqtt", 1883 },       { "mqtts", 8883 },  { "mysql", 3306 },
	{ "nfs", 2049 },        { "ntp", 123 },     { "openvpn", 1194 },
	{ "pop3", 110 },        { "pop3s", 995 },   { "postgresql", 5432 },
	{ "pptp", 1723 },       { "quic", 443 },    { "rdp", 3389 },
	{ "redis", 6379 },      { "rsync", 873 },   { "rtsp", 554 },
	{ "sip", 5060 },        { "sips", 5061 },   { "smb", 445 },
	{ "smtp", 25 },         { "smtps", 465 },   { "snmp", 161 },
	{ "snmptrap", 162 },    { "socks", 1080 },  { "ssdp", 1900 },
	{ "ssh", 22 },          { "stun", 3478 },   { "submission", 587 },
	{ "submissions", 465 }, { "syslog", 514 },  { "telnet", 23 },
	{ "tftp", 69 },         { "vnc", 5900 },    { "vxlan", 4789 },
	{ "wireguard", 51820 }, { "xmpp", 5222 },
};

enum { SERVICES = sizeof(services) / sizeof(services[0]), PORT_MOST = 65535 };

static bool service_port(const char *name, uint64_t *port)
{
	for (size_t i = 0; i < SERVICES; i++) {
		if (strcmp(services[i].name, name))
			continue;
		*port = services[i].port;
		return true;
	}
	return false;
}

const char *const *port_services(struct arena *arena, size_t *count)
{
	const char **names = arena_alloc(arena, SERVICES * sizeof(*names));

	for (*count = 0; *count < SERVICES; ++*count)
		names[*count] = services[*count].name;
	return names;
}

/* "53/udp", "1024:2048", "1024..2048": what to write instead, or NULL. */
static const char *as_port(struct decode *decode, const struct node *value)
{
	const char *text = value->kind == NODE_SCALAR ? value->text : "";
	int digits = (int)strspn(text, "0123456789");
	const char *gap = text + digits, *rest = gap + strspn(gap, ":.");

	if (digits && *gap == '/' && gap[1])
		return arena_printf(decode->arena, "write `port: %.*s` with `proto: %s`", digits,
				    text, gap + 1);
	if (digits && rest > gap && *rest && !rest[strspn(rest, "0123456789")])
		return arena_printf(decode->arena, "write \"%.*s-%s\"", digits, text, rest);
	return NULL;
}

static bool unknown_port(struct decode *decode, const struct node *value)
{
	struct diag_record *record;
	size_t count;
	const char *const *names = port_services(decode->arena, &count);

	if (value->kind == NODE_SCALAR && value->text[0] >= 'a' && value->text[0] <= 'z') {
		diag_help(decode_unknown(decode, DIAG_bad_value, value->span, "service",
					 value->text, names, count),
			  "any port can be written as its number");
		return false;
	}
	record = diag_add(decode->diag, DIAG_bad_value, value->span, "this is no port");
	if (as_port(decode, value)) {
		diag_help(record, "%s", as_port(decode, value));
		return false;
	}
	diag_help(record,
		  "write a number from 1 to 65535, a range such as \"1000-2000\", or a service name such as https");
	return false;
}

static const char *parse_port(const struct node *value, struct interval *out)
{
	uint64_t first, last;

	if (value->kind == NODE_SCALAR && service_port(value->text, &first))
		last = first;
	else if (!match_read_range(value, PORT_MOST, &first, &last) || !last)
		return "this is no port";
	*out = (struct interval){ wide(first), wide(last) };
	return NULL;
}

static bool read_port(struct decode *decode, const struct node *value,
		      struct match_condition *condition)
{
	struct interval range;

	if (parse_port(value, &range))
		return match_read_list_name(decode, value, condition) ||
		       unknown_port(decode, value);
	interval_add(decode->arena, &condition->values, range.first, range.last);
	return true;
}

/* With one protocol its own word, with several the transport header's. */
/*
 * nft makes one comparison of two neighbours in a packet that are asked for one value each (its
 * payload_do_merge): `sport != 1 dport != 2` then holds for all but packets with both. It leaves
 * ranges alone.
 */
static bool would_merge(const struct ir_match *match)
{
	return match->selector == PORT_SOURCE && match->negated && !match->set &&
	       match->values.count == 1 && interval_is_one(match->values.items[0]);
}

static void print_port(const struct ir_match *match, struct buf *out)
{
	const char *protocol = protocol_name((unsigned int)match->bits.low);

	buf_printf(out, "%s %s", protocol ? protocol : "th",
		   match->selector == PORT_SOURCE ? "sport" : "dport");
	if (match->set)
		buf_puts(out, match->negated ? " != " : " ");
	else if (would_merge(match))
		buf_printf(out, " != %u-%u", (unsigned int)match->values.items[0].first.low,
			   (unsigned int)match->values.items[0].first.low);
	else
		match_put_values(match, out, NULL);
}

static bool port_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	unsigned int port = match->selector == PORT_SOURCE ? packet->source_port : packet->port;

	if (!port || (match->bits.low && packet->protocol != match->bits.low))
		return false;
	if (match->set)
		return interval_contains(&match->set->elements, wide(port)) != match->negated;
	return match_values_hold(match, wide(port));
}

static enum ir_set_type port_type(const struct ir_match *match)
{
	(void)match;
	return IR_SET_PORT;
}

static bool port_members(struct arena *arena, const struct ir_match *match,
			 struct interval_set *out)
{
	if (out)
		*out = match_members(arena, match, wide(PORT_MOST));
	return true;
}

/* The transport header's, whatever the protocol: the rest asks for that. */
static void print_field(const struct ir_match *match, struct buf *out)
{
	buf_puts(out, match->selector == PORT_SOURCE ? "th sport" : "th dport");
}

static bool port_value(const struct ir_match *match, const struct ir_packet *packet,
		       struct wide *out)
{
	*out = wide(match->selector == PORT_SOURCE ? packet->source_port : packet->port);
	return !wide_is_zero(*out);
}

static bool port_rest(struct arena *arena, const struct ir_match *match, struct ir_match *out)
{
	struct interval_set protocol = { 0 };

	if (!match->bits.low)
		return false;
	interval_add(arena, &protocol, match->bits, match->bits);
	*out = protocol_match(&protocol);
	return true;
}

static const struct ir_key port_key = {
	.type = port_type,
	.members = port_members,
	.print = print_field,
	.value = port_value,
	.rest = port_rest,
};

static const struct ir_match_ops port_ops = { "port", print_port, port_holds, false, &port_key };

bool port_lacks_protocol(const struct ir_match *match, const struct ir_packet *packet)
{
	return match->ops == &port_ops && match->bits.low && packet->protocol != match->bits.low;
}

bool port_put_element(const struct ir_match *match, const struct ir_packet *packet, struct buf *out)
{
	const struct interval *element;

	if (match->ops != &port_ops || match->negated)
		return false;
	element = match_element(match, wide(match->selector == PORT_SOURCE ? packet->source_port
									   : packet->port));
	if (!element)
		return false;
	buf_printf(out, "%u", (unsigned int)element->first.low);
	if (!interval_is_one(*element))
		buf_printf(out, "-%u", (unsigned int)element->last.low);
	return true;
}

/*
 * Where an ICMP error quotes the ports of the packet it is about, in bits from its own header: that
 * is 8 bytes long (RFC 792, RFC 4443), then comes a header of 20 or 40 bytes. The packet went the
 * other way, so its source port is the connection's destination port.
 */
static void print_quoted(const struct ir_match *match, struct buf *out)
{
	unsigned int first = (8 + (match->family == ADDR_IPV4 ? 20 : 40)) * 8;

	buf_printf(out, "@th,%u,16", first + (match->selector == PORT_SOURCE ? 16 : 0));
	match_put_values(match, out, NULL);
}

static const struct ir_match_ops quoted_ops = { "quoted port", print_quoted, port_holds, true,
						NULL };

static void lower_quoted(const struct match_condition *condition, struct match_context *context,
			 struct match_alternatives *out)
{
	match_lower_values(condition, context, &quoted_ops, out);
	for (size_t i = 0; i < out->count; i++) {
		for (size_t k = 0; k < out->items[i].count; k++)
			out->items[i].items[k].family = context->family;
		*match_append(context, &out->items[i], &quoted_ops) =
			family_match(context->arena, context->family);
	}
}

static const struct ir_set *port_set(const struct match_condition *condition,
				     struct match_context *context)
{
	const char *base = arena_printf(context->arena, "%s.%s", context->rule, condition->key);

	return context->make_set(context, base, IR_SET_PORT, &condition->values);
}

static bool is_single(const struct interval_set *values)
{
	for (size_t i = 0; i < values->count; i++)
		if (!interval_is_one(values->items[i]))
			return false;
	return true;
}

/* One number, one range or several single numbers stand in the rule; a mixture becomes a named set.
 */
static void lower_port(const struct match_condition *condition, struct match_context *context,
		       struct match_alternatives *out)
{
	const struct interval_set *protocols = context->protocols;
	struct ir_match *match;

	if (context->tracked) {
		lower_quoted(condition, context, out);
		return;
	}
	/* A list without an entry: no packet fits, or, negated, any. */
	if (!condition->values.count) {
		if (condition->negated)
			match_alternative(context, out);
		return;
	}
	match = match_append(context, match_alternative(context, out), &port_ops);
	match->selector = condition->selector;
	match->negated = condition->negated;
	if (protocols->count == 1 && interval_is_one(protocols->items[0]))
		match->bits = protocols->items[0].first;
	if (condition->values.count == 1 || is_single(&condition->values))
		match->values = condition->values;
	else
		match->set = port_set(condition, context);
}

/* SCTP has ports too, but a rule that names no protocol does not mean it. */
static const char *port_protocols(const struct match_condition *condition, struct arena *arena,
				  size_t nth, bool named, struct interval_set *out)
{
	(void)condition;
	if (nth)
		return NULL;
	interval_add(arena, out, wide(PROTOCOL_TCP), wide(PROTOCOL_TCP));
	interval_add(arena, out, wide(PROTOCOL_UDP), wide(PROTOCOL_UDP));
	if (named)
		interval_add(arena, out, wide(PROTOCOL_SCTP), wide(PROTOCOL_SCTP));
	return "has no ports";
}

struct ir_match port_match(struct arena *arena, unsigned int selector, uint16_t port)
{
	struct ir_match match = { .ops = &port_ops, .selector = selector };

	interval_add(arena, &match.values, wide(port), wide(port));
	return match;
}

static const struct match_number port_numbers[] = {
	[PORT_SOURCE] = { MATCH_PACKET_FIELD(source_port), 0, PORT_MOST, .zero_is_unknown = true },
	[PORT_DESTINATION] = { MATCH_PACKET_FIELD(port), 0, PORT_MOST, .zero_is_unknown = true },
};

const struct match_kind match_port = {
	.numbers = port_numbers,
	.noun = "a port",
	.lists = "ports",
	.parse = parse_port,
	.read = read_port,
	.lower = lower_port,
	.protocols = port_protocols,
};
