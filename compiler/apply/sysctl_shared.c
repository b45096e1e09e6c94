/*
 * sysctl_shared: which settings go with forwarding, one row for each family (see sysctl_shared.h).
 */
#include "apply/sysctl_shared.h"

#include <string.h>

#include "base/arena.h"
#include "kernel/sysctl.h"
#include "state/record.h"

static const struct companion {
	const char *with;
	const char *key;   /* '*': of every interface, and of those to come (`default`) */
	const char *value; /* the one that would be lost */
} companions[] = {
	{ "net.ipv4.ip_forward", "net.ipv4.conf.all.accept_redirects", "0" },
	{ "net.ipv4.ip_forward", "net.ipv4.conf.*.forwarding", "1" },
	{ "net.ipv6.conf.all.forwarding", "net.ipv6.conf.*.forwarding", "1" },
};

static void note(struct arena *arena, struct record *record, const struct companion *companion,
		 const char *key)
{
	const char *now = sysctl_read(arena, key);

	if (now && strcmp(now, companion->value) == 0)
		*arena_append(arena, record->besides, record->beside_count) =
			(struct record_beside){ companion->with, key };
}

void sysctl_shared_note(struct arena *arena, struct record *record, const char *key)
{
	for (size_t i = 0; i < sizeof(companions) / sizeof(companions[0]); i++) {
		const struct companion *companion = &companions[i];
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

bool sysctl_shared_restore(struct arena *arena, const struct record *record, const char *key,
			   const char *value)
{
	size_t count = record ? record->beside_count : 0;
	const char **kept = arena_alloc(arena, (count + 1) * sizeof(*kept));
	bool done;

	for (size_t i = 0; i < count; i++)
		if (strcmp(record->besides[i].with, key) == 0)
			kept[i] = sysctl_read(arena, record->besides[i].key);
	done = sysctl_write(arena, key, value);
	for (size_t i = 0; i < count && done; i++)
		if (kept[i])
			done = sysctl_write(arena, record->besides[i].key, kept[i]);
	return done;
}

void sysctl_shared_copy(struct arena *arena, const struct record *from, struct record *to,
			const char *key)
{
	for (size_t i = 0; from && i < from->beside_count; i++)
		if (strcmp(from->besides[i].with, key) == 0)
			*arena_append(arena, to->besides, to->beside_count) = from->besides[i];
}
