/*
 * mark: a mark that another program put on the packet, or on its connection; and the marks of
 * packets and connections that the lowering itself compares.
 */
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "match/kinds.h"

static bool bad_mark(struct decode *decode, const struct node *value)
{
	return diag_refuse(
		decode->diag, DIAG_bad_value, value->span, "this is no mark",
		"write a number from 0 to 0xffffffff, or {value: V, mask: M}; bits of V outside M would never match");
}

static bool part(const struct node *map, const char *key, uint32_t *out)
{
	struct node_entry *entry = node_find(map, key);
	int64_t number;

	if (!entry || !node_parse_integer(&entry->value, &number) || number < 0 ||
	    number > UINT32_MAX)
		return false;
	*out = (uint32_t)number;
	return true;
}

/* All values of one condition share a mask; nft compares under one. */
static bool add_mark(struct decode *decode, const struct node *value,
		     struct match_condition *condition, uint32_t mark, uint32_t mask)
{
	if (condition->values.count && condition->mask != mask)
		return diag_refuse(decode->diag, DIAG_bad_value, value->span,
				   "marks with different masks in one list",
				   "write a rule for each mask");
	condition->mask = mask;
	interval_add(decode->arena, &condition->values, wide(mark), wide(mark));
	return true;
}

static bool read_mark(struct decode *decode, const struct node *value,
		      struct match_condition *condition)
{
	uint32_t mark, mask = UINT32_MAX;
	int64_t number;

	if (value->kind == NODE_MAP) {
		if (value->count != 2 || !part(value, "value", &mark) ||
		    !part(value, "mask", &mask) || mark & ~mask)
			return bad_mark(decode, value);
		return add_mark(decode, value, condition, mark, mask);
	}
	if (value->kind != NODE_SCALAR || !node_parse_integer(value, &number) || number < 0 ||
	    number > UINT32_MAX)
		return bad_mark(decode, value);
	return add_mark(decode, value, condition, (uint32_t)number, mask);
}

static void put_mark(struct buf *out, uint64_t mark)
{
	buf_printf(out, "0x%08llx", (unsigned long long)mark);
}

static void print_field(const struct ir_match *match, struct buf *out)
{
	buf_puts(out, match->selector == MARK_CONNECTION ? "ct mark" : "meta mark");
	if (match->mask != UINT32_MAX)
		buf_printf(out, " & 0x%08x", match->mask);
}

static void print_mark(const struct ir_match *match, struct buf *out)
{
	print_field(match, out);
	if (match->mask != UINT32_MAX && match->values.count == 1 && !match->negated)
		buf_puts(out, " ==");
	match_put_values(match, out, put_mark);
}

/* A packet without a connection has no mark there, not even 0. */
static bool has_mark(const struct ir_match *match, const struct ir_packet *packet)
{
	return match->selector != MARK_CONNECTION || packet->state != STATE_INVALID;
}

static bool mark_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	uint32_t mark = match->selector == MARK_CONNECTION ? packet->ct_mark : packet->mark;

	return has_mark(match, packet) && match_values_hold(match, wide(mark & match->mask));
}

static void put_single(struct buf *out, struct wide mark)
{
	put_mark(out, mark.low);
}

static bool mark_value(const struct ir_match *match, const struct ir_packet *packet,
		       struct wide *out)
{
	*out = wide(match->mask &
		    (match->selector == MARK_CONNECTION ? packet->ct_mark : packet->mark));
	return has_mark(match, packet);
}

static const struct ir_key mark_key = {
	.put = put_single,
	.members = match_single_members,
	.print = print_field,
	.value = mark_value,
};

static const struct ir_match_ops mark_ops = { "mark", print_mark, mark_holds, false, &mark_key };

/* Neighbouring numbers were merged into ranges when the condition was read: here every mark stands
 * for itself. */
static void lower_mark(const struct match_condition *condition, struct match_context *context,
		       struct match_alternatives *out)
{
	match_lower_values(condition, context, &mark_ops, out);
	for (size_t i = 0; i < out->count; i++)
		for (size_t k = 0; k < out->items[i].count; k++)
			out->items[i].items[k].mask = condition->mask;
}

struct ir_match mark_match(struct arena *arena, unsigned int selector, uint32_t value,
			   uint32_t mask)
{
	struct ir_match match = { .ops = &mark_ops, .selector = selector, .mask = mask };

	interval_add(arena, &match.values, wide(value), wide(value));
	return match;
}

static const struct match_number mark_numbers[] = {
	[MARK_PACKET] = { MATCH_PACKET_FIELD(mark), 0, UINT32_MAX },
	[MARK_CONNECTION] = { MATCH_PACKET_FIELD(ct_mark), 0, UINT32_MAX },
};

const struct match_kind match_mark = {
	.numbers = mark_numbers,
	.noun = "a mark",
	.read = read_mark,
	.lower = lower_mark,
	.may_change = true,
	.names_identity = true,
	.takes_mappings = true,
};

/* Under bits that the policy does not write (check/conflict.c). */
const struct match_kind match_ctmark = {
	.numbers = mark_numbers,
	.noun = "a connection's mark",
	.read = read_mark,
	.lower = lower_mark,
	.may_change = true,
	.takes_mappings = true,
};
