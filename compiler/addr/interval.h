/*
 * interval: sets of addresses (or ports) as sorted, disjoint, non-adjacent closed intervals.
 *
 * One representation for both address families: a number of 128 bits. IPv4 uses
 * the low 32 bits, a port the low 16. A set that interval_normalise has seen is canonical: equal
 * sets have equal arrays.
 */
#ifndef TPC_ADDR_INTERVAL_H
#define TPC_ADDR_INTERVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wide.h"

struct arena;

struct interval {
	struct wide first, last; /* both included */
};

struct interval_set {
	struct interval *items; /* in the arena */
	size_t count;
};

static inline bool interval_is_one(struct interval interval)
{
	return wide_equal(interval.first, interval.last);
}

static inline bool interval_equal(struct interval a, struct interval b)
{
	return wide_equal(a.first, b.first) && wide_equal(a.last, b.last);
}

/* Appends without looking; interval_normalise afterwards. */
void interval_add(struct arena *arena, struct interval_set *set, struct wide first,
		  struct wide last);
/* Room for `more` intervals after the set's; they may then be written there without asking again.
 */
void interval_reserve(struct arena *arena, struct interval_set *set, size_t more);
/* Sorts and merges what overlaps or touches. */
void interval_normalise(struct interval_set *set);
/* The following take and give canonical sets; the result shares no memory with them. */
struct interval_set interval_union(struct arena *arena, const struct interval_set *a,
				   const struct interval_set *b);
struct interval_set interval_subtract(struct arena *arena, const struct interval_set *a,
				      const struct interval_set *b);
struct interval_set interval_intersect(struct arena *arena, const struct interval_set *a,
				       const struct interval_set *b);
/* The first interval from the nth on that does not end before the value, or the count. Costs the
 * logarithm of how far that is. */
size_t interval_seek(const struct interval_set *set, size_t n, struct wide value);
bool interval_contains(const struct interval_set *set, struct wide value);
/* The interval that holds the value, or NULL. */
const struct interval *interval_find(const struct interval_set *set, struct wide value);
/* Have they a member in common? */
bool interval_meets(const struct interval_set *a, const struct interval_set *b);
/* Is every member of b one of a? */
bool interval_covers(const struct interval_set *a, const struct interval_set *b);
/*
 * FNV-1a, 64 bits, over the canonical intervals and how many they are: names a set's contents. The
 * seed is 0, or the digest of what came before, which chains several sets into one name.
 */
uint64_t interval_digest(const struct interval_set *set, uint64_t seed);

#endif
