/*
 * names: see names.h. Byte order, whatever the locale.
 */
#include "base/names.h"

#include <string.h>

#include "base/arena.h"

void names_add(struct arena *arena, const char ***names, size_t *count, const char *name)
{
	for (size_t i = 0; i < *count; i++)
		if (!strcmp((*names)[i], name))
			return;
	*arena_append(arena, *names, *count) = name;
}

int names_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}
