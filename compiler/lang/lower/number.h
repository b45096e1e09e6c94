/*
 * lower/number: the numbers that stand for ways: marks and ids of tables.
 *
 * Those the author gave are checked against each other. The others are drawn from the names of what
 * they stand for, so that a policy that is changed keeps its numbers: while one policy takes the
 * place of another, a number that meant two ways would let no packet through. Where two names draw
 * the same, the one that asks first has it.
 */
#ifndef TPC_LANG_LOWER_NUMBER_H
#define TPC_LANG_LOWER_NUMBER_H

#include "lang/lower/lower.h"

/* A number that the author gave, with what it is for. */
struct given {
	const char *name;
	uint32_t value, mask;
	struct span span;
};

struct givens {
	struct given *items;
	size_t count;
};

struct numbers {
	struct lower *lower;
	struct givens marks, tables; /* those that are given out, too */
};

/* With what the author gave, and the marks that rules ask for or set. Two that are the same are
 * errors. */
struct numbers lower_numbers(struct lower *lower);
/* A value within the policy's mask, or an id within its ids of tables, for a name with what it is
 * the name of before it ("proxy/work"). None left is an error. */
uint32_t lower_draw_mark(struct numbers *numbers, const char *name, struct span span);
uint32_t lower_draw_table(struct numbers *numbers, const char *name, struct span span);
/* Is there a mark left? For what a policy can go without: the last are for what it cannot. */
bool lower_has_mark(const struct numbers *numbers);
/* The same for so many ids of tables. */
bool lower_has_tables(const struct numbers *numbers, size_t count);

/* ---- lower/class.c ---- */

/* The same tables by another mark. `name` tells it from others of its kind. */
struct lower_class *lower_variant(struct numbers *numbers, const struct lower_class *way,
				  enum ir_class_kind kind, const char *name);

/* ---- lower/sticky.c ---- */

/* The members of the lists that rules send to, as far as something tells them and there is a mark
 * left for each. A `sticky` that can do nothing is a warning. */
void lower_members(struct numbers *numbers);

/* ---- lower/unmarked.c ---- */

/* Finds the interfaces whose unmarked packets are to be refused, and draws the mark of the others
 * there. */
void lower_find_unmarked(struct numbers *numbers);

#endif
