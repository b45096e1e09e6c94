/*
 * protocol: the protocol above IP, by name or by IANA's number.
 *
 * The lowering makes one match of a rule's protocols as a whole, because ports and listeners narrow
 * them too; this kind only reads.
 */
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "match/kinds.h"

static const struct {
	const char *name;
	unsigned int number;
} names[] = {
	{ "tcp", PROTOCOL_TCP },   { "udp", PROTOCOL_UDP }, { "sctp", PROTOCOL_SCTP },
	{ "icmp", PROTOCOL_ICMP }, { "esp", PROTOCOL_ESP }, { "icmpv6", PROTOCOL_ICMPV6 },
	{ "ah", PROTOCOL_AH },     { "gre", PROTOCOL_GRE },
};

enum { NAMES = sizeof(names) / sizeof(names[0]) };

const char *protocol_name(unsigned int number)
{
	for (size_t i = 0; i < NAMES; i++)
		if (names[i].number == number)
			return names[i].name;
	return NULL;
}

static bool number_of(const struct node *value, uint64_t *number)
{
	uint64_t last;

	for (size_t i = 0; i < NAMES; i++) {
		if (strcmp(names[i].name, value->text))
			continue;
		*number = names[i].number;
		return true;
	}
	return match_read_range(value, 255, number, &last) && *number == last;
}

static bool read_protocol(struct decode *decode, const struct node *value,
			  struct match_condition *condition)
{
	const char *candidates[NAMES];
	uint64_t number;

	if (value->kind == NODE_SCALAR && number_of(value, &number)) {
		interval_add(decode->arena, &condition->values, wide(number), wide(number));
		return true;
	}
	for (size_t i = 0; i < NAMES; i++)
		candidates[i] = names[i].name;
	decode_unknown(decode, DIAG_bad_value, value->span, "protocol",
		       value->kind == NODE_SCALAR ? value->text : "", candidates, NAMES);
	return false;
}

/* nft knows these names by itself; the others it would look up in /etc/protocols, which may not be
 * there. */
static void put_protocol(struct buf *out, uint64_t number)
{
	const char *name = protocol_name((unsigned int)number);

	if (name && number != PROTOCOL_GRE)
		buf_puts(out, name);
	else
		buf_printf(out, "%llu", (unsigned long long)number);
}

static void print_protocol(const struct ir_match *match, struct buf *out)
{
	buf_puts(out, match->tracked ? "ct protocol" : "meta l4proto");
	match_put_values(match, out, put_protocol);
}

static bool protocol_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	return packet->protocol && match_values_hold(match, wide(packet->protocol));
}

static const struct ir_match_ops protocol_ops = { "protocol", print_protocol, protocol_holds, false,
						  NULL };

struct ir_match protocol_match(const struct interval_set *protocols)
{
	return (struct ir_match){ .ops = &protocol_ops, .values = *protocols };
}

struct ir_match one_protocol_match(struct arena *arena, unsigned int number)
{
	struct interval_set protocol = { 0 };

	interval_add(arena, &protocol, wide(number), wide(number));
	return protocol_match(&protocol);
}

struct ir_match icmp_match(struct arena *arena)
{
	struct interval_set icmp = { 0 };

	interval_add(arena, &icmp, wide(PROTOCOL_ICMP), wide(PROTOCOL_ICMP));
	interval_add(arena, &icmp, wide(PROTOCOL_ICMPV6), wide(PROTOCOL_ICMPV6));
	return protocol_match(&icmp);
}

static void lower_protocol(const struct match_condition *condition, struct match_context *context,
			   struct match_alternatives *out)
{
	(void)condition;
	match_alternative(context, out);
}

const struct match_kind match_protocol = {
	.noun = "a protocol",
	.read = read_protocol,
	.lower = lower_protocol,
};
