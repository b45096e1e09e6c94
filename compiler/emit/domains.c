/*
 * domains: the domains of all sets in one sorted list. Each takes over the sets of the domain above
 * it, shared where it has no others of its own, so that no set is asked about names that are not
 * its own.
 */
#include "emit/domains.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "emit/dnsmasq.h"
#include "ir/ir.h"

/* More sets than any line has room for, even with names of no letters ("4#inet##"). */
enum { DOMAINS_SETS = DNSMASQ_LINE / 8 + 1 };

struct domain_use {
	const char *name;
	uint32_t set;
};

static int compare_uses(const void *a, const void *b)
{
	const struct domain_use *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	return order ? order : (left->set > right->set) - (left->set < right->set);
}

static struct domain_use *collect_uses(struct arena *arena, const struct ir *ir, size_t *count)
{
	struct domain_use *uses = NULL;

	*count = 0;
	for (size_t i = 0; i < ir->set_count; i++)
		for (size_t k = 0; k < ir->sets[i].domain_count; k++)
			*arena_append(arena, uses, *count) =
				(struct domain_use){ ir->sets[i].domains[k], (uint32_t)i };
	if (*count)
		qsort(uses, *count, sizeof(*uses), compare_uses);
	return uses;
}

/* One domain for all uses of a name, with the sets that name it. */
static void put_domains(struct arena *arena, const struct domain_use *uses, size_t count,
			struct domains *out)
{
	uint32_t *numbers = arena_alloc(arena, (count + 1) * sizeof(*numbers));

	out->items = arena_alloc(arena, (count + 1) * sizeof(*out->items));
	out->count = 0;
	for (size_t i = 0; i < count; i++) {
		struct domain *last = &out->items[out->count - 1];

		numbers[i] = uses[i].set;
		if (out->count && !strcmp(last->name, uses[i].name))
			last->set_count += last->set_count < DOMAINS_SETS;
		else
			out->items[out->count++] =
				(struct domain){ uses[i].name, &numbers[i], 1, NULL };
	}
}

static int compare_domains(const void *a, const void *b)
{
	return strcmp(((const struct domain *)a)->name, ((const struct domain *)b)->name);
}

static struct domain *find(const struct domains *domains, const char *name)
{
	struct domain key = { .name = name };

	if (!domains->count)
		return NULL;
	return bsearch(&key, domains->items, domains->count, sizeof(key), compare_domains);
}

const struct domain *domains_find(const struct domains *domains, const char *name)
{
	return find(domains, name);
}

static struct domain *find_above(const struct domains *domains, const char *name)
{
	struct domain *above = NULL;

	for (const char *dot = strchr(name, '.'); dot && !above; dot = strchr(dot + 1, '.'))
		above = find(domains, dot + 1);
	return above;
}

/* Both lists as one, ascending; returns the count, which is at most DOMAINS_SETS. */
static size_t merge(const struct domain *a, const struct domain *b, uint32_t *out)
{
	size_t i = 0, k = 0, count = 0;

	while (count < DOMAINS_SETS && (i < a->set_count || k < b->set_count)) {
		bool has_a = i < a->set_count, has_b = k < b->set_count;
		uint32_t next = has_a && (!has_b || a->sets[i] <= b->sets[k]) ? a->sets[i]
									      : b->sets[k];

		i += has_a && a->sets[i] == next;
		k += has_b && b->sets[k] == next;
		out[count++] = next;
	}
	return count;
}

static void take_over(struct arena *arena, struct domain *domain)
{
	const struct domain *above = domain->above;
	uint32_t both[DOMAINS_SETS], *kept;
	size_t count = merge(domain, above, both);

	if (count == above->set_count) {
		domain->sets = above->sets;
	} else if (count > domain->set_count) {
		kept = arena_alloc(arena, count * sizeof(*kept));
		memcpy(kept, both, count * sizeof(*kept));
		domain->sets = kept;
	}
	domain->set_count = count;
}

enum { LABELS_MOST = 127 }; /* of 253 characters, two for each but the last */

static size_t count_labels(const char *name)
{
	size_t count = 1;

	for (; *name; name++)
		count += *name == '.';
	return count < LABELS_MOST ? count : LABELS_MOST;
}

struct domains domains_of(struct arena *arena, const struct ir *ir)
{
	struct domains domains;
	size_t count, begins[LABELS_MOST + 2] = { 0 };
	struct domain_use *uses = collect_uses(arena, ir, &count);
	struct domain **ordered;

	put_domains(arena, uses, count, &domains);
	/* A domain above another has fewer labels, and is complete before it. */
	ordered = arena_alloc(arena, (domains.count + 1) * sizeof(*ordered));
	for (size_t i = 0; i < domains.count; i++)
		begins[count_labels(domains.items[i].name) + 1]++;
	for (size_t i = 1; i < LABELS_MOST + 2; i++)
		begins[i] += begins[i - 1];
	for (size_t i = 0; i < domains.count; i++)
		ordered[begins[count_labels(domains.items[i].name)]++] = &domains.items[i];
	for (size_t i = 0; i < domains.count; i++) {
		ordered[i]->above = find_above(&domains, ordered[i]->name);
		if (ordered[i]->above)
			take_over(arena, ordered[i]);
	}
	return domains;
}

int domains_compare_sets(const struct domain *a, const struct domain *b)
{
	if (a->set_count != b->set_count)
		return a->set_count < b->set_count ? -1 : 1;
	return a->sets == b->sets ? 0 : memcmp(a->sets, b->sets, a->set_count * sizeof(*a->sets));
}
