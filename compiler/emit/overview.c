/*
 * overview: the head of the text outputs. In goes a finished ir, out come '#' lines that say where
 * the file came from and which marks, ip rule priorities and routing tables the policy has.
 */
#include "emit/overview.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "emit/emit.h"
#include "emit/text.h"
#include "ir/ir.h"

void overview_put_origin(const struct emit_job *job, const char *suffix, struct buf *out)
{
	buf_puts(out, "# ");
	text_put_comment(out, job->stem);
	buf_printf(out, "%s: written by tpc from ", suffix);
	text_put_comment(out, job->policy);
	buf_puts(out, "; change that and compile again, not this file.\n");
}

void overview_put_class(const struct ir_class *class, struct buf *out)
{
	switch (class->kind) {
	case IR_CLASS_PROXY:
		buf_printf(out, "%s port %u", class->listener_mode, class->port);
		return;
	case IR_CLASS_ROUTE:
		buf_puts(out, "the table's routes");
		return;
	case IR_CLASS_MARK:
		buf_puts(out, "only the mark");
		return;
	case IR_CLASS_REPLY:
		buf_puts(out, "replies of connections that came in through it");
		return;
	case IR_CLASS_SYN:
		buf_puts(out, "the table's routes, for what begins TCP connections of this host");
		return;
	case IR_CLASS_DIRECT:
		buf_puts(out, "what is left alone, where unmarked packets are refused");
		return;
	case IR_CLASS_ANSWER:
		buf_puts(out, "echo requests that this host answers");
		return;
	case IR_CLASS_MEMBER:
		buf_printf(out, "the table's routes, %s first: connections that it has taken",
			   strrchr(class->name, '/') + 1);
		return;
	case IR_CLASS_INBOUND:
		buf_puts(out,
			 "the table's routes, for what comes in by an uplink or is translated");
		return;
	}
}

static void put_number(uint32_t number, struct buf *out)
{
	char text[16] = "-";

	if (number)
		snprintf(text, sizeof(text), "%" PRIu32, number);
	buf_printf(out, "  %-7s", text);
}

static void put_class(const struct ir_class *class, struct buf *out)
{
	size_t start = out->length;

	buf_puts(out, "#   ");
	text_put_comment(out, class->name);
	for (size_t width = out->length - start; width < 20; width++)
		buf_putc(out, ' ');
	buf_printf(out, "  0x%08" PRIx32 "/0x%08" PRIx32, class->mark, class->mask);
	put_number(class->priority, out);
	put_number(class->table, out);
	buf_puts(out, "  ");
	overview_put_class(class, out);
	buf_putc(out, '\n');
}

static void put_rows(const struct ir *ir, struct buf *out)
{
	for (size_t i = 0; i < ir->row_count; i++) {
		const struct ir_row *row = &ir->rows[i];

		buf_puts(out, "#   in a row: ");
		for (size_t k = 0; k < row->count; k++)
			buf_printf(out, "%s%s", k ? ", else " : "", row->listeners[k].name);
		buf_printf(out,
			   ". Here %s is handed it: which one has a socket, only `tpc apply` asks.\n",
			   row->listeners[row->chosen].name);
	}
}

void overview_put(const struct ir *ir, struct buf *out)
{
	buf_puts(out, "# What it takes of the host's numbers:\n");
	if (ir->class_count)
		buf_puts(out,
			 "#   name              mark/mask              ip rule  table    goes to\n");
	for (size_t i = 0; i < ir->class_count; i++)
		put_class(&ir->classes[i], out);
	put_rows(ir, out);
	buf_printf(out, "#   nft table inet %s", ir->table);
	if (ir->ip_rule_count || ir->route_count)
		buf_printf(out, "; ip rules and routes carry protocol %" PRIu32, ir->protocol);
	buf_putc(out, '\n');
}
