/*
 * suggest: "did you mean". In comes a word and the words that would have been right, out comes the
 * nearest of them, or NULL when none is near enough (Damerau-Levenshtein distance of at most a
 * third of the length, 1 at least).
 */
#ifndef TPC_BASE_SUGGEST_H
#define TPC_BASE_SUGGEST_H

#include <stddef.h>

/* A beginning of three letters or more is near, the nearer the less is missing. */
const char *suggest_nearest(const char *word, const char *const *candidates, size_t count);
/* Where what a word means is written elsewhere or otherwise: what to write, or NULL. `what` is that
 * of the message: "action", "key of `rule`". */
const char *suggest_advice(const char *what, const char *word);

#endif
