/*
 * history: writes and reads the file that history.h describes.
 */
#include "state/history.h"

#include <string.h>

#include "base/arena.h"
#include "base/codec.h"
#include "kernel/nft_elements.h"
#include "state/old.h"
#include "state/rundir.h"
#include "state/snapshot.h"

static const char KIND[] = "held";

static const char *file_of(struct arena *arena, const char *policy)
{
	return arena_printf(arena, "%s.held", policy);
}

/* NULL: there is none. */
static struct history_set *find(const struct history *history, const char *base)
{
	for (size_t i = 0; i < history->set_count; i++)
		if (strcmp(history->sets[i].base, base) == 0)
			return &history->sets[i];
	return NULL;
}

static void wide_number(struct codec *codec, struct wide *number)
{
	CODEC_FIELD(codec, number->high);
	CODEC_FIELD(codec, number->low);
}

static void range(struct codec *codec, struct interval *item)
{
	wide_number(codec, &item->first);
	wide_number(codec, &item->last);
	codec->broken |= wide_less(item->last, item->first);
}

static void set(struct codec *codec, struct history_set *item)
{
	codec_word(codec, &item->base);
	CODEC_ITEMS(codec, item->ranges.items, item->ranges.count, range);
}

static void body(struct codec *codec, void *thing)
{
	struct history *history = thing;

	CODEC_FIELD(codec, history->digest);
	CODEC_ITEMS(codec, history->sets, history->set_count, set);
}

void history_read(struct arena *arena, const struct rundir *folder, const char *policy,
		  struct history *out)
{
	const char *file = file_of(arena, policy);
	struct history read = { 0 };
	enum snapshot_state state = snapshot_load(arena, folder, file, KIND, body, &read);
	bool done = state == SNAPSHOT_READ ||
		    (state == SNAPSHOT_OLD && old_history_read(arena, folder, file, &read));

	*out = done ? read : (struct history){ 0 };
}

struct interval_set history_find(const struct history *history, const char *base)
{
	const struct history_set *set = find(history, base);

	return set ? set->ranges : (struct interval_set){ 0 };
}

bool history_keep(struct arena *arena, const struct rundir *folder, const char *policy,
		  struct history *history, const char *base, const struct nft_elements *held,
		  const char **why)
{
	struct history_set *set = find(history, base);
	struct interval_set ranges = { 0 };

	for (size_t i = 0; history->digest && i < held->ranges.count; i++)
		if (!held->times[i].left && !held->times[i].timeout)
			interval_add(arena, &ranges, held->ranges.items[i].first,
				     held->ranges.items[i].last);
	if (!ranges.count)
		return true;
	if (!set)
		set = arena_append(arena, history->sets, history->set_count);
	*set = (struct history_set){ base, ranges };
	return snapshot_write(arena, folder, file_of(arena, policy), KIND, body, history, why);
}

void history_remove(struct arena *arena, const struct rundir *folder, const char *policy)
{
	snapshot_remove(arena, folder, file_of(arena, policy));
}
