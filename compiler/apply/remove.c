/*
 * remove: the reverse of an apply (see remove.h). Once the rules are gone nothing is undone any
 * more: what cannot be removed is said, with the command that does it, and the rest is removed all
 * the same.
 */
#include "apply/remove.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "apply/flows_forget.h"
#include "apply/sysctl_restore.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/report.h"
#include "host/flows.h"
#include "host/foreign_load.h"
#include "host/host.h"
#include "kernel/nft_set.h"
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
};

static void doubt(struct removal *removal, const struct buf *command, const char *why)
{
	report_add(removal->report, REPORT_DOUBT,
		   "the policy's rules are gone, but not all of the rest: %s", why)
		->command = arena_strdup(removal->arena, buf_text(command));
}

/* True when there is nothing left of it; what the system refused is said, and the command that does
 * it. */
static bool settle(struct removal *removal, struct buf *command, bool done,
		   const struct netlink_error *error)
{
	bool is_gone = done || error->code == ENOENT || error->code == ESRCH ||
		       error->code == ENODEV;

	if (is_gone)
		report_add(removal->report, REPORT_STEP, "%s", buf_text(command));
	else
		doubt(removal, command, error->text);
	buf_free(command);
	return is_gone;
}

/* Ip rules about what is unmarked, or the others. */
static bool remove_rules(struct removal *removal, bool unmarked)
{
	const struct observed *observed = &removal->observed;
	struct netlink_error error;
	bool done = true;

	for (size_t i = 0; i < observed->rules.count; i++) {
		const struct ip_rule_seen *seen = &observed->rules.items[i];
		struct buf command = { 0 };

		if (!host_owns_rule(observed, seen) || (seen->rule.iif != NULL) != unmarked)
			continue;
		ip_rule_put_command(&command, "del", &seen->rule, seen->protocol);
		done &= settle(removal, &command,
			       ip_rule_remove(&removal->kernel.route, &seen->rule, seen->protocol,
					      &error),
			       &error);
	}
	return done;
}

static bool remove_routes(struct removal *removal)
{
	const struct observed *observed = &removal->observed;
	struct netlink_error error;
	bool done = true;

	for (size_t i = 0; i < observed->routes.count; i++) {
		const struct route_seen *seen = &observed->routes.items[i];
		struct buf command = { 0 };

		if (!host_owns_route(observed, seen))
			continue;
		route_put_command(&command, "del", &seen->route, seen->protocol);
		done &= settle(removal, &command,
			       route_remove(&removal->kernel.route, &seen->route, seen->protocol,
					    &error),
			       &error);
	}
	return done;
}

/* As they were written, backwards. */
static bool give_settings_back(struct removal *removal, bool guarded)
{
	const struct record *record = removal->record;
	const struct sysctl_restore handback = { removal->arena, &removal->folder, record,
						 &removal->kernel, removal->report };
	bool done = true;

	for (size_t i = record ? record->sysctl_count : 0; i > 0; i--)
		if (sysctl_restore_is_guarded(record->sysctls[i - 1].key) == guarded)
			done &= sysctl_restore_setting(&handback, &record->sysctls[i - 1]);
	return done;
}

static bool owns_routing(const struct observed *observed)
{
	for (size_t i = 0; i < observed->rules.count; i++)
		if (host_owns_rule(observed, &observed->rules.items[i]))
			return true;
	for (size_t i = 0; i < observed->routes.count; i++)
		if (host_owns_route(observed, &observed->routes.items[i]))
			return true;
	return false;
}

static bool remove_table(struct removal *removal)
{
	const char *table = removal->observed.table.name;
	struct netlink_error error;

	if (!removal->observed.table.exists)
		return true;
	if (!nft_set_remove_table(&removal->kernel.nft, table, &error) && error.code != ENOENT) {
		report_add(removal->report, REPORT_REFUSED,
			   "the nft table inet %s cannot be removed: %s", table, error.text);
		return false;
	}
	report_add(removal->report, REPORT_STEP, "nft delete table inet %s", table);
	if (!removal->observed.claim_count)
		report_add(removal->report, REPORT_WARNING,
			   "the table inet %s did not say which ip rules and routes belong to it; look for them",
			   table)
			->command = "ip rule; ip -6 rule";
	return true;
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

	if (removal->record && !removal->keep_connections && !removal->record->keeps_connections)
		flows_forget(&job);
}

static enum apply_outcome take_away(struct removal *removal)
{
	struct netlink_error error;
	bool done;

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
	if (!removal->observed.table.exists && !removal->record &&
	    !owns_routing(&removal->observed))
		return APPLY_UNCHANGED;
	if (host_is_other_version(&removal->observed, removal->report) ||
	    host_is_strange_table(&removal->observed, removal->record, removal->report) ||
	    !foreign_load_end(removal->report, &removal->observed.table, removal->record))
		return APPLY_REFUSED;
	done = give_settings_back(removal, true);
	/* They go while the table still marks what the policy leaves alone. */
	done &= remove_rules(removal, true);
	if (!remove_table(removal))
		return APPLY_REFUSED;
	done &= remove_rules(removal, false);
	done &= remove_routes(removal);
	done &= give_settings_back(removal, false);
	forget_flows(removal);
	if (!done)
		return APPLY_IN_DOUBT;
	forget(removal);
	return APPLY_DONE;
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
		report_add(report, REPORT_REFUSED, "what was applied cannot be looked up: %s", why);
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
