/*
 * statement: nft rule statements as text that nft 1.0.6 and everything later reads.
 *
 * In goes a statement of a finished ir, out come its words. Marks are always written whole, as
 * eight hexadecimal digits.
 */
#include "emit/statement.h"

#include <inttypes.h>

#include "base/buf.h"
#include "emit/elements.h"
#include "emit/text.h"
#include "ir/ir.h"

/* Dispatches with more cases than this have one a line. */
enum { CASES_ON_A_LINE = 3 };
/* Any number, as long as it stays: a source keeps its uplink over reloads and reboots. */
enum { HASH_SEED = 0x7c0 };

static void put_mark(const char *which, uint32_t value, uint32_t mask, struct buf *out)
{
	if (mask == UINT32_MAX)
		buf_printf(out, "%s set 0x%08" PRIx32, which, value);
	else
		buf_printf(out, "%s set %s & 0x%08" PRIx32 " | 0x%08" PRIx32, which, which, ~mask,
			   value);
}

static void put_prefix(const char *word, const struct ir_statement *statement, struct buf *out)
{
	struct addr_prefix prefix = { statement->addr, statement->length };
	char text[ADDR_TEXT];

	buf_printf(out, "%s ip6 prefix to %s", word, addr_format_prefix(prefix, text));
}

/* "ip to 192.0.2.1" and ":port": an inet chain has to be told the family. */
static void put_target(const char *word, struct addr addr, uint16_t port, struct buf *out)
{
	char text[ADDR_TEXT];

	addr_format(addr, text);
	if (addr.family == ADDR_IPV4)
		buf_printf(out, "%s ip to %s", word, text);
	else
		buf_printf(out, "%s ip6 to [%s]", word, text);
	if (port)
		buf_printf(out, ":%u", port);
}

static void put_clamp(uint32_t bytes, struct buf *out)
{
	buf_puts(out, "tcp option maxseg size set ");
	if (bytes)
		buf_printf(out, "%" PRIu32, bytes);
	else
		buf_puts(out, "rt mtu");
}

static void put_reject(enum ir_reject reject, struct buf *out)
{
	switch (reject) {
	case REJECT_DEFAULT:
		buf_puts(out, "reject");
		return;
	case REJECT_TCP_RESET:
		buf_puts(out, "reject with tcp reset");
		return;
	case REJECT_PORT_UNREACHABLE:
		buf_puts(out, "reject with icmpx port-unreachable");
		return;
	case REJECT_ADMIN_PROHIBITED:
		buf_puts(out, "reject with icmpx admin-prohibited");
		return;
	case REJECT_NO_ROUTE:
		buf_puts(out, "reject with icmpx no-route");
		return;
	}
}

static void put_case(const struct ir_case *one, struct buf *out)
{
	buf_printf(out, "0x%08" PRIx32 " : ", one->value);
	if (one->chain)
		buf_printf(out, "goto %s", one->chain);
	else
		buf_puts(out, "accept");
}

static void put_dispatch(const struct ir_statement *statement, struct buf *out)
{
	bool is_short = statement->case_count <= CASES_ON_A_LINE;

	buf_puts(out, statement->on_ct ? "ct mark" : "meta mark");
	if (statement->mask != UINT32_MAX)
		buf_printf(out, " & 0x%08" PRIx32, statement->mask);
	buf_puts(out, " vmap {");
	for (size_t i = 0; i < statement->case_count; i++) {
		buf_puts(out, is_short ? " " : "\n\t\t\t");
		put_case(&statement->cases[i], out);
		if (i + 1 < statement->case_count)
			buf_putc(out, ',');
	}
	buf_puts(out, is_short ? " }" : "\n\t\t}");
}

static void put_choice(const struct ir_statement *statement, struct buf *out)
{
	const char *word = addr_nft_word(statement->addr.family);

	switch (statement->by) {
	case IR_BY_CONNECTION:
		buf_printf(out, "numgen inc mod %" PRIu32, statement->value);
		return;
	case IR_BY_SOURCE:
		buf_printf(out, "jhash %s saddr mod %" PRIu32 " seed 0x%x", word, statement->value,
			   HASH_SEED);
		return;
	case IR_BY_SOURCE_DESTINATION:
		buf_printf(out, "jhash %s saddr . %s daddr mod %" PRIu32 " seed 0x%x", word, word,
			   statement->value, HASH_SEED);
		return;
	}
}

/* Single numbers, and no ranges: an interval map would not be atomic with its rule. */
static void put_balance(const struct ir_statement *statement, struct buf *out)
{
	put_choice(statement, out);
	buf_puts(out, " vmap {");
	for (size_t i = 0; i < statement->case_count; i++)
		buf_printf(out, "%s\n\t\t\t%" PRIu32 " : goto %s", i ? "," : "",
			   statement->cases[i].value, statement->cases[i].chain);
	buf_puts(out, "\n\t\t}");
}

static void put_string(const char *before, const char *text, struct buf *out)
{
	buf_printf(out, "%s \"", before);
	text_put_nft_string(out, text);
	buf_putc(out, '"');
}

static void put_lookup(const struct ir_statement *statement, const char *set_name, struct buf *out)
{
	const struct ir_set *map = statement->map;
	const struct ir_key *key = statement->key->ops->key;

	key->print(statement->key, out);
	if (set_name) {
		buf_printf(out, " vmap @%s", set_name);
		return;
	}
	buf_puts(out, " vmap {");
	for (size_t i = 0; i < map->elements.count; i++) {
		buf_puts(out, i ? ",\n\t\t\t" : "\n\t\t\t");
		key->put(out, map->elements.items[i].first);
		buf_puts(out, " : ");
		elements_put_target(&map->targets[map->leads[i]], out);
	}
	buf_puts(out, "\n\t\t}");
}

static void put_remember(const struct ir_statement *statement, const char *set_name,
			 struct buf *out)
{
	buf_printf(out, "update @%s { ", set_name);
	ir_put_flow(statement->addr.family, out);
	buf_printf(out, " timeout %" PRIu32 "s }", statement->value);
}

void statement_put(const struct ir_statement *statement, const char *set_name, struct buf *out)
{
	switch (statement->op) {
	case IR_SET_MARK:
		put_mark("meta mark", statement->value, statement->mask, out);
		return;
	case IR_SET_CT_MARK:
		put_mark("ct mark", statement->value, statement->mask, out);
		return;
	case IR_TPROXY:
		put_target("tproxy", statement->addr, statement->port, out);
		return;
	case IR_REDIRECT:
		buf_puts(out, "redirect");
		if (statement->port)
			buf_printf(out, " to :%u", statement->port);
		return;
	case IR_DNAT:
		if (statement->length)
			put_prefix("dnat", statement, out);
		else
			put_target("dnat", statement->addr, statement->port, out);
		return;
	case IR_PIN:
		buf_puts(out, statement->addr.family == ADDR_IPV4 ? "dnat ip to ip daddr"
								  : "dnat ip6 to ip6 daddr");
		return;
	case IR_MASQUERADE:
		buf_puts(out, "masquerade");
		return;
	case IR_SNAT:
		if (statement->length)
			put_prefix("snat", statement, out);
		else
			put_target("snat", statement->addr, 0, out);
		return;
	case IR_CLAMP_MSS:
		put_clamp(statement->value, out);
		return;
	case IR_COUNT:
		put_string("counter name", statement->name, out);
		return;
	case IR_LOG:
		put_string("log prefix", statement->name, out);
		return;
	case IR_ACCEPT:
		buf_puts(out, "accept");
		return;
	case IR_DROP:
		buf_puts(out, "drop");
		return;
	case IR_REJECT:
		put_reject(statement->reject, out);
		return;
	case IR_GOTO:
		buf_printf(out, "goto %s", statement->chain);
		return;
	case IR_JUMP:
		buf_printf(out, "jump %s", statement->chain);
		return;
	case IR_RETURN:
		buf_puts(out, "return");
		return;
	case IR_DISPATCH:
		put_dispatch(statement, out);
		return;
	case IR_OVER:
		buf_printf(out, "limit rate over %" PRIu32 "/%s", statement->value,
			   statement->name);
		return;
	case IR_LOOKUP:
		put_lookup(statement, set_name, out);
		return;
	case IR_REMEMBER:
		put_remember(statement, set_name, out);
		return;
	case IR_BALANCE:
		put_balance(statement, out);
		return;
	}
}
