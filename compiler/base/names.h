/*
 * names: lists of names that are kept in the order they came, each once, or sorted.
 */
#ifndef TPC_BASE_NAMES_H
#define TPC_BASE_NAMES_H

#include <stddef.h>

struct arena;

/* Appends the name unless it is there; the list is one of arena_append's. */
void names_add(struct arena *arena, const char ***names, size_t *count, const char *name);
/* For qsort and bsearch over a list of names. */
int names_compare(const void *a, const void *b);

#endif
