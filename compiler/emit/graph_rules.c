/*
 * graph_rules: the author's rules as rows of the picture, and where their traffic enters.
 *
 * In go the ir and a graph that has its boxes, out come the graph's two lists: a rule about both
 * scopes stands in both, under the same number, so that each list can be read from top to bottom.
 */
#include <string.h>

#include "base/arena.h"
#include "emit/graph_model.h"
#include "ir/ir.h"

struct building {
	struct arena *arena;
	const struct ir *ir;
	struct graph *graph;
};

bool graph_find(const struct graph *graph, enum graph_kind kind, uint64_t number, size_t *out)
{
	for (*out = 0; *out < graph->box_count; ++*out)
		if (graph->boxes[*out].kind == kind && graph->boxes[*out].number == number)
			return true;
	return false;
}

uint64_t graph_mark(uint32_t mark, uint32_t mask)
{
	return (uint64_t)mask << 32 | mark;
}

static const char *notes_of(struct arena *arena, const struct ir_authored *rule)
{
	const char *log = rule->log ? "logged" : "", *count = rule->count ? "counted" : "";

	return arena_printf(arena, "%s%s%s%s%s%s", rule->limit ? "at most " : "",
			    rule->limit ? rule->limit : "",
			    rule->limit && (*log || *count) ? ", " : "", log,
			    *log && *count ? ", " : "", count);
}

static void add_row(struct building *building, struct graph_list *list,
		    const struct ir_authored *rule)
{
	struct graph_row *row = arena_append(building->arena, list->rows, list->row_count);

	row->rule = rule;
	row->notes = notes_of(building->arena, rule);
	row->conditions = *rule->text           ? rule->text
			  : list->row_count > 1 ? "all else"
						: "everything";
	for (size_t i = 0; i < rule->target_count; i++) {
		const struct ir_class *class = rule->targets[i].class;
		struct graph_target target = { .weight = rule->targets[i].weight };
		enum graph_kind kind = !class                          ? GRAPH_MARK
				       : class->kind == IR_CLASS_PROXY ? GRAPH_PROXY
				       : class->kind == IR_CLASS_ROUTE ? GRAPH_ROUTE
								       : GRAPH_MARK;

		if (class && graph_find(building->graph, kind, graph_mark(class->mark, class->mask),
					&target.box))
			*arena_append(building->arena, row->targets, row->target_count) = target;
	}
}

/* An interface as it is named, or a group with what is in it. */
static const char *entry_text(struct building *building, const char *name)
{
	const struct ir *ir = building->ir;

	for (size_t i = 0; i < ir->interface_group_count; i++) {
		const struct ir_group *group = &ir->interface_groups[i];
		const char *text = arena_printf(building->arena, "%s: ", name);

		for (size_t k = 0; k < group->member_count; k++)
			text = arena_printf(building->arena, "%s%s%s", text, k ? ", " : "",
					    group->members[k]);
		if (!strcmp(group->name, name))
			return text;
	}
	return name;
}

static void add_line(struct building *building, struct graph_list *list, const char *text)
{
	for (size_t i = 0; i < list->entry_count; i++)
		if (!strcmp(list->entries[i], text))
			return;
	*arena_append(building->arena, list->entries, list->entry_count) = text;
}

static void add_entries(struct building *building, struct graph_list *list,
			const struct ir_authored *rule)
{
	for (size_t i = 0; i < rule->condition_count; i++) {
		const struct ir_authored_condition *condition = &rule->conditions[i];

		for (size_t k = 0; k < condition->name_count; k++)
			if (!strcmp(condition->key, "in"))
				add_line(building, list, entry_text(building, condition->names[k]));
	}
}

static void add_list(struct building *building, struct graph_list *list, enum ir_scope scope,
		     const struct ir_authored *last)
{
	const struct ir *ir = building->ir;

	for (size_t i = 0; i < ir->authored_count; i++) {
		if (!(ir->authored[i].scopes & scope))
			continue;
		add_row(building, list, &ir->authored[i]);
		add_entries(building, list, &ir->authored[i]);
	}
	add_row(building, list, last);
}

void graph_add_rules(struct arena *arena, const struct ir *ir, struct graph *graph)
{
	struct building building = { arena, ir, graph };
	struct graph_list *through = &graph->lists[0], *own = &graph->lists[1];

	*through = (struct graph_list){ .title = "What passes through", .entry = "from a network" };
	add_list(&building, through, SCOPE_FORWARD, &ir->default_forward);
	add_line(&building, through,
		 through->entry_count ? "any other interface" : "any interface");
	*own = (struct graph_list){ .title = "What this host sends", .entry = "from this host" };
	add_list(&building, own, SCOPE_LOCAL, &ir->default_local);
	add_line(&building, own, "its own programs");
}

/* ---- who sends by a way ---- */

static bool sends_by(const struct graph_row *row, size_t box)
{
	for (size_t i = 0; i < row->target_count; i++)
		if (row->targets[i].box == box)
			return true;
	return false;
}

/* How many rules from this one on have numbers that follow each other, and all send by the box. */
static size_t run_length(const struct graph_list *list, size_t first, size_t box)
{
	size_t count = 1;

	while (first + count < list->row_count && sends_by(&list->rows[first + count], box) &&
	       list->rows[first + count].rule->number == list->rows[first].rule->number + count)
		count++;
	return count;
}

static const char *senders(struct arena *arena, const struct graph_list *list, size_t box)
{
	const char *text = "";

	for (size_t i = 0; i < list->row_count; i++) {
		size_t number = list->rows[i].rule->number, count;

		if (!sends_by(&list->rows[i], box))
			continue;
		count = run_length(list, i, box);
		text = arena_printf(arena, "%s%s", text, *text ? ", " : "");
		text = number ? arena_printf(arena, "%s%zu", text, number)
			      : arena_printf(arena, "%sdefault", text);
		if (count > 1)
			text = arena_printf(arena, "%s-%zu", text, number + count - 1);
		i += count - 1;
	}
	return text;
}

const char *graph_senders(struct arena *arena, const struct graph *graph, size_t box)
{
	const char *through = senders(arena, &graph->lists[0], box);
	const char *own = senders(arena, &graph->lists[1], box);

	if (!*through && !*own)
		return "";
	if (!*own)
		return arena_printf(arena, "rules: %s", through);
	if (!*through)
		return arena_printf(arena, "this host's rules: %s", own);
	return arena_printf(arena, "rules: %s; this host's: %s", through, own);
}
