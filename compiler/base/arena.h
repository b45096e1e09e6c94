/*
 * arena: the memory of one compilation. Everything a policy turns into lives here and is freed at
 * once.
 *
 * Memory comes back zeroed and aligned for any type. Nothing returns NULL: a machine without memory
 * ends the program with a message, because no half-built policy may go on.
 */
#ifndef TPC_BASE_ARENA_H
#define TPC_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *arena);
void *arena_alloc(struct arena *arena, size_t size);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_strndup(struct arena *arena, const char *text, size_t length);
char *arena_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *arena, const char *format, va_list args);
/* 0, 1, 2 ...: one more with every call. Numbers the sources of a compilation. */
unsigned int arena_serial(struct arena *arena);
/* Says that there is no memory for `wanted` more bytes and ends the program with status 3. */
_Noreturn void arena_exhausted(size_t wanted);

/*
 * Tells the kernel that this memory, where it is large, is best made of huge pages: a long list
 * touches all of it, and one fault for each 4 KiB would cost as much as reading the list. Memory
 * stays as it is, and so does everything where the kernel has no such pages.
 */
void arena_prefer_huge(void *memory, size_t size);

/*
 * Room for one more item of `size` bytes after `count` items: returns the array, moved when its
 * room, which is always the next power of two (8 at least), is used up. The old place stays valid
 * until the arena goes.
 */
void *arena_room(struct arena *arena, void *items, size_t count, size_t size);

#define arena_new_of(arena, type) ((type *)arena_alloc(arena, sizeof(type)))

/* Appends a zeroed item to the array `items` of `count` items and gives its address. */
#define arena_append(arena, items, count) \
	((items) = arena_room(arena, items, count, sizeof(*(items))), &(items)[(count)++])

#endif
