/*
 * pending: writes and reads the file that pending.h tells of: three lines at most, fields apart by
 * tabs, the first one naming the format and the boot.
 */
#include "live/pending.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "live/folder.h"
#include "live/record.h"

static const int64_t NANOSECONDS = 1000000000;

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_BOOTTIME, &time);
	return (int64_t)time.tv_sec * NANOSECONDS + time.tv_nsec;
}

int64_t pending_deadline(unsigned int seconds)
{
	return now() + seconds * NANOSECONDS;
}

unsigned int pending_left(const struct pending *pending)
{
	int64_t left = pending->deadline - now();

	return left > 0 ? (unsigned int)((left + NANOSECONDS - 1) / NANOSECONDS) : 0;
}

const char *pending_ticket(struct arena *arena, const struct pending *pending)
{
	return arena_printf(arena, "%jd-%" PRIu64, (intmax_t)pending->pid, pending->started);
}

static const char *file_of(struct arena *arena, const char *name)
{
	return arena_printf(arena, "%s.pending", name);
}

static const char *head_of(struct arena *arena)
{
	return arena_printf(arena, "tpc-pending\t1\t%s\n", record_boot(arena));
}

bool pending_write(struct arena *arena, const struct folder *folder, const char *name,
		   const struct pending *pending, const char **why)
{
	struct file_output output = { .name = file_of(arena, name), .mode = 0600 };
	const char *none[] = { NULL };
	struct buf out = { 0 };
	bool done;

	buf_puts(&out, head_of(arena));
	buf_printf(&out, "watchdog\t%jd\t%" PRIu64 "\t%" PRId64 "\n", (intmax_t)pending->pid,
		   pending->started, pending->deadline);
	if (pending->failure)
		buf_printf(&out, "failure\t%.*s\n", (int)strcspn(pending->failure, "\n"),
			   pending->failure);
	output.text = buf_text(&out);
	output.length = out.length;
	done = file_write_all(arena, folder->path, &output, 1, none, why);
	buf_free(&out);
	return done;
}

static bool read_lines(struct arena *arena, FILE *file, struct pending *out)
{
	char line[1024];
	intmax_t pid;

	if (!fgets(line, sizeof(line), file) || strcmp(line, head_of(arena)) != 0)
		return false;
	if (!fgets(line, sizeof(line), file) || sscanf(line, "watchdog\t%jd\t%" SCNu64 "\t%" SCNd64,
						       &pid, &out->started, &out->deadline) != 3)
		return false;
	out->pid = (pid_t)pid;
	if (fgets(line, sizeof(line), file) && strncmp(line, "failure\t", 8) == 0)
		out->failure = arena_strndup(arena, line + 8, strcspn(line + 8, "\n"));
	return true;
}

struct pending *pending_read(struct arena *arena, const struct folder *folder, const char *name)
{
	struct pending *pending = arena_new_of(arena, struct pending);
	const char *file_name = file_of(arena, name);
	FILE *file;
	bool good;

	if (!folder->path)
		return NULL;
	file = fopen(arena_printf(arena, "%s/%s", folder->path, file_name), "re");
	if (!file)
		return NULL;
	good = read_lines(arena, file, pending);
	fclose(file);
	return good ? pending : NULL;
}

void pending_remove(struct arena *arena, const struct folder *folder, const char *name)
{
	if (folder->path)
		unlink(arena_printf(arena, "%s/%s", folder->path, file_of(arena, name)));
}

bool pending_waits(struct arena *arena, const struct pending *pending, const struct record *record)
{
	return pending && record && record->ticket &&
	       strcmp(record->ticket, pending_ticket(arena, pending)) == 0;
}
