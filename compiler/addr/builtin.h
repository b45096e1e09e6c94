/*
 * builtin: the address sets that every policy knows by name: any, private, loopback, link-local,
 * multicast, bogons. Sources: IANA IPv4 and IPv6 special-purpose address registries, RFC 1918, RFC
 * 4193, RFC 5771, RFC 4291.
 */
#ifndef TPC_ADDR_BUILTIN_H
#define TPC_ADDR_BUILTIN_H

#include <stdbool.h>
#include <stddef.h>

#include "addr/addr.h"

/* The canonical contents of a built-in set, or false when there is none of that name. */
bool builtin_find(struct arena *arena, const char *name, struct addr_set *out);
/* All the names; *count receives how many. */
const char *const *builtin_names(size_t *count);

#endif
