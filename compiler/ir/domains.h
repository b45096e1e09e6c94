/*
 * domains: which sets a resolver adds its answers to, name by name.
 *
 * In go sets with domains, out come their domains, sorted, each once, each with all sets that it is
 * in itself or by a domain above it: for a name dnsmasq obeys the line of the longest domain alone.
 */
#ifndef TPC_IR_DOMAINS_H
#define TPC_IR_DOMAINS_H

#include <stddef.h>
#include <stdint.h>

struct arena;
struct ir_set;

struct ir_domain {
	const char *name;
	const uint32_t *sets;    /* numbers in the list that went in, ascending */
	size_t set_count;        /* where they are more than a line has room for, not all of them */
	struct ir_domain *above; /* the nearest domain that this one lies below; or NULL */
};

struct ir_domains {
	struct ir_domain *items;
	size_t count;
};

/* Costs n log n for the domains of all sets together. */
struct ir_domains ir_domains_of(struct arena *arena, const struct ir_set *const *sets,
				size_t set_count);
/* NULL when it is none of them. */
const struct ir_domain *ir_domains_find(const struct ir_domains *domains, const char *name);
/* Are both in the same sets? Less than, equal to or greater than 0, as for qsort. */
int ir_domains_compare_sets(const struct ir_domain *a, const struct ir_domain *b);

#endif
