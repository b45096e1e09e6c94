/*
 * beside: which settings go with forwarding, one row for each family (see beside.h).
 */
#include "live/beside.h"

#include <string.h>

#include "base/arena.h"
#include "live/record.h"
#include "live/settings.h"

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
	const char *now = settings_read(arena, key);

	if (now && strcmp(now, companion->value) == 0)
		*arena_append(arena, record->besides, record->beside_count) =
			(struct record_beside){ companion->with, key };
}

void beside_note(struct arena *arena, struct record *record, const char *key)
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
		note(arena, record, companion, settings_key(arena, companion->key, "default"));
		names = settings_interfaces(arena, companion->key, &count);
		for (size_t k = 0; k < count; k++)
			note(arena, record, companion,
			     settings_key(arena, companion->key, names[k]));
	}
}

bool beside_restore(struct arena *arena, const struct record *record, const char *key,
		    const char *value)
{
	size_t count = record ? record->beside_count : 0;
	const char **kept = arena_alloc(arena, (count + 1) * sizeof(*kept));
	bool done;

	for (size_t i = 0; i < count; i++)
		if (strcmp(record->besides[i].with, key) == 0)
			kept[i] = settings_read(arena, record->besides[i].key);
	done = settings_write(arena, key, value);
	for (size_t i = 0; i < count && done; i++)
		if (kept[i])
			done = settings_write(arena, record->besides[i].key, kept[i]);
	return done;
}

void beside_copy(struct arena *arena, const struct record *from, struct record *to, const char *key)
{
	for (size_t i = 0; from && i < from->beside_count; i++)
		if (strcmp(from->besides[i].with, key) == 0)
			*arena_append(arena, to->besides, to->beside_count) = from->besides[i];
}
