/*
 * sysctl_restore: gives one setting back (see sysctl_restore.h). In go what we wrote and what was
 * there before; nothing is written that would undo a foreign change.
 */
#include "apply/sysctl_restore.h"

#include <errno.h>
#include <string.h>

#include "apply/sysctl_shared.h"
#include "base/arena.h"
#include "base/report.h"
#include "host/relied.h"
#include "kernel/op.h"
#include "kernel/sysctl.h"
#include "state/record.h"
#include "state/rundir.h"

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
		sysctl_shared_copy(arena, record, other, setting->key);
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

bool sysctl_restore_setting(const struct sysctl_restore *handback,
			    const struct record_sysctl *setting)
{
	struct arena *arena = handback->arena;
	const struct record *record = handback->record;
	struct report *report = handback->report;
	const char *now = sysctl_read(arena, setting->key), *reliant;

	if (!setting->old || !now || hand_over(arena, handback->folder, record, setting) ||
	    strcmp(now, setting->old) == 0)
		return true;
	if (strcmp(now, setting->value) != 0) {
		report_add(report, SEVERITY_WARNING, DIAG_sysctl_kept,
			   "%s was changed to %s since, so it is not restored (it was %s before the policy)",
			   setting->key, now, setting->old);
		return true;
	}
	reliant = relied_on(arena, handback->kernel, record, setting->key);
	if (reliant) {
		report_add(report, SEVERITY_WARNING, DIAG_sysctl_kept,
			   "%s stays %s (it was %s before the policy): %s may rely on it",
			   setting->key, now, setting->old, reliant)
			->command = arena_printf(arena,
						 "sysctl -w %s=%s  # where nothing else forwards",
						 setting->key, setting->old);
		return true;
	}
	if (sysctl_shared_restore(arena, record, setting->key, setting->old)) {
		report_step(report, "sysctl %s = %s, as it was", setting->key, setting->old);
		return true;
	}
	report_add(report, SEVERITY_ERROR, DIAG_sysctl_write, "%s cannot be set back to %s: %s",
		   setting->key, setting->old, strerror(errno))
		->command = arena_printf(arena, "sysctl -w %s=%s", setting->key, setting->old);
	return false;
}
