/*
 * state: see state.h. Nothing here waits for a file, whatever stands at its name.
 */
#include "state/state.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/ordinary.h"
#include "base/report.h"
#include "state/rundir.h"

enum { ASIDE_NAMES = 1000 };

static const char *path_of(struct arena *arena, const struct rundir *folder, const char *name)
{
	return arena_printf(arena, "%s/%s", folder->path, name);
}

int state_open(const struct rundir *folder, const char *name, uint64_t limit, uint64_t *size,
	       struct arena *arena, const char **why)
{
	const char *kind;
	struct stat info;
	int fd;

	*why = NULL;
	if (!folder->path)
		return -1;
	fd = ordinary_open(path_of(arena, folder, name), O_NOFOLLOW, &info, &kind);
	if (fd < 0 && kind)
		*why = arena_printf(arena, "it is %s", kind);
	else if (fd < 0 && errno != ENOENT)
		*why = arena_printf(arena, "it cannot be opened (%s)", strerror(errno));
	else if (fd >= 0 && info.st_uid != geteuid())
		*why = arena_printf(arena, "it belongs to user %u", (unsigned int)info.st_uid);
	else if (fd >= 0 && (uint64_t)info.st_size > limit)
		*why = "it is larger than what tpc writes";
	if (*why && fd >= 0)
		close(fd);
	if (!*why && fd >= 0)
		*size = (uint64_t)info.st_size;
	return *why ? -1 : fd;
}

/* False where the system refuses. */
static bool move(struct arena *arena, const struct rundir *folder, const char *name,
		 const char **aside)
{
	const char *path = path_of(arena, folder, name);

	for (int i = 1; i <= ASIDE_NAMES; i++) {
		*aside = arena_printf(arena, "%s.aside-%d", path, i);
		if (!syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, *aside, RENAME_NOREPLACE))
			return true;
		if (errno != EEXIST)
			return false;
	}
	return false;
}

static bool is_reported(const struct report *report, const char *text)
{
	for (size_t i = 0; i < report->count; i++)
		if (strcmp(report->lines[i].text, text) == 0)
			return true;
	return false;
}

/* A record's name is the policy's, which has no dot; the files beside it have an end after one. */
static bool is_record(const char *name)
{
	return !strchr(name, '.');
}

void state_set_aside(struct arena *arena, const struct rundir *folder, const char *name,
		     const char *why)
{
	const char *path = path_of(arena, folder, name), *aside, *text;
	struct report *report = folder->report;

	if (folder->lock < 0)
		text = arena_printf(arena,
				    "%s is not what tpc has written: %s; it counts as none, and the next "
				    "apply or remove sets it aside",
				    path, why);
	else if (move(arena, folder, name, &aside))
		text = arena_printf(arena,
				    "%s is not what tpc has written: %s; it was set aside as %s",
				    path, why, aside);
	else
		text = arena_printf(arena,
				    "%s is not what tpc has written: %s; it cannot be set aside: %s",
				    path, why, strerror(errno));
	if (!report || is_reported(report, text))
		return;
	report_add(report, REPORT_WARNING, "%s", text)->help =
		arena_printf(arena,
			     "`tpc status` shows what the kernel has; `tpc apply` with the policy's file makes it whole, "
			     "`tpc remove` takes it away%s",
			     is_record(name)
				     ? "; settings that were changed before are known in that file alone"
				     : "");
}

char *state_read(struct arena *arena, const struct rundir *folder, const char *name, size_t *size)
{
	const char *why;
	uint64_t room;
	ssize_t got = 0;
	char *text;
	int fd = state_open(folder, name, STATE_TEXT_LIMIT, &room, arena, &why);

	*size = 0;
	if (why)
		state_set_aside(arena, folder, name, why);
	if (fd < 0)
		return NULL;
	text = arena_alloc(arena, (size_t)room + 1);
	while (*size < room && (got = read(fd, text + *size, (size_t)room - *size)) != 0) {
		if (got < 0 && errno != EINTR)
			break;
		*size += got > 0 ? (size_t)got : 0;
	}
	close(fd);
	return text;
}

/* ---- fields ---- */

bool state_number(const char *text, int base, uint64_t most, uint64_t *number)
{
	char *end;

	if (!strchr("0123456789abcdef", *text) || !*text)
		return false;
	errno = 0;
	*number = strtoull(text, &end, base);
	return !*end && !errno && *number <= most && (base != 16 || (text[1] | 0x20) != 'x');
}

bool state_signed(const char *text, int64_t *number)
{
	const char *digits = text + (*text == '-');
	char *end;

	if (*digits < '0' || *digits > '9')
		return false;
	errno = 0;
	*number = strtoll(text, &end, 10);
	return !*end && !errno;
}
