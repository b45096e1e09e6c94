/*
 * host: puts together what the kernel tells of a policy, of other policies, and of everybody
 * else (see host.h).
 */
#include "host/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netlink.h>

#include "base/arena.h"
#include "base/names.h"
#include "base/report.h"
#include "host/hosted.h"
#include "state/fingerprint.h"
#include "state/rundir.h"

bool host_open(struct kernel *kernel, struct netlink_error *error)
{
	uint32_t generation;

	memset(kernel, 0, sizeof(*kernel));
	if (netlink_open(&kernel->route, NETLINK_ROUTE, error) &&
	    netlink_open(&kernel->nft, NETLINK_NETFILTER, error) &&
	    netlink_generation(&kernel->nft, &generation, error))
		return true;
	host_close(kernel);
	return false;
}

void host_close(struct kernel *kernel)
{
	netlink_close(&kernel->route);
	netlink_close(&kernel->nft);
}

bool host_refused(struct report *report, const struct netlink_error *error)
{
	if (error->code == EPERM || error->code == EACCES)
		report_add(report, SEVERITY_ERROR, DIAG_capability,
			   "the capability CAP_NET_ADMIN is missing in this network namespace; use sudo, or give it to "
			   "the program once")
			->command = "sudo setcap cap_net_admin+ep \"$(command -v tpc)\"";
	else
		report_add(report, SEVERITY_ERROR, DIAG_kernel_unreadable,
			   "the kernel does not list its nft rules and routes: %s", error->text);
	return false;
}

static void add_name(struct arena *arena, const char *name, const char ***names, size_t *count)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp((*names)[i], name) == 0)
			return;
	*arena_append(arena, *names, *count) = name;
}

static const char *policy_name(const char *table)
{
	return strncmp(table, "tpc_", 4) == 0 ? table + 4 : table;
}

bool host_policies(struct arena *arena, struct kernel *kernel, const struct rundir *folder,
		   const char ***names, size_t *count, struct netlink_error *error)
{
	const char **tables, **files;
	size_t table_count, file_count;

	*names = NULL;
	*count = 0;
	if (!nft_table_names(arena, &kernel->nft, &tables, &table_count, error))
		return false;
	files = rundir_list(arena, folder, &file_count);
	for (size_t i = 0; i < table_count; i++)
		add_name(arena, policy_name(tables[i]), names, count);
	for (size_t i = 0; i < file_count; i++)
		if (record_read(arena, folder, files[i]))
			add_name(arena, files[i], names, count);
	if (*count)
		qsort(*names, *count, sizeof(**names), names_compare);
	return true;
}

const char *host_table_name(struct arena *arena, const char *policy)
{
	return strcmp(policy, "tpc") == 0 ? "tpc" : arena_printf(arena, "tpc_%s", policy);
}

bool host_is_other_version(const struct observed *observed, struct report *report)
{
	const struct about_line *policy = nft_table_about(&observed->table, ABOUT_POLICY);

	if (!policy || policy->version == ABOUT_VERSION)
		return false;
	report_add(report, SEVERITY_ERROR, DIAG_other_version,
		   "the table inet %s was written by another version of tpc (format %u, this one knows %d); "
		   "remove it with that version",
		   observed->table.name, policy->version, ABOUT_VERSION);
	return true;
}

bool host_is_strange_table(const struct observed *observed, const struct record *record,
			   struct report *report)
{
	const struct nft_table *table = &observed->table;

	if (!table->exists || record || nft_table_about(table, ABOUT_POLICY))
		return false;
	diag_help(report_add(report, SEVERITY_ERROR, DIAG_foreign_table,
			     "nft table inet %s exists but was not created by tpc (no tpc metadata, no saved state)",
			     table->name),
		  "give the policy another `name:`, or remove that table yourself: nft delete table inet %s",
		  table->name);
	return true;
}

static bool has_priority(const struct record_claim *claim, uint32_t priority)
{
	return priority && priority >= claim->priority_first && priority <= claim->priority_last;
}

bool host_claim(struct arena *arena, const struct nft_table *table, struct record_claim *out)
{
	const struct about_line *routing = nft_table_about(table, ABOUT_ROUTING);

	memset(out, 0, sizeof(*out));
	if (!routing || !nft_table_is_readable(table))
		return false;
	out->protocol = routing->protocol;
	out->priority_first = routing->priority_first;
	out->priority_last = routing->priority_last;
	for (size_t i = 0; i < table->about_count; i++) {
		const struct about_line *line = &table->about[i];

		if (line->kind != ABOUT_TABLE)
			continue;
		*arena_append(arena, out->tables, out->table_count) = line->table;
		if (line->is_copy)
			out->main_copy = line->table;
	}
	return true;
}

static void collect_claims(struct arena *arena, const struct record *record,
			   const struct record_claim *wanted, struct observed *out)
{
	struct record_claim claim;

	if (host_claim(arena, &out->table, &claim))
		*arena_append(arena, out->claims, out->claim_count) = claim;
	for (size_t i = 0; record && i < record->claim_count; i++)
		*arena_append(arena, out->claims, out->claim_count) = record->claims[i];
	if (wanted)
		*arena_append(arena, out->claims, out->claim_count) = *wanted;
}

static void read_marks(struct arena *arena, const struct nft_table *table, struct host_other *other)
{
	for (size_t i = 0; i < table->about_count; i++) {
		const struct about_line *line = &table->about[i];

		if (line->kind == ABOUT_MARK)
			*arena_append(arena, other->marks, other->mark_count) =
				(struct host_mark){ line->mark, line->mask };
		if (line->kind == ABOUT_CONNECTIONS) {
			other->tells_marks = true;
			other->ct_mask = line->mask;
		}
	}
}

static bool observe_others(struct arena *arena, struct kernel *kernel, struct observed *out,
			   struct netlink_error *error)
{
	const char **names;
	size_t count;

	if (!nft_table_names(arena, &kernel->nft, &names, &count, error))
		return false;
	for (size_t i = 0; i < count; i++) {
		struct nft_table table;
		struct record_claim claim;
		struct host_other *other;

		if (strcmp(names[i], out->table.name) == 0)
			continue;
		if (!nft_table_observe(arena, &kernel->nft, names[i], &table, error))
			return false;
		if (!host_claim(arena, &table, &claim))
			continue;
		other = arena_append(arena, out->others, out->other_count);
		other->name = arena_strdup(arena, nft_table_about(&table, ABOUT_POLICY)->name);
		other->claim = claim;
		other->mask = nft_table_about(&table, ABOUT_ROUTING)->mask;
		read_marks(arena, &table, other);
	}
	return true;
}

/* Was the table read already, for a claim before this one? */
static bool was_read(const struct observed *out, size_t claims, uint32_t table)
{
	for (size_t i = 0; i < claims; i++)
		if (record_claims_table(&out->claims[i], table))
			return true;
	return false;
}

/* What the table should hold now: the specific routes of the main table, as routes of `table`.
 * Link-local and multicast destinations never meet a policy's rules, and are not among them. */
static bool observe_specific(struct arena *arena, struct netlink *netlink, uint32_t table,
			     struct route_list *out, struct netlink_error *error)
{
	struct route_list held = { 0 };

	if (!route_observe(arena, netlink, ADDR_IPV6, IR_TABLE_MAIN, &held, error))
		return false;
	for (size_t i = 0; i < held.count; i++) {
		struct route_seen seen = held.items[i];

		if (seen.is_other || seen.route.to.length < IR_SPECIFIC_IPV6 ||
		    addr_is_link_local(seen.route.to.addr) ||
		    seen.route.to.addr.bits.high >> 56 == 0xff) /* ff00::/8 */
			continue;
		seen.route.table = table;
		*arena_append(arena, out->items, out->count) = seen;
	}
	return true;
}

/* The copy that the policy asks for, or the one it asked for before. */
static bool observe_main(struct arena *arena, struct kernel *kernel, struct observed *out,
			 struct netlink_error *error)
{
	for (size_t i = out->claim_count; i > 0; i--)
		if (out->claims[i - 1].main_copy)
			return observe_specific(arena, &kernel->route, out->claims[i - 1].main_copy,
						&out->main_specific, error);
	return true;
}

static bool observe_routes(struct arena *arena, struct kernel *kernel, struct observed *out,
			   struct netlink_error *error)
{
	for (size_t i = 0; i < out->claim_count; i++) {
		const struct record_claim *claim = &out->claims[i];

		for (size_t k = 0; k < claim->table_count; k++) {
			if (was_read(out, i, claim->tables[k]))
				continue;
			for (int family = 0; family < ADDR_FAMILIES; family++)
				if (!route_observe(arena, &kernel->route, (enum addr_family)family,
						   claim->tables[k], &out->routes, error))
					return false;
		}
	}
	return true;
}

bool host_observe(struct arena *arena, struct kernel *kernel, const char *table,
		  const struct record *record, const struct record_claim *wanted,
		  struct observed *out, struct netlink_error *error)
{
	memset(out, 0, sizeof(*out));
	if (!nft_table_observe(arena, &kernel->nft, table, &out->table, error))
		return false;
	fingerprint_compare(record, &out->table);
	out->hosted_changed = hosted_changed(arena, record);
	collect_claims(arena, record, wanted, out);
	for (int family = 0; family < ADDR_FAMILIES; family++)
		if (!ip_rule_observe(arena, &kernel->route, (enum addr_family)family, &out->rules,
				     error))
			return false;
	return observe_routes(arena, kernel, out, error) &&
	       observe_main(arena, kernel, out, error) && observe_others(arena, kernel, out, error);
}

const struct host_other *host_priority_owner(const struct observed *observed, uint32_t priority)
{
	for (size_t i = 0; i < observed->other_count; i++)
		if (has_priority(&observed->others[i].claim, priority))
			return &observed->others[i];
	return NULL;
}

const struct host_other *host_table_owner(const struct observed *observed, uint32_t table)
{
	for (size_t i = 0; i < observed->other_count; i++)
		if (record_claims_table(&observed->others[i].claim, table))
			return &observed->others[i];
	return NULL;
}

bool host_owns_rule(const struct observed *observed, const struct ip_rule_seen *seen)
{
	if (seen->is_other || host_priority_owner(observed, seen->rule.priority))
		return false;
	for (size_t i = 0; i < observed->claim_count; i++)
		if (seen->protocol == observed->claims[i].protocol &&
		    has_priority(&observed->claims[i], seen->rule.priority))
			return true;
	return false;
}

bool host_owns_route(const struct observed *observed, const struct route_seen *seen)
{
	if (seen->is_other || host_table_owner(observed, seen->route.table))
		return false;
	for (size_t i = 0; i < observed->claim_count; i++)
		if (seen->protocol == observed->claims[i].protocol &&
		    record_claims_table(&observed->claims[i], seen->route.table))
			return true;
	return false;
}
