/*
 * static/row: the rules of a policy as boxes, for one family and one kind of destination.
 *
 * A box is what a rule takes: a set of destinations, and a set of numbers on each other side. What
 * is not known when the policy is compiled (a set that is filled at run time, the clock, who sends)
 * is no side: it is a term, which is the same for two rules when they were written the same. A box
 * that covers holds less than its rule takes, one to be covered more, where a side is not exact.
 */
#ifndef TPC_LANG_STATIC_ROW_H
#define TPC_LANG_STATIC_ROW_H

#include "addr/overlay.h"
#include "lang/ast/ast.h"
#include "match/match.h"

enum prove_side {
	SIDE_SCOPE,
	SIDE_PROTO,
	SIDE_FROM, /* classes of sources: see from_sets */
	SIDE_IN,   /* numbers of names */
	SIDE_OUT,
	SIDE_STATE,
	SIDE_NUMBER, /* the first of match_number_keys */
	SIDES = SIDE_NUMBER + MATCH_NUMBERS,
};

/* Sources and destinations are numbers of sets until all boxes are there. */
struct prove_box {
	size_t order; /* of the rule among all, from 0; defaults come last */
	const struct ast_rule *rule;
	size_t to, from;                         /* of the row's sets */
	const struct interval_set *sides[SIDES]; /* NULL: all there is */
	size_t *terms;                           /* ascending */
	size_t term_count;
	bool covers, covered; /* stands for what its rule takes for sure; at most */
	bool apart;           /* the rule does not name these destinations */
	bool own;             /* must be covered for listeners' own traffic, too */
	bool for_own;         /* meets that */
	bool cuts;            /* meets every packet of a connection */
	bool fickle;          /* chooses a way, and may answer later packets otherwise */
};

/* Distinct sets; the last is the whole of what there is, and others may hold more. */
struct prove_sets {
	struct interval_set *items;
	size_t count;
};

struct prove_row {
	struct arena *arena;
	struct ast_policy *policy;
	enum addr_family family;
	bool host; /* only destinations that rules must name: their to is a set of numbers of
		      enum match_special */
	struct prove_sets to_sets, from_sets;
	const struct ast_rule *const *rests; /* asked of: they stand after all rules and defaults */
	size_t rest_count;       /* of a row without any, its rules and defaults are asked of */
	struct prove_box *boxes; /* in the order of the rules */
	size_t box_count;
	size_t **boxes_of; /* of each set of destinations: numbers of boxes, ascending */
	size_t *box_counts;
	struct overlay to;   /* which sets hold a destination: lists only */
	uint32_t **lists_of; /* of each set: the lists that have it; once prove_index was asked */
	size_t *list_counts;
	uint64_t first[SIDES], last[SIDES]; /* of the numbers that a side may have */
	size_t copied;                      /* intervals of sets that had to be put together */
	bool complete;                      /* the overlay is there */
};

/* All of the row; `names` and the like are shared by the rows of a policy. */
struct prove_shared;
struct prove_shared *prove_share(struct arena *arena, struct ast_policy *policy);
void prove_fill(struct prove_row *row, struct prove_shared *shared);
void prove_index(struct prove_row *row);

/* ---- static/box.c ---- */

/* Do the boxes share a packet, destinations and terms aside? */
bool prove_meet(const struct prove_box *a, const struct prove_box *b);
/* May the first take from the second? Connections that have their way do not meet rules that choose
 * one, and listeners' own traffic meets only rules that name an identity. */
bool prove_may_cover(const struct prove_box *before, const struct prove_box *box);
/* Is the first all of the second, on one side, or on all? NULL is all there is. */
bool prove_holds_side(const struct prove_row *row, int side, const struct interval_set *a,
		      const struct interval_set *b);
bool prove_holds(const struct prove_row *row, const struct prove_box *a, const struct prove_box *b);

#endif
