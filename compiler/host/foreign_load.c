/*
 * foreign_load: compares what the table says of itself with this folder's record (see
 * foreign_load.h).
 */
#include "host/foreign_load.h"

#include <inttypes.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/report.h"
#include "kernel/nft_table.h"
#include "state/archive.h"
#include "state/pending.h"
#include "state/record.h"

/* How long after the deadline a watchdog that is not visible from here may still work. */
enum { GRACE_SECONDS = 180 };

const char foreign_load_superseded[] = "another policy was loaded meanwhile, and stays";

const char *foreign_load_line(struct arena *arena, const struct pending *pending)
{
	return arena_printf(arena, "waits=%s until=%" PRId64 " uid=%u",
			    pending_ticket(arena, pending), pending->deadline,
			    (unsigned int)geteuid());
}

static bool is_archived(struct arena *arena, const struct rundir *folder, const char *policy,
			enum archive_kind kind, uint64_t digest)
{
	uint64_t archived;

	return archive_look(arena, folder, policy, kind, &archived) == ARCHIVE_THERE &&
	       archived == digest;
}

bool foreign_load_supersedes(struct arena *arena, const struct rundir *folder,
			     const struct nft_table *table, const struct record *record)
{
	const struct about_line *policy = nft_table_about(table, ABOUT_POLICY);

	if (!policy || !record || policy->digest == record->digest)
		return false;
	return record->is_complete ||
	       !(is_archived(arena, folder, record->name, ARCHIVE_APPLIED, policy->digest) ||
		 is_archived(arena, folder, record->name, ARCHIVE_PREVIOUS, policy->digest));
}

/* The wait that the table tells of and that is none of this folder's; false: there is none, or it
 * is over. */
static bool find(struct arena *arena, const struct nft_table *table, const struct record *record,
		 struct pending *out)
{
	const struct about_line *policy = nft_table_about(table, ABOUT_POLICY),
				*line = nft_table_about(table, ABOUT_WAITS);

	if (!policy || !line)
		return false;
	*out = (struct pending){ .pid = (pid_t)line->pid,
				 .started = line->started,
				 .deadline = line->until };
	if (record && record->ticket && strcmp(record->ticket, pending_ticket(arena, out)) == 0)
		return false;
	if (pending_lives(out))
		return true;
	/* Its own, where a confirmation was interrupted after its decision. */
	if (record && record->digest == policy->digest)
		return false;
	return pending_deadline(0) < out->deadline + GRACE_SECONDS * INT64_C(1000000000);
}

/* "alice (1000)", or the number alone. */
static const char *user_name(struct arena *arena, uint32_t uid)
{
	const struct passwd *user = getpwuid((uid_t)uid);

	return user ? arena_printf(arena, "%s (%" PRIu32 ")", user->pw_name, uid)
		    : arena_printf(arena, "%" PRIu32, uid);
}

bool foreign_load_waits(struct report *report, const struct nft_table *table,
			const struct record *record)
{
	const struct about_line *policy = nft_table_about(table, ABOUT_POLICY),
				*line = nft_table_about(table, ABOUT_WAITS);
	struct pending pending;

	if (!find(report->arena, table, record, &pending))
		return false;
	diag_help(report_add(report, SEVERITY_ERROR, DIAG_confirm_pending,
			     "the last apply of %s waits for its confirmation, %u more seconds; it came from another run directory, by user %s%s",
			     policy->name, pending_left(&pending),
			     user_name(report->arena, line->uid),
			     pending_lives(&pending)
				     ? ""
				     : "; the process that would roll it back is not visible from here"),
		  "as that user, with that directory: `tpc confirm %s` keeps it, `tpc rollback %s` rolls it back; to remove it in any case: `tpc remove %s`",
		  policy->name, policy->name, policy->name);
	return true;
}

bool foreign_load_end(struct report *report, const struct nft_table *table,
		      const struct record *record)
{
	struct pending pending;

	if (!find(report->arena, table, record, &pending) || pending_end(&pending))
		return true;
	return !foreign_load_waits(report, table, record);
}
