/*
 * read/expect: `expect`: packets, and what the policy must do with them.
 */
#include <string.h>

#include "base/arena.h"
#include "lang/ast/protocols.h"
#include "lang/read/read.h"
#include "match/kinds.h"

/* A packet's keys are read as a rule's conditions, then each is asked for its one value. */
struct packet_parts {
	struct ast_rule as_rule;
	struct span span;
	const char *in, *out, *user, *group;
	const struct node *payload;
	int scope; /* index of scope_words; -1: not given */
	int64_t time;
};

static const char *const scope_words[] = { "forward", "local", NULL };

/* Addresses are checked when the packet is made. */
static bool is_single(struct decode *decode, const struct match_condition *condition)
{
	const struct interval_set *values = &condition->values;

	if (!values->count || interval_is_one(values->items[0]))
		return true;
	diag_help(diag_add(decode->diag, DIAG_wrong_type, condition->span,
			   "a packet has one `%s`, not a range", condition->key),
		  "write one value out of the range");
	return false;
}

static bool field_is_port(const struct decode_field *field)
{
	const struct match_key *key = field->more;

	return key->kind == &match_port;
}

static bool field_is_mark(const struct decode_field *field)
{
	const struct match_key *key = field->more;

	return key->kind == &match_mark || key->kind == &match_ctmark;
}

static bool read_part(struct decode *decode, const struct decode_field *field,
		      const struct node *value, void *target)
{
	struct ast_rule *rule = target;
	struct match_condition *condition;

	if (value->kind != NODE_SCALAR && !field_is_mark(field)) {
		diag_add(decode->diag, DIAG_wrong_type, value->span,
			 "a packet has one `%s`, not %s", field->key, node_describe(value));
		return false;
	}
	if (field_is_port(field) && strchr(value->text, ',')) {
		diag_help(diag_add(decode->diag, DIAG_wrong_type, value->span,
				   "a packet has one `%s`, not several", field->key),
			  "write one of them");
		return false;
	}
	condition = match_read(decode, field->more, value);
	if (!condition || !is_single(decode, condition))
		return false;
	*arena_append(decode->arena, rule->conditions, rule->condition_count) = condition;
	return true;
}

/* Up to what an Ethernet frame has room for. */
static bool read_payload(struct decode *decode, const struct decode_field *field,
			 const struct node *value, void *target)
{
	if (value->kind == NODE_SCALAR && value->length <= (size_t)field->most)
		return decode_node(decode, field, value, target);
	diag_help(diag_add(decode->diag, DIAG_wrong_type, value->span,
			   "a packet carries up to %d bytes of text, not %s", (int)field->most,
			   value->kind == NODE_SCALAR ? "more" : node_describe(value)),
		  "write `payload: \"TEXT\"`: what follows the TCP or UDP header");
	return false;
}

/* One interface, whether the policy names it or not. */
static bool read_interface(struct decode *decode, const struct decode_field *field,
			   const struct node *value, void *target)
{
	if (!decode_text(decode, field, value, target))
		return false;
	/* A group has a name as long as its author likes: what it is, is said later. */
	if (!strchr(value->text, '*') &&
	    (interface_is_name(value->text) || decode_is_name(value->text)))
		return true;
	diag_help(diag_add(decode->diag, DIAG_bad_value, value->span,
			   "\"%s\" is not the name of one interface", value->text),
		  "a packet has one `%s`, such as eth0: patterns and groups are for rules",
		  field->key);
	return false;
}

static bool read_time(struct decode *decode, const struct decode_field *field,
		      const struct node *value, void *target)
{
	(void)field;
	return time_read_moment(decode, value, target);
}

#define TEXT(key_)                                                                               \
	{                                                                                        \
		.key = #key_, .read = decode_text, .offset = offsetof(struct packet_parts, key_) \
	}

static const struct decode_field packet_fields[] = {
	{ .key = "scope",
	  .read = decode_choice,
	  .offset = offsetof(struct packet_parts, scope),
	  .choices = scope_words },
	{ .key = "in", .read = read_interface, .offset = offsetof(struct packet_parts, in) },
	{ .key = "out", .read = read_interface, .offset = offsetof(struct packet_parts, out) },
	TEXT(user),
	TEXT(group),
#define PART(key_, kind, selector_)                                                \
	{                                                                          \
		.key = #key_, .read = read_part, .more = &(const struct match_key) \
		{                                                                  \
#key_, &match_##kind, selector_, true                      \
		}                                                                  \
	}
	PART(from, address, ADDRESS_FROM),
	PART(to, address, ADDRESS_TO),
	PART(family, family, 0),
	PART(proto, protocol, 0),
#define MATCH_NUMBER(key_, kind, selector_) PART(key_, kind, selector_),
#include "match/match.def"
	PART(state, state, 0),
	PART(cgroup, cgroup, 0),
	PART(app, app, 0),
	{ .key = "payload",
	  .read = read_payload,
	  .offset = offsetof(struct packet_parts, payload),
	  .most = 1400 },
	{ .key = "time", .read = read_time, .offset = offsetof(struct packet_parts, time) },
};

const struct decode_table read_packet_table = { "packet", packet_fields,
						sizeof(packet_fields) / sizeof(packet_fields[0]) };

struct expect_parts {
	const struct node *packet;
	struct ast_then *then;
};

static const struct decode_field expect_fields[] = {
	{ .key = "packet",
	  .read = decode_node,
	  .offset = offsetof(struct expect_parts, packet),
	  .required = true },
	{ .key = "then",
	  .read = read_then_field,
	  .offset = offsetof(struct expect_parts, then),
	  .required = true },
};

const struct decode_table read_expect_table = { "expect", expect_fields, 2 };

static uint64_t first_value(const struct ast_rule *rule, const char *key, uint64_t otherwise)
{
	const struct match_condition *condition = ast_condition(rule, key);

	return condition && condition->values.count ? condition->values.items[0].first.low
						    : otherwise;
}

/* Of these the kernel knows on every host what they are; the rest has to be said. */
static void note_destination(struct ir_packet *packet)
{
	bool is_ipv4 = packet->family == ADDR_IPV4;

	packet->to_local = addr_is_loopback((struct addr){ packet->family, packet->to });
	packet->to_broadcast = is_ipv4 && (wide_is_zero(packet->to) ||
					   wide_equal(packet->to, addr_last(ADDR_IPV4)));
}

/* One address out of a `from` or `to`; its family is the packet's. */
static bool take_address(struct decode *decode, const struct ast_rule *rule, const char *key,
			 struct ir_packet *packet, struct wide *out, bool *is_known)
{
	const struct match_condition *condition = ast_condition(rule, key);

	if (!condition)
		return true;
	if (condition->specials & (SPECIAL_LOCAL | SPECIAL_BROADCAST)) {
		packet->to_local = condition->specials & SPECIAL_LOCAL;
		packet->to_broadcast = condition->specials & SPECIAL_BROADCAST;
		return true;
	}
	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++) {
		const struct interval_set *set = &condition->addresses.family[family];

		if (set->count != 1 || !interval_is_one(set->items[0]))
			continue;
		if (*is_known && packet->family != family)
			return diag_refuse(decode->diag, DIAG_bad_address, condition->span,
					   "`from` and `to` are of different families",
					   "a packet is IPv4 or IPv6");
		*is_known = true;
		packet->family = family;
		*out = set->items[0].first;
		if (out == &packet->from) {
			packet->has_from = true;
			return true;
		}
		packet->has_to = true;
		note_destination(packet);
		return true;
	}
	diag_help(diag_add(decode->diag, DIAG_bad_address, condition->span,
			   "a packet has one address here"),
		  "write an address such as 203.0.113.8%s", strcmp(key, "to") ? "" : ", or local");
	return false;
}

/* The app's first signature over the packet's protocol, with zeros for what it leaves open. */
static bool take_app(struct decode *decode, const struct match_condition *app,
		     struct ir_packet *packet)
{
	const struct app_signature *signature;
	unsigned char *payload;

	for (size_t i = 0; (signature = app_signature(i)); i++)
		if (interval_contains(&app->values, wide(signature->app)) &&
		    (!packet->protocol || packet->protocol == signature->protocol))
			break;
	if (!signature)
		return diag_refuse(decode->diag, DIAG_impossible, app->span,
				   "no packet of this protocol is of this app",
				   "remove `proto`, or name another");
	packet->payload_length = signature->bytes.offset + signature->bytes.length;
	if (packet->payload_length < signature->least)
		packet->payload_length = signature->least;
	payload = arena_alloc(decode->arena, packet->payload_length);
	memcpy(payload + signature->bytes.offset, signature->bytes.value, signature->bytes.length);
	packet->payload = payload;
	packet->protocol = signature->protocol;
	return true;
}

/* What it carries: an app's first bytes, or text, or nothing. */
static bool take_payload(struct decode *decode, const struct packet_parts *parts,
			 struct ir_packet *packet)
{
	const struct match_condition *app = ast_condition(&parts->as_rule, "app");

	if (app && parts->payload)
		return diag_refuse(decode->diag, DIAG_impossible, parts->payload->span,
				   "a packet carries one thing",
				   "say what it carries by `app` or by `payload`, not by both");
	if (app)
		return take_app(decode, app, packet);
	if (!parts->payload)
		return true;
	packet->payload = (const unsigned char *)parts->payload->text;
	packet->payload_length = parts->payload->length;
	if (!packet->protocol)
		packet->protocol = PROTOCOL_TCP;
	return true;
}

/* Does it come by an interface, or from a process on this host? Not both. */
static bool check_sides(struct decode *decode, const struct packet_parts *parts, bool sends)
{
	const struct ast_rule *rule = &parts->as_rule;
	const struct match_condition *mac = ast_condition(rule, "mac");
	bool arrives = parts->scope == 0 || parts->in || mac;

	if (!arrives || !(sends || parts->scope > 0))
		return true;
	return diag_refuse(decode->diag, DIAG_impossible, parts->span,
			   "this packet would both arrive by an interface and be sent by this host",
			   "`in`, `mac` and `scope: forward` are for what arrives; `user`, `group`, `cgroup` and `scope: "
			   "local` for what this host sends");
}

static bool make_packet(struct decode *decode, struct packet_parts *parts, struct ir_packet *packet)
{
	const struct ast_rule *rule = &parts->as_rule;
	const struct match_condition *state = ast_condition(rule, "state");
	const struct match_condition *cgroup = ast_condition(rule, "cgroup");
	bool sends = parts->user || parts->group || cgroup;
	bool is_known = ast_condition(rule, "family") != NULL, good;

	*packet = (struct ir_packet){
		.scope = parts->scope > 0 || sends ? SCOPE_LOCAL : SCOPE_FORWARD,
		.in = parts->in ? parts->in : "",
		.out = parts->out ? parts->out : "",
		.user = parts->user,
		.group = parts->group,
		.family = (enum addr_family)first_value(rule, "family", ADDR_IPV4),
		.protocol = (unsigned int)first_value(rule, "proto", 0),
		.cgroup = cgroup ? cgroup->hosted[0].name : NULL,
		.time = parts->time,
		.state = state ? (enum ir_state)state->mask : STATE_NEW,
	};
	for (size_t i = 0; i < MATCH_NUMBERS; i++)
		match_number_set(i, packet, first_value(rule, match_number_keys[i].key, 0));
	good = check_sides(decode, parts, sends);
	good &= take_address(decode, rule, "from", packet, &packet->from, &is_known);
	good &= take_address(decode, rule, "to", packet, &packet->to, &is_known);
	good &= take_payload(decode, parts, packet);
	if (packet->port && !packet->protocol)
		packet->protocol = PROTOCOL_TCP;
	/* What an app is over is asked above. */
	if (ast_condition(rule, "proto") && !ast_condition(rule, "app"))
		good &= protocols_narrow(decode->arena, decode->diag, &parts->as_rule);
	return good;
}

bool read_packet(struct decode *decode, const struct node *node, struct ir_packet *out)
{
	struct packet_parts parts = { .scope = -1, .span = node->span };

	return decode_map(decode, &read_packet_table, node, &parts) &&
	       make_packet(decode, &parts, out);
}

static bool read_expectation(struct decode *decode, const struct node *node,
			     struct ast_expectation *expectation)
{
	struct expect_parts parts = { 0 };

	expectation->span = node->span;
	if (!decode_map(decode, &read_expect_table, node, &parts))
		return false;
	expectation->then = parts.then;
	if (!read_packet(decode, parts.packet, &expectation->packet))
		return false;
	if (parts.then->action != THEN_CONTINUE)
		return true;
	return diag_refuse(decode->diag, DIAG_impossible, parts.then->span,
			   "no packet ends at `continue`",
			   "say what the rule that decides does, or `direct`");
}

bool read_expectations(struct decode *decode, const struct node *node, struct ast_policy *policy)
{
	bool good = true;

	if (node->kind != NODE_LIST)
		return diag_refuse(decode->diag, DIAG_wrong_type, node->span, "`expect` is a list",
				   "begin each expectation with a dash: - {packet: {...}, then: direct}");
	for (size_t i = 0; i < node->count; i++) {
		struct ast_expectation *expectation = arena_append(decode->arena,
								   policy->expectations,
								   policy->expectation_count);

		expectation->broken = !read_expectation(decode, &node->items[i], expectation);
		good &= !expectation->broken;
	}
	return good;
}
