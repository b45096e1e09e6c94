/*
 * domains: which sets a resolver adds its answers to, name by name.
 *
 * In goes an ir, out come the domains of its sets, sorted, each once, each with all sets that it is
 * in itself or by a domain above it: for a name dnsmasq obeys the line of the longest domain alone.
 */
#ifndef TPC_EMIT_DOMAINS_H
#define TPC_EMIT_DOMAINS_H

#include <stddef.h>
#include <stdint.h>

struct arena;
struct ir;

struct domain {
	const char *name;
	const uint32_t *sets; /* numbers in the ir, ascending */
	size_t set_count;     /* where they are more than a line has room for, not all of them */
	struct domain *above; /* the nearest domain that this one lies below; or NULL */
};

struct domains {
	struct domain *items;
	size_t count;
};

/* Costs n log n for the domains of all sets together. */
struct domains domains_of(struct arena *arena, const struct ir *ir);
/* NULL when it is none of them. */
const struct domain *domains_find(const struct domains *domains, const char *name);
/* Are both in the same sets? Less than, equal to or greater than 0, as for qsort. */
int domains_compare_sets(const struct domain *a, const struct domain *b);

#endif
