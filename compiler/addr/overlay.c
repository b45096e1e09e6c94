/*
 * overlay: a sweep over the edges of all sets at once; see overlay.h.
 *
 * A heap gives the next edge, a bit field says which sets are open between two edges. A list is
 * known by a 128-bit sum of random numbers, one a set, so that a list met before costs one look
 * into a table.
 */
#include "addr/overlay.h"

#include <string.h>

#include "base/arena.h"

enum { WORD = 64 };

/* One set on its way through the sweep. */
struct cursor {
	const struct interval_set *set;
	size_t next; /* interval */
	bool open;   /* inside of it: its next edge is its end */
	uint32_t index;
};

/* A set with an edge before it, and where that is. */
struct entry {
	struct wide edge;
	struct cursor *cursor;
};

struct print {
	uint64_t a, b;
};

struct sweep {
	struct arena *arena;
	struct cursor *cursors;
	struct entry *heap;
	size_t heap_count;
	uint64_t *active;
	struct print print; /* of all open sets */
	size_t open_count;
	const bool *ends;
	size_t words, room, entries, most;
	struct print *prints; /* of the lists, by number */
	size_t print_count;
	size_t *table; /* of lists, by print: number + 1 */
	size_t table_size;
	struct overlay *out;
	bool keeps_atoms;
};

/* splitmix64, Steele, Lea and Flood: one number after the other of a seed that is ours. */
static uint64_t mix(uint64_t value)
{
	value += 0x9e3779b97f4a7c15u;
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
	value = (value ^ value >> 27) * 0x94d049bb133111ebu;
	return value ^ value >> 31;
}

static struct print print_of(uint32_t index)
{
	return (struct print){ mix(2 * (uint64_t)index), mix(2 * (uint64_t)index + 1) };
}

/* ---- edges ---- */

/* The first address after the edge; an end at the very last address has none and matches nothing.
 */
static struct wide edge(const struct cursor *cursor)
{
	const struct interval *interval = &cursor->set->items[cursor->next];

	return cursor->open ? wide_after(interval->last) : interval->first;
}

static bool has_edge(const struct cursor *cursor)
{
	return cursor->next < cursor->set->count &&
	       !(cursor->open &&
		 wide_equal(cursor->set->items[cursor->next].last, wide_ones(WIDE_BITS)));
}

static void sink(struct sweep *sweep, size_t at)
{
	struct entry *heap = sweep->heap, moved = heap[at];

	for (size_t child; (child = 2 * at + 1) < sweep->heap_count; at = child) {
		if (child + 1 < sweep->heap_count &&
		    wide_less(heap[child + 1].edge, heap[child].edge))
			child++;
		if (!wide_less(heap[child].edge, moved.edge))
			break;
		heap[at] = heap[child];
	}
	heap[at] = moved;
}

/* The set at the top has moved on: it finds its new place, or leaves. */
static void settle(struct sweep *sweep)
{
	struct entry *top = &sweep->heap[0];

	if (has_edge(top->cursor))
		top->edge = edge(top->cursor);
	else
		*top = sweep->heap[--sweep->heap_count];
	if (sweep->heap_count)
		sink(sweep, 0);
}

/* Opens or closes a set. */
static void turn(struct sweep *sweep, struct cursor *cursor)
{
	struct print print = print_of(cursor->index);

	sweep->active[cursor->index / WORD] ^= 1ull << cursor->index % WORD;
	sweep->print.a += cursor->open ? -print.a : print.a;
	sweep->print.b += cursor->open ? -print.b : print.b;
	sweep->open_count += cursor->open ? -1ul : 1ul;
	cursor->open = !cursor->open;
}

/* Goes over the edge of the set at the top. */
static void pass(struct sweep *sweep)
{
	struct cursor *cursor = sweep->heap[0].cursor;

	cursor->next += cursor->open;
	turn(sweep, cursor);
	settle(sweep);
}

/* ---- lists ---- */

/* Adds each open set to the print, up to the first that ends a list, and writes them down. */
static size_t gather(const struct sweep *sweep, struct print *print, uint32_t *into)
{
	size_t count = 0;

	for (size_t w = 0; w < sweep->words; w++)
		for (uint64_t word = sweep->active[w]; word; word &= word - 1) {
			uint32_t index = (uint32_t)(w * WORD + (size_t)__builtin_ctzll(word));
			struct print one = print_of(index);

			print->a += one.a;
			print->b += one.b;
			if (into)
				into[count] = index;
			count++;
			if (sweep->ends && sweep->ends[index])
				return count;
		}
	return count;
}

static size_t *slot(const struct sweep *sweep, struct print print)
{
	for (size_t i = print.a;; i++) {
		size_t *entry = &sweep->table[i & (sweep->table_size - 1)];

		if (!*entry || !memcmp(&sweep->prints[*entry - 1], &print, sizeof(print)))
			return entry;
	}
}

static void grow_table(struct sweep *sweep)
{
	if (sweep->print_count * 2 < sweep->table_size)
		return;
	sweep->table_size = sweep->table_size ? sweep->table_size * 4 : 64;
	sweep->table = arena_alloc(sweep->arena, sweep->table_size * sizeof(*sweep->table));
	for (size_t i = 0; i < sweep->print_count; i++)
		*slot(sweep, sweep->prints[i]) = i + 1;
}

static size_t intern(struct sweep *sweep, struct print print, size_t count, struct interval first)
{
	struct overlay *out = sweep->out;
	struct overlay_list *list;
	size_t *entry;

	grow_table(sweep);
	entry = slot(sweep, print);
	if (*entry)
		return *entry - 1;
	sweep->entries += count;
	*arena_append(sweep->arena, sweep->prints, sweep->print_count) = print;
	*entry = sweep->print_count;
	list = arena_append(sweep->arena, out->lists, out->list_count);
	list->sets = arena_alloc(sweep->arena, count * sizeof(*list->sets));
	list->first = first;
	list->count = gather(sweep, &print, list->sets);
	return *entry - 1;
}

/* ---- atoms ---- */

static void add_atom(struct sweep *sweep, struct wide first, struct wide last)
{
	struct overlay *out = sweep->out;
	struct print print = sweep->print;
	size_t count = sweep->open_count, list;
	struct overlay_atom *before = out->atom_count ? &out->atoms[out->atom_count - 1] : NULL;

	if (!count)
		return;
	if (sweep->ends) {
		print = (struct print){ 0 };
		count = gather(sweep, &print, NULL);
	}
	list = intern(sweep, print, count, (struct interval){ first, last });
	if (!sweep->keeps_atoms)
		return;
	if (before && before->list == list && wide_equal(wide_after(before->span.last), first))
		before->span.last = last;
	else
		*arena_append(sweep->arena, out->atoms, out->atom_count) =
			(struct overlay_atom){ { first, last }, list };
}

/*
 * Until another set has an edge, the one at the top only shows the two lists again that it has just
 * shown, itself open and itself closed. It goes there at once: a list of a million against a few
 * others costs next to nothing.
 */
static void leap(struct sweep *sweep)
{
	const struct entry *heap = sweep->heap;
	struct cursor *cursor = heap[0].cursor;
	size_t nearest = sweep->heap_count > 2 && wide_less(heap[2].edge, heap[1].edge) ? 2 : 1;
	struct wide until;

	/* What has nothing beside it up to the last address may as well go step by step. */
	if (sweep->heap_count < 2 || wide_equal(heap[0].edge, heap[nearest].edge))
		return;
	until = heap[nearest].edge;
	cursor->next = interval_seek(cursor->set, cursor->next, wide_before(until));
	if (cursor->open != (cursor->next < cursor->set->count &&
			     wide_less(cursor->set->items[cursor->next].first, until)))
		turn(sweep, cursor);
	settle(sweep);
}

static bool run(struct sweep *sweep)
{
	const struct cursor *before = NULL;
	unsigned int alone = 0; /* so many edges of `before`, and none of another set */

	while (sweep->heap_count) {
		const struct cursor *top = sweep->heap[0].cursor;
		struct wide at = sweep->heap[0].edge;

		alone = top == before ? alone + 1 : 1;
		before = top;
		pass(sweep);
		for (; sweep->heap_count && wide_equal(sweep->heap[0].edge, at); alone = 0)
			pass(sweep);
		add_atom(sweep, at,
			 sweep->heap_count ? wide_before(sweep->heap[0].edge)
					   : wide_ones(WIDE_BITS));
		if (sweep->entries > sweep->most)
			return false;
		if (!sweep->keeps_atoms && alone >= 2 && sweep->heap_count &&
		    sweep->heap[0].cursor == top)
			leap(sweep);
	}
	return true;
}

static bool make(struct sweep sweep, const struct interval_set *const *sets, size_t count)
{
	struct arena *arena = sweep.arena;

	*sweep.out = (struct overlay){ 0 };
	sweep.words = (count + WORD - 1) / WORD;
	sweep.cursors = arena_alloc(arena, count * sizeof(*sweep.cursors) + 1);
	sweep.heap = arena_alloc(arena, count * sizeof(*sweep.heap) + 1);
	sweep.active = arena_alloc(arena, sweep.words * sizeof(*sweep.active) + 1);
	for (size_t i = 0; i < count; i++) {
		sweep.cursors[i] = (struct cursor){ .set = sets[i], .index = (uint32_t)i };
		if (sets[i]->count)
			sweep.heap[sweep.heap_count++] =
				(struct entry){ edge(&sweep.cursors[i]), &sweep.cursors[i] };
	}
	for (size_t i = sweep.heap_count / 2; i--;)
		sink(&sweep, i);
	return run(&sweep);
}

bool overlay_make(struct arena *arena, const struct interval_set *const *sets, const bool *ends,
		  size_t count, size_t most, struct overlay *out)
{
	return make((struct sweep){ .arena = arena,
				    .ends = ends,
				    .most = most,
				    .out = out,
				    .keeps_atoms = true },
		    sets, count);
}

bool overlay_make_lists(struct arena *arena, const struct interval_set *const *sets,
			const bool *ends, size_t count, size_t most, struct overlay *out)
{
	return make((struct sweep){ .arena = arena, .ends = ends, .most = most, .out = out }, sets,
		    count);
}

const struct overlay_list *overlay_find(const struct overlay *overlay, struct wide value)
{
	size_t low = 0, high = overlay->atom_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (wide_less(overlay->atoms[middle].span.last, value))
			low = middle + 1;
		else
			high = middle;
	}
	if (low == overlay->atom_count || wide_less(value, overlay->atoms[low].span.first))
		return NULL;
	return &overlay->lists[overlay->atoms[low].list];
}
