/*
 * remove: the reverse of an apply (see remove.h). Once the rules are gone nothing is undone any
 * more: what cannot be removed is said, with the command that does it, and the rest is removed all
 * the same.
 */
#include "apply/remove.h"

#include <signal.h>

#include "apply/flows_forget.h"
#include "apply/sysctl_restore.h"
#include "base/arena.h"
#include "base/report.h"
#include "host/diff.h"
#include "host/flows.h"
#include "host/foreign_load.h"
#include "host/host.h"
#include "ir/ir.h"
#include "kernel/op.h"
#include "state/archive.h"
#include "state/history.h"
#include "state/pending.h"
#include "state/rundir.h"

struct removal {
	struct arena *arena;
	struct report *report;
	const char *name;
	bool keep_connections;
	struct kernel kernel;
	struct rundir folder;
	struct record *record;
	struct observed observed;
	struct op_list ops;
};

/* What is the policy's own; sysctls as they were written, backwards. */
static void find_ops(struct removal *removal)
{
	const struct ir nothing = { .name = removal->name };
	const struct record *record = removal->record;

	diff_routing(removal->arena, &nothing, &removal->observed, &removal->ops);
	if (removal->observed.table.exists)
		op_add(removal->arena, &removal->ops, OP_TABLE_REMOVE, STAGE_COMMIT)->table =
			removal->observed.table.name;
	for (size_t i = record ? record->sysctl_count : 0; i > 0; i--)
		if (record->sysctls[i - 1].old)
			sysctl_restore_add(removal->arena, &removal->ops, &record->sysctls[i - 1]);
}

static bool restore_sysctl(struct removal *removal, const struct op *op)
{
	const struct sysctl_restore job = { removal->arena, &removal->folder, removal->record,
					    &removal->kernel, removal->report };

	return sysctl_restore_setting(&job, record_find_sysctl(removal->record, op->key));
}

/* True when there is nothing left of it; what the system refused is said, and the command that does
 * it. */
static bool run_op(struct removal *removal, const struct op *op)
{
	const char *command = op_command(removal->arena, op);
	struct netlink_error error;
	bool done;

	if (op->kind == OP_SYSCTL_RESTORE)
		return restore_sysctl(removal, op);
	done = op_run(&removal->kernel, op, &error);
	if (done)
		report_step(removal->report, "%s", command);
	else if (op->stage == STAGE_COMMIT)
		report_add(removal->report, SEVERITY_ERROR, DIAG_kernel_refused,
			   "the nft table inet %s cannot be removed: %s", op->table, error.text);
	else
		report_add(removal->report, SEVERITY_ERROR, DIAG_leftover,
			   "the policy's rules are removed, but not all of the rest: %s",
			   error.text)
			->command = command;
	return done;
}

static enum apply_outcome run_ops(struct removal *removal)
{
	bool done = true;

	for (enum op_stage stage = STAGE_SYSCTLS; stage <= STAGE_RESTORE; stage++)
		for (const struct op *op = removal->ops.first; op; op = op->next) {
			if (op->stage != stage || run_op(removal, op))
				continue;
			if (stage == STAGE_COMMIT)
				return APPLY_REFUSED;
			done = false;
		}
	return done ? APPLY_DONE : APPLY_IN_DOUBT;
}

static void warn_of_claims(struct removal *removal)
{
	const char *table = removal->observed.table.name;

	if (removal->observed.table.exists && !removal->observed.claim_count)
		report_add(removal->report, SEVERITY_WARNING, DIAG_leftover,
			   "nft table inet %s has no record of its ip rules and routes; check whether any are left",
			   table)
			->command = "ip rule; ip -6 rule";
}

/* What was applied goes first: files of a policy without its record would be those of none. */
static void forget(struct removal *removal)
{
	const struct pending *pending =
		pending_read(removal->arena, &removal->folder, removal->name);

	archive_settle(removal->arena, &removal->folder, removal->name);
	archive_remove(removal->arena, &removal->folder, removal->name);
	history_remove(removal->arena, &removal->folder, removal->name);
	record_remove(removal->arena, &removal->folder, removal->name);
	pending_remove(removal->arena, &removal->folder, removal->name);
	if (pending)
		pending_end(pending);
}

static void forget_flows(struct removal *removal)
{
	struct flows_job job = { .arena = removal->arena,
				 .report = removal->report,
				 .kernel = &removal->kernel,
				 .before = removal->record };

	if (removal->record && !removal->keep_connections && !removal->record->ir.keeps_connections)
		flows_forget(&job);
}

static enum apply_outcome take_away(struct removal *removal)
{
	struct netlink_error error;
	enum apply_outcome outcome;

	if (!host_open(&removal->kernel, &error)) {
		host_refused(removal->report, &error);
		return APPLY_REFUSED;
	}
	removal->record = record_read(removal->arena, &removal->folder, removal->name);
	if (!host_observe(removal->arena, &removal->kernel,
			  host_table_name(removal->arena, removal->name), removal->record, NULL,
			  &removal->observed, &error)) {
		host_refused(removal->report, &error);
		return APPLY_REFUSED;
	}
	find_ops(removal);
	if (!removal->ops.first && !removal->record)
		return APPLY_UNCHANGED;
	if (host_is_other_version(&removal->observed, removal->report) ||
	    host_is_strange_table(&removal->observed, removal->record, removal->report) ||
	    !foreign_load_end(removal->report, &removal->observed.table, removal->record))
		return APPLY_REFUSED;
	outcome = run_ops(removal);
	if (outcome == APPLY_REFUSED)
		return outcome;
	warn_of_claims(removal);
	forget_flows(removal);
	if (outcome == APPLY_DONE)
		forget(removal);
	return outcome;
}

enum apply_outcome remove_locked(struct arena *arena, struct report *report, const char *name,
				 const struct rundir *folder, bool keep_connections)
{
	struct removal removal = { .arena = arena,
				   .report = report,
				   .name = name,
				   .keep_connections = keep_connections,
				   .folder = *folder };
	enum apply_outcome outcome;
	sigset_t held, before;

	sigfillset(&held);
	sigprocmask(SIG_BLOCK, &held, &before);
	outcome = take_away(&removal);
	host_close(&removal.kernel);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return outcome;
}

enum apply_outcome remove_policy(struct arena *arena, struct report *report, const char *name,
				 bool keep_connections)
{
	enum apply_outcome outcome;
	struct rundir folder;
	const char *why;

	if (!rundir_open(arena, &folder, true, &why)) {
		report_add(report, SEVERITY_ERROR, DIAG_state_damaged,
			   "the saved state cannot be read: %s", why);
		return APPLY_REFUSED;
	}
	folder.report = report;
	outcome = remove_locked(arena, report, name, &folder, keep_connections);
	rundir_close(arena, &folder);
	return outcome;
}

bool remove_candidates(struct arena *arena, struct report *report, const char ***names,
		       size_t *count)
{
	struct netlink_error error;
	struct kernel kernel;
	struct rundir folder;
	const char *why;
	bool done;

	*count = 0;
	if (!host_open(&kernel, &error))
		return host_refused(report, &error);
	rundir_open(arena, &folder, false, &why);
	done = host_policies(arena, &kernel, &folder, names, count, &error);
	host_close(&kernel);
	return done || host_refused(report, &error);
}
