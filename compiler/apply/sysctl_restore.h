/*
 * sysctl_restore: sysctls back to what they were before a policy of ours changed them.
 */
#ifndef TPC_APPLY_SYSCTL_RESTORE_H
#define TPC_APPLY_SYSCTL_RESTORE_H

#include <stdbool.h>

struct arena;
struct rundir;
struct kernel;
struct op_list;
struct record;
struct record_sysctl;
struct report;

struct sysctl_restore {
	struct arena *arena;
	const struct rundir *folder;
	const struct record *record;
	struct kernel *kernel;
	struct report *report;
};

/*
 * Writes the old value of one of the record's settings, unless another program has changed the
 * setting since or may rely on it (relied.h), or another policy of ours asks for it too: that one's
 * record then takes the old value over. False, with a line in the report, when the system refuses.
 */
bool sysctl_restore_setting(const struct sysctl_restore *job, const struct record_sysctl *setting);
/* Adds the op that does it. Call in the reverse order of writing. */
void sysctl_restore_add(struct arena *arena, struct op_list *ops,
			const struct record_sysctl *setting);
/* Is it one that only the policy's rules make safe? It is set after they are in force, and restored
 * before they are removed. */
bool sysctl_restore_is_guarded(const char *key);
/* Before `key` is set: adds to the record what the kernel will change with it when it is given
 * back, and that is to stay. */
void sysctl_restore_note(struct arena *arena, struct record *record, const char *key);
/* Copies what one record has noted for a setting to another. */
void sysctl_restore_copy(struct arena *arena, const struct record *from, struct record *to,
			 const char *key);

#endif
