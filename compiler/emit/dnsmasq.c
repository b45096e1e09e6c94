/*
 * dnsmasq: which of its answers dnsmasq adds to the policy's sets.
 *
 * In go the sets with domains, out come lines nftset=/DOMAIN/DOMAIN/4#inet#TABLE#SET,6#... (see
 * dnsmasq(8)). For a name dnsmasq obeys one line alone, that of the longest domain the name ends
 * with, the last one of several: so a line names all sets that its domains and the domains above
 * them are in, and no domain stands in two lines.
 */
#include "emit/dnsmasq.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "emit/emit.h"
#include "emit/overview.h"
#include "emit/text.h"
#include "emit/domains.h"
#include "ir/ir.h"

/* Domains that are in the same sets. */
struct alike {
	const struct domain **items; /* sorted */
	size_t count;
};

bool emit_dnsmasq_is_needed(const struct ir *ir)
{
	for (size_t i = 0; i < ir->set_count; i++)
		if (ir->sets[i].domain_count)
			return true;
	return false;
}

/* The sets that an answer for the domain is added to: "4#inet#tpc#x_v4,6#inet#tpc#x_v6". */
static const char *sets_of(struct arena *arena, const struct ir *ir, const struct domain *domain)
{
	struct buf text = { 0 };

	for (size_t i = 0; i < domain->set_count; i++) {
		const struct ir_set *set = &ir->sets[domain->sets[i]];

		buf_printf(&text, "%s%c#inet#%s#%s", i ? "," : "",
			   set->type == IR_SET_IPV4 ? '4' : '6', ir->table, set->base);
	}
	return buf_keep(arena, &text);
}

static int compare_alike(const void *a, const void *b)
{
	const struct domain *const *left = a, *const *right = b;
	int order = domains_compare_sets(*left, *right);

	return order ? order : (*left > *right) - (*left < *right);
}

static int compare_first(const void *a, const void *b)
{
	const struct alike *left = a, *right = b;

	return (left->items[0] > right->items[0]) - (left->items[0] < right->items[0]);
}

/* Does the nearest domain above say the same already? */
static bool is_said_above(const struct domain *domain)
{
	return domain->above && !domains_compare_sets(domain, domain->above);
}

/* The domains that are written, by their sets, in the order of the first of each. */
static struct alike *group(struct arena *arena, const struct domains *domains, size_t *count)
{
	const struct domain **items = arena_alloc(arena, (domains->count + 1) * sizeof(*items));
	struct alike *groups = NULL;
	size_t left = 0;

	for (size_t i = 0; i < domains->count; i++)
		if (!is_said_above(&domains->items[i]))
			items[left++] = &domains->items[i];
	qsort(items, left, sizeof(*items), compare_alike);
	*count = 0;
	for (size_t i = 0; i < left; i++) {
		if (!i || domains_compare_sets(items[i - 1], items[i]) != 0)
			*arena_append(arena, groups, *count) = (struct alike){ &items[i], 0 };
		groups[*count - 1].count++;
	}
	if (*count)
		qsort(groups, *count, sizeof(*groups), compare_first);
	return groups;
}

/* Lines for the domains of a group, as long as dnsmasq reads them. */
static void put_lines(const struct alike *group, const char *sets, struct buf *out)
{
	size_t begin = 0, most = DNSMASQ_LINE - strlen(sets);
	bool is_open = false;

	for (size_t i = 0; i < group->count; i++) {
		const char *name = group->items[i]->name;

		if (is_open && out->length - begin + strlen(name) + 1 > most) {
			buf_printf(out, "%s\n", sets);
			is_open = false;
		}
		if (!is_open) {
			begin = out->length;
			buf_puts(out, "nftset=/");
			is_open = true;
		}
		buf_printf(out, "%s/", name);
	}
	buf_printf(out, "%s\n", sets);
}

/* Has a line room for the domain and all sets that it is in? */
static bool fits(const struct ir *ir, const struct domain *domain)
{
	size_t length = strlen("nftset=//") + strlen(domain->name);

	for (size_t i = 0; i < domain->set_count; i++)
		length += strlen("4#inet##,") + strlen(ir->table) +
			  strlen(ir->sets[domain->sets[i]].base);
	return length <= DNSMASQ_LINE;
}

/* One error is enough: the same names are in the other sets. */
void emit_dnsmasq_check(struct arena *arena, struct diag *diag, const struct ir *ir)
{
	const struct domains domains = domains_of(arena, ir);

	for (size_t i = 0; i < ir->set_count; i++)
		for (size_t k = 0; k < ir->sets[i].domain_count; k++) {
			const char *name = ir->sets[i].domains[k];

			if (fits(ir, domains_find(&domains, name)))
				continue;
			diag_help(diag_add(diag, DIAG_too_complex, ir->sets[i].origin,
					   "the domain %s is in more sets than a line of dnsmasq can name",
					   name),
				  "put it into one set, and name that set in the rules");
			return;
		}
}

static void put_head(const struct emit_job *job, struct buf *out)
{
	overview_put_origin(job, ".dnsmasq.conf", out);
	buf_puts(out,
		 "# dnsmasq (2.87 or later) adds the addresses of these domains, and of all names below them, to the\n"
		 "# policy's sets. Load the policy first, then name this file in dnsmasq.conf:\n"
		 "#   conf-file=/etc/tpc/");
	text_put_comment(out, job->stem);
	buf_puts(out,
		 ".dnsmasq.conf\n# and restart dnsmasq. Only what other servers answer is added: not what dnsmasq answers out of its\n# cache, so let it forget that (SIGHUP) when the sets were emptied or made anew, and not what stands\n# in its own configuration. Clients must ask this dnsmasq and no other server.\n");
}

void emit_dnsmasq_put(const struct emit_job *job, struct buf *out)
{
	const struct ir *ir = job->ir;
	struct arena *arena = arena_new();
	const struct domains domains = domains_of(arena, ir);
	size_t count;
	struct alike *groups = group(arena, &domains, &count);

	put_head(job, out);
	for (size_t i = 0; i < count; i++)
		put_lines(&groups[i], sets_of(arena, ir, groups[i].items[0]), out);
	arena_free(arena);
}
