/*
 * suggest: "did you mean". In comes a word and the words that would have been right, out comes the
 * nearest of them, or NULL when none is near enough (Damerau-Levenshtein distance of at most a
 * third of the length, 1 at least).
 */
#ifndef TPC_BASE_SUGGEST_H
#define TPC_BASE_SUGGEST_H

#include <stddef.h>

const char *suggest_nearest(const char *word, const char *const *candidates, size_t count);

#endif
