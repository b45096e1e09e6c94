/*
 * elements: sets as nft text. In goes a canonical set, out come its elements in ascending order,
 * several a line, each as a prefix where it is one and as first-last where not. One pass over the
 * set.
 */
#include "emit/elements.h"

#include <stdbool.h>
#include <time.h>

#include "base/buf.h"
#include "emit/emit.h"
#include "ir/ir.h"

/* A line is full when the next element might not fit into 100 columns. */
enum { LINE = 100, TAB = 8 };

const char *elements_name(const struct emit_job *job, const struct ir_set *set)
{
	if (!set || !set->base || !job->set_names)
		return set ? set->base : NULL;
	return job->set_names[set - job->ir->sets];
}

static const char *type_words(enum ir_set_type type)
{
	switch (type) {
	case IR_SET_IPV4:
		return "type ipv4_addr";
	case IR_SET_IPV6:
		return "type ipv6_addr";
	case IR_SET_PORT:
		return "type inet_service";
	case IR_SET_TIME:
		return "typeof meta time";
	case IR_SET_LINK:
		return "type ether_addr";
	case IR_SET_FLOW_IPV4:
		return "type ipv4_addr . ipv4_addr . inet_proto . inet_service . inet_service";
	case IR_SET_FLOW_IPV6:
		return "type ipv6_addr . ipv6_addr . inet_proto . inet_service . inet_service";
	}
	return "";
}

/* As nft itself writes it: 1d2h3m4s. */
static void put_duration(uint32_t seconds, struct buf *out)
{
	static const struct {
		uint32_t seconds;
		char unit;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (seconds >= units[i].seconds)
			buf_printf(out, "%u%c", (unsigned int)(seconds / units[i].seconds),
				   units[i].unit);
		seconds %= units[i].seconds;
	}
}

/* The elements of a dynamic set may have times of their own, whether the set gives them one or not.
 */
static void declare_map(const struct ir_set *map, const char *name, struct buf *out)
{
	buf_printf(out, "\tmap %s {\n\t\t%s : verdict\n\t\tflags interval\n\t}\n", name,
		   type_words(map->type));
}

static void put_remark(const struct ir *ir, const struct ir_set *set, struct buf *out)
{
	if (ir_set_holds_flows(set)) {
		buf_puts(out, "\t# filled by the rules below: what it holds stays\n");
	} else if (ir_set_is_learned(set)) {
		buf_puts(out, "\t# filled at run time: what it holds stays\n");
	} else if (set->dynamic) {
		buf_puts(out, "\t# ");
		ir_put_fills(ir, set->base, out);
		buf_puts(out, ", which only the host knows\n");
	}
}

void elements_declare(const struct emit_job *job, const struct ir_set *set, struct buf *out)
{
	const char *name = elements_name(job, set);

	if (set->targets) {
		declare_map(set, name, out);
		return;
	}
	put_remark(job->ir, set, out);
	buf_printf(out, "\tset %s {\n\t\t%s\n", name, type_words(set->type));
	if (set->size)
		buf_printf(out, "\t\tsize %u\n", (unsigned int)set->size);
	buf_printf(out, "\t\tflags %s%s\n", ir_set_holds_flows(set) ? "dynamic" : "interval",
		   set->dynamic ? ", timeout" : "");
	if (set->timeout) {
		buf_puts(out, "\t\ttimeout ");
		put_duration(set->timeout, out);
		buf_putc(out, '\n');
	}
	buf_puts(out, "\t}\n");
}

static void put_port(struct interval ports, struct buf *out)
{
	buf_printf(out, "%u", (unsigned int)ports.first.low);
	if (!interval_is_one(ports))
		buf_printf(out, "-%u", (unsigned int)ports.last.low);
}

static void put_moment(uint64_t seconds, struct buf *out)
{
	time_t moment = (time_t)seconds;
	struct tm local;

	/* The seconds are local time already. */
	gmtime_r(&moment, &local);
	buf_printf(out, "\"%04d-%02d-%02d %02d:%02d:%02d\"", local.tm_year + 1900, local.tm_mon + 1,
		   local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
}

/*
 * nft takes this for local time, too, and counts in nanoseconds: the second after the last is the
 * end.
 */
static void put_window(struct interval window, struct buf *out)
{
	put_moment(window.first.low, out);
	buf_putc(out, '-');
	put_moment(window.last.low + 1, out);
}

static void put_value(enum ir_set_type type, struct interval element, struct buf *out)
{
	switch (type) {
	case IR_SET_IPV4:
		addr_put_interval(out, ADDR_IPV4, element);
		return;
	case IR_SET_IPV6:
		addr_put_interval(out, ADDR_IPV6, element);
		return;
	case IR_SET_PORT:
		put_port(element, out);
		return;
	case IR_SET_TIME:
		put_window(element, out);
		return;
	case IR_SET_LINK:
	case IR_SET_FLOW_IPV4:
	case IR_SET_FLOW_IPV6: /* of those no elements are known */
		return;
	}
}

void elements_put_target(const struct ir_target *target, struct buf *out)
{
	switch (target->verdict) {
	case TARGET_ACCEPT:
		buf_puts(out, "accept");
		return;
	case TARGET_DROP:
		buf_puts(out, "drop");
		return;
	case TARGET_GOTO:
		buf_printf(out, "goto %s", target->chain);
		return;
	case TARGET_JUMP:
		buf_printf(out, "jump %s", target->chain);
		return;
	}
}

static void put_element(const struct ir_set *set, size_t i, struct buf *out)
{
	put_value(set->type, set->elements.items[i], out);
	if (!set->targets)
		return;
	buf_puts(out, " : ");
	elements_put_target(&set->targets[set->leads[i]], out);
}

/* The widest element so far decides when a line is full, so that no element has to be written
 * twice. */
static void put_elements(const struct ir_set *set, struct buf *out)
{
	size_t line = out->length, widest = 0;

	buf_putc(out, '\t');
	for (size_t i = 0; i < set->elements.count; i++) {
		size_t before, width;

		if (i && TAB + out->length - line + widest + 2 > LINE) {
			buf_add(out, ",\n\t", 3);
			line = out->length;
		} else if (i) {
			buf_add(out, ", ", 2);
		}
		before = out->length;
		put_element(set, i, out);
		width = out->length - before;
		widest = width > widest ? width : widest;
	}
	buf_putc(out, '\n');
}

void elements_fill(const struct ir_set *set, const char *table, struct buf *out)
{
	if (set->dynamic && !set->elements.count)
		return;
	if (!set->dynamic)
		buf_printf(out, "flush %s inet %s %s\n", set->targets ? "map" : "set", table,
			   set->base);
	if (set->elements.count == 0)
		return;
	buf_printf(out, "add element inet %s %s {\n", table, set->base);
	put_elements(set, out);
	buf_puts(out, "}\n");
}
