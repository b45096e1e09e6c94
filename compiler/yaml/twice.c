/*
 * twice: keys that a mapping has more than once.
 *
 * In comes a finished mapping, out comes one whose keys differ, with an error for each that was too
 * many. Sorting pointers by key keeps a mapping of a million keys cheap.
 */
#include "yaml/build.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum { TWICE_SMALL = 32 };

/* By key, then by place: entries of one mapping are one array, so their addresses are in the order
 * of the file. */
static int by_key(const void *a, const void *b)
{
	const struct node_entry *x = *(struct node_entry *const *)a;
	const struct node_entry *y = *(struct node_entry *const *)b;
	int order = strcmp(x->key, y->key);

	return order ? order : x < y ? -1 : x > y;
}

static void report(struct build *build, const struct node_entry *first,
		   const struct node_entry *again)
{
	const char *key = node_excerpt(build->arena, again->key, strlen(again->key));
	struct diag_record *record = build_report(build, DIAG_duplicate_key, again->key_span,
						  "the key \"%s\" is given twice", key);

	if (!record)
		return;
	diag_also(record, first->key_span, "first given here");
	if (first->value.kind == NODE_LIST && again->value.kind == NODE_LIST)
		diag_help(record, "put both lists under one `%s:`", key);
	else if (first->value.kind == NODE_MAP && again->value.kind == NODE_MAP)
		diag_help(record, "put what both hold under one `%s:`", key);
	else
		diag_help(record, "remove one of them");
}

/* What a person meant by the same collection twice: one of both. */
static void join(struct build *build, struct node *first, const struct node *again)
{
	if (first->kind != again->kind || first->kind == NODE_SCALAR)
		return;
	if (first->kind == NODE_LIST) {
		for (size_t i = 0; i < again->count; i++)
			*arena_append(build->arena, first->items, first->count) = again->items[i];
		return;
	}
	for (size_t i = 0; i < again->count; i++)
		*arena_append(build->arena, first->entries, first->count) = again->entries[i];
	twice_check(build, first);
}

static void drop_marked(struct node *map)
{
	size_t kept = 0;

	for (size_t i = 0; i < map->count; i++)
		if (map->entries[i].key)
			map->entries[kept++] = map->entries[i];
	map->count = kept;
}

/* `order` is room for the mapping's entries. */
static void check(struct build *build, struct node *map, struct node_entry **order)
{
	struct node_entry *first;
	bool found = false;

	for (size_t i = 0; i < map->count; i++)
		order[i] = &map->entries[i];
	qsort(order, map->count, sizeof(*order), by_key);
	first = order[0];
	for (size_t i = 1; i < map->count && !build->stopped; i++) {
		if (strcmp(first->key, order[i]->key)) {
			first = order[i];
			continue;
		}
		report(build, first, order[i]);
		join(build, &first->value, &order[i]->value);
		order[i]->key = NULL;
		found = true;
	}
	if (found)
		drop_marked(map);
}

void twice_check(struct build *build, struct node *map)
{
	struct node_entry *small[TWICE_SMALL];

	if (map->count < 2)
		return;
	if (map->count <= TWICE_SMALL)
		check(build, map, small);
	else
		check(build, map, arena_alloc(build->arena, map->count * sizeof(*small)));
}
