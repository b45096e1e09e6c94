/*
 * arena: a list of zeroed chunks. Small requests are cut from the newest chunk, large ones get a
 * chunk of their own, so that the pages of a large array that are never touched cost nothing.
 *
 * Always true: `used` is a multiple of ARENA_ALIGN; bytes after `used` of the newest chunk are
 * zero.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ARENA_CHUNK = 64 * 1024, ARENA_LARGE = ARENA_CHUNK / 4, ARENA_ALIGN = alignof(max_align_t) };
enum { ARENA_ROOM_LEAST = 8 };
/* From two huge pages on, one is in it wherever it begins. */
enum { ARENA_PAGE = 4096, ARENA_HUGE = 4 * 1024 * 1024 };

struct arena_chunk {
	struct arena_chunk *next;
	alignas(max_align_t) char bytes[];
};

struct arena {
	struct arena_chunk *chunks; /* the one that is cut from comes first, unless `room` is 0 */
	size_t used, room;
	unsigned int serial;
};

_Noreturn void arena_exhausted(size_t wanted)
{
	fprintf(stderr,
		"tpc: error: this machine has no memory left (%zu more bytes were needed)\n",
		wanted);
	_exit(3); /* at once: nothing half-built may be flushed on the way out */
}

void arena_prefer_huge(void *memory, size_t size)
{
	size_t before = -(uintptr_t)memory % ARENA_PAGE; /* bytes of a page that others use, too */

	if (size >= ARENA_HUGE)
		madvise((char *)memory + before, size - before, MADV_HUGEPAGE);
}

static struct arena_chunk *arena_chunk_new(size_t room)
{
	struct arena_chunk *chunk;

	if (room > SIZE_MAX - sizeof(*chunk))
		arena_exhausted(room);
	chunk = calloc(1, sizeof(*chunk) + room);
	if (!chunk)
		arena_exhausted(room);
	arena_prefer_huge(chunk, sizeof(*chunk) + room);
	return chunk;
}

struct arena *arena_new(void)
{
	struct arena *arena = calloc(1, sizeof(*arena));

	if (!arena)
		arena_exhausted(sizeof(*arena));
	return arena;
}

void arena_free(struct arena *arena)
{
	struct arena_chunk *chunk, *next;

	if (!arena)
		return;
	for (chunk = arena->chunks; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	free(arena);
}

unsigned int arena_serial(struct arena *arena)
{
	return arena->serial++;
}

/* A chunk for one request alone goes after the newest, which stays in use. */
static void *arena_alloc_large(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk = arena_chunk_new(size);

	if (arena->chunks) {
		chunk->next = arena->chunks->next;
		arena->chunks->next = chunk;
	} else {
		arena->chunks = chunk;
		arena->used = arena->room = 0;
	}
	return chunk->bytes;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk;
	char *place;

	if (size > SIZE_MAX - ARENA_ALIGN)
		arena_exhausted(size);
	size = size ? (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN : ARENA_ALIGN;
	if (size >= ARENA_LARGE)
		return arena_alloc_large(arena, size);
	if (arena->room - arena->used < size) {
		chunk = arena_chunk_new(ARENA_CHUNK);
		chunk->next = arena->chunks;
		arena->chunks = chunk;
		arena->used = 0;
		arena->room = ARENA_CHUNK;
	}
	place = arena->chunks->bytes + arena->used;
	arena->used += size;
	return place;
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
	char *copy = arena_alloc(arena, length + 1);

	if (length)
		memcpy(copy, text, length);
	return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return arena_strndup(arena, text, strlen(text));
}

char *arena_vprintf(struct arena *arena, const char *format, va_list args)
{
	va_list again;
	char *text;
	int length;

	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length < 0)
		arena_exhausted(0);
	text = arena_alloc(arena, (size_t)length + 1);
	vsnprintf(text, (size_t)length + 1, format, args);
	return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = arena_vprintf(arena, format, args);
	va_end(args);
	return text;
}

void *arena_room(struct arena *arena, void *items, size_t count, size_t size)
{
	size_t room, bytes;
	char *moved;

	if (items && (count < ARENA_ROOM_LEAST ? count != 0 : (count & (count - 1)) != 0))
		return items;
	room = count < ARENA_ROOM_LEAST ? ARENA_ROOM_LEAST : count * 2;
	if (room <= count || __builtin_mul_overflow(room, size, &bytes))
		arena_exhausted(SIZE_MAX);
	moved = arena_alloc(arena, bytes);
	if (count)
		memcpy(moved, items, count * size);
	return moved;
}
