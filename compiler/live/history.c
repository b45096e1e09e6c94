/*
 * history: writes and reads the file that history.h tells of: a line that names format, boot and
 * policy, then one line a set's range, with both ends as hexadecimal numbers.
 */
#include "live/history.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "live/contents.h"
#include "live/folder.h"
#include "live/record.h"

enum { BASE_ROOM = 100 };

static const char *file_of(struct arena *arena, const char *policy)
{
	return arena_printf(arena, "%s.held", policy);
}

static const char *head_of(struct arena *arena)
{
	return arena_printf(arena, "tpc-held\t1\t%s\t", record_boot(arena));
}

static struct history_set *set_of(struct arena *arena, struct history *history, const char *base)
{
	struct history_set *set;

	for (size_t i = 0; i < history->set_count; i++)
		if (strcmp(history->sets[i].base, base) == 0)
			return &history->sets[i];
	set = arena_append(arena, history->sets, history->set_count);
	*set = (struct history_set){ .base = arena_strdup(arena, base) };
	return set;
}

static void put_bits(addr_bits bits, struct buf *out)
{
	buf_printf(out, "\t%" PRIx64 "\t%" PRIx64, (uint64_t)(bits >> 64), (uint64_t)bits);
}

static bool write_file(struct arena *arena, const struct folder *folder, const char *policy,
		       const struct history *history, const char **why)
{
	struct file_output output = { .name = file_of(arena, policy), .mode = 0600 };
	const char *none[] = { NULL };
	struct buf out = { 0 };
	bool done;

	buf_printf(&out, "%s%016" PRIx64 "\n", head_of(arena), history->digest);
	for (size_t i = 0; i < history->set_count; i++)
		for (size_t k = 0; k < history->sets[i].ranges.count; k++) {
			buf_puts(&out, history->sets[i].base);
			put_bits(history->sets[i].ranges.items[k].first, &out);
			put_bits(history->sets[i].ranges.items[k].last, &out);
			buf_putc(&out, '\n');
		}
	output.text = buf_text(&out);
	output.length = out.length;
	done = file_write_all(arena, folder->path, &output, 1, none, why);
	buf_free(&out);
	return done;
}

static void read_range(struct arena *arena, const char *line, struct history *out)
{
	uint64_t first[2], last[2];
	char base[BASE_ROOM];

	if (sscanf(line, "%99s %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64, base, &first[0],
		   &first[1], &last[0], &last[1]) == 5)
		interval_add(arena, &set_of(arena, out, base)->ranges,
			     (addr_bits)first[0] << 64 | first[1],
			     (addr_bits)last[0] << 64 | last[1]);
}

void history_read(struct arena *arena, const struct folder *folder, const char *policy,
		  struct history *out)
{
	const char *head = head_of(arena);
	char line[BASE_ROOM + 5 * 20];
	FILE *file;

	memset(out, 0, sizeof(*out));
	if (!folder->path)
		return;
	file = fopen(arena_printf(arena, "%s/%s", folder->path, file_of(arena, policy)), "re");
	if (!file)
		return;
	if (fgets(line, sizeof(line), file) && strncmp(line, head, strlen(head)) == 0 &&
	    sscanf(line + strlen(head), "%" SCNx64, &out->digest) == 1)
		while (fgets(line, sizeof(line), file))
			read_range(arena, line, out);
	fclose(file);
}

struct interval_set history_find(const struct history *history, const char *base)
{
	for (size_t i = 0; i < history->set_count; i++)
		if (strcmp(history->sets[i].base, base) == 0)
			return history->sets[i].ranges;
	return (struct interval_set){ 0 };
}

bool history_keep(struct arena *arena, const struct folder *folder, const char *policy,
		  struct history *history, const char *base, const struct contents *held,
		  const char **why)
{
	struct interval_set ranges = { 0 };

	for (size_t i = 0; history->digest && i < held->ranges.count; i++)
		if (!held->times[i].left && !held->times[i].timeout)
			interval_add(arena, &ranges, held->ranges.items[i].first,
				     held->ranges.items[i].last);
	if (!ranges.count)
		return true;
	set_of(arena, history, base)->ranges = ranges;
	return write_file(arena, folder, policy, history, why);
}

void history_remove(struct arena *arena, const struct folder *folder, const char *policy)
{
	if (folder->path)
		unlink(arena_printf(arena, "%s/%s", folder->path, file_of(arena, policy)));
}
