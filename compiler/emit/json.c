/*
 * json: marks, routing tables, ip rule priorities, set names and listeners of a policy as one JSON
 * object.
 *
 * In goes a finished ir, out comes an object with an item a line. Numbers are decimal; what a thing
 * does not have is null.
 */
#include "emit/json.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/json.h"
#include "emit/emit.h"
#include "ir/ir.h"

static void put_mark(uint32_t value, uint32_t mask, struct json *out)
{
	json_object(out, "mark");
	json_number(out, "value", value);
	json_number(out, "mask", mask);
	json_end(out);
}

static void put_class(const struct ir_class *class, struct json *out)
{
	json_object(out, NULL);
	json_text(out, "name", class->name);
	json_text(out, "kind", ir_class_name(class->kind));
	put_mark(class->mark, class->mask, out);
	json_number_or_null(out, "table", class->table);
	json_number_or_null(out, "ip_rule", class->priority);
	json_end(out);
}

static void put_ip_rule(const struct ir_ip_rule *rule, struct json *out)
{
	json_object(out, NULL);
	json_text(out, "family", rule->family == ADDR_IPV4 ? "ipv4" : "ipv6");
	json_number(out, "priority", rule->priority);
	put_mark(rule->mark, rule->mask, out);
	json_text(out, "action", ir_action_name(rule->action));
	json_number_or_null(out, "table", rule->action == IR_RULE_LOOKUP ? rule->table : 0);
	json_bool(out, "suppress_default", rule->shortest);
	if (rule->iif)
		json_text(out, "iif", rule->iif);
	if (rule->oif)
		json_text(out, "oif", rule->oif);
	json_end(out);
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

static void put_set(const struct ir_set *set, struct json *out)
{
	json_object(out, NULL);
	json_text(out, "name", set->base);
	json_text(out, "nft", set->base);
	json_text(out, "type", set_type(set->type));
	json_number(out, "intervals", set->elements.count);
	if (set->targets)
		json_bool(out, "map", true);
	if (set->dynamic) {
		json_bool(out, "dynamic", true);
		json_number_or_null(out, "timeout", set->timeout);
		json_number_or_null(out, "size", set->size);
	}
	json_end(out);
}

static void put_listener(const struct ir_listener *listener, struct json *out)
{
	char text[ADDR_TEXT];

	json_object(out, NULL);
	json_text(out, "name", listener->name);
	json_text(out, "mode", listener->mode);
	json_number(out, "port", listener->port);
	json_list(out, "addresses");
	for (size_t i = 0; i < ADDR_FAMILIES; i++)
		if (listener->has[i])
			json_text(out, NULL, addr_format(listener->addr[i], text));
	json_end(out);
	json_list(out, "protocols");
	if (listener->tcp)
		json_text(out, NULL, "tcp");
	if (listener->udp)
		json_text(out, NULL, "udp");
	json_end(out);
	json_bool(out, "on_this_host", listener->on_this_host);
	json_end(out);
}

static void put_row(const struct ir_row *row, struct json *out)
{
	json_object(out, NULL);
	json_list(out, "listeners");
	for (size_t i = 0; i < row->count; i++)
		json_text(out, NULL, row->listeners[i].name);
	json_end(out);
	json_text(out, "listener", row->listeners[row->chosen].name);
	json_end(out);
}

static void put_head(const struct emit_job *job, struct json *out)
{
	const struct ir *ir = job->ir;
	char digest[17];

	snprintf(digest, sizeof(digest), "%016" PRIx64, ir->digest);
	json_text(out, "policy", job->policy);
	json_text(out, "name", ir->name);
	json_text(out, "digest", digest);
	json_object(out, "nft_table");
	json_text(out, "family", "inet");
	json_text(out, "name", ir->table);
	json_end(out);
	json_number(out, "protocol", ir->protocol);
	json_number(out, "mark_mask", ir->mark_mask);
	json_object(out, "priorities");
	json_number(out, "first", ir->priority_first);
	json_number(out, "last", ir->priority_last);
	json_end(out);
}

/* One list of the ir: a key, and every item by its own function. */
#define PUT_LIST(out, key, items, count, put)        \
	do {                                         \
		json_list(out, key);                 \
		for (size_t i = 0; i < (count); i++) \
			put(&(items)[i], out);       \
		json_end(out);                       \
	} while (0)

static void put_counter(const char *const *counter, struct json *out)
{
	json_text(out, NULL, *counter);
}

void emit_json_put(const struct emit_job *job, struct buf *text)
{
	struct json out = { .out = text, .is_wide = true };
	const struct ir *ir = job->ir;

	json_object(&out, NULL);
	put_head(job, &out);
	PUT_LIST(&out, "ways", ir->classes, ir->class_count, put_class);
	PUT_LIST(&out, "ip_rules", ir->ip_rules, ir->ip_rule_count, put_ip_rule);
	PUT_LIST(&out, "sets", ir->sets, ir->set_count, put_set);
	PUT_LIST(&out, "listeners", ir->listeners, ir->listener_count, put_listener);
	if (ir->row_count)
		PUT_LIST(&out, "rows", ir->rows, ir->row_count, put_row);
	PUT_LIST(&out, "counters", (const char *const *)ir->counters, ir->counter_count,
		 put_counter);
	json_end(&out);
	buf_putc(text, '\n');
}
