/*
 * graph_model: what a picture of a policy shows, before it is text of any kind: boxes, lists of
 * rules, and arrows. Columns from left to right: where traffic enters, the rules, the ways, tables
 * and listeners, links.
 */
#ifndef TPC_EMIT_GRAPH_MODEL_H
#define TPC_EMIT_GRAPH_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct buf;
struct ir;
struct ir_authored;

enum graph_kind { GRAPH_PROXY, GRAPH_ROUTE, GRAPH_MARK, GRAPH_TABLE, GRAPH_LISTENER, GRAPH_LINK };

/* A box is known by its kind and what it stands for: a mark with its mask, a table's number, a
 * name. */
struct graph_box {
	enum graph_kind kind;
	uint64_t number;
	const char *title;
	const char **lines;
	size_t line_count;
};

struct graph_arrow {
	size_t from, to;   /* boxes */
	const char *label; /* or NULL */
};

/* An arrow from a rule to the way it sends by. */
struct graph_target {
	size_t box;
	uint32_t weight; /* of a balance, else 0 */
};

struct graph_row {
	const struct ir_authored *rule;
	const char *conditions; /* "to foreign, tcp", "everything else" */
	const char *notes;      /* side effects, "" without any */
	struct graph_target *targets;
	size_t target_count;
};

/* The rules that traffic of one scope meets, its default last. */
struct graph_list {
	const char *title, *entry;
	const char **entries; /* where it enters, a line each */
	size_t entry_count;
	struct graph_row *rows;
	size_t row_count;
};

struct graph {
	struct graph_list lists[2]; /* what passes through, and what this host sends */
	struct graph_box *boxes;
	size_t box_count;
	struct graph_arrow *arrows;
	size_t arrow_count;
};

/* All memory is the arena's, or the ir's. */
struct graph graph_build(struct arena *arena, const struct ir *ir);
/* A way, the second column of boxes? */
bool graph_is_way(const struct graph_box *box);

/* ---- graph_rules.c ---- */

/* The box of this kind that stands for the number; false when there is none. */
bool graph_find(const struct graph *graph, enum graph_kind kind, uint64_t number, size_t *out);
/* The number of a way's box. */
uint64_t graph_mark(uint32_t mark, uint32_t mask);
/* The rules that send by the box, by their numbers, for where there are too many arrows to follow
 * one: "rules: 1, 3-5; this host's: 2, default"; "" for none. */
const char *graph_senders(struct arena *arena, const struct graph *graph, size_t box);
/* Fills the lists, once the boxes are there. */
void graph_add_rules(struct arena *arena, const struct ir *ir, struct graph *graph);

#endif
