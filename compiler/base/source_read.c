/*
 * source_read: a file into a source. In comes a path, out comes its text or one error that says
 * what the system refused, in words, and what to do about it. Only files that hold bytes are read
 * (ordinary.h), and standard input.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/names.h"
#include "base/ordinary.h"
#include "base/source.h"
#include "base/suggest.h"

enum { SOURCE_FIRST = 64 * 1024, SOURCE_NAMES = 10000 };

struct source_job {
	struct arena *arena;
	struct diag *diag;
	const char *path, *name; /* as it is opened, as it is shown */
	size_t limit;
	struct span wanted_by;
};

static struct diag_record *source_read_refuse(const struct source_job *job, const char *reason)
{
	return diag_add(job->diag, DIAG_file_unreadable, job->wanted_by, "cannot read \"%s\": %s",
			job->name, reason);
}

static void source_read_refuse_size(const struct source_job *job)
{
	diag_add(job->diag, DIAG_file_too_large, job->wanted_by,
		 "\"%s\" is larger than %zu MiB, the most that is read", job->name,
		 job->limit >> 20);
}

/* The names of the files in a folder, sorted: a folder is read in no order. */
static char **source_read_folder(struct arena *arena, DIR *folder, size_t *count)
{
	struct dirent *entry;
	char **names = NULL;

	*count = 0;
	while (*count < SOURCE_NAMES && (entry = readdir(folder))) {
		if (entry->d_type != DT_DIR)
			*arena_append(arena, names, *count) = arena_strdup(arena, entry->d_name);
	}
	if (names)
		qsort(names, *count, sizeof(*names), names_compare);
	return names;
}

/* For a file that is not there: the one that may have been meant, or the folder that is not there
 * either. */
static void source_read_help_missing(const struct source_job *job, struct diag_record *record)
{
	const char *slash = strrchr(job->path, '/');
	const char *prefix =
		arena_strndup(job->arena, job->path, slash ? (size_t)(slash - job->path) + 1 : 0);
	DIR *folder = opendir(slash ? prefix : ".");
	const char *nearest;
	char **names;
	size_t count;

	if (!folder) {
		if (errno == ENOENT)
			diag_help(record, "there is no folder \"%s\"", prefix);
		return;
	}
	names = source_read_folder(job->arena, folder, &count);
	closedir(folder);
	nearest = suggest_nearest(slash ? slash + 1 : job->path, (const char *const *)names, count);
	if (nearest)
		diag_help(record, "did you mean \"%s%s\"?", prefix, nearest);
}

/* Whose it is, when the system lets us see that much. */
static const char *source_read_permission(const struct source_job *job)
{
	struct stat info;

	if (stat(job->path, &info))
		return "you may not read it: one of the folders on the way to it is closed to you";
	return arena_printf(job->arena,
			    "you may not read it: it belongs to user %u, with mode %04o",
			    (unsigned int)info.st_uid, (unsigned int)info.st_mode & 07777);
}

static void source_read_refuse_errno(const struct source_job *job, int error)
{
	if (error == ENOENT)
		source_read_help_missing(job, source_read_refuse(job, "there is no such file"));
	else if (error == EACCES)
		source_read_refuse(job, source_read_permission(job));
	else if (error == ENOTDIR)
		source_read_refuse(job,
				   "a part of the path before the last is a file, not a folder");
	else
		source_read_refuse(job, strerror(error));
}

/* Everything up to the end; NULL with errno, or with errno 0 when it is over the limit. */
static char *source_read_whole(const struct source_job *job, int fd, size_t expected, size_t *size)
{
	size_t room = expected + 1;
	char *text = arena_alloc(job->arena, room + 1), *moved;
	ssize_t got;

	*size = 0;
	while ((got = source_get(fd, text + *size, room - *size)) != 0) {
		if (got < 0)
			return NULL;
		*size += (size_t)got;
		if (*size > job->limit) {
			errno = 0;
			return NULL;
		}
		if (*size < room)
			continue;
		moved = arena_alloc(job->arena, 2 * room + 1);
		memcpy(moved, text, *size);
		text = moved;
		room *= 2;
	}
	return text;
}

/* The kinds of files that are no text to be read at one's own pace, and what to do instead. */
static void source_read_refuse_kind(const struct source_job *job, const char *kind)
{
	struct diag_record *record =
		source_read_refuse(job, arena_printf(job->arena, "it is %s", kind));

	if (!strcmp(kind, ordinary_kind(S_IFDIR)))
		diag_help(record, "name a file inside it");
	else if (!strcmp(kind, ordinary_kind(S_IFIFO)))
		diag_help(record,
			  "write what comes out of it to a file and name that, or send it to standard input, "
			  "which is called \"-\"");
	else
		diag_help(record, "copy what is meant to a file, and name that");
}

/* Standard input by its names. By the others it might be a pipe, which is refused. */
bool source_is_stdin(const char *path)
{
	static const char *const names[] = { "-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(path, names[i]))
			return true;
	return false;
}

static int source_open_job(const struct source_job *job, struct stat *info)
{
	const char *kind;
	int fd = ordinary_open(job->path, 0, info, &kind);

	if (fd < 0 && kind)
		source_read_refuse_kind(job, kind);
	else if (fd < 0)
		source_read_refuse_errno(job, errno);
	if (fd >= 0 && (uintmax_t)info->st_size > job->limit) {
		source_read_refuse_size(job);
		close(fd);
		return -1;
	}
	if (fd >= 0)
		diag_note_input(job->diag, job->path, info, job->wanted_by);
	return fd;
}

/* What is sent there may be of any kind: who sends it wants it read. */
static int source_open_stdin(const struct source_job *job, struct stat *info)
{
	if (fstat(STDIN_FILENO, info)) {
		source_read_refuse_errno(job, errno);
		return -1;
	}
	if (S_ISREG(info->st_mode))
		diag_note_input(job->diag, job->path, info, job->wanted_by);
	else
		info->st_size = SOURCE_FIRST;
	return STDIN_FILENO;
}

struct source *source_read(struct arena *arena, struct diag *diag, const char *path, size_t limit,
			   struct span wanted_by)
{
	bool is_stdin = source_is_stdin(path);
	struct source_job job = {
		.arena = arena,
		.diag = diag,
		.path = path,
		.name = strcmp(path, "-") ? path : "<stdin>",
		.limit = limit,
		.wanted_by = wanted_by,
	};
	struct stat info;
	int fd = is_stdin ? source_open_stdin(&job, &info) : source_open_job(&job, &info);
	size_t expected, size;
	char *text;

	if (fd < 0)
		return NULL;
	expected = (uintmax_t)info.st_size < limit ? (size_t)info.st_size : limit;
	text = source_read_whole(&job, fd, expected, &size);
	if (!text && errno)
		source_read_refuse_errno(&job, errno);
	else if (!text)
		source_read_refuse_size(&job);
	if (!is_stdin)
		close(fd);
	return text ? source_wrap(arena, path, text, size) : NULL;
}

int source_open(struct arena *arena, struct diag *diag, const char *path, size_t limit,
		struct span wanted_by, size_t *size)
{
	struct source_job job = { .arena = arena,
				  .diag = diag,
				  .path = path,
				  .name = path,
				  .limit = limit,
				  .wanted_by = wanted_by };
	struct stat info;
	int fd = source_open_job(&job, &info);

	if (fd >= 0)
		*size = (size_t)info.st_size;
	return fd;
}

ssize_t source_get(int fd, void *into, size_t room)
{
	ssize_t got;

	do
		got = read(fd, into, room);
	while (got < 0 && errno == EINTR);
	return got;
}
