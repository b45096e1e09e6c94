/*
 * names: lists of names that are kept in the order they came, each once, or sorted; a number for a
 * name.
 */
#ifndef TPC_BASE_NAMES_H
#define TPC_BASE_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct arena;

/* Appends the name unless it is there; the list is one of arena_append's. */
void names_add(struct arena *arena, const char ***names, size_t *count, const char *name);
/* FNV-1a, 32 bits (Fowler, Noll, Vo), of texts one after the other; begins with NAMES_HASH. */
enum { NAMES_HASH = 0x811c9dc5u };
uint32_t names_hash(uint32_t hash, const char *text);
/* For qsort and bsearch over a list of names. */
int names_compare(const void *a, const void *b);

#endif
