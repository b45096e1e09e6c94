/*
 * sysctl_restore: gives one setting back (see sysctl_restore.h). In go what we wrote and what was
 * there before; nothing is written that would undo a foreign change.
 */
#include "apply/sysctl_restore.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/report.h"
#include "host/relied.h"
#include "ir/ir_sysctl.h"
#include "kernel/op.h"
#include "kernel/sysctl.h"
#include "state/record.h"
#include "state/rundir.h"

/*
 * ---- what goes with forwarding ----
 *
 * Forwarding is a switch that turns others. Off again, the kernel also switches off what single
 * interfaces had on before it was switched on, and accepts redirects where it did not
 * (Documentation/networking/ip-sysctl.rst: "its change resets all configuration parameters to
 * their default state"). Those are noted before, and kept as they are when it is given back.
 */

static void note(struct arena *arena, struct record *record,
		 const struct ir_sysctl_companion *companion, const char *key)
{
	const char *now = sysctl_read(arena, key);

	if (now && strcmp(now, companion->value) == 0)
		*arena_append(arena, record->companions, record->companion_count) =
			(struct record_companion){ companion->with, key };
}

void sysctl_restore_note(struct arena *arena, struct record *record, const char *key)
{
	size_t companion_count;
	const struct ir_sysctl_companion *companions = ir_sysctl_companions(&companion_count);

	for (size_t i = 0; i < companion_count; i++) {
		const struct ir_sysctl_companion *companion = &companions[i];
		const char **names;
		size_t count;

		if (strcmp(companion->with, key) != 0)
			continue;
		if (!strchr(companion->key, '*')) {
			note(arena, record, companion, companion->key);
			continue;
		}
		note(arena, record, companion, sysctl_key(arena, companion->key, "default"));
		names = sysctl_interfaces(arena, companion->key, &count);
		for (size_t k = 0; k < count; k++)
			note(arena, record, companion, sysctl_key(arena, companion->key, names[k]));
	}
}

static bool write_back(struct arena *arena, const struct record *record, const char *key,
		       const char *value)
{
	size_t count = record ? record->companion_count : 0;
	const char **kept = arena_alloc(arena, (count + 1) * sizeof(*kept));
	bool done;

	for (size_t i = 0; i < count; i++)
		if (strcmp(record->companions[i].with, key) == 0)
			kept[i] = sysctl_read(arena, record->companions[i].key);
	done = sysctl_write(key, value);
	for (size_t i = 0; i < count && done; i++)
		if (kept[i])
			done = sysctl_write(record->companions[i].key, kept[i]);
	return done;
}

void sysctl_restore_copy(struct arena *arena, const struct record *from, struct record *to,
			 const char *key)
{
	for (size_t i = 0; from && i < from->companion_count; i++)
		if (strcmp(from->companions[i].with, key) == 0)
			*arena_append(arena, to->companions, to->companion_count) =
				from->companions[i];
}

/* ---- giving back ---- */

/* Where another policy has conf.all's at 0, what an interface got in its place stays. */
static struct record_sysctl *take_level(struct arena *arena, struct record *other,
					const struct record_sysctl *setting)
{
	const char *pattern = NULL;
	const struct record_sysctl *all;
	struct record_sysctl *theirs;

	if (!other || strcmp(setting->value, "0") == 0 ||
	    !sysctl_interface(arena, setting->key, &pattern))
		return NULL;
	all = record_find_sysctl(other, sysctl_key(arena, pattern, "all"));
	if (!all || strcmp(all->value, "0") != 0)
		return NULL;
	theirs = arena_append(arena, other->sysctls, other->sysctl_count);
	*theirs = (struct record_sysctl){ .key = setting->key, .value = setting->value };
	return theirs;
}

/* Gives the memory of the old value to another policy that needs the setting; true when there is
 * one. */
static bool hand_over(struct arena *arena, const struct rundir *folder, const struct record *record,
		      const struct record_sysctl *setting)
{
	size_t count;
	const char **names = rundir_list(arena, folder, &count);

	for (size_t i = 0; i < count; i++) {
		struct record *other = strcmp(names[i], record->name) == 0
					       ? NULL
					       : record_read(arena, folder, names[i]);
		struct record_sysctl *theirs = record_find_sysctl(other, setting->key);
		const char *why;

		theirs = theirs ? theirs : take_level(arena, other, setting);
		if (!theirs || (theirs->old && strcmp(theirs->old, setting->value) != 0))
			continue;
		theirs->old = setting->old;
		sysctl_restore_copy(arena, record, other, setting->key);
		return record_write(arena, folder, other, &why);
	}
	return false;
}

bool sysctl_restore_is_guarded(const char *key)
{
	static const char end[] = ".route_localnet";
	size_t length = strlen(key);

	return length >= sizeof(end) && strcmp(key + length - (sizeof(end) - 1), end) == 0;
}

void sysctl_restore_add(struct arena *arena, struct op_list *ops,
			const struct record_sysctl *setting)
{
	struct op *op = op_add(arena, ops, OP_SYSCTL_RESTORE,
			       sysctl_restore_is_guarded(setting->key) ? STAGE_GUARDED_RESTORE
								       : STAGE_RESTORE);

	op->key = setting->key;
	op->value = setting->old;
	op->before = setting->value;
	op->why = "as it was before";
}

bool sysctl_restore_setting(const struct sysctl_restore *job, const struct record_sysctl *setting)
{
	struct arena *arena = job->arena;
	const struct record *record = job->record;
	struct report *report = job->report;
	const char *now = sysctl_read(arena, setting->key), *reliant;

	if (!setting->old || !now || hand_over(arena, job->folder, record, setting) ||
	    strcmp(now, setting->old) == 0)
		return true;
	if (strcmp(now, setting->value) != 0) {
		report_add(report, SEVERITY_WARNING, DIAG_sysctl_kept,
			   "%s was changed to %s since, so it is not restored (it was %s before the policy)",
			   setting->key, now, setting->old);
		return true;
	}
	reliant = relied_on(arena, job->kernel, record, setting->key);
	if (reliant) {
		report_add(report, SEVERITY_WARNING, DIAG_sysctl_kept,
			   "%s stays %s (it was %s before the policy): %s may rely on it",
			   setting->key, now, setting->old, reliant)
			->command = arena_printf(arena,
						 "sysctl -w %s=%s  # where nothing else forwards",
						 setting->key, setting->old);
		return true;
	}
	if (write_back(arena, record, setting->key, setting->old)) {
		report_step(report, "sysctl %s = %s, as it was", setting->key, setting->old);
		return true;
	}
	report_add(report, SEVERITY_ERROR, DIAG_sysctl_write, "%s cannot be set back to %s: %s",
		   setting->key, setting->old, strerror(errno))
		->command = arena_printf(arena, "sysctl -w %s=%s", setting->key, setting->old);
	return false;
}
