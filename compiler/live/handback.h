/*
 * handback: sysctls back to what they were before a policy of ours changed them.
 */
#ifndef TPC_LIVE_HANDBACK_H
#define TPC_LIVE_HANDBACK_H

#include <stdbool.h>

struct arena;
struct folder;
struct record_sysctl;
struct report;

/*
 * Writes the old value, unless somebody has changed the setting since, or another policy of ours
 * asks for it too: that one's record then takes the old value over. False, with a line in the
 * report, when the system refuses.
 */
bool handback_setting(struct arena *arena, const struct folder *folder, const char *policy,
		      const struct record_sysctl *setting, struct report *report);

#endif
