/*
 * Unit tests of emit/domains: random names in random sets, against asking every set about every
 * name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/names.h"
#include "emit/dnsmasq.h"
#include "emit/domains.h"
#include "ir/ir.h"

enum { SETS = 9, NAMES = 60, ROUNDS = 200 };

static uint32_t draw(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % below;
}

/* Few letters, so that names lie below one another often. */
static const char *draw_name(struct arena *arena, uint64_t *seed)
{
	char text[32] = "";

	for (uint32_t labels = 1 + draw(seed, 4); labels; labels--)
		sprintf(text + strlen(text), "%c%s", (int)('a' + draw(seed, 3)),
			labels > 1 ? "." : "");
	return arena_strdup(arena, text);
}

static void draw_set(struct arena *arena, uint64_t *seed, struct ir_set *set)
{
	const char **names = NULL;
	size_t count = 0, kept = 0;

	for (uint32_t i = draw(seed, NAMES); i; i--)
		*arena_append(arena, names, count) = draw_name(arena, seed);
	if (count)
		qsort(names, count, sizeof(*names), names_compare);
	for (size_t i = 0; i < count; i++)
		if (!kept || strcmp(names[kept - 1], names[i]) != 0)
			names[kept++] = names[i];
	*set = (struct ir_set){ .domains = names, .domain_count = kept };
}

/* Is it one of the set's domains, or below one? */
static bool resolves(const struct ir_set *set, const char *name)
{
	for (; name; name = strchr(name, '.') ? strchr(name, '.') + 1 : NULL)
		for (size_t i = 0; i < set->domain_count; i++)
			if (!strcmp(set->domains[i], name))
				return true;
	return false;
}

static void check_domain(const struct domains *domains, const struct ir_set *sets, const char *name)
{
	const struct domain *domain = domains_find(domains, name);
	size_t next = 0;

	assert_non_null(domain);
	for (uint32_t i = 0; i < SETS; i++)
		if (resolves(&sets[i], name)) {
			assert_true(next < domain->set_count);
			assert_int_equal(domain->sets[next++], i);
		}
	assert_int_equal(next, domain->set_count);
	assert_true(!domain->above || domains_compare_sets(domain, domain->above) != 0 ||
		    domain->set_count == domain->above->set_count);
}

static void every_name_has_its_sets(void **state)
{
	uint64_t seed = 11;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct arena *arena = arena_new();
		struct ir_set sets[SETS];
		struct ir ir = { .sets = sets, .set_count = SETS };
		struct domains domains;

		for (size_t i = 0; i < SETS; i++)
			draw_set(arena, &seed, &sets[i]);
		domains = domains_of(arena, &ir);
		for (size_t i = 1; i < domains.count; i++)
			assert_true(strcmp(domains.items[i - 1].name, domains.items[i].name) < 0);
		for (size_t i = 0; i < SETS; i++)
			for (size_t k = 0; k < sets[i].domain_count; k++)
				check_domain(&domains, sets, sets[i].domains[k]);
		assert_null(domains_find(&domains, "z"));
		arena_free(arena);
	}
}

/* A name in more sets than any line names: enough of them are kept to see that. */
static void more_sets_than_a_line(void **state)
{
	enum { MANY = 1000 };
	const char *names[] = { "a", "b.a" };
	struct arena *arena = arena_new();
	struct ir_set *sets = arena_alloc(arena, MANY * sizeof(*sets));
	struct ir ir = { .sets = sets, .set_count = MANY };
	struct domains domains;

	(void)state;
	for (size_t i = 0; i < MANY; i++)
		sets[i] = (struct ir_set){ .domains = &names[i % 2], .domain_count = 1 };
	domains = domains_of(arena, &ir);
	assert_int_equal(domains.count, 2);
	assert_true(domains.items[1].set_count * 8 > DNSMASQ_LINE);
	arena_free(arena);
}

static void no_domains(void **state)
{
	struct arena *arena = arena_new();
	struct ir_set set = { .domain_count = 0 };
	struct ir ir = { .sets = &set, .set_count = 1 };
	struct domains domains = domains_of(arena, &ir);

	(void)state;
	assert_int_equal(domains.count, 0);
	assert_null(domains_find(&domains, "a"));
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_has_its_sets),
		cmocka_unit_test(more_sets_than_a_line),
		cmocka_unit_test(no_domains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
