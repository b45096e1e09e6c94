/*
 * interval: sets of numbers as sorted, disjoint, non-adjacent closed intervals, and the algebra on
 * them.
 *
 * Every operation walks its canonical operands once from left to right. Always true of a result:
 * canonical, in memory of its own, with room for the next power of two of its count (what
 * arena_room expects of an array).
 */
#include "addr/interval.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum { INTERVAL_FEW = 64, INTERVAL_ROOM_LEAST = 8 };

/* An empty array that `count` intervals fit into. Pages that stay unused cost nothing. */
static struct interval *interval_room(struct arena *arena, size_t count)
{
	size_t room = INTERVAL_ROOM_LEAST;

	while (room < count) {
		if (room > SIZE_MAX / 2 / sizeof(struct interval))
			arena_exhausted(SIZE_MAX);
		room *= 2;
	}
	return arena_alloc(arena, room * sizeof(struct interval));
}

void interval_add(struct arena *arena, struct interval_set *set, addr_bits first, addr_bits last)
{
	*arena_append(arena, set->items, set->count) = (struct interval){ first, last };
}

void interval_reserve(struct arena *arena, struct interval_set *set, size_t more)
{
	struct interval *items = interval_room(arena, set->count + more);

	if (set->count)
		memcpy(items, set->items, set->count * sizeof(*items));
	set->items = items;
}

/* Appends behind what is there, in order of `first`; merges with the last interval if they overlap
 * or touch. */
static void interval_push(struct interval_set *set, addr_bits first, addr_bits last)
{
	struct interval *top = set->count ? &set->items[set->count - 1] : NULL;

	if (top && (first <= top->last || first - 1 == top->last)) {
		if (last > top->last)
			top->last = last;
		return;
	}
	set->items[set->count++] = (struct interval){ first, last };
}

static void interval_sort_few(struct interval *items, size_t count)
{
	size_t i, j;

	for (i = 1; i < count; i++) {
		struct interval moving = items[i];

		for (j = i; j && items[j - 1].first > moving.first; j--)
			items[j] = items[j - 1];
		items[j] = moving;
	}
}

/* One pass of a radix sort: by the byte of `first` that starts at bit `shift`. */
static void interval_sort_byte(const struct interval *from, struct interval *to, size_t count,
			       unsigned int shift)
{
	size_t place[256] = { 0 }, i, sum = 0;

	for (i = 0; i < count; i++)
		place[(unsigned char)(from[i].first >> shift)]++;
	for (i = 0; i < 256; i++) {
		size_t here = place[i];

		place[i] = sum;
		sum += here;
	}
	for (i = 0; i < count; i++)
		to[place[(unsigned char)(from[i].first >> shift)]++] = from[i];
}

/* Sorts by `first`; bytes in which no two differ need no pass, so IPv4 takes four at most. */
static void interval_sort_many(struct interval *items, size_t count)
{
	struct interval *spare = malloc(count * sizeof(*spare)), *from = items, *to = spare, *swap;
	addr_bits varied = 0;
	unsigned int shift;
	size_t i;

	if (!spare)
		arena_exhausted(count * sizeof(*spare));
	for (i = 1; i < count; i++)
		varied |= items[i].first ^ items[0].first;
	for (shift = 0; shift < 128; shift += 8) {
		if (!(unsigned char)(varied >> shift))
			continue;
		interval_sort_byte(from, to, count, shift);
		swap = from;
		from = to;
		to = swap;
	}
	if (from != items)
		memcpy(items, from, count * sizeof(*items));
	free(spare);
}

static bool interval_is_sorted(const struct interval_set *set)
{
	size_t i;

	for (i = 1; i < set->count; i++) {
		if (set->items[i].first < set->items[i - 1].first)
			return false;
	}
	return true;
}

void interval_normalise(struct interval_set *set)
{
	struct interval_set merged = { .items = set->items };
	size_t i;

	if (!interval_is_sorted(set)) {
		if (set->count <= INTERVAL_FEW)
			interval_sort_few(set->items, set->count);
		else
			interval_sort_many(set->items, set->count);
	}
	for (i = 0; i < set->count; i++)
		interval_push(&merged, set->items[i].first, set->items[i].last);
	set->count = merged.count;
}

struct interval_set interval_union(struct arena *arena, const struct interval_set *a,
				   const struct interval_set *b)
{
	struct interval_set both = { .items = interval_room(arena, a->count + b->count) };
	size_t i = 0, j = 0;

	while (i < a->count || j < b->count) {
		bool from_a = j == b->count ||
			      (i < a->count && a->items[i].first <= b->items[j].first);
		const struct interval *next = from_a ? &a->items[i++] : &b->items[j++];

		interval_push(&both, next->first, next->last);
	}
	return both;
}

struct interval_set interval_intersect(struct arena *arena, const struct interval_set *a,
				       const struct interval_set *b)
{
	struct interval_set common = { .items = interval_room(arena, a->count + b->count) };
	size_t i = 0, j = 0;

	while (i < a->count && j < b->count) {
		const struct interval *x = &a->items[i], *y = &b->items[j];
		addr_bits first = x->first > y->first ? x->first : y->first;
		addr_bits last = x->last < y->last ? x->last : y->last;

		if (first <= last)
			interval_push(&common, first, last);
		if (x->last <= y->last)
			i++;
		else
			j++;
	}
	return common;
}

struct interval_set interval_subtract(struct arena *arena, const struct interval_set *a,
				      const struct interval_set *b)
{
	struct interval_set rest = { .items = interval_room(arena, a->count + b->count) };
	size_t i, j = 0;

	for (i = 0; i < a->count; i++) {
		addr_bits first = a->items[i].first, last = a->items[i].last;
		bool is_gone = false;

		/* What b ends before this interval begins, it ends before all later ones. */
		while (j < b->count && b->items[j].last < first)
			j++;
		for (; j < b->count && b->items[j].first <= last; j++) {
			if (b->items[j].first > first)
				interval_push(&rest, first, b->items[j].first - 1);
			is_gone = b->items[j].last >= last;
			if (is_gone)
				break;
			first = b->items[j].last + 1;
		}
		if (!is_gone)
			interval_push(&rest, first, last);
	}
	return rest;
}

/* The first interval that does not end before the value, or the count. */
static size_t interval_seek(const struct interval_set *set, addr_bits value)
{
	size_t low = 0, high = set->count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (set->items[middle].last < value)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct interval *interval_find(const struct interval_set *set, addr_bits value)
{
	size_t at = interval_seek(set, value);

	return at < set->count && set->items[at].first <= value ? &set->items[at] : NULL;
}

bool interval_contains(const struct interval_set *set, addr_bits value)
{
	return interval_find(set, value) != NULL;
}

bool interval_covers(const struct interval_set *a, const struct interval_set *b)
{
	size_t i, at;

	for (i = 0; i < b->count; i++) {
		at = interval_seek(a, b->items[i].first);
		if (at == a->count || a->items[at].first > b->items[i].first ||
		    a->items[at].last < b->items[i].last)
			return false;
	}
	return true;
}

#define INTERVAL_PRIME 0x100000001b3u

/* The bytes of the number, lowest first, whatever the machine's own order. */
static uint64_t interval_hash(uint64_t hash, addr_bits number)
{
	static const uint64_t prime_to_4 =
		INTERVAL_PRIME * INTERVAL_PRIME * INTERVAL_PRIME * INTERVAL_PRIME;
	unsigned int i;

	for (i = 0; i < 4; i++, number >>= 8)
		hash = (hash ^ (unsigned char)number) * INTERVAL_PRIME;
	/* A zero byte only multiplies, so the twelve of an IPv4 address can do it at once. */
	if (!number)
		return hash * (prime_to_4 * prime_to_4 * prime_to_4);
	for (; i < sizeof(number); i++, number >>= 8)
		hash = (hash ^ (unsigned char)number) * INTERVAL_PRIME;
	return hash;
}

uint64_t interval_digest(const struct interval_set *set, uint64_t seed)
{
	uint64_t hash = seed ^ 0xcbf29ce484222325u;
	size_t i;

	for (i = 0; i < set->count; i++) {
		hash = interval_hash(hash, set->items[i].first);
		hash = interval_hash(hash, set->items[i].last);
	}
	return interval_hash(hash, set->count);
}
