/*
 * rollback: finds out what was there before the last apply, from the record and the archives, and
 * lets the engine of apply, or remove, do the rest (see rollback.h).
 *
 * Every step leaves files from which the next run finds the same way: a rollback that was cut off
 * is finished by the next one.
 */
#include "apply/rollback.h"

#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "apply/remove.h"
#include "apply/retained_sets.h"
#include "base/arena.h"
#include "base/diag.h"
#include "base/report.h"
#include "host/foreign_load.h"
#include "host/host.h"
#include "ir/ir.h"
#include "state/archive.h"
#include "state/pending.h"
#include "state/record.h"

/*
 * ---- a record that was set aside ----
 *
 * The table says which policy it holds, its numbers and whether it waits; the archive of that very
 * policy has the rest. What nothing else knows is lost: the values of sysctls before, and when and
 * with which options it was applied.
 */

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

static bool table_waits(const struct nft_table *table, const struct pending *pending)
{
	const struct about_line *line = nft_table_about(table, ABOUT_WAITS);

	return pending && line && (pid_t)line->pid == pending->pid &&
	       line->started == pending->started;
}

static struct record *rebuild_record(struct arena *arena, const struct rundir *folder,
				     struct kernel *kernel, const char *policy,
				     const struct pending *pending)
{
	struct archive *applied = archive_read(arena, folder, policy, ARCHIVE_APPLIED);
	const char *why;
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
	if (record && table_waits(&table, pending))
		record->ticket = pending_ticket(arena, pending);
	return record && record_write(arena, folder, record, &why) ? record : NULL;
}

/* The record was there and is none that we have written: most of it is known elsewhere. */
static void rebuild(struct rollback *rollback)
{
	struct netlink_error error;
	struct kernel kernel;

	if (!host_open(&kernel, &error))
		return;
	rollback->record = rebuild_record(rollback->arena, &rollback->folder, &kernel,
					  rollback->policy, rollback->pending);
	rollback->is_rebuilt = rollback->record != NULL;
	host_close(&kernel);
}

static bool open_folder(struct rollback *rollback)
{
	const char *why;
	size_t reported;

	if (!rundir_open(rollback->arena, &rollback->folder, true, &why)) {
		report_add(rollback->report, SEVERITY_ERROR, DIAG_state_damaged,
			   "the saved state cannot be read: %s", why);
		return false;
	}
	rollback->folder.report = rollback->report;
	reported = rollback->report->count;
	rollback->record = record_read(rollback->arena, &rollback->folder, rollback->policy);
	rollback->is_lost = !rollback->record && rollback->report->count > reported;
	rollback->pending = pending_read(rollback->arena, &rollback->folder, rollback->policy);
	if (rollback->is_lost)
		rebuild(rollback);
	return true;
}

static bool is_waiting(const struct rollback *rollback)
{
	return pending_waits(rollback->arena, rollback->pending, rollback->record);
}

static void end_waiting(struct rollback *rollback)
{
	if (!rollback->pending)
		return;
	pending_remove(rollback->arena, &rollback->folder, rollback->policy);
	pending_end(rollback->pending);
}

static const char *moment(struct arena *arena, int64_t since)
{
	time_t seconds = (time_t)since;
	char text[64] = "";
	struct tm local;

	if (localtime_r(&seconds, &local))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local);
	return arena_strdup(arena, text);
}

/* ---- what was there before ---- */

/* A file that cannot be looked into is what was applied if the apply came to its end. */
static bool is_archived(const struct rollback *rollback)
{
	uint64_t digest;

	switch (archive_look(rollback->arena, &rollback->folder, rollback->policy, ARCHIVE_APPLIED,
			     &digest)) {
	case ARCHIVE_NONE: /* moved, and the new one not written yet */
		return !rollback->record->returned;
	case ARCHIVE_BROKEN:
		return rollback->record->is_complete;
	case ARCHIVE_THERE:
		return digest == rollback->record->digest;
	}
	return false;
}

/*
 * An apply archives its policy as the last but one of its steps, so where that is not the record's,
 * it is what was there before. The record of a rollback names the policy it leads to.
 */
static enum archive_kind find_target(const struct rollback *rollback)
{
	bool is_return = rollback->record->returned != 0;

	return is_archived(rollback) == is_return ? ARCHIVE_APPLIED : ARCHIVE_PREVIOUS;
}

/* Nothing is remembered; the kernel may have a table all the same. */
static void refuse_unknown(struct rollback *rollback)
{
	if (foreign_load_waits(rollback->report, &rollback->table, NULL))
		return;
	if (!rollback->table.exists) {
		report_add(rollback->report, SEVERITY_ERROR, DIAG_nothing_to_restore,
			   "nothing of %s was applied here, so there is nothing to roll back to",
			   rollback->policy);
		return;
	}
	diag_help(report_add(rollback->report, SEVERITY_ERROR, DIAG_state_damaged,
			     "nft table inet %s exists, and what was applied before it is unknown here: %s",
			     rollback->table.name,
			     rollback->is_lost
				     ? "its state file was set aside"
				     : "it was loaded by hand, or applied by another user or with another run directory"),
		  "run it as that user, or with that folder in TPC_RUN_DIR; `tpc apply` replaces it, `tpc remove %s` removes it",
		  rollback->policy);
}

static bool is_possible(struct rollback *rollback)
{
	const struct record *record = rollback->record;

	if (!record) {
		refuse_unknown(rollback);
		return false;
	}
	if (!record->is_complete || !record->returned)
		return true;
	diag_help_text(report_add(rollback->report, SEVERITY_ERROR, DIAG_nothing_to_restore,
				  "there is nothing to roll back to: the last apply of %s was rolled back %s%s",
				  rollback->policy,
				  record->by_watchdog ? "because it was not confirmed, "
						      : "already, ",
				  moment(rollback->arena, record->returned)),
		       "`tpc apply` with the policy's file applies it again");
	return false;
}

/* ---- going there ---- */

static enum apply_outcome apply_archive(struct rollback *rollback, struct archive *archive,
					enum archive_kind kind)
{
	struct apply_return back = { .from_previous = kind == ARCHIVE_PREVIOUS,
				     .by_watchdog = rollback->overdue != NULL };
	struct apply_job job = { .arena = rollback->arena,
				 .diag = rollback->diag,
				 .report = rollback->report,
				 .ir = archive->ir,
				 .policy = archive->policy,
				 /* Whoever has come to stand beside it is no reason to stay. */
				 .allow_foreign = true,
				 .keep_connections = rollback->keep_connections,
				 .folder = &rollback->folder,
				 .back = &back };
	enum apply_outcome outcome = apply_policy(&job, &rollback->counts);

	/* All was there already: it is in force, and that was asked for. */
	return outcome == APPLY_UNCHANGED ? APPLY_DONE : outcome;
}

static enum apply_outcome go_back(struct rollback *rollback)
{
	enum archive_kind kind = find_target(rollback);
	struct archive *archive;
	uint64_t digest;
	bool is_none = archive_look(rollback->arena, &rollback->folder, rollback->policy, kind,
				    &digest) == ARCHIVE_NONE;

	if (is_none && rollback->is_rebuilt && !is_waiting(rollback)) {
		diag_help(report_add(rollback->report, SEVERITY_ERROR, DIAG_state_damaged,
				     "whether anything of %s was applied before is unknown: its state file was set aside",
				     rollback->policy),
			  "`tpc remove %s` removes it", rollback->policy);
		return APPLY_REFUSED;
	}
	if (is_none)
		return remove_locked(rollback->arena, rollback->report, rollback->policy,
				     &rollback->folder, rollback->keep_connections);
	archive = archive_read(rollback->arena, &rollback->folder, rollback->policy, kind);
	if (!archive) {
		diag_help_text(report_add(rollback->report, SEVERITY_ERROR, DIAG_state_damaged,
					  "the previous policy cannot be read (%s/%s): the file is damaged, or of another version of tpc",
					  rollback->folder.path,
					  archive_file(rollback->arena, rollback->policy, kind)),
			       "apply a policy that you trust, or remove this one: tpc remove");
		return APPLY_REFUSED;
	}
	archive_settle(rollback->arena, &rollback->folder, rollback->policy);
	rollback->file = archive->policy;
	return apply_archive(rollback, archive, kind);
}

/* The apply was ended before it had changed anything: what is in force is what was before. */
static enum apply_outcome forget(struct rollback *rollback)
{
	end_waiting(rollback);
	return APPLY_UNCHANGED;
}

/*
 * What waits is taken back, not what was put in its place. False: that cannot be known.
 */
static bool look(struct rollback *rollback, struct kernel *kernel)
{
	const char *name = host_table_name(rollback->arena, rollback->policy);
	struct netlink_error error;

	if (!nft_table_observe(rollback->arena, &kernel->nft, name, &rollback->table, &error))
		return host_refused(rollback->report, &error);
	rollback->is_superseded = rollback->pending &&
				  foreign_load_supersedes(rollback->arena, &rollback->folder,
							  &rollback->table, rollback->record);
	return true;
}

static bool open_and_look(struct rollback *rollback)
{
	struct netlink_error error;
	struct kernel kernel;
	bool done;

	if (!host_open(&kernel, &error))
		return host_refused(rollback->report, &error);
	done = look(rollback, &kernel);
	host_close(&kernel);
	return done;
}

/* No watchdog waits any more: whoever asks again gets what they ask for. */
static enum apply_outcome leave(struct rollback *rollback)
{
	struct diag_record *line = report_add(rollback->report, SEVERITY_ERROR, DIAG_foreign_load,
					      "%s; nothing changed", foreign_load_superseded);

	if (rollback->overdue)
		return APPLY_REFUSED;
	diag_help(line,
		  "no apply waits for a confirmation any more; to roll back all the same, run it again: tpc rollback %s",
		  rollback->policy);
	end_waiting(rollback);
	return APPLY_REFUSED;
}

static bool is_mine(const struct rollback *rollback)
{
	return rollback->pending && rollback->pending->pid == rollback->overdue->pid &&
	       rollback->pending->started == rollback->overdue->started;
}

static enum apply_outcome decide(struct rollback *rollback)
{
	enum apply_outcome outcome;

	if (rollback->overdue && !is_mine(rollback))
		return APPLY_UNCHANGED;
	if (rollback->pending && !is_waiting(rollback))
		return forget(rollback);
	if (!open_and_look(rollback) || !is_possible(rollback) ||
	    foreign_load_waits(rollback->report, &rollback->table, rollback->record))
		return APPLY_REFUSED;
	if (rollback->is_superseded)
		return leave(rollback);
	outcome = go_back(rollback);
	if (outcome == APPLY_DONE)
		end_waiting(rollback);
	return outcome;
}

enum apply_outcome rollback_run(struct rollback *rollback)
{
	enum apply_outcome outcome;

	rollback->diag = diag_new(rollback->arena);
	if (!open_folder(rollback))
		return APPLY_REFUSED;
	outcome = decide(rollback);
	rundir_close(rollback->arena, &rollback->folder);
	return outcome;
}

/* ---- because no confirmation came ---- */

enum { ATTEMPTS = 20, PAUSE_SECONDS = 3 };

/* Keeps why a watchdog could not do it where `tpc status` finds it. */
static void note_failure(struct rollback *rollback, const char *why)
{
	const char *reason;

	if (!open_folder(rollback))
		return;
	if (is_mine(rollback)) {
		rollback->pending->failure = why;
		pending_write(rollback->arena, &rollback->folder, rollback->policy,
			      rollback->pending, &reason);
	}
	rundir_close(rollback->arena, &rollback->folder);
}

static const char *reason(const struct report *report)
{
	for (size_t i = report->count; i > 0; i--)
		if (report->records[i - 1]->severity == SEVERITY_ERROR)
			return report->records[i - 1]->text;
	return "unknown reason";
}

static void tell(const struct rollback *rollback, enum apply_outcome outcome)
{
	openlog("tpc", LOG_PID, LOG_DAEMON);
	if (outcome == APPLY_DONE)
		syslog(LOG_WARNING, "%s: not confirmed in time, so the last apply was rolled back",
		       rollback->policy);
	else if (outcome != APPLY_UNCHANGED)
		syslog(LOG_ERR,
		       "%s: not confirmed in time, and the last apply cannot be rolled back: %s",
		       rollback->policy, reason(rollback->report));
	closelog();
}

void rollback_overdue(const char *policy, const struct pending *self)
{
	enum apply_outcome outcome = APPLY_REFUSED;

	for (int i = 0; i < ATTEMPTS && outcome != APPLY_DONE && outcome != APPLY_UNCHANGED; i++) {
		struct arena *arena = arena_new();
		struct report report = { .arena = arena };
		struct rollback rollback = {
			.arena = arena, .report = &report, .policy = policy, .overdue = self
		};

		if (i > 0)
			sleep(PAUSE_SECONDS);
		outcome = rollback_run(&rollback);
		if (i == 0 || outcome == APPLY_DONE)
			tell(&rollback, outcome);
		if (outcome == APPLY_REFUSED || outcome == APPLY_IN_DOUBT)
			note_failure(&rollback, reason(&report));
		i = rollback.is_superseded ? ATTEMPTS : i;
		arena_free(arena);
	}
}

/* ---- confirming ---- */

static bool is_confirmable(struct rollback *rollback)
{
	const struct record *record = rollback->record;

	if (foreign_load_waits(rollback->report, &rollback->table, record))
		return false;
	if (is_waiting(rollback) && rollback->is_superseded) {
		report_add(rollback->report, SEVERITY_ERROR, DIAG_foreign_load,
			   "%s waits for no confirmation: %s", rollback->policy,
			   foreign_load_superseded);
		end_waiting(rollback);
		return false;
	}
	if (!is_waiting(rollback)) {
		end_waiting(rollback);
		if (record && record->returned && record->by_watchdog)
			report_add(rollback->report, SEVERITY_ERROR, DIAG_nothing_pending,
				   "%s waits for no confirmation: the apply was not confirmed in time, and was rolled back %s",
				   rollback->policy, moment(rollback->arena, record->returned));
		else
			report_add(rollback->report, SEVERITY_ERROR, DIAG_nothing_pending,
				   "%s waits for no confirmation", rollback->policy);
		return false;
	}
	if (record->is_complete)
		return true;
	report_add(rollback->report, SEVERITY_ERROR, DIAG_apply_incomplete,
		   "the apply of %s did not finish, so it cannot be confirmed", rollback->policy)
		->command =
		arena_printf(rollback->report->arena, "tpc rollback %s", rollback->policy);
	return false;
}

/* Without the file in the folder the watchdog does nothing, so that is where it is decided. */
static enum apply_outcome confirm(struct rollback *rollback, struct kernel *kernel)
{
	const char *why;

	if (!look(rollback, kernel) || !is_confirmable(rollback))
		return APPLY_REFUSED;
	end_waiting(rollback);
	rollback->record->ticket = NULL;
	if (!record_write(rollback->arena, &rollback->folder, rollback->record, &why))
		report_add(rollback->report, SEVERITY_WARNING, DIAG_state_write, "%s", why);
	retained_sets_clear(rollback->arena, rollback->report, kernel, &rollback->folder,
			    rollback->record);
	return APPLY_DONE;
}

enum apply_outcome rollback_confirm(struct arena *arena, struct report *report, const char *policy)
{
	struct rollback rollback = { .arena = arena, .report = report, .policy = policy };
	enum apply_outcome outcome = APPLY_REFUSED;
	struct netlink_error error;
	struct kernel kernel;

	if (!host_open(&kernel, &error)) {
		host_refused(report, &error);
		return APPLY_REFUSED;
	}
	if (open_folder(&rollback)) {
		outcome = confirm(&rollback, &kernel);
		rundir_close(arena, &rollback.folder);
	}
	host_close(&kernel);
	return outcome;
}

bool rollback_find_foreign(struct arena *arena, struct report *report)
{
	struct netlink_error error;
	struct kernel kernel;
	const char **names;
	size_t count, before = report->count;
	bool done;

	if (!host_open(&kernel, &error)) {
		host_refused(report, &error);
		return true;
	}
	done = nft_table_names(arena, &kernel.nft, &names, &count, &error);
	for (size_t i = 0; done && i < count; i++) {
		struct nft_table table;

		done = nft_table_observe(arena, &kernel.nft, names[i], &table, &error);
		if (done)
			foreign_load_waits(report, &table, NULL);
	}
	if (!done)
		host_refused(report, &error);
	host_close(&kernel);
	return report->count > before;
}

const char **rollback_pending(struct arena *arena, size_t *count)
{
	const char **all, **names = NULL, *why;
	struct rundir folder;
	size_t all_count;

	*count = 0;
	rundir_open(arena, &folder, false, &why);
	all = rundir_list(arena, &folder, &all_count);
	for (size_t i = 0; i < all_count; i++)
		if (pending_waits(arena, pending_read(arena, &folder, all[i]),
				  record_read(arena, &folder, all[i])))
			*arena_append(arena, names, *count) = all[i];
	return names;
}
