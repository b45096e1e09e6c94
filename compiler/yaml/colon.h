/*
 * colon: finds IPv6 addresses that begin or end with a colon, which YAML does not read as one word.
 *
 * `::1` inside [ ] or { } is a syntax error to libyaml, `fd00::` becomes a mapping of "fd00:" to
 * nothing or an error, and
 * `[fd00::5]:80` a list with something left over. All are right once they are in quotes.
 */
#ifndef TPC_YAML_COLON_H
#define TPC_YAML_COLON_H

#include <stdbool.h>
#include <stddef.h>

/* Is it one, as a whole? */
bool colon_is_address(const char *text, size_t length);
/* The one that the byte at `at` is part of: [*begin, *end). */
bool colon_find(const char *text, size_t size, size_t at, size_t *begin, size_t *end);
/* The same for an address and port in brackets, where `at` is in the brackets or right after them.
 */
bool colon_find_bracketed(const char *text, size_t size, size_t at, size_t *begin, size_t *end);

#endif
