/*
 * rebuild: see rebuild.h. The table says which policy it holds, its numbers and whether it waits;
 * the archive of that very policy has the rest.
 */
#include "apply/rebuild.h"

#include <time.h>

#include "base/arena.h"
#include "host/host.h"
#include "ir/ir.h"
#include "state/archive.h"
#include "state/pending.h"
#include "state/record.h"

/* An apply that did not come to its end: the archive is of what was there before. */
static struct record *of_table(struct arena *arena, const struct nft_table *table, const char *name)
{
	struct record *record = arena_new_of(arena, struct record);
	struct record_claim *claim = arena_append(arena, record->claims, record->claim_count);

	record->name = name;
	record->policy = "<stdin>";
	record->since = (int64_t)time(NULL);
	record->digest = nft_table_about(table, ABOUT_POLICY)->digest;
	return host_claim(arena, table, claim) ? record : NULL;
}

static bool waits(const struct nft_table *table, const struct pending *pending)
{
	const struct about_line *line = nft_table_about(table, ABOUT_WAITS);

	return pending && line && (pid_t)line->pid == pending->pid &&
	       line->started == pending->started;
}

struct record *rebuild_record(struct arena *arena, const struct rundir *folder,
			      struct kernel *kernel, const char *policy,
			      const struct pending *pending)
{
	const char *file = archive_file(arena, policy, ARCHIVE_APPLIED), *why;
	struct archive *applied = archive_read(arena, folder, file);
	struct netlink_error error;
	struct nft_table table;
	struct record *record;

	if (!nft_table_observe(arena, &kernel->nft, host_table_name(arena, policy), &table,
			       &error) ||
	    !nft_table_about(&table, ABOUT_POLICY))
		return NULL;
	if (applied && applied->ir->digest == nft_table_about(&table, ABOUT_POLICY)->digest) {
		record = record_of(arena, applied->ir, applied->policy);
		record->name = policy;
		record->nft_rules = nft_table_rule_count(&table);
	} else {
		record = of_table(arena, &table, policy);
	}
	if (record && waits(&table, pending))
		record->ticket = pending_ticket(arena, pending);
	return record && record_write(arena, folder, record, &why) ? record : NULL;
}
