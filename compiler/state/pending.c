/*
 * pending: writes and reads the file that pending.h tells of: three lines at most, fields apart by
 * tabs, the first one naming the format and the boot.
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
#include "base/buf.h"
#include "base/file.h"
#include "state/record.h"
#include "state/rundir.h"
#include "state/state.h"

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

bool pending_write(struct arena *arena, const struct rundir *folder, const char *name,
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

/* The rest of the line at *at behind `word` and a tab; *at moves to the next one. NULL: there is no
 * such line. */
static char *take_line(char **at, const char *word)
{
	size_t length = strlen(word);
	char *line = *at, *feed = strchr(line, '\n');

	if (!feed || strncmp(line, word, length) != 0 || line[length] != '\t')
		return NULL;
	*feed = '\0';
	*at = feed + 1;
	return line + length + 1;
}

/* As pending_write writes it, and nothing else. */
static bool read_lines(char *at, struct pending *out)
{
	char *rest = take_line(&at, "watchdog");
	char *pid = strsep(&rest, "\t"), *started = strsep(&rest, "\t"), *until = rest;
	uint64_t number;

	if (!until || !state_number(pid, 10, INT32_MAX, &number) || !number ||
	    !state_number(started, 10, UINT64_MAX, &out->started) ||
	    !state_signed(until, &out->deadline))
		return false;
	out->pid = (pid_t)number;
	out->failure = take_line(&at, "failure");
	return !*at;
}

struct pending *pending_read(struct arena *arena, const struct rundir *folder, const char *name)
{
	static const char format[] = "tpc-pending\t";
	struct pending *pending = arena_new_of(arena, struct pending);
	const char *file = file_of(arena, name), *head = head_of(arena);
	size_t size;
	char *text = state_read(arena, folder, file, &size);

	if (!text)
		return NULL;
	if (strncmp(text, head, strlen(head)) == 0 && strlen(text) == size &&
	    read_lines(text + strlen(head), pending))
		return pending;
	if (strncmp(text, head, strlen(head)) == 0 || strncmp(text, format, strlen(format)) != 0)
		state_set_aside(arena, folder, file, "it is cut off or altered");
	return NULL;
}

void pending_remove(struct arena *arena, const struct rundir *folder, const char *name)
{
	if (folder->path)
		unlink(arena_printf(arena, "%s/%s", folder->path, file_of(arena, name)));
}

bool pending_waits(struct arena *arena, const struct pending *pending, const struct record *record)
{
	return pending && record && record->ticket &&
	       strcmp(record->ticket, pending_ticket(arena, pending)) == 0;
}

/* ---- its process ---- */

/* Field 22 of /proc/PID/stat, behind the name, which may hold anything (proc(5)); 0: not known. */
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
