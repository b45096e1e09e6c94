/*
 * history: writes and reads the file that history.h tells of: a line that names format, boot and
 * policy, then one line a set's range, with both ends as hexadecimal numbers.
 */
#include "state/history.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "kernel/nft_elements.h"
#include "state/record.h"
#include "state/rundir.h"
#include "state/state.h"

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

static void put_bits(struct wide bits, struct buf *out)
{
	buf_printf(out, "\t%" PRIx64 "\t%" PRIx64, bits.high, bits.low);
}

static bool write_file(struct arena *arena, const struct rundir *folder, const char *policy,
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

static bool read_bits(char **fields, struct wide *bits)
{
	uint64_t half[2] = { 0 };

	for (int i = 0; i < 2; i++) {
		char *field = strsep(fields, "\t");

		if (!field || !state_number(field, 16, UINT64_MAX, &half[i]))
			return false;
	}
	*bits = (struct wide){ half[0], half[1] };
	return true;
}

static bool read_range(struct arena *arena, char *line, struct history *out)
{
	const char *base = strsep(&line, "\t");
	struct wide first, last;

	if (!*base || !read_bits(&line, &first) || !read_bits(&line, &last) || line ||
	    wide_less(last, first))
		return false;
	interval_add(arena, &set_of(arena, out, base)->ranges, first, last);
	return true;
}

/* As write_file writes it, and nothing else; behind the head's fields. */
static bool read_text(struct arena *arena, char *at, struct history *out)
{
	char *feed = strchr(at, '\n');

	if (!feed)
		return false;
	*feed = '\0';
	if (!state_number(at, 16, UINT64_MAX, &out->digest))
		return false;
	for (at = feed + 1; *at; at = feed + 1) {
		feed = strchr(at, '\n');
		if (!feed)
			return false;
		*feed = '\0';
		if (!read_range(arena, at, out))
			return false;
	}
	return true;
}

void history_read(struct arena *arena, const struct rundir *folder, const char *policy,
		  struct history *out)
{
	static const char format[] = "tpc-held\t";
	const char *head = head_of(arena), *file = file_of(arena, policy);
	size_t size;
	char *text = state_read(arena, folder, file, &size);

	*out = (struct history){ 0 };
	if (!text)
		return;
	if (strncmp(text, head, strlen(head)) == 0 && strlen(text) == size &&
	    read_text(arena, text + strlen(head), out))
		return;
	*out = (struct history){ 0 };
	if (strncmp(text, head, strlen(head)) == 0 || strncmp(text, format, strlen(format)) != 0)
		state_set_aside(arena, folder, file, "it is cut off or altered");
}

struct interval_set history_find(const struct history *history, const char *base)
{
	for (size_t i = 0; i < history->set_count; i++)
		if (strcmp(history->sets[i].base, base) == 0)
			return history->sets[i].ranges;
	return (struct interval_set){ 0 };
}

bool history_keep(struct arena *arena, const struct rundir *folder, const char *policy,
		  struct history *history, const char *base, const struct nft_elements *held,
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

void history_remove(struct arena *arena, const struct rundir *folder, const char *policy)
{
	if (folder->path)
		unlink(arena_printf(arena, "%s/%s", folder->path, file_of(arena, policy)));
}
