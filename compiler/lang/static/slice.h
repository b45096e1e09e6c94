/*
 * static/slice: the rules of a policy as spaces, for one family and one kind of destination.
 *
 * A space is what a rule takes: a set of destinations, and a set of numbers on each other
 * dimension. What is not known when the policy is compiled (a set that is filled at run time, the
 * clock, who sends) is no dimension: it is a term, which is the same for two rules when they were
 * written the same. A space that shadows holds less than its rule takes, one that may be shadowed
 * more, where a dimension is not exact.
 */
#ifndef TPC_LANG_STATIC_SLICE_H
#define TPC_LANG_STATIC_SLICE_H

#include "addr/overlay.h"
#include "lang/ast/ast.h"
#include "match/match.h"

enum header_dimension {
	DIMENSION_SCOPE,
	DIMENSION_PROTO,
	DIMENSION_FROM, /* classes of sources: see from_sets */
	DIMENSION_IN,   /* numbers of names */
	DIMENSION_OUT,
	DIMENSION_STATE,
	DIMENSION_NUMBER, /* the first of match_number_keys */
	DIMENSIONS = DIMENSION_NUMBER + MATCH_NUMBERS,
};

/* Sources and destinations are numbers of sets until all spaces are there. */
struct header_space {
	size_t order; /* of the rule among all, from 0; defaults come last */
	const struct ast_rule *rule;
	size_t to, from;                                   /* of the slice's sets */
	const struct interval_set *dimensions[DIMENSIONS]; /* NULL: all there is */
	size_t *terms;                                     /* ascending */
	size_t term_count;
	bool shadows, shadowed; /* stands for what its rule takes for sure; at most */
	bool apart;             /* the rule does not name these destinations */
	bool own;               /* must be shadowed for listeners' own traffic, too */
	bool for_own;           /* meets that */
	bool every_packet;      /* meets every packet of a connection */
	bool may_change_target; /* chooses a target, and may match later packets otherwise */
};

/* Distinct sets; the last is the whole of what there is, and others may hold more. */
struct static_sets {
	struct interval_set *items;
	size_t count;
};

struct static_slice {
	struct arena *arena;
	struct ast_policy *policy;
	enum addr_family family;
	bool host; /* only destinations that rules must name: their to is a set of numbers of
		      enum match_special */
	struct static_sets to_sets, from_sets;
	const struct ast_rule *const *rests; /* asked of: they stand after all rules and defaults */
	size_t rest_count; /* of a slice without any, its rules and defaults are asked of */
	struct header_space *spaces; /* in the order of the rules */
	size_t space_count;
	size_t **spaces_of; /* of each set of destinations: numbers of spaces, ascending */
	size_t *space_counts;
	struct overlay to;   /* which sets hold a destination: lists only */
	uint32_t **lists_of; /* of each set: the lists that have it; once static_index was asked */
	size_t *list_counts;
	uint64_t first[DIMENSIONS], last[DIMENSIONS]; /* of the numbers that a dimension may have */
	size_t copied; /* intervals of sets that had to be put together */
	bool complete; /* the overlay is there */
};

/* All of the slice; `names` and the like are shared by the slices of a policy. */
struct static_shared;
struct static_shared *static_share(struct arena *arena, struct ast_policy *policy);
void static_fill(struct static_slice *slice, struct static_shared *shared);
void static_index(struct static_slice *slice);

/* ---- static/header_space.c ---- */

/* Do the spaces share a packet, destinations and terms aside? */
bool static_meet(const struct header_space *a, const struct header_space *b);
/* May the first take from the second? Decided connections do not meet rules that choose a target,
 * and listeners' own traffic meets only rules that name an identity. */
bool static_may_shadow(const struct header_space *before, const struct header_space *space);
/* Is the first all of the second, on one dimension, or on all? NULL is all there is. */
bool static_holds_dimension(const struct static_slice *slice, int dimension,
			    const struct interval_set *a, const struct interval_set *b);
bool static_holds(const struct static_slice *slice, const struct header_space *a,
		  const struct header_space *b);

#endif
