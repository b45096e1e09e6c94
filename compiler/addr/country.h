/*
 * country: the countries of the world by the codes that policies and databases name them by.
 *
 * ISO 3166-1 alpha-2, and XK, which is no code of the standard but the one that every database has
 * for Kosovo. A country is known by its number here, from 0 to COUNTRY_COUNT - 1.
 */
#ifndef TPC_ADDR_COUNTRY_H
#define TPC_ADDR_COUNTRY_H

#include <stddef.h>

struct arena;

enum { COUNTRY_COUNT = 250, COUNTRY_NONE = -1 };

/* The number of a code of two capital letters, or COUNTRY_NONE. */
int country_find(const char *code, size_t length);
const char *country_code(int country); /* "CN" */
const char *country_name(int country); /* "China" */
/* What to write instead of a word that is no code, for a help line; in the arena or static. */
const char *country_suggest(struct arena *arena, const char *word);

#endif
