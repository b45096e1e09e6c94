/*
 * journal: what an apply writes into the run directory (see journal.h). In go the record of the
 * last apply, the ops and the outcome, out come records and archives.
 */
#include "apply/journal.h"

#include <string.h>
#include <time.h>

#include "apply/apply_state.h"
#include "apply/sysctl_restore.h"
#include "base/arena.h"
#include "base/report.h"
#include "host/hosted.h"
#include "ir/ir.h"
#include "state/archive.h"
#include "state/fingerprint.h"

void journal_remember_options(struct apply *apply)
{
	const struct record *before = apply->before;
	bool is_new = before && before->is_complete && before->digest != apply->ir->digest;
	const char *previous = before ? before->options_before : NULL;

	if (apply->job->back && apply->job->back->is_repair) {
		apply->after->options = before->options;
		apply->after->options_before = previous;
		return;
	}
	apply->after->options = apply->job->back ? previous : apply->job->options;
	if (!apply->job->back)
		apply->after->options_before = is_new ? before->options : previous;
}

bool journal_is_repair(const struct apply *apply)
{
	const struct record *before = apply->before;

	if (apply->job->back)
		return apply->job->back->is_repair;
	return before && before->is_complete && before->digest == apply->ir->digest;
}

bool journal_is_same_written(const struct apply *apply)
{
	return apply->applied && hosted_written(apply->applied->ir) == hosted_written(apply->ir);
}

bool journal_has_moved(struct apply *apply)
{
	const struct record *before = apply->before;
	uint64_t digest;

	if (!before || before->is_complete || before->returned)
		return false;
	switch (archive_look(apply->arena, &apply->folder, apply->ir->name, ARCHIVE_APPLIED,
			     &digest)) {
	case ARCHIVE_NONE: /* and its own was not written yet */
		return true;
	case ARCHIVE_BROKEN:
		return false;
	case ARCHIVE_THERE:
		return digest == before->digest && digest == apply->ir->digest;
	}
	return false;
}

/* Of fences whose they are, and what is to be given back later: it must not be forgotten now. */
static void add_to_journal(struct apply *apply, const struct op *op, struct record *journal)
{
	if (op->stage == STAGE_FENCES)
		*arena_append(apply->arena, journal->claims, journal->claim_count) =
			(struct record_claim){ .protocol = op->protocol,
					       .priority_first = op->rule->priority,
					       .priority_last = op->rule->priority };
	if (op->kind != OP_SYSCTL_RESTORE)
		return;
	*arena_append(apply->arena, journal->sysctls, journal->sysctl_count) =
		*record_find_sysctl(apply->before, op->key);
	sysctl_restore_copy(apply->arena, apply->before, journal, op->key);
}

bool journal_open(struct apply *apply, const char **why)
{
	struct record journal = *apply->after;

	journal.is_complete = false;
	/* From either of these a rollback leads to this very policy. */
	if (apply->job->back || journal_is_repair(apply))
		journal.returned = (int64_t)time(NULL);
	if (apply->job->back && apply->before)
		journal.ticket = apply->before->ticket;
	journal.claims = NULL;
	journal.claim_count = 0;
	for (size_t i = 0; i < apply->observed.claim_count; i++)
		*arena_append(apply->arena, journal.claims, journal.claim_count) =
			apply->observed.claims[i];
	for (struct op *op = apply->ops.first; op; op = op->next)
		add_to_journal(apply, op, &journal);
	return record_write(apply->arena, &apply->folder, &journal, why);
}

void journal_take_back(struct apply *apply)
{
	const char *why;

	if (!apply->before)
		record_remove(apply->arena, &apply->folder, apply->ir->name);
	else if (!record_write(apply->arena, &apply->folder, apply->before, &why))
		report_add(apply->report, SEVERITY_WARNING, DIAG_state_write, "%s", why);
}

void journal_close(struct apply *apply, const struct nft_table *table)
{
	const struct record *before = apply->before;
	const char *why;

	if (journal_is_repair(apply)) {
		apply->after->since = before->since;
		apply->after->returned = before->returned;
		apply->after->by_watchdog = before->by_watchdog;
	}
	if (apply->job->back && !apply->job->back->is_repair) {
		apply->after->returned = (int64_t)time(NULL);
		apply->after->by_watchdog = apply->job->back->by_watchdog;
	}
	fingerprint_take(apply->arena, apply->after, table);
	if (!record_write(apply->arena, &apply->folder, apply->after, &why))
		report_add(apply->report, SEVERITY_WARNING, DIAG_state_write,
			   "the policy is applied, but its state cannot be saved for status and remove: %s",
			   why);
}

void journal_archive(struct apply *apply)
{
	struct archive archive = { apply->ir, apply->after->policy, ir_shape(apply->ir) };
	const char *why;

	if (apply->job->back) {
		if (apply->job->back->from_previous)
			archive_return(apply->arena, &apply->folder, apply->ir->name);
		if (!apply->job->back->is_repair)
			history_remove(apply->arena, &apply->folder, apply->ir->name);
		if (apply->is_as_archived)
			return;
	}
	if (!apply->before && !apply->observed.table.exists)
		archive_remove(apply->arena, &apply->folder, apply->ir->name);
	else if (!apply->job->back && !journal_is_repair(apply) &&
		 !journal_is_same_written(apply) && !journal_has_moved(apply))
		archive_keep(apply->arena, &apply->folder, apply->ir->name);
	if (!archive_write(apply->arena, &apply->folder, apply->ir->name, &archive, &why))
		report_add(apply->report, SEVERITY_WARNING, DIAG_state_write,
			   "the policy is applied, but cannot be saved for a rollback: %s", why);
}
