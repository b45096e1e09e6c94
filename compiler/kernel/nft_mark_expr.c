/*
 * nft_mark_expr: goes through a rule's expressions in their order and keeps what one register
 * holds. In go netlink attributes, out come markings (see nft_mark_expr.h).
 *
 * nft loads or computes a value right before the expression that writes it, so whatever else comes
 * in between is a reason to know nothing of the register.
 */
#include "kernel/nft_mark_expr.h"

#include <inttypes.h>
#include <string.h>

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>

#include "base/arena.h"
#include "kernel/netlink.h"

/* What the register holds: the mark & mask ^ xor; of which mark matters only where some is kept.
 */
struct held {
	bool is_known;
	uint32_t number; /* the register's */
	struct nft_mark_expr value;
};

static bool is_named(const struct nlattr *name, const char *wanted)
{
	return name && strcmp(mnl_attr_get_str(name), wanted) == 0;
}

static bool is_number(const struct nlattr *attribute, uint32_t wanted)
{
	return attribute && netlink_u32(attribute) == wanted;
}

/* A word as it lies in a register: marks are in the host's order there. */
static bool read_word(const struct nlattr *data, uint32_t *out)
{
	const struct nlattr *inner[NETLINK_ATTRIBUTES];

	if (!data)
		return false;
	netlink_read_nested(data, inner);
	if (!inner[NFTA_DATA_VALUE] ||
	    mnl_attr_get_payload_len(inner[NFTA_DATA_VALUE]) != sizeof(*out))
		return false;
	*out = mnl_attr_get_u32(inner[NFTA_DATA_VALUE]);
	return true;
}

static void load_constant(const struct nlattr **data, struct held *held)
{
	held->value.mask = 0;
	held->is_known = data[NFTA_IMMEDIATE_DREG] &&
			 read_word(data[NFTA_IMMEDIATE_DATA], &held->value.xor);
	if (held->is_known)
		held->number = netlink_u32(data[NFTA_IMMEDIATE_DREG]);
}

static void load_mark(const struct nlattr *target, bool of_connection, struct held *held)
{
	held->is_known = true;
	held->number = netlink_u32(target);
	held->value = (struct nft_mark_expr){ of_connection, UINT32_MAX, 0 };
}

/* Other operations than and-xor (shifts, two registers) are not looked into. */
static void change_held(const struct nlattr **data, struct held *held)
{
	uint32_t mask, xor;

	held->is_known =
		held->is_known && is_number(data[NFTA_BITWISE_SREG], held->number) &&
		(!data[NFTA_BITWISE_OP] || is_number(data[NFTA_BITWISE_OP], NFT_BITWISE_BOOL)) &&
		read_word(data[NFTA_BITWISE_MASK], &mask) &&
		read_word(data[NFTA_BITWISE_XOR], &xor) && data[NFTA_BITWISE_DREG];
	if (!held->is_known)
		return;
	held->number = netlink_u32(data[NFTA_BITWISE_DREG]);
	held->value.mask &= mask;
	held->value.xor = (held->value.xor &mask) ^ xor;
}

struct reader {
	struct arena *arena;
	struct nft_mark_expr **list;
	size_t *count;
	struct held held;
};

static void write_mark(struct reader *reader, const struct nlattr *source, bool of_connection)
{
	const struct held *held = &reader->held;

	if (!held->is_known || !is_number(source, held->number) ||
	    (held->value.mask && held->value.of_connection != of_connection))
		return;
	*arena_append(reader->arena, *reader->list, *reader->count) =
		(struct nft_mark_expr){ of_connection, held->value.mask, held->value.xor };
}

/* `meta` and `ct`: both load into a register, or write from one. */
static void read_key(struct reader *reader, const struct nlattr *target,
		     const struct nlattr *source, bool is_mark, bool of_connection)
{
	if (is_mark && source)
		write_mark(reader, source, of_connection);
	else if (is_mark && target)
		load_mark(target, of_connection, &reader->held);
	else
		reader->held.is_known = false;
}

/* iptables' target MARK, in the only revision that is still written: struct xt_mark_tginfo2, whose
 * header defines the same name as that of an older one. */
static void read_target(struct reader *reader, const struct nlattr **data)
{
	struct {
		uint32_t mark, mask;
	} info;

	if (!is_named(data[NFTA_TARGET_NAME], "MARK") || !is_number(data[NFTA_TARGET_REV], 2) ||
	    !data[NFTA_TARGET_INFO] ||
	    mnl_attr_get_payload_len(data[NFTA_TARGET_INFO]) < sizeof(info))
		return;
	memcpy(&info, mnl_attr_get_payload(data[NFTA_TARGET_INFO]), sizeof(info));
	*arena_append(reader->arena, *reader->list, *reader->count) =
		(struct nft_mark_expr){ .mask = ~info.mask, .xor = info.mark };
}

static void read_expression(struct reader *reader, const struct nlattr *expression)
{
	const struct nlattr *inner[NETLINK_ATTRIBUTES], *data[NETLINK_ATTRIBUTES] = { 0 };

	netlink_read_nested(expression, inner);
	if (inner[NFTA_EXPR_DATA])
		netlink_read_nested(inner[NFTA_EXPR_DATA], data);
	if (is_named(inner[NFTA_EXPR_NAME], "immediate"))
		load_constant(data, &reader->held);
	else if (is_named(inner[NFTA_EXPR_NAME], "bitwise"))
		change_held(data, &reader->held);
	else if (is_named(inner[NFTA_EXPR_NAME], "meta"))
		read_key(reader, data[NFTA_META_DREG], data[NFTA_META_SREG],
			 is_number(data[NFTA_META_KEY], NFT_META_MARK), false);
	else if (is_named(inner[NFTA_EXPR_NAME], "ct"))
		read_key(reader, data[NFTA_CT_DREG], data[NFTA_CT_SREG],
			 is_number(data[NFTA_CT_KEY], NFT_CT_MARK), true);
	else
		reader->held.is_known = false;
	if (is_named(inner[NFTA_EXPR_NAME], "target"))
		read_target(reader, data);
}

void nft_mark_expr_read(struct arena *arena, const struct nlattr *expressions,
			struct nft_mark_expr **list, size_t *count)
{
	struct reader reader = { .arena = arena, .list = list, .count = count };
	const struct nlattr *expression;

	mnl_attr_for_each_nested(expression, expressions)
		read_expression(&reader, expression);
}

uint32_t nft_mark_expr_result(const struct nft_mark_expr *marking, uint32_t before)
{
	return (before & marking->mask) ^ marking->xor ;
}

const char *nft_mark_expr_text(struct arena *arena, const struct nft_mark_expr *marking)
{
	const char *mark = marking->of_connection ? "ct mark" : "meta mark";

	if (!marking->mask)
		return arena_printf(arena, "%s set 0x%" PRIx32, mark, marking->xor);
	if (marking->mask == ~marking->xor)
		return arena_printf(arena, "%s set %s or 0x%" PRIx32, mark, mark, marking->xor);
	if (!marking->xor)
		return arena_printf(arena, "%s set %s and 0x%" PRIx32, mark, mark, marking->mask);
	return arena_printf(arena, "%s set %s and 0x%" PRIx32 " %s 0x%" PRIx32, mark, mark,
			    marking->mask, marking->mask & marking->xor ? "xor" : "or",
			    marking->xor);
}
