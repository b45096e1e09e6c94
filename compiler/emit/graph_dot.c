/*
 * graph_dot: the picture in Graphviz' language.
 *
 * In goes a finished ir, out comes a digraph from left to right. A list of rules is one node, a
 * table with a row a rule, so that their order is seen; arrows leave from a row's last cell. Every
 * label is an HTML-like one with its text escaped; identifiers are ours and hold numbers alone.
 * Colours only repeat what words say, and arrows differ by their style too, for grey paper.
 */
#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "emit/emit.h"
#include "emit/graph.h"
#include "emit/graph_model.h"
#include "emit/graph_text.h"
#include "ir/ir.h"

/* In characters. */
enum { ROW_WIDTH = 58, THEN_WIDTH = 26, BOX_WIDTH = 44 };

/* ---- escaped text ---- */

static void put_escaped(const char *text, struct buf *out)
{
	for (; *text; text++) {
		if (*text == '&')
			buf_puts(out, "&amp;");
		else if (*text == '<')
			buf_puts(out, "&lt;");
		else if (*text == '>')
			buf_puts(out, "&gt;");
		else if (*text == '"')
			buf_puts(out, "&quot;");
		else if (*text == '\'')
			buf_puts(out, "&#39;");
		else
			buf_putc(out, *text);
	}
}

/* A line, and the end of the one before it. */
struct lines {
	struct buf *out;
	const char *begin, *end; /* around each */
	bool is_first;
};

static void put_line(const char *line, void *user)
{
	struct lines *lines = user;

	buf_puts(lines->out, lines->is_first ? "" : "<BR ALIGN=\"LEFT\"/>");
	lines->is_first = false;
	buf_puts(lines->out, lines->begin);
	put_escaped(line, lines->out);
	buf_puts(lines->out, lines->end);
}

/* Text in lines after what is in the label already. */
static void put_text(struct lines *lines, const char *text, size_t width, const char *begin,
		     const char *end)
{
	lines->begin = begin;
	lines->end = end;
	graph_wrap(text, width, put_line, lines);
}

static void end_text(const struct lines *lines)
{
	if (!lines->is_first)
		buf_puts(lines->out, "<BR ALIGN=\"LEFT\"/>");
}

/* ---- lists of rules ---- */

static const char *then_style(enum ir_authored_then then)
{
	switch (then) {
	case IR_THEN_DIRECT:
		return "#ffffff";
	case IR_THEN_DROP:
	case IR_THEN_REJECT:
		return "#4d4d4d";
	case IR_THEN_PROXY:
		return "#cfe2f3";
	case IR_THEN_ROUTE:
	case IR_THEN_BALANCE:
		return "#d9ead3";
	case IR_THEN_MARK:
	case IR_THEN_ANSWER:
	case IR_THEN_CONTINUE:
		return "#fff2cc";
	}
	return "#ffffff";
}

static bool refuses(enum ir_authored_then then)
{
	return then == IR_THEN_DROP || then == IR_THEN_REJECT;
}

static void put_number(const struct ir_authored *rule, struct buf *out)
{
	buf_puts(out, "    <TR><TD VALIGN=\"TOP\" WIDTH=\"44\">");
	if (rule->number)
		buf_printf(out, "%zu", rule->number);
	else
		buf_puts(out, "<I>default</I>");
	buf_puts(out, "</TD>");
}

static void put_row(const struct graph_row *row, size_t index, struct buf *out)
{
	const struct ir_authored *rule = row->rule;
	struct lines label = { .out = out, .is_first = true };
	struct lines then = { .out = out, .is_first = true };

	put_number(rule, out);
	buf_puts(out, "<TD ALIGN=\"LEFT\" BALIGN=\"LEFT\" WIDTH=\"260\">");
	if (rule->name)
		put_text(&label, rule->name, ROW_WIDTH, "<B>", "</B>");
	put_text(&label, row->conditions, ROW_WIDTH, "", "");
	put_text(&label, row->notes, ROW_WIDTH, "<I>", "</I>");
	buf_printf(out,
		   "</TD><TD PORT=\"r%zu\" ALIGN=\"LEFT\" BALIGN=\"LEFT\" WIDTH=\"110\" BGCOLOR=\"%s\">",
		   index, then_style(rule->then));
	if (refuses(rule->then))
		put_text(&then, rule->then_text, THEN_WIDTH, "<FONT COLOR=\"#ffffff\">", "</FONT>");
	else
		put_text(&then, rule->then_text, THEN_WIDTH, "", "");
	buf_puts(out, "</TD></TR>\n");
}

static void put_list(const struct graph_list *list, size_t index, struct buf *out)
{
	struct lines entry = { .out = out, .is_first = true };

	buf_printf(out,
		   "  entry%zu [shape=box, style=\"filled,rounded\", fillcolor=\"#eeeeee\", label=<",
		   index);
	put_text(&entry, list->entry, BOX_WIDTH, "<B>", "</B>");
	for (size_t i = 0; i < list->entry_count; i++)
		put_text(&entry, list->entries[i], BOX_WIDTH, "", "");
	end_text(&entry);
	buf_printf(out,
		   ">];\n  list%zu [shape=plain, label=<\n"
		   "    <TABLE BORDER=\"0\" CELLBORDER=\"1\" CELLSPACING=\"0\" CELLPADDING=\"5\">\n"
		   "    <TR><TD PORT=\"top\" COLSPAN=\"3\" ALIGN=\"LEFT\" BGCOLOR=\"#eeeeee\"><B>%s</B>"
		   ": the first rule that fits</TD></TR>\n",
		   index, list->title);
	for (size_t i = 0; i < list->row_count; i++)
		put_row(&list->rows[i], i, out);
	buf_printf(out, "    </TABLE>>];\n  entry%zu:e -> list%zu:top:w [weight=100];\n", index,
		   index);
}

/* ---- boxes and arrows ---- */

static const char *box_style(enum graph_kind kind)
{
	switch (kind) {
	case GRAPH_PROXY:
		return "shape=box, style=filled, fillcolor=\"#cfe2f3\"";
	case GRAPH_ROUTE:
		return "shape=box, style=filled, fillcolor=\"#d9ead3\"";
	case GRAPH_MARK:
		return "shape=box, style=filled, fillcolor=\"#fff2cc\"";
	case GRAPH_TABLE:
		return "shape=box, style=\"rounded\"";
	case GRAPH_LISTENER:
		return "shape=box, style=\"rounded,bold\"";
	case GRAPH_LINK:
		return "shape=box, style=\"filled,rounded\", fillcolor=\"#eeeeee\"";
	}
	return "";
}

static void put_box(struct arena *arena, const struct graph *graph, size_t index, struct buf *out)
{
	const struct graph_box *box = &graph->boxes[index];
	struct lines lines = { .out = out, .is_first = true };

	buf_printf(out, "  box%zu [%s, label=<", index, box_style(box->kind));
	put_text(&lines, box->title, BOX_WIDTH, "<B>", "</B>");
	for (size_t i = 0; i < box->line_count; i++)
		put_text(&lines, box->lines[i], BOX_WIDTH, "", "");
	put_text(&lines, graph_senders(arena, graph, index), BOX_WIDTH, "<I>", "</I>");
	end_text(&lines);
	buf_puts(out, ">];\n");
}

/* Arrows of different ways differ in colour and style: dark colours that colour-blind people can
 * tell, too (Okabe and Ito). */
static const char *arrow_style(const struct graph *graph, size_t box)
{
	static const char *const styles[] = {
		"color=\"#0072b2\"",
		"color=\"#d55e00\", style=dashed, penwidth=1.3",
		"color=\"#009e73\", style=bold",
		"color=\"#7a4b94\", style=dotted, penwidth=1.8",
		"color=\"#000000\"",
		"color=\"#b8860b\", style=dashed, penwidth=1.3",
		"color=\"#56748a\", style=bold",
		"color=\"#a23b5b\", style=dotted, penwidth=1.8",
	};

	size_t ways = 0;

	for (size_t i = 0; i < box; i++)
		ways += graph_is_way(&graph->boxes[i]);
	return styles[ways % (sizeof(styles) / sizeof(styles[0]))];
}

static void put_targets(const struct graph *graph, size_t index, struct buf *out)
{
	const struct graph_list *list = &graph->lists[index];

	for (size_t i = 0; i < list->row_count; i++)
		for (size_t k = 0; k < list->rows[i].target_count; k++) {
			const struct graph_target *target = &list->rows[i].targets[k];

			buf_printf(out, "  list%zu:r%zu:e -> box%zu:w [%s", index, i, target->box,
				   arrow_style(graph, target->box));
			if (target->weight)
				buf_printf(out, ", label=\"%" PRIu32 "\"", target->weight);
			buf_puts(out, "];\n");
		}
}

/* Arrows of a way begin in one point: the places in its order stand where they end, in its colour,
 * in degrees off the arrow, so that those of several ways lie beside each other. */
static int label_angle(const struct graph *graph, size_t index)
{
	static const int angles[] = { 25, -25, 60, -60 };
	size_t before = 0;

	for (size_t i = 0; i < index; i++)
		before += graph->arrows[i].to == graph->arrows[index].to && graph->arrows[i].label;
	return angles[before % (sizeof(angles) / sizeof(angles[0]))];
}

static void put_arrows(const struct graph *graph, struct buf *out)
{
	for (size_t i = 0; i < graph->arrow_count; i++) {
		const struct graph_arrow *arrow = &graph->arrows[i];
		size_t colour = graph_is_way(&graph->boxes[arrow->from]) ? arrow->from : arrow->to;
		const char *style;

		style = graph_is_way(&graph->boxes[colour]) ? arrow_style(graph, colour)
							    : "color=\"#000000\"";
		buf_printf(out, "  box%zu:e -> box%zu:w [%s", arrow->from, arrow->to, style);
		if (arrow->label)
			buf_printf(out,
				   ", headlabel=\"%s\", labeldistance=2.2, labelangle=%d, labelfont%.*s",
				   arrow->label, label_angle(graph, i), (int)strcspn(style, ","),
				   style);
		buf_puts(out, "];\n");
	}
}

/* Boxes of a column stand in one, also those that nothing leads to. */
static void put_column(const struct graph *graph, bool (*is_in)(const struct graph_box *box),
		       struct buf *out)
{
	buf_puts(out, "  { rank=same;");
	for (size_t i = 0; i < graph->box_count; i++)
		if (is_in(&graph->boxes[i]))
			buf_printf(out, " box%zu;", i);
	buf_puts(out, " }\n");
}

static bool is_after_way(const struct graph_box *box)
{
	return box->kind == GRAPH_TABLE || box->kind == GRAPH_LISTENER;
}

static bool is_link(const struct graph_box *box)
{
	return box->kind == GRAPH_LINK;
}

/* Between columns, in inches: many arrows need room to part. */
static const char *room_for(const struct graph *graph)
{
	size_t arrows = 0;

	for (size_t list = 0; list < 2; list++)
		for (size_t i = 0; i < graph->lists[list].row_count; i++)
			arrows += graph->lists[list].rows[i].target_count;
	return arrows > 24 ? "2" : arrows > 8 ? "1.4" : "0.9";
}

void graph_put_dot(const struct emit_job *job, struct buf *out)
{
	struct arena *arena = arena_new();
	struct graph graph = graph_build(arena, job->ir);
	struct lines title = { .out = out, .is_first = true };

	buf_printf(out,
		   "digraph policy {\n"
		   "  graph [rankdir=LR, ranksep=\"%s\", nodesep=\"0.25\", labelloc=t, labeljust=l,\n",
		   room_for(&graph));
	buf_puts(out,
		 "    charset=\"UTF-8\", fontname=\"Helvetica,Arial,sans-serif\", fontsize=16, label=<");
	put_text(&title, arena_printf(arena, "policy %s, from %s", job->ir->name, job->policy),
		 2 * ROW_WIDTH, "<B>", "</B>");
	end_text(&title);
	buf_puts(out,
		 ">];\n"
		 "  node [fontname=\"Helvetica,Arial,sans-serif\", fontsize=11, margin=\"0.15,0.08\"];\n"
		 "  edge [fontname=\"Helvetica,Arial,sans-serif\", fontsize=10, arrowsize=0.7];\n");
	for (size_t i = 0; i < 2; i++)
		put_list(&graph.lists[i], i, out);
	/* What passes through stands above. */
	buf_puts(out, "  { rank=same; entry0 -> entry1 [style=invis]; }\n"
		      "  { rank=same; list0 -> list1 [style=invis]; }\n");
	for (size_t i = 0; i < graph.box_count; i++)
		put_box(arena, &graph, i, out);
	put_column(&graph, graph_is_way, out);
	put_column(&graph, is_after_way, out);
	put_column(&graph, is_link, out);
	for (size_t i = 0; i < 2; i++)
		put_targets(&graph, i, out);
	put_arrows(&graph, out);
	buf_puts(out, "}\n");
	arena_free(arena);
}
