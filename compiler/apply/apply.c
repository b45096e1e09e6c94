/*
 * apply: the frame of an apply: opens, looks, decides, and lets the steps be done and remembered.
 */
#include "apply/apply.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "apply/apply_state.h"
#include "apply/journal.h"
#include "apply/plan.h"
#include "apply/retained_sets.h"
#include "apply/watchdog.h"
#include "base/arena.h"
#include "base/diag.h"
#include "base/report.h"
#include "host/conflicts.h"
#include "host/flushers.h"
#include "host/foreign_ip_rules.h"
#include "host/foreign_load.h"
#include "host/hosted.h"
#include "host/learnt.h"
#include "host/mark_writers.h"
#include "host/unmarked.h"
#include "ir/ir.h"
#include "kernel/timezone.h"
#include "state/archive.h"

/* The path that still means the same file from anywhere. */
static const char *absolute(struct arena *arena, const char *path)
{
	char *real = strcmp(path, "-") == 0 ? NULL : realpath(path, NULL);
	const char *copy;

	if (!real)
		return strcmp(path, "-") == 0 ? "<stdin>" : path;
	copy = arena_strdup(arena, real);
	free(real);
	return copy;
}

/* An apply that waits for its confirmation is not to be replaced by another one. */
static bool is_free(struct apply *apply)
{
	const char *name = apply->ir->name;
	struct pending *pending = pending_read(apply->arena, &apply->folder, name);

	if (apply->job->dry_run && !apply->job->plan)
		return true;
	if (foreign_load_waits(apply->report, &apply->observed.table, apply->before))
		return false;
	if (!pending || apply->job->back)
		return true;
	if (!pending_waits(apply->arena, pending, apply->before) ||
	    foreign_load_supersedes(apply->arena, &apply->folder, &apply->observed.table,
				    apply->before)) {
		if (apply->job->dry_run)
			return true;
		pending_remove(apply->arena, &apply->folder, name);
		pending_end(pending);
		return true;
	}
	diag_help(report_add(apply->report, SEVERITY_ERROR, DIAG_confirm_pending,
			     "the last apply of %s waits for its confirmation, %u more seconds",
			     name, pending_left(pending)),
		  "keep it: `tpc confirm %s`; roll it back: `tpc rollback %s`", name, name);
	return false;
}

static bool open_folder(struct apply *apply)
{
	const char *why;

	if (apply->job->folder) {
		apply->folder = *apply->job->folder;
		return true;
	}
	if (rundir_open(apply->arena, &apply->folder, !apply->job->dry_run, &why)) {
		apply->folder.report = apply->report;
		archive_settle(apply->arena, &apply->folder, apply->ir->name);
		return true;
	}
	report_add(apply->report, SEVERITY_ERROR, DIAG_state_write,
		   "no run directory can be used: %s", why);
	return false;
}

static bool look(struct apply *apply)
{
	struct netlink_error error;

	if (!host_open(&apply->kernel, &error))
		return host_refused(apply->report, &error);
	if (!open_folder(apply))
		return false;
	apply->loader.lock = apply->folder.lock;
	apply->before = record_read(apply->arena, &apply->folder, apply->ir->name);
	apply->after =
		record_of(apply->arena, apply->ir, absolute(apply->arena, apply->job->policy));
	journal_remember_options(apply);
	apply_note_kept_flows(apply);
	if (!host_observe(apply->arena, &apply->kernel, apply->ir->table, apply->before,
			  apply->after->claims, &apply->observed, &error))
		return host_refused(apply->report, &error);
	learnt_resolve(apply->arena, &apply->kernel.route, &apply->observed, apply->ir);
	return is_free(apply);
}

/* Which other policies have come from this file? */
static void find_renamed(struct apply *apply)
{
	for (size_t i = 0; i < apply->observed.other_count; i++) {
		struct host_other *other = &apply->observed.others[i];
		const struct record *record =
			record_read(apply->arena, &apply->folder, other->name);

		other->is_same_file = record && *apply->after->policy == '/' &&
				      !strcmp(record->policy, apply->after->policy);
	}
}

/* Is there anything against it? Everything that is, is said. */
static bool is_possible(struct apply *apply)
{
	bool good = !host_is_other_version(&apply->observed, apply->report);

	good &= !host_is_strange_table(&apply->observed, apply->before, apply->report);
	find_renamed(apply);
	return conflicts_find(apply->job->diag, apply->ir, &apply->observed,
			      apply->job->allow_foreign) &&
	       good;
}

/* Others' nft rules are many on some hosts, so they are read only when something is to change. */
static bool are_marks_free(struct apply *apply)
{
	struct mark_writers_job job = { .arena = apply->arena,
					.diag = apply->job->diag,
					.report = apply->report,
					.nft = &apply->kernel.nft,
					.ir = apply->ir,
					.observed = &apply->observed,
					.allow_foreign = apply->job->allow_foreign };

	/* Whoever goes back is in a hurry, and had those marks before. */
	return apply->job->back || mark_writers_check(&job);
}

/* The table as it has become; empty where it does not let itself be read. */
static const struct nft_table *look_again(struct apply *apply)
{
	struct nft_table *now = arena_new_of(apply->arena, struct nft_table);
	struct netlink_error error;

	if (nft_table_observe(apply->arena, &apply->kernel.nft, apply->ir->table, now, &error))
		return now;
	memset(now, 0, sizeof(*now));
	return now;
}

/* ---- the watchdog ---- */

static bool is_guarded(const struct apply *apply)
{
	return apply->job->watchdog && !journal_is_repair(apply);
}

/* No archive has what another program has loaded. */
static void warn_of_superseded(struct apply *apply)
{
	if (apply->job->back || !foreign_load_supersedes(apply->arena, &apply->folder,
							 &apply->observed.table, apply->before))
		return;
	report_add(apply->report, SEVERITY_WARNING, DIAG_foreign_load,
		   "another policy was loaded since the last apply from this run directory, and is replaced now: %s",
		   apply->job->watchdog && journal_is_repair(apply)
			   ? "this policy was applied before, so it needs no confirmation"
			   : "a rollback restores what was applied from this run directory before");
}

/* There is nothing to take back, or not any more. */
static void disarm(struct apply *apply)
{
	if (!is_guarded(apply))
		return;
	pending_remove(apply->arena, &apply->folder, apply->ir->name);
	watchdog_dismiss(apply->job->watchdog);
	apply->after->ticket = NULL;
	apply->ir->waits = NULL;
}

static bool arm(struct apply *apply)
{
	const char *why = "the watchdog does not reply";
	const struct pending *pending;
	uint64_t digest;

	if (!is_guarded(apply))
		return true;
	pending = &apply->job->watchdog->pending;
	if (!watchdog_arm(apply->job->watchdog, apply->ir->name) ||
	    !pending_write(apply->arena, &apply->folder, apply->ir->name, pending, &why)) {
		report_add(apply->report, SEVERITY_ERROR, DIAG_no_watchdog,
			   "cannot start the process that would roll back: %s", why);
		disarm(apply);
		return false;
	}
	apply->after->ticket = pending_ticket(apply->arena, pending);
	apply->ir->waits = foreign_load_line(apply->arena, pending);
	if (apply->observed.table.exists &&
	    archive_look(apply->arena, &apply->folder, apply->ir->name, ARCHIVE_APPLIED, &digest) ==
		    ARCHIVE_NONE)
		report_add(apply->report, SEVERITY_WARNING, DIAG_nothing_to_restore,
			   "the loaded policy is not saved (it was loaded by hand), so without a confirmation the policy will be removed altogether");
	retained_sets_spare(apply);
	return true;
}

/* The time to confirm begins now. */
static void release(struct apply *apply)
{
	struct watchdog *watchdog = apply->job->watchdog;
	const char *why;

	if (!is_guarded(apply))
		return;
	watchdog->pending.deadline = pending_deadline(watchdog->seconds);
	pending_write(apply->arena, &apply->folder, apply->ir->name, &watchdog->pending, &why);
	watchdog_release(watchdog);
}

/* ---- the change ---- */

static enum apply_outcome give_up(struct apply *apply)
{
	if (!apply_undo(apply)) {
		release(apply);
		return APPLY_IN_DOUBT;
	}
	journal_take_back(apply);
	if (!apply->job->back && !journal_is_repair(apply))
		history_remove(apply->arena, &apply->folder, apply->ir->name);
	disarm(apply);
	return APPLY_REFUSED;
}

static enum apply_outcome change(struct apply *apply)
{
	const char *why;
	bool done, has_changed;

	warn_of_superseded(apply);
	if (!arm(apply))
		return APPLY_REFUSED;
	if (!journal_open(apply, &why)) {
		report_add(apply->report, SEVERITY_ERROR, DIAG_state_write,
			   "cannot save the state before the change: %s", why);
		disarm(apply);
		return APPLY_REFUSED;
	}
	if (!journal_is_repair(apply))
		apply_open_history(apply);
	if (!apply_build(apply))
		return give_up(apply);
	if (!apply_clean(apply)) {
		release(apply);
		return APPLY_IN_DOUBT;
	}
	has_changed = op_list_has_changes(&apply->ops);
	if (!has_changed)
		disarm(apply);
	journal_archive(apply);
	journal_close(apply, look_again(apply));
	done = apply_drop(apply);
	apply_forget_flows(apply);
	if (!has_changed)
		return APPLY_UNCHANGED;
	release(apply);
	return done ? APPLY_DONE : APPLY_IN_DOUBT;
}

/* What --allow-foreign allows (`is_allowed`) is said, but is no reason not to do it. */
static void warn_of_foreign_rules(const struct apply *apply, bool is_allowed)
{
	const struct foreign_ip_rules_policy own = { .claim = &apply->after->claims[0],
						     .ip_rules = apply->ir->ip_rules,
						     .ip_rule_count = apply->ir->ip_rule_count };

	if (is_allowed && apply->job->allow_foreign)
		foreign_ip_rules_find_inside(apply->report, &own, &apply->observed);
	if (!is_allowed && apply->ir->ip_rule_count)
		foreign_ip_rules_find(apply->report, &own, &apply->observed);
}

/* All warnings so far, where they are taken for errors. */
static bool are_warnings_refused(const struct apply *apply)
{
	struct report *report = apply->report;
	size_t refused = 0;

	for (size_t i = 0; apply->job->strict && i < report->count; i++)
		if (report->records[i]->severity == SEVERITY_WARNING) {
			report->records[i]->severity = SEVERITY_ERROR;
			refused++;
		}
	return refused;
}

/* What the last apply left, where it can be of use: nothing is read when nothing has changed. */
static const struct archive *read_applied(const struct apply *apply)
{
	const struct about_line *policy = nft_table_about(&apply->observed.table, ABOUT_POLICY);

	if (!policy || policy->digest == apply->ir->digest)
		return NULL;
	return archive_read(apply->arena, &apply->folder, apply->ir->name, ARCHIVE_APPLIED);
}

/* Sets of so many elements are filled in no time. */
enum { FEW_ELEMENTS = 10000 };

/*
 * A rehearsal costs as much as the commit itself. It is done before anything that packets or others
 * on this host would notice, or that takes long; the rest is taken back as if it had not been.
 * Rules to go back to are ones that the kernel has had, and whoever goes back is in a hurry.
 */
static bool needs_rehearsal(const struct apply *apply)
{
	bool is_noticed = false;
	size_t elements = 0;

	if (apply->job->back)
		return false;
	for (const struct op *op = apply->ops.first; op; op = op->next) {
		is_noticed |= op->state != OP_LEFT_OUT &&
			      (op->key || op->kind == OP_ROUTE_REPLACE ||
			       op->kind == OP_SET_MIGRATE || op->stage == STAGE_FENCES);
		elements += op->kind == OP_SET_FILL ? op->count : 0;
	}
	return apply->job->dry_run || is_noticed || elements > FEW_ELEMENTS;
}

static enum apply_outcome decide(struct apply *apply)
{
	struct op *commit;

	if (!look(apply))
		return APPLY_REFUSED;
	if (!is_possible(apply)) {
		are_marks_free(apply);
		return APPLY_REFUSED;
	}
	if (!apply->observed.table.exists)
		nft_load_open(&apply->loader);
	apply->applied = read_applied(apply);
	apply->set_names =
		diff_make(apply->arena, apply->ir, &apply->observed, apply->applied, &apply->ops);
	commit = op_find(&apply->ops, OP_COMMIT);
	if (commit && journal_is_same_written(apply))
		commit->why = apply->observed.hosted_changed
				      ? apply->observed.hosted_changed
				      : "a cgroup that the rules name is missing, and others are "
					"in its place";
	apply_sift_routes(apply);
	apply_find_fills(apply);
	apply_find_losses(apply);
	apply_find_sysctls(apply);
	apply_find_fences(apply);
	if (op_list_has_changes(&apply->ops) && !are_marks_free(apply))
		return APPLY_REFUSED;
	hosted_tell(apply->report, apply->ir, record_command(apply->arena, apply->after));
	conflicts_find_surroundings(apply->report, &apply->ops);
	apply_tell_host(apply, apply->job->dry_run || op_list_has_changes(&apply->ops));
	warn_of_foreign_rules(apply, false);
	if (are_warnings_refused(apply))
		return APPLY_REFUSED;
	warn_of_foreign_rules(apply, true);
	if (apply->job->dry_run || op_list_has_changes(&apply->ops))
		apply_tell_sockets(apply);
	if (!apply->observed.table.exists && !apply->job->back)
		flushers_tell(apply->report, NULL);
	if (commit)
		nft_load_open(&apply->loader);
	if (needs_rehearsal(apply) && !apply_check_rules(apply))
		return APPLY_REFUSED;
	if (apply->job->dry_run) {
		if (!apply_foresee_sets(apply))
			return APPLY_REFUSED;
		apply_foresee_flows(apply, op_list_has_changes(&apply->ops));
		apply_describe(apply);
		if (apply->job->plan)
			plan_make(apply, apply->job->plan);
		return op_list_has_changes(&apply->ops) ? APPLY_DONE : APPLY_UNCHANGED;
	}
	if (op_list_has_changes(&apply->ops))
		return change(apply);
	if (apply->job->back)
		journal_archive(apply);
	journal_close(apply, &apply->observed.table);
	apply_forget_flows(apply);
	return APPLY_UNCHANGED;
}

/* Signals that ask for an end wait until everything is done or taken back. */
static void hold_signals(sigset_t *before)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP };
	sigset_t held;

	sigemptyset(&held);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&held, signals[i]);
	sigprocmask(SIG_BLOCK, &held, before);
}

/* `given`: the ir's digest as it came. */
static enum apply_outcome attempt(const struct apply_job *job, uint64_t given,
				  struct apply_counts *counts)
{
	struct apply apply = { .job = job,
			       .arena = job->arena,
			       .report = job->report,
			       .ir = job->ir,
			       .folder.lock = -1 };
	struct ir_fill *fills = job->ir->fills;
	struct ir_route *routes = job->ir->routes;
	enum apply_outcome outcome;

	memset(counts, 0, sizeof(*counts));
	if (!hosted_resolve(job->arena, job->ir)) {
		hosted_tell(job->report, job->ir, NULL);
		return APPLY_REFUSED;
	}
	apply.is_as_archived = job->back && job->ir->digest == given;
	unmarked_sift(job->arena, job->ir);
	outcome = decide(&apply);
	/* Another attempt learns again. */
	job->ir->fills = fills;
	job->ir->routes = routes;
	apply_count(&apply.ops, counts);
	if (job->watchdog && job->watchdog->is_released)
		counts->waits = job->watchdog->seconds;
	if (!job->folder)
		rundir_close(job->arena, &apply.folder);
	host_close(&apply.kernel);
	nft_load_leave(&apply.loader);
	return outcome;
}

/* Cgroups come and go: one that the rules name may be gone when they are loaded. */
enum { ATTEMPTS = 3 };

static bool is_overtaken(const struct apply_job *job)
{
	uint64_t before = job->ir->digest;

	hosted_resolve(job->arena, job->ir);
	return !job->watchdog && job->ir->digest != before;
}

enum apply_outcome apply_policy(const struct apply_job *job, struct apply_counts *counts)
{
	enum apply_outcome outcome;
	uint64_t given;
	size_t said;
	sigset_t signals;

	if (!job->back)
		timezone_localise(job->arena, job->report, job->ir);
	given = job->ir->digest;
	said = job->report->count;
	hold_signals(&signals);
	outcome = attempt(job, given, counts);
	for (int i = 1; outcome == APPLY_REFUSED && i < ATTEMPTS && is_overtaken(job); i++) {
		job->report->count = said;
		outcome = attempt(job, given, counts);
	}
	sigprocmask(SIG_SETMASK, &signals, NULL);
	return outcome;
}
