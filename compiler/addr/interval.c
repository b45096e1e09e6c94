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
#include "base/hash.h"

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

void interval_add(struct arena *arena, struct interval_set *set, struct wide first,
		  struct wide last)
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

/* Appends after what is there, in order of `first`; merges with the last interval if they overlap
 * or touch. */
static void interval_push(struct interval_set *set, struct wide first, struct wide last)
{
	struct interval *top = set->count ? &set->items[set->count - 1] : NULL;

	if (top && (!wide_less(top->last, first) || wide_equal(wide_before(first), top->last))) {
		top->last = wide_most(top->last, last);
		return;
	}
	set->items[set->count++] = (struct interval){ first, last };
}

/* ---- sorting ---- */

/*
 * What is sorted is words: a key of 32 bits above, and what goes with it below. An IPv4 interval is
 * its own word; for wider ones the keys are 32 bits of `first` after the other, the lowest ones
 * first, and what goes with them is the interval's number.
 */
enum { WORD_KEY = 32, WORD_DIGIT_MOST = 12 };

/* Words stand where intervals were, and will be. */
typedef uint64_t __attribute__((may_alias)) interval_word;

struct interval_words {
	interval_word *words, *spare; /* both of `count`; what is sorted is in `words` */
	size_t count;
};

/* One pass of a radix sort: by the `width` bits from bit `shift` on. */
static void interval_sort_digit(struct interval_words *all, unsigned int shift, unsigned int width)
{
	uint32_t place[1 << WORD_DIGIT_MOST] = { 0 }, mask = (1u << width) - 1, sum = 0, here;
	interval_word *from = all->words, *to = all->spare;
	size_t i;

	for (i = 0; i < all->count; i++)
		place[from[i] >> shift & mask]++;
	for (i = 0; i <= mask; i++) {
		here = place[i];
		place[i] = sum;
		sum += here;
	}
	for (i = 0; i < all->count; i++)
		to[place[from[i] >> shift & mask]++] = from[i];
	all->words = to;
	all->spare = from;
}

/* Sorts by the keys; words of the same key stay in order. `varied` has the bits in which any two
 * keys differ: where the others stand needs no pass. */
static void interval_sort_words(struct interval_words *all, uint32_t varied)
{
	unsigned int low, bits, passes, width;

	if (!varied)
		return;
	low = (unsigned int)__builtin_ctz(varied);
	bits = WORD_KEY - (unsigned int)__builtin_clz(varied) - low;
	passes = (bits + WORD_DIGIT_MOST - 1) / WORD_DIGIT_MOST;
	width = (bits + passes - 1) / passes;
	for (; passes; passes--, low += width)
		interval_sort_digit(all, WORD_KEY + low, width);
}

/*
 * IPv4. An interval has the room of four words, so that the intervals' own memory is enough: the
 * words go into its last quarter, the spare ones before them. Neither there nor on the way back
 * does anything overtake what is still to be read.
 */
static void interval_merge_narrow(struct interval_set *set)
{
	interval_word *last_quarter = (interval_word *)set->items + 3 * set->count;
	struct interval_words all = { last_quarter, last_quarter - set->count, set->count };
	uint32_t varied = 0, first = (uint32_t)set->items[0].first.low;
	size_t i;

	for (i = all.count; i--;) {
		struct interval item = set->items[i];

		varied |= (uint32_t)item.first.low ^ first;
		all.words[i] = item.first.low << WORD_KEY | item.last.low;
	}
	interval_sort_words(&all, varied);
	if (all.words != last_quarter)
		memcpy(last_quarter, all.words, all.count * sizeof(*all.words));
	set->count = 0;
	for (i = 0; i < all.count; i++)
		interval_push(set, wide(last_quarter[i] >> WORD_KEY),
			      wide((uint32_t)last_quarter[i]));
}

/* Memory until the end of a sort. */
static void *interval_scratch(size_t count, size_t size)
{
	void *bytes = count > UINT32_MAX ? NULL : malloc(count * size);

	if (!bytes)
		arena_exhausted(count * size);
	return bytes;
}

/* Numbers in order lead all over the memory: it takes a while to come from there. */
static void interval_prefetch(const struct interval_words *all, size_t i,
			      const struct interval *items)
{
	enum { AHEAD = 24 };

	if (i + AHEAD < all->count)
		__builtin_prefetch(&items[(uint32_t)all->words[i + AHEAD]]);
}

static void interval_merge_wide(struct interval_set *set)
{
	size_t count = set->count, i;
	struct interval *items = interval_scratch(count, sizeof(*items));
	interval_word *scratch = interval_scratch(count, 2 * sizeof(*scratch));
	struct interval_words all = { scratch, scratch + count, count };
	struct wide varied = wide(0); /* the bits in which any two of `first` differ */
	unsigned int shift;

	memcpy(items, set->items, count * sizeof(*items));
	for (i = 0; i < count; i++) {
		varied = wide_or(varied, wide_xor(items[i].first, items[0].first));
		all.words[i] = i;
	}
	for (shift = 0; shift < WIDE_BITS; shift += WORD_KEY) {
		uint32_t varied_here = (uint32_t)wide_right(varied, shift).low;

		for (i = 0; varied_here && i < count; i++) {
			uint32_t number = (uint32_t)all.words[i];
			uint32_t key = (uint32_t)wide_right(items[number].first, shift).low;

			interval_prefetch(&all, i, items);
			all.words[i] = (uint64_t)key << WORD_KEY | number;
		}
		interval_sort_words(&all, varied_here);
	}
	set->count = 0;
	for (i = 0; i < count; i++) {
		const struct interval *next = &items[(uint32_t)all.words[i]];

		interval_prefetch(&all, i, items);
		interval_push(set, next->first, next->last);
	}
	free(scratch);
	free(items);
}

static void interval_merge_sorted(struct interval_set *set)
{
	size_t count = set->count, i;

	set->count = 0;
	for (i = 0; i < count; i++)
		interval_push(set, set->items[i].first, set->items[i].last);
}

static void interval_sort_few(struct interval *items, size_t count)
{
	size_t i, j;

	for (i = 1; i < count; i++) {
		struct interval moving = items[i];

		for (j = i; j && wide_less(moving.first, items[j - 1].first); j--)
			items[j] = items[j - 1];
		items[j] = moving;
	}
}

enum interval_order { INTERVAL_CANONICAL, INTERVAL_SORTED, INTERVAL_UNSORTED };

static enum interval_order interval_order(const struct interval_set *set)
{
	enum interval_order order = INTERVAL_CANONICAL;
	size_t i;

	for (i = 1; i < set->count; i++) {
		const struct interval *before = &set->items[i - 1], *here = &set->items[i];

		if (wide_less(here->first, before->first))
			return INTERVAL_UNSORTED;
		/* Behind the highest number comes 0, and no interval. */
		if (!wide_less(before->last, here->first) ||
		    wide_equal(here->first, wide_after(before->last)))
			order = INTERVAL_SORTED;
	}
	return order;
}

/* Is no number wider than a key? */
static bool interval_is_narrow(const struct interval_set *set)
{
	struct wide all = wide(0);
	size_t i;

	for (i = 0; i < set->count; i++)
		all = wide_or(all, set->items[i].last);
	return !all.high && !(all.low >> WORD_KEY);
}

void interval_normalise(struct interval_set *set)
{
	enum interval_order order = interval_order(set);

	if (order == INTERVAL_CANONICAL)
		return;
	if (order == INTERVAL_UNSORTED && set->count > INTERVAL_FEW) {
		if (interval_is_narrow(set))
			interval_merge_narrow(set);
		else
			interval_merge_wide(set);
		return;
	}
	if (order == INTERVAL_UNSORTED)
		interval_sort_few(set->items, set->count);
	interval_merge_sorted(set);
}

/* ---- algebra ---- */

size_t interval_seek(const struct interval_set *set, size_t from, struct wide value)
{
	size_t low = from, high = from, step = 1, middle;

	while (high < set->count && wide_less(set->items[high].last, value)) {
		low = high + 1;
		high += step < set->count - high ? step : set->count - high;
		step *= 2;
	}
	while (low < high) {
		middle = low + (high - low) / 2;
		if (wide_less(set->items[middle].last, value))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct interval_set interval_union(struct arena *arena, const struct interval_set *a,
				   const struct interval_set *b)
{
	struct interval_set both = { .items = interval_room(arena, a->count + b->count) };
	size_t i = 0, j = 0;

	while (i < a->count || j < b->count) {
		bool from_a = j == b->count ||
			      (i < a->count && !wide_less(b->items[j].first, a->items[i].first));
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
		struct wide first = wide_most(x->first, y->first);
		struct wide last = wide_least(x->last, y->last);

		if (!wide_less(last, first))
			interval_push(&common, first, last);
		if (!wide_less(y->last, x->last))
			i++;
		else
			j++;
	}
	return common;
}

/* What b leaves of one interval of a; `j` is the first of b that does not end before it. */
static void interval_push_rest(struct interval_set *rest, struct interval whole,
			       const struct interval_set *b, size_t j)
{
	for (; j < b->count && !wide_less(whole.last, b->items[j].first); j++) {
		if (wide_less(whole.first, b->items[j].first))
			interval_push(rest, whole.first, wide_before(b->items[j].first));
		if (!wide_less(b->items[j].last, whole.last))
			return;
		whole.first = wide_after(b->items[j].last);
	}
	interval_push(rest, whole.first, whole.last);
}

struct interval_set interval_subtract(struct arena *arena, const struct interval_set *a,
				      const struct interval_set *b)
{
	struct interval_set rest = { .items = interval_room(arena, a->count + b->count) };
	size_t i = 0, j = 0, next;

	while (i < a->count) {
		j = interval_seek(b, j, a->items[i].first);
		/* What a has before b goes on stays as it is. */
		next = j < b->count ? interval_seek(a, i, b->items[j].first) : a->count;
		if (next == i) {
			interval_push_rest(&rest, a->items[i++], b, j);
			continue;
		}
		memcpy(rest.items + rest.count, a->items + i, (next - i) * sizeof(*a->items));
		rest.count += next - i;
		i = next;
	}
	return rest;
}

const struct interval *interval_find(const struct interval_set *set, struct wide value)
{
	size_t at = interval_seek(set, 0, value);

	return at < set->count && !wide_less(value, set->items[at].first) ? &set->items[at] : NULL;
}

bool interval_contains(const struct interval_set *set, struct wide value)
{
	return interval_find(set, value) != NULL;
}

bool interval_meets(const struct interval_set *a, const struct interval_set *b)
{
	size_t i = 0, k = 0;

	while (i < a->count && k < b->count) {
		if (wide_less(a->items[i].last, b->items[k].first))
			i++;
		else if (wide_less(b->items[k].last, a->items[i].first))
			k++;
		else
			return true;
	}
	return false;
}

bool interval_covers(const struct interval_set *a, const struct interval_set *b)
{
	size_t i, at = 0;

	for (i = 0; i < b->count; i++) {
		at = interval_seek(a, at, b->items[i].first);
		if (at == a->count || wide_less(b->items[i].first, a->items[at].first) ||
		    wide_less(a->items[at].last, b->items[i].last))
			return false;
	}
	return true;
}

/* ---- digest ---- */

#define PRIME_2 (HASH_PRIME * HASH_PRIME)
#define PRIME_4 (PRIME_2 * PRIME_2)
#define PRIME_8 (PRIME_4 * PRIME_4)

static uint64_t interval_hash_bytes(uint64_t hash, uint64_t bytes, unsigned int count)
{
	for (; count; count--, bytes >>= 8)
		hash = (hash ^ (unsigned char)bytes) * HASH_PRIME;
	return hash;
}

/* The bytes of the number, lowest first, whatever the machine's own order. A zero byte only
 * multiplies, so that a row of them can do it at once. */
static uint64_t interval_hash(uint64_t hash, struct wide number)
{
	/* An IPv4 address has twelve, ... */
	if (!number.high && number.low <= UINT32_MAX) {
		hash = interval_hash_bytes(hash, number.low, 3);
		return (hash ^ number.low >> 24) * (HASH_PRIME * PRIME_4 * PRIME_8);
	}
	/* ... and the network of an IPv6 prefix mostly eight. */
	hash = number.low ? interval_hash_bytes(hash, number.low, 8) : hash * PRIME_8;
	return interval_hash_bytes(hash, number.high, 8);
}

uint64_t interval_digest(const struct interval_set *set, uint64_t seed)
{
	uint64_t hash = seed ^ HASH_START;
	size_t i;

	for (i = 0; i < set->count; i++) {
		hash = interval_hash(hash, set->items[i].first);
		hash = interval_hash(hash, set->items[i].last);
	}
	return interval_hash(hash, wide(set->count));
}
