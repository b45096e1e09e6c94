/*
 * pending: writes and reads the file that pending.h describes, and finds the process that it names.
 */
#include "state/pending.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/codec.h"
#include "state/old.h"
#include "state/record.h"
#include "state/rundir.h"
#include "state/snapshot.h"

static const char KIND[] = "pending";

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

static void body(struct codec *codec, void *thing)
{
	struct pending *pending = thing;

	CODEC_FIELD(codec, pending->pid);
	CODEC_FIELD(codec, pending->started);
	CODEC_FIELD(codec, pending->deadline);
	codec_text(codec, &pending->failure);
	codec->broken |= pending->pid <= 0;
}

bool pending_write(struct arena *arena, const struct rundir *folder, const char *name,
		   const struct pending *pending, const char **why)
{
	struct pending copy = *pending;

	if (copy.failure) /* its first line says it */
		copy.failure = arena_strndup(arena, copy.failure, strcspn(copy.failure, "\n"));
	return snapshot_write(arena, folder, file_of(arena, name), KIND, body, &copy, why);
}

struct pending *pending_read(struct arena *arena, const struct rundir *folder, const char *name)
{
	struct pending *pending = arena_new_of(arena, struct pending);
	const char *file = file_of(arena, name);
	enum snapshot_state state = snapshot_load(arena, folder, file, KIND, body, pending);

	if (state == SNAPSHOT_OLD)
		return old_pending_read(arena, folder, file, pending) ? pending : NULL;
	return state == SNAPSHOT_READ ? pending : NULL;
}

void pending_remove(struct arena *arena, const struct rundir *folder, const char *name)
{
	snapshot_remove(arena, folder, file_of(arena, name));
}

bool pending_waits(struct arena *arena, const struct pending *pending, const struct record *record)
{
	return pending && record && record->ticket &&
	       strcmp(record->ticket, pending_ticket(arena, pending)) == 0;
}

/* ---- its process ---- */

/* Field 22 of /proc/PID/stat, after the name, which may hold anything (proc(5)); 0: not known. */
uint64_t pending_started(pid_t pid)
{
	char path[64], text[1024];
	const char *at;
	uint64_t started = 0;
	size_t length;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%jd/stat", (intmax_t)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[length] = '\0';
	at = strrchr(text, ')');
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (at)
		started = strtoull(at + 1, NULL, 10);
	return started;
}

bool pending_lives(const struct pending *pending)
{
	return pending->started && pending_started(pending->pid) == pending->started;
}

bool pending_end(const struct pending *pending)
{
	int fd = pending->pid == getpid() ? -1 : (int)syscall(SYS_pidfd_open, pending->pid, 0);
	bool done = true;

	if (fd < 0)
		return true;
	if (pending_lives(pending))
		done = syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;
	close(fd);
	return done;
}
