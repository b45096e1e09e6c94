/*
 * json: marks, routing tables, ip rule priorities, set names and listeners of a policy as one JSON
 * object.
 *
 * In goes a finished ir, out comes an object with an item a line. Numbers are decimal; what a thing
 * does not have is null.
 */
#include "emit/json.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "emit/emit.h"
#include "ir/ir.h"

static void put_string(const char *text, struct buf *out)
{
	if (text)
		buf_json_string(out, text, strlen(text));
	else
		buf_puts(out, "null");
}

static void put_number_or_null(uint32_t number, struct buf *out)
{
	if (number)
		buf_printf(out, "%" PRIu32, number);
	else
		buf_puts(out, "null");
}

static void put_mark(uint32_t value, uint32_t mask, struct buf *out)
{
	buf_printf(out, "{\"value\": %" PRIu32 ", \"mask\": %" PRIu32 "}", value, mask);
}

/* Opens the item `index` of a list, each on a line of its own. */
static void put_item(size_t index, struct buf *out)
{
	buf_puts(out, index ? ",\n    " : "\n    ");
}

static void put_list_end(size_t count, struct buf *out)
{
	buf_puts(out, count ? "\n  ]" : "]");
}

static const char *kind_name(enum ir_class_kind kind)
{
	switch (kind) {
	case IR_CLASS_PROXY:
		return "proxy";
	case IR_CLASS_ROUTE:
		return "route";
	case IR_CLASS_MARK:
		return "mark";
	case IR_CLASS_REPLY:
		return "reply";
	case IR_CLASS_INBOUND:
		return "inbound";
	case IR_CLASS_SYN:
		return "syn";
	case IR_CLASS_DIRECT:
		return "direct";
	case IR_CLASS_ANSWER:
		return "answer";
	case IR_CLASS_MEMBER:
		return "member";
	}
	return "";
}

static void put_class(const struct ir_class *class, struct buf *out)
{
	buf_puts(out, "{\"name\": ");
	put_string(class->name, out);
	buf_printf(out, ", \"kind\": \"%s\", \"mark\": ", kind_name(class->kind));
	put_mark(class->mark, class->mask, out);
	buf_puts(out, ", \"table\": ");
	put_number_or_null(class->table, out);
	buf_puts(out, ", \"ip_rule\": ");
	put_number_or_null(class->priority, out);
	buf_putc(out, '}');
}

static void put_ip_rule(const struct ir_ip_rule *rule, struct buf *out)
{
	buf_printf(out, "{\"family\": \"%s\", \"priority\": %" PRIu32 ", \"mark\": ",
		   rule->family == ADDR_IPV4 ? "ipv4" : "ipv6", rule->priority);
	put_mark(rule->mark, rule->mask, out);
	buf_printf(out, ", \"action\": \"%s\", \"table\": ", ir_action_name(rule->action));
	put_number_or_null(rule->action == IR_RULE_LOOKUP ? rule->table : 0, out);
	buf_printf(out, ", \"suppress_default\": %s", rule->shortest ? "true" : "false");
	if (rule->iif) {
		buf_puts(out, ", \"iif\": ");
		put_string(rule->iif, out);
	}
	if (rule->oif) {
		buf_puts(out, ", \"oif\": ");
		put_string(rule->oif, out);
	}
	buf_putc(out, '}');
}

static const char *set_type(enum ir_set_type type)
{
	switch (type) {
	case IR_SET_IPV4:
		return "ipv4";
	case IR_SET_IPV6:
		return "ipv6";
	case IR_SET_PORT:
		return "port";
	case IR_SET_TIME:
		return "time";
	case IR_SET_LINK:
		return "link";
	case IR_SET_FLOW_IPV4:
		return "ipv4-flow";
	case IR_SET_FLOW_IPV6:
		return "ipv6-flow";
	}
	return "";
}

static void put_set(const struct ir_set *set, struct buf *out)
{
	buf_puts(out, "{\"name\": ");
	put_string(set->base, out);
	buf_puts(out, ", \"nft\": ");
	put_string(set->name, out);
	buf_printf(out, ", \"type\": \"%s\", \"intervals\": %zu", set_type(set->type),
		   set->elements.count);
	if (set->targets)
		buf_puts(out, ", \"map\": true");
	if (set->dynamic) {
		buf_puts(out, ", \"dynamic\": true, \"timeout\": ");
		put_number_or_null(set->timeout, out);
		buf_puts(out, ", \"size\": ");
		put_number_or_null(set->size, out);
	}
	buf_putc(out, '}');
}

static void put_listener(const struct ir_listener *listener, struct buf *out)
{
	char text[ADDR_TEXT];
	const char *gap = "";

	buf_puts(out, "{\"name\": ");
	put_string(listener->name, out);
	buf_puts(out, ", \"mode\": ");
	put_string(listener->mode, out);
	buf_printf(out, ", \"port\": %u, \"addresses\": [", listener->port);
	for (size_t i = 0; i < ADDR_FAMILIES; i++) {
		if (!listener->has[i])
			continue;
		buf_puts(out, gap);
		put_string(addr_format(listener->addr[i], text), out);
		gap = ", ";
	}
	buf_printf(out, "], \"protocols\": [%s%s%s], \"on_this_host\": %s}",
		   listener->tcp ? "\"tcp\"" : "", listener->tcp && listener->udp ? ", " : "",
		   listener->udp ? "\"udp\"" : "", listener->on_this_host ? "true" : "false");
}

static void put_row(const struct ir_row *row, struct buf *out)
{
	buf_puts(out, "{\"listeners\": [");
	for (size_t i = 0; i < row->count; i++) {
		buf_puts(out, i ? ", " : "");
		put_string(row->listeners[i].name, out);
	}
	buf_puts(out, "], \"listener\": ");
	put_string(row->listeners[row->chosen].name, out);
	buf_putc(out, '}');
}

static void put_head(const struct emit_job *job, struct buf *out)
{
	const struct ir *ir = job->ir;

	buf_puts(out, "{\n  \"policy\": ");
	put_string(job->policy, out);
	buf_puts(out, ",\n  \"name\": ");
	put_string(ir->name, out);
	buf_printf(out, ",\n  \"digest\": \"%016" PRIx64 "\"", ir->digest);
	buf_puts(out, ",\n  \"nft_table\": {\"family\": \"inet\", \"name\": ");
	put_string(ir->table, out);
	buf_printf(out, "},\n  \"protocol\": %" PRIu32 ",\n  \"mark_mask\": %" PRIu32, ir->protocol,
		   ir->mark_mask);
	buf_printf(out, ",\n  \"priorities\": {\"first\": %" PRIu32 ", \"last\": %" PRIu32 "}",
		   ir->priority_first, ir->priority_last);
}

/* One list of the ir: a key, and every item by its own function. */
#define PUT_LIST(key, items, count, put)               \
	do {                                           \
		buf_puts(out, ",\n  \"" key "\": [");  \
		for (size_t i = 0; i < (count); i++) { \
			put_item(i, out);              \
			put(&(items)[i], out);         \
		}                                      \
		put_list_end(count, out);              \
	} while (0)

static void put_counter(const char *const *counter, struct buf *out)
{
	put_string(*counter, out);
}

void emit_json_put(const struct emit_job *job, struct buf *out)
{
	const struct ir *ir = job->ir;

	put_head(job, out);
	PUT_LIST("ways", ir->classes, ir->class_count, put_class);
	PUT_LIST("ip_rules", ir->ip_rules, ir->ip_rule_count, put_ip_rule);
	PUT_LIST("sets", ir->sets, ir->set_count, put_set);
	PUT_LIST("listeners", ir->listeners, ir->listener_count, put_listener);
	if (ir->row_count)
		PUT_LIST("rows", ir->rows, ir->row_count, put_row);
	PUT_LIST("counters", (const char *const *)ir->counters, ir->counter_count, put_counter);
	buf_puts(out, "\n}\n");
}
