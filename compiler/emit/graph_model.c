/*
 * graph_model: collects what the picture shows (see graph_model.h).
 *
 * In goes a finished ir. Boxes come out in the ir's order, so that the same policy gives the same
 * picture.
 */
#include "emit/graph_model.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "emit/ipbatch.h"
#include "ir/ir.h"

/* Of a table's routes so many are shown. */
enum { ROUTES_SHOWN = 6 };

struct building {
	struct arena *arena;
	const struct ir *ir;
	struct graph graph;
};

bool graph_is_way(const struct graph_box *box)
{
	return box->kind == GRAPH_PROXY || box->kind == GRAPH_ROUTE || box->kind == GRAPH_MARK;
}

/* ---- boxes ---- */

static size_t add_box(struct building *building, enum graph_kind kind, uint64_t number,
		      const char *title)
{
	struct graph *graph = &building->graph;

	*arena_append(building->arena, graph->boxes, graph->box_count) =
		(struct graph_box){ .kind = kind, .number = number, .title = title };
	return graph->box_count - 1;
}

static void add_line(struct building *building, size_t box, const char *line)
{
	struct graph_box *to = &building->graph.boxes[box];

	*arena_append(building->arena, to->lines, to->line_count) = line;
}

static bool has_line(const struct graph_box *box, const char *line)
{
	for (size_t i = 0; i < box->line_count; i++)
		if (!strcmp(box->lines[i], line))
			return true;
	return false;
}

static void add_arrow(struct building *building, size_t from, size_t to, const char *label)
{
	struct graph *graph = &building->graph;

	for (size_t i = 0; i < graph->arrow_count; i++)
		if (graph->arrows[i].from == from && graph->arrows[i].to == to)
			return;
	*arena_append(building->arena, graph->arrows, graph->arrow_count) =
		(struct graph_arrow){ from, to, label };
}

/* ---- tables and their links ---- */

static void add_link(struct building *building, size_t table, const char *dev)
{
	struct graph *graph = &building->graph;
	size_t box;

	for (box = 0; box < graph->box_count; box++)
		if (graph->boxes[box].kind == GRAPH_LINK && !strcmp(graph->boxes[box].title, dev))
			break;
	if (box == graph->box_count)
		box = add_box(building, GRAPH_LINK, box, dev);
	add_arrow(building, table, box, NULL);
}

static void add_route(struct building *building, size_t table, const struct ir_route *route,
		      size_t *shown)
{
	struct buf text = { 0 };

	ipbatch_put_route(route, 0, &text);
	if (!has_line(&building->graph.boxes[table], buf_text(&text)) && (*shown)++ < ROUTES_SHOWN)
		add_line(building, table, buf_keep(building->arena, &text));
	buf_free(&text);
	for (size_t i = 0; i < route->hop_count; i++)
		if (route->hops[i].dev)
			add_link(building, table, route->hops[i].dev);
}

static void add_translation(struct building *building, size_t box, const struct ir_table *table)
{
	struct arena *arena = building->arena;
	char text[ADDR_TEXT];

	if (table->masquerades[ADDR_IPV4] || table->masquerades[ADDR_IPV6])
		add_line(building, box,
			 arena_printf(arena, "masquerade%s",
				      !table->masquerades[ADDR_IPV6]   ? ", IPv4 only"
				      : !table->masquerades[ADDR_IPV4] ? ", IPv6 only"
								       : ""));
	for (size_t i = 0; i < table->npt_count; i++) {
		char outside[ADDR_TEXT];

		add_line(building, box,
			 arena_printf(arena, "%s is %s outside",
				      addr_format_prefix(table->npts[i].inside, text),
				      addr_format_prefix(table->npts[i].outside, outside)));
	}
	for (int family = 0; family < ADDR_FAMILIES; family++)
		if (table->has_snat[family])
			add_line(building, box,
				 arena_printf(arena, "source becomes %s",
					      addr_format(table->snat[family], text)));
	if (table->clamp_mss == 0)
		add_line(building, box, "TCP segments fit the route");
	if (table->clamp_mss > 0)
		add_line(building, box,
			 arena_printf(arena, "TCP segments of at most %" PRId64 " bytes",
				      table->clamp_mss));
	if (table->strict)
		add_line(building, box, "strict: by no other interface");
}

/* What sockets that are bound to its interface send, and the rule by it. */
static void add_bound(struct building *building, size_t box, const struct ir_table *table)
{
	const struct ir *ir = building->ir;

	for (size_t i = 0; i < ir->ip_rule_count; i++)
		if (ir->ip_rules[i].oif && ir->ip_rules[i].table == table->id)
			add_line(building, box,
				 arena_printf(building->arena,
					      "ip rule %" PRIu32 ": IPv6 of sockets bound to %s",
					      ir->ip_rules[i].priority, ir->ip_rules[i].oif));
}

static void add_table(struct building *building, const struct ir_table *table)
{
	const struct ir *ir = building->ir;
	struct arena *arena = building->arena;
	size_t box = add_box(building, GRAPH_TABLE, table->id,
			     arena_printf(arena, "table %s", table->name));
	size_t shown = 0;

	add_line(building, box, arena_printf(arena, "id %" PRIu32, table->id));
	for (size_t i = 0; i < ir->route_count; i++)
		if (ir->routes[i].table == table->id)
			add_route(building, box, &ir->routes[i], &shown);
	if (shown > ROUTES_SHOWN)
		add_line(building, box,
			 arena_printf(arena, "and %zu more routes", shown - ROUTES_SHOWN));
	add_translation(building, box, table);
	add_bound(building, box, table);
}

/* ---- listeners ---- */

static void put_addresses(const struct ir_listener *listener, struct buf *out)
{
	char text[ADDR_TEXT];

	if (!strcmp(listener->mode, "redirect")) {
		buf_printf(out, " to port %u", listener->port);
		return;
	}
	for (int family = 0, count = 0; family < ADDR_FAMILIES; family++)
		if (listener->has[family])
			buf_printf(out, family == ADDR_IPV6 ? "%s[%s]:%u" : "%s%s:%u",
				   count++ ? ", " : " to ",
				   addr_format(listener->addr[family], text), listener->port);
}

static void add_listener(struct building *building, size_t way, const char *name)
{
	const struct ir *ir = building->ir;

	for (size_t i = 0; i < ir->listener_count; i++) {
		const struct ir_listener *listener = &ir->listeners[i];
		struct buf text = { 0 };
		size_t box;

		if (strcmp(listener->name, name))
			continue;
		box = add_box(building, GRAPH_LISTENER, i,
			      arena_printf(building->arena, "listener %s", name));
		buf_puts(&text, listener->mode);
		put_addresses(listener, &text);
		add_line(building, box, buf_keep(building->arena, &text));
		add_line(building, box,
			 listener->tcp && listener->udp ? "tcp, udp"
			 : listener->tcp                ? "tcp"
							: "udp");
		add_line(building, box,
			 listener->on_this_host ? "on this host" : "on another host");
		add_arrow(building, way, box, NULL);
	}
}

/* ---- ways ---- */

static bool is_of(const struct ir_ip_rule *rule, const struct ir_class *class)
{
	return rule->mark == class->mark && rule->mask == class->mask;
}

/* The families that the way has ip rules in, a bit each; or those of one of its priorities (0:
 * all). */
static unsigned int families_of(const struct ir *ir, const struct ir_class *class,
				uint32_t priority)
{
	unsigned int families = 0;

	for (size_t i = 0; i < ir->ip_rule_count; i++)
		if (is_of(&ir->ip_rules[i], class) &&
		    (!priority || ir->ip_rules[i].priority == priority))
			families |= 1u << ir->ip_rules[i].family;
	return families;
}

static const char *only(unsigned int families)
{
	return families == 1u << ADDR_IPV4   ? " (IPv4)"
	       : families == 1u << ADDR_IPV6 ? " (IPv6)"
					     : "";
}

/* Does a route of its own lead to a listener on this host? */
static bool is_handed_over(const struct ir_class *class)
{
	return class->listener_mode && !strcmp(class->listener_mode, "tproxy");
}

static const char *step_text(struct building *building, const struct ir_class *class,
			     const struct ir_ip_rule *rule)
{
	const char *to = ir_action_name(rule->action);
	unsigned int families = families_of(building->ir, class, rule->priority);
	bool is_odd = families != families_of(building->ir, class, 0);

	if (ir_rule_asks_main(building->ir, rule))
		to = ir_rule_takes_default(rule) ? "main" : "main, but its default";
	else if (rule->action == IR_RULE_LOOKUP && is_handed_over(class))
		to = arena_printf(building->arena, "table %" PRIu32 ", this host", rule->table);
	else if (rule->action == IR_RULE_LOOKUP)
		to = arena_printf(building->arena, "table %s", rule->name);
	return arena_printf(building->arena, "ip rule %" PRIu32 ": %s%s", rule->priority, to,
			    is_odd ? only(families) : "");
}

/* The ip rules of a way, one line for both families, and arrows to its tables. */
static void add_steps(struct building *building, size_t box, const struct ir_class *class)
{
	const struct ir *ir = building->ir;
	const struct ir_ip_rule *last = NULL;
	size_t tables = 0, to;

	for (size_t i = 0; i < ir->ip_rule_count; i++) {
		const struct ir_ip_rule *rule = &ir->ip_rules[i];
		bool leads_on = rule->action == IR_RULE_LOOKUP &&
				graph_find(&building->graph, GRAPH_TABLE, rule->table, &to);

		if (!is_of(rule, class) || (last && last->priority == rule->priority))
			continue;
		last = rule;
		add_line(building, box, step_text(building, class, rule));
		if (leads_on)
			add_arrow(building, box, to,
				  arena_printf(building->arena, "%zu", ++tables));
	}
	/* Their order is only worth a word where there is one. */
	if (tables == 1)
		building->graph.arrows[building->graph.arrow_count - 1].label = NULL;
}

/* "one.two" is a row of tables. */
static const char *row_title(struct building *building, const char *name)
{
	const char *title = "route ", *dot;

	for (; (dot = strchr(name, '.')); name = dot + 1)
		title = arena_printf(building->arena, "%s%.*s, else ", title, (int)(dot - name),
				     name);
	return arena_printf(building->arena, "%s%s", title, name);
}

static void add_way(struct building *building, const struct ir_class *class)
{
	uint64_t key = graph_mark(class->mark, class->mask);
	struct arena *arena = building->arena;
	unsigned int families = families_of(building->ir, class, 0);
	const char *mark =
		arena_printf(arena, "mark 0x%08" PRIx32 "/0x%08" PRIx32, class->mark, class->mask);
	size_t box;

	if (class->kind == IR_CLASS_PROXY)
		box = add_box(building, GRAPH_PROXY, key,
			      arena_printf(arena, "proxy %s", class->name));
	else if (class->kind == IR_CLASS_ROUTE)
		box = add_box(building, GRAPH_ROUTE, key, row_title(building, class->name));
	else
		box = add_box(building, GRAPH_MARK, key,
			      class->kind == IR_CLASS_ANSWER ? "answered by this host"
							     : "only a mark");
	add_line(building, box, arena_printf(arena, "%s%s", mark, only(families)));
	add_steps(building, box, class);
	if (class->listener_mode)
		add_listener(building, box, class->name);
}

/* "mark 0x1000000/0x7f000000, ip rule 10004" */
static const char *numbers_of(struct building *building, const struct ir_class *class)
{
	return arena_printf(building->arena,
			    "mark 0x%08" PRIx32 "/0x%08" PRIx32 ", ip rule %" PRIu32, class->mark,
			    class->mask, class->priority);
}

/* Packets that go the same way by other numbers. */
static void add_variant(struct building *building, const struct ir_class *class, const char *which)
{
	const char *title = row_title(building, class->name);
	struct graph *graph = &building->graph;

	for (size_t i = 0; i < graph->box_count; i++) {
		if (graph->boxes[i].kind != GRAPH_ROUTE || strcmp(graph->boxes[i].title, title))
			continue;
		add_line(building, i, which);
		add_line(building, i, numbers_of(building, class));
	}
}

/* "one.two/two": what the second has taken of the list. */
static void add_member(struct building *building, const struct ir_class *class)
{
	const char *slash = strrchr(class->name, '/');
	struct ir_class list = *class;

	list.name = arena_printf(building->arena, "%.*s", (int)(slash - class->name), class->name);
	add_variant(building, &list,
		    arena_printf(building->arena, "connections that %s has taken:", slash + 1));
}

/* Answers of connections that came in by a table's links leave by that table. */
static void add_reply(struct building *building, const struct ir_class *class)
{
	size_t box;

	if (!graph_find(&building->graph, GRAPH_TABLE, class->table, &box))
		return;
	add_line(building, box, "replies to what came in through it:");
	add_line(building, box, numbers_of(building, class));
}

/* What the rules leave alone where ip rules refuse what has no mark, and those ip rules. */
static void add_direct(struct building *building, const struct ir_class *class)
{
	const struct ir *ir = building->ir;
	size_t box =
		add_box(building, GRAPH_MARK, graph_mark(class->mark, class->mask), "left alone");

	add_line(building, box,
		 arena_printf(building->arena, "mark 0x%08" PRIx32 "/0x%08" PRIx32, class->mark,
			      class->mask));
	for (size_t i = 0; i < ir->ip_rule_count; i++)
		if (ir->ip_rules[i].iif && ir->ip_rules[i].action != IR_RULE_LOOKUP)
			add_line(building, box,
				 arena_printf(building->arena,
					      "ip rule %" PRIu32 ": unreachable by %s without it%s",
					      ir->ip_rules[i].priority, ir->ip_rules[i].iif,
					      only(1u << ir->ip_rules[i].family)));
}

static void add_class(struct building *building, const struct ir_class *class)
{
	switch (class->kind) {
	case IR_CLASS_PROXY:
	case IR_CLASS_ROUTE:
	case IR_CLASS_MARK:
	case IR_CLASS_ANSWER:
		add_way(building, class);
		return;
	case IR_CLASS_REPLY:
		add_reply(building, class);
		return;
	case IR_CLASS_INBOUND:
		add_variant(building, class, "what comes in by an uplink or is translated:");
		return;
	case IR_CLASS_DIRECT:
		add_direct(building, class);
		return;
	case IR_CLASS_MEMBER:
		add_member(building, class);
		return;
	case IR_CLASS_SYN:
		add_variant(building, class, "what begins TCP connections of this host:");
		return;
	}
}

struct graph graph_build(struct arena *arena, const struct ir *ir)
{
	struct building building = { .arena = arena, .ir = ir };

	for (size_t i = 0; i < ir->table_count; i++)
		add_table(&building, &ir->tables[i]);
	for (size_t i = 0; i < ir->class_count; i++)
		add_class(&building, &ir->classes[i]);
	graph_add_rules(arena, ir, &building.graph);
	return building.graph;
}
