/*
 * rundir: finds, makes and locks the folder of this network namespace (see rundir.h). The lock is
 * flock's, on a file that is closed in children, so it is free as soon as the process that took it
 * is gone.
 */
#include "state/rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/names.h"
#include "base/ordinary.h"

/* SO_NETNS_COOKIE of Linux 5.14 (include/uapi/asm-generic/socket.h), which older headers lack. */
enum { NETNS_COOKIE = 71 };
enum { LOCK_TRIES = 200, LOCK_PAUSE_MS = 50, CANDIDATES = 4 };

/* The name of this network namespace: "4026531840-1". */
static const char *namespace_name(struct arena *arena)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unsigned long long cookie = 0;
	socklen_t length = sizeof(cookie);
	struct stat about;

	if (fd >= 0) {
		if (getsockopt(fd, SOL_SOCKET, NETNS_COOKIE, &cookie, &length) < 0)
			cookie = 0;
		close(fd);
	}
	if (stat("/proc/self/ns/net", &about) < 0)
		about.st_ino = 0;
	return arena_printf(arena, "%llu-%llu", (unsigned long long)about.st_ino, cookie);
}

/* Is the folder one that no other user can put things into? */
static bool is_private(struct arena *arena, const char *path, const char **why)
{
	struct stat about;

	if (lstat(path, &about) < 0)
		*why = arena_printf(arena, "%s: %s", path, strerror(errno));
	else if (!S_ISDIR(about.st_mode))
		*why = arena_printf(arena, "%s is no folder", path);
	else if (about.st_uid != geteuid())
		*why = arena_printf(arena, "%s belongs to another user", path);
	else if (about.st_mode & (S_IWGRP | S_IWOTH))
		*why = arena_printf(arena, "%s can be written by others", path);
	else
		return true;
	return false;
}

static bool make_private(struct arena *arena, const char *path, const char **why)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST) {
		*why = arena_printf(arena, "%s cannot be made: %s", path, strerror(errno));
		return false;
	}
	if (!is_private(arena, path, why))
		return false;
	if (access(path, W_OK | X_OK) == 0)
		return true;
	*why = arena_printf(arena, "%s cannot be written: %s", path, strerror(errno));
	return false;
}

/*
 * Root of the machine, not of a user namespace, where uid 0 is an unprivileged user's and may write
 * to /run seldom.
 */
static bool is_root(void)
{
	unsigned long inside, outside, count;
	FILE *file = geteuid() == 0 ? fopen("/proc/self/uid_map", "re") : NULL;
	bool is_whole;

	if (!file)
		return geteuid() == 0;
	is_whole = fscanf(file, "%lu %lu %lu", &inside, &outside, &count) == 3 && inside == 0 &&
		   outside == 0 && count == UINT32_MAX;
	fclose(file);
	return is_whole;
}

/* The places to try, in order. Where TPC_RUN_DIR says which, or root asks, there is no other. */
static size_t candidates(struct arena *arena, const char *out[CANDIDATES])
{
	const char *asked = getenv("TPC_RUN_DIR"), *own = getenv("XDG_RUNTIME_DIR");
	size_t count = 0;

	if (asked && *asked) {
		out[0] = asked;
		return 1;
	}
	out[count++] = "/run/tpc";
	if (is_root())
		return count;
	if (own && *own == '/')
		out[count++] = arena_printf(arena, "%s/tpc", own);
	out[count++] = arena_printf(arena, "/tmp/tpc-%u", (unsigned int)geteuid());
	return count;
}

/*
 * A run that leaves nothing takes its folders away, also just now, between our making one and
 * looking at it: then we make it again. errno is ENOENT then.
 */
static bool make_both(struct arena *arena, const char *base, const char *path, const char **why)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		errno = 0;
		if (make_private(arena, base, why) && make_private(arena, path, why))
			return true;
		if (errno != ENOENT)
			return false;
	}
	return false;
}

static bool make_folder(struct arena *arena, struct rundir *folder, const char *name,
			const char **why)
{
	const char *bases[CANDIDATES], *last = NULL;
	size_t count = candidates(arena, bases);

	for (size_t i = 0; i < count; i++) {
		const char *path = arena_printf(arena, "%s/%s", bases[i], name);

		if (make_both(arena, bases[i], path, &last)) {
			folder->base = bases[i];
			folder->path = path;
			return true;
		}
		*why = i ? arena_printf(arena, "%s; %s", *why, last) : last;
	}
	if (!getenv("TPC_RUN_DIR"))
		*why = arena_printf(arena,
				    "%s; make that possible, or name another folder, the same one in every "
				    "run, in TPC_RUN_DIR",
				    *why);
	return false;
}

static void find_folder(struct arena *arena, struct rundir *folder, const char *name)
{
	const char *bases[CANDIDATES], *why;
	size_t count = candidates(arena, bases);

	for (size_t i = 0; i < count && !folder->path; i++) {
		const char *path = arena_printf(arena, "%s/%s", bases[i], name);

		if (is_private(arena, bases[i], &why) && is_private(arena, path, &why)) {
			folder->base = bases[i];
			folder->path = path;
		}
	}
}

/*
 * Files that a run which was killed has left half written (file.c: ".NAME.tpc-PID-N"). Nothing is
 * written here without the lock, so whoever has it may take them away.
 */
static void clean(struct arena *arena, const struct rundir *folder)
{
	DIR *stream = opendir(folder->path);
	struct dirent *entry;

	while (stream && (entry = readdir(stream)))
		if (entry->d_name[0] == '.' && strstr(entry->d_name, ".tpc-"))
			unlink(arena_printf(arena, "%s/%s", folder->path, entry->d_name));
	if (stream)
		closedir(stream);
}

/* What stands in the lock's place, or why it cannot be opened. */
static const char *lock_trouble(struct arena *arena, const char *path, int error)
{
	struct stat about;
	const char *kind = lstat(path, &about) < 0 ? NULL : ordinary_kind(about.st_mode);

	if (!kind)
		return arena_printf(arena, "%s cannot be opened: %s", path, strerror(error));
	return arena_printf(arena, "%s is %s, and no file of tpc's; move it away: mv %s %s.aside",
			    path, kind, path, path);
}

/* Is the file that was locked still the one of that name? The run before may have taken it away
 * while we waited. */
static bool is_current(int fd, const char *path)
{
	struct stat held, there;

	return fstat(fd, &held) == 0 && stat(path, &there) == 0 && held.st_ino == there.st_ino &&
	       held.st_dev == there.st_dev;
}

static bool take_lock(struct arena *arena, struct rundir *folder, const char **why)
{
	const char *path = arena_printf(arena, "%s/lock", folder->path);
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000L };

	for (int i = 0; i < LOCK_TRIES; i++) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

		if (fd < 0 && errno == ENOENT) {
			if (!make_both(arena, folder->base, folder->path, why))
				return false;
			continue;
		}
		if (fd < 0) {
			*why = lock_trouble(arena, path, errno);
			return false;
		}
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 && is_current(fd, path)) {
			folder->lock = fd;
			clean(arena, folder);
			return true;
		}
		close(fd);
		nanosleep(&pause, NULL);
	}
	*why = arena_printf(arena, "another tpc is at work in this network namespace (it holds %s)",
			    path);
	return false;
}

bool rundir_open(struct arena *arena, struct rundir *folder, bool make, const char **why)
{
	const char *name = namespace_name(arena);

	memset(folder, 0, sizeof(*folder));
	folder->lock = -1;
	*why = NULL;
	if (make)
		return make_folder(arena, folder, name, why) && take_lock(arena, folder, why);
	find_folder(arena, folder, name);
	return true;
}

void rundir_close(struct arena *arena, struct rundir *folder)
{
	size_t count;

	if (folder->lock < 0)
		return;
	rundir_list(arena, folder, &count);
	if (count == 0) {
		unlink(arena_printf(arena, "%s/lock", folder->path));
		rmdir(folder->path);
		if (!getenv("TPC_RUN_DIR"))
			rmdir(folder->base);
	}
	close(folder->lock);
	folder->lock = -1;
}

const char **rundir_list(struct arena *arena, const struct rundir *folder, size_t *count)
{
	DIR *stream = folder->path ? opendir(folder->path) : NULL;
	const char **names = NULL;
	struct dirent *entry;

	*count = 0;
	if (!stream)
		return NULL;
	while ((entry = readdir(stream)))
		if (!strchr(entry->d_name, '.') && strcmp(entry->d_name, "lock") != 0)
			*arena_append(arena, names, *count) = arena_strdup(arena, entry->d_name);
	closedir(stream);
	if (*count)
		qsort(names, *count, sizeof(*names), names_compare);
	return names;
}
