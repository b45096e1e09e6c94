/*
 * graph_mermaid: the picture as a Mermaid flowchart, which wikis draw by themselves.
 *
 * In goes a finished ir, out comes a flowchart from left to right. A list of rules is one node with
 * a line a rule, since Mermaid would order nodes of their own as it likes; a way names the rules
 * that send by it. Identifiers are ours; of texts every character that could mean anything to
 * Mermaid, Markdown or HTML is written as its number.
 */
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "emit/emit.h"
#include "emit/graph.h"
#include "emit/graph_model.h"
#include "emit/graph_text.h"
#include "ir/ir.h"

/* In characters. */
enum { ROW_WIDTH = 72, BOX_WIDTH = 44 };

static bool means_nothing(char c)
{
	return (unsigned char)c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || strchr(" ,.:/-", c);
}

static void put_escaped(const char *text, struct buf *out)
{
	for (; *text; text++) {
		if (means_nothing(*text))
			buf_putc(out, *text);
		else
			buf_printf(out, "#%u;", (unsigned char)*text);
	}
}

/* Lines of a node's text. */
struct lines {
	struct buf *out;
	const char *begin; /* of the next line */
	const char *later; /* of those after it */
};

static void put_line(const char *line, void *user)
{
	struct lines *lines = user;

	buf_puts(lines->out, lines->begin);
	put_escaped(line, lines->out);
	lines->begin = lines->later;
}

static void put_box(struct arena *arena, const struct graph *graph, size_t index, struct buf *out)
{
	const struct graph_box *box = &graph->boxes[index];
	static const char *const classes[] = {
		"proxy", "route", "mark", "table", "listener", "link"
	};
	struct lines lines = { .out = out, .begin = "", .later = "<br/>" };

	buf_printf(out, "  box%zu[\"", index);
	graph_wrap(box->title, BOX_WIDTH, put_line, &lines);
	for (size_t i = 0; i < box->line_count; i++)
		graph_wrap(box->lines[i], BOX_WIDTH, put_line, &lines);
	graph_wrap(graph_senders(arena, graph, index), BOX_WIDTH, put_line, &lines);
	buf_printf(out, "\"]:::%s\n", classes[box->kind]);
}

/* "3: the name: to foreign, tcp = proxy px (logged)" */
static const char *row_text(struct arena *arena, const struct graph_row *row)
{
	const struct ir_authored *rule = row->rule;
	const char *text = rule->number ? arena_printf(arena, "%zu: ", rule->number) : "default: ";

	if (rule->name)
		text = arena_printf(arena, "%s%s: ", text, rule->name);
	text = arena_printf(arena, "%s%s \u2192 %s", text, row->conditions, rule->then_text);
	return *row->notes ? arena_printf(arena, "%s (%s)", text, row->notes) : text;
}

static void put_list(struct arena *arena, const struct graph_list *list, size_t index,
		     struct buf *out)
{
	/* Lines that go on are indented. */
	struct lines lines = { .out = out, .begin = "<br/>", .later = "<br/>#160;#160;#160;#160;" };
	struct lines entries = { .out = out, .begin = "<br/>", .later = "<br/>" };

	buf_printf(out, "  entry%zu([\"%s", index, list->entry);
	for (size_t i = 0; i < list->entry_count; i++)
		graph_wrap(list->entries[i], BOX_WIDTH, put_line, &entries);
	buf_printf(out, "\"]):::link\n  list%zu[\"%s: the first rule that fits", index,
		   list->title);
	for (size_t i = 0; i < list->row_count; i++) {
		lines.begin = "<br/>";
		graph_wrap(row_text(arena, &list->rows[i]), ROW_WIDTH, put_line, &lines);
	}
	buf_printf(out, "\"]:::list\n  entry%zu --> list%zu\n", index, index);
}

/* ---- arrows ---- */

/* Does any rule of the list send by the box? */
static bool sends(const struct graph_list *list, size_t box)
{
	for (size_t i = 0; i < list->row_count; i++)
		for (size_t k = 0; k < list->rows[i].target_count; k++)
			if (list->rows[i].targets[k].box == box)
				return true;
	return false;
}

static bool is_led_to(const struct graph *graph, size_t box)
{
	for (size_t i = 0; i < graph->arrow_count; i++)
		if (graph->arrows[i].to == box)
			return true;
	return false;
}

/* A table that only answers is moved from the first column to where the others are. */
static void put_aside(const struct graph *graph, struct buf *out)
{
	size_t way = 0;

	while (way < graph->box_count && !graph_is_way(&graph->boxes[way]))
		way++;
	for (size_t i = 0; way < graph->box_count && i < graph->box_count; i++)
		if (graph->boxes[i].kind == GRAPH_TABLE && !is_led_to(graph, i))
			buf_printf(out, "  box%zu ~~~ box%zu\n", way, i);
}

static void put_arrows(const struct graph *graph, struct buf *out)
{
	for (size_t list = 0; list < 2; list++)
		for (size_t box = 0; box < graph->box_count; box++)
			if (sends(&graph->lists[list], box))
				buf_printf(out, "  list%zu --> box%zu\n", list, box);
	for (size_t i = 0; i < graph->arrow_count; i++) {
		const struct graph_arrow *arrow = &graph->arrows[i];

		if (arrow->label)
			buf_printf(out, "  box%zu -- \"%s\" --> box%zu\n", arrow->from,
				   arrow->label, arrow->to);
		else
			buf_printf(out, "  box%zu --> box%zu\n", arrow->from, arrow->to);
	}
}

void graph_put_mermaid(const struct emit_job *job, struct buf *out)
{
	struct arena *arena = arena_new();
	struct graph graph = graph_build(arena, job->ir);

	/* Mermaid breaks lines by itself otherwise, and centres them. */
	buf_puts(out, "%%{init: {\"flowchart\": {\"wrappingWidth\": 900}}}%%\nflowchart LR\n");
	for (size_t i = 0; i < 2; i++)
		put_list(arena, &graph.lists[i], i, out);
	for (size_t i = 0; i < graph.box_count; i++)
		put_box(arena, &graph, i, out);
	put_arrows(&graph, out);
	put_aside(&graph, out);
	buf_puts(out,
		 "  classDef list fill:#ffffff,stroke:#333333,color:#000000,text-align:left\n"
		 "  classDef proxy fill:#cfe2f3,stroke:#333333,color:#000000\n"
		 "  classDef route fill:#d9ead3,stroke:#333333,color:#000000\n"
		 "  classDef mark fill:#fff2cc,stroke:#333333,color:#000000\n"
		 "  classDef table fill:#ffffff,stroke:#333333,color:#000000\n"
		 "  classDef listener fill:#ffffff,stroke:#000000,color:#000000,stroke-width:2px\n"
		 "  classDef link fill:#eeeeee,stroke:#333333,color:#000000\n");
	arena_free(arena);
}
