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
#include "emit/emit.h"
#include "emit/overview.h"
#include "emit/text.h"
#include "ir/ir.h"

struct domain {
	const char *name;
	const char *sets; /* "4#inet#tpc#x_v4,6#inet#tpc#x_v6" */
	bool is_written;
};

struct domains {
	struct arena *arena;
	const struct ir *ir;
	struct domain *items;
	size_t count;
};

bool emit_dnsmasq_is_needed(const struct ir *ir)
{
	for (size_t i = 0; i < ir->set_count; i++)
		if (ir->sets[i].domain_count)
			return true;
	return false;
}

/* The sets that an answer for the name is added to. */
static const char *sets_of(struct domains *domains, const char *name)
{
	const struct ir *ir = domains->ir;
	struct buf text = { 0 };
	const char *sets;

	for (size_t i = 0; i < ir->set_count; i++)
		if (ir_set_resolves(&ir->sets[i], name))
			buf_printf(&text, "%s%c#inet#%s#%s", text.length ? "," : "",
				   ir->sets[i].type == IR_SET_IPV4 ? '4' : '6', ir->table,
				   ir->sets[i].base);
	sets = arena_strdup(domains->arena, buf_text(&text));
	buf_free(&text);
	return sets;
}

static int compare_domains(const void *a, const void *b)
{
	return strcmp(((const struct domain *)a)->name, ((const struct domain *)b)->name);
}

static const struct domain *find(const struct domains *domains, const char *name)
{
	struct domain key = { .name = name };

	return bsearch(&key, domains->items, domains->count, sizeof(key), compare_domains);
}

/* Sorted, each once. */
static void collect(struct domains *domains)
{
	const struct ir *ir = domains->ir;
	size_t count = 0;

	for (size_t i = 0; i < ir->set_count; i++)
		for (size_t k = 0; k < ir->sets[i].domain_count; k++)
			arena_append(domains->arena, domains->items, domains->count)->name =
				ir->sets[i].domains[k];
	qsort(domains->items, domains->count, sizeof(*domains->items), compare_domains);
	for (size_t i = 0; i < domains->count; i++)
		if (!count || strcmp(domains->items[count - 1].name, domains->items[i].name) != 0)
			domains->items[count++] = domains->items[i];
	domains->count = count;
	for (size_t i = 0; i < count; i++)
		domains->items[i].sets = sets_of(domains, domains->items[i].name);
}

/* Does the nearest domain above say the same already? */
static bool is_said_above(const struct domains *domains, const struct domain *domain)
{
	const struct domain *above = NULL;

	for (const char *dot = strchr(domain->name, '.'); dot && !above; dot = strchr(dot + 1, '.'))
		above = find(domains, dot + 1);
	return above && !strcmp(above->sets, domain->sets);
}

/* Lines for all domains with the sets of the first, as long as dnsmasq reads them. */
static void put_lines(struct domains *domains, const char *sets, struct buf *out)
{
	size_t begin = 0, most = IR_RESOLVER_LINE - strlen(sets);
	bool is_open = false;

	for (size_t i = 0; i < domains->count; i++) {
		struct domain *domain = &domains->items[i];

		if (domain->is_written || strcmp(domain->sets, sets) != 0)
			continue;
		if (is_open && out->length - begin + strlen(domain->name) + 1 > most) {
			buf_printf(out, "%s\n", sets);
			is_open = false;
		}
		if (!is_open) {
			begin = out->length;
			buf_puts(out, "nftset=/");
			is_open = true;
		}
		buf_printf(out, "%s/", domain->name);
		domain->is_written = true;
	}
	buf_printf(out, "%s\n", sets);
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
		 ".dnsmasq.conf\n"
		 "# and restart dnsmasq. Only what other servers answer is added: not what dnsmasq answers out of its\n"
		 "# cache, so let it forget that (SIGHUP) when the sets were emptied or made anew, and not what stands\n"
		 "# in its own configuration. Clients must ask this dnsmasq and nobody else.\n");
}

void emit_dnsmasq_put(const struct emit_job *job, struct buf *out)
{
	struct domains domains = { .arena = arena_new(), .ir = job->ir };

	put_head(job, out);
	collect(&domains);
	for (size_t i = 0; i < domains.count; i++)
		domains.items[i].is_written = is_said_above(&domains, &domains.items[i]);
	for (size_t i = 0; i < domains.count; i++)
		if (!domains.items[i].is_written)
			put_lines(&domains, domains.items[i].sets, out);
	arena_free(domains.arena);
}
