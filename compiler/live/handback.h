/*
 * handback: sysctls back to what they were before a policy of ours changed them.
 */
#ifndef TPC_LIVE_HANDBACK_H
#define TPC_LIVE_HANDBACK_H

#include <stdbool.h>

struct arena;
struct folder;
struct kernel;
struct record;
struct record_sysctl;
struct report;

struct handback {
	struct arena *arena;
	const struct folder *folder;
	const struct record *record;
	struct kernel *kernel;
	struct report *report;
};

/*
 * Writes the old value of one of the record's settings, unless another program has changed the
 * setting since or may rely on it (relied.h), or another policy of ours asks for it too: that one's
 * record then takes the old value over. False, with a line in the report, when the system refuses.
 */
bool handback_setting(const struct handback *handback, const struct record_sysctl *setting);
/* Is it one that only the policy's rules make safe? It is opened behind them and closed before they
 * go. */
bool handback_is_guarded(const char *key);

#endif
