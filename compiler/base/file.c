/*
 * file: outputs that appear whole or not at all.
 *
 * In come texts and a folder, out come files. Each text goes to a temporary file first; when all
 * are there and synced, each temporary file trades places with what stood at its name. So the old
 * files are at hand until the end, and a refusal half way is undone by trading back. Always true
 * when file_write_all returns: no temporary file is left.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"

enum { FILE_NAMES = 100, FILE_COMPARED = 64 * 1024, FILE_PIECE = 2 * 1024 * 1024 };

/* What happens to one name. */
struct file_step {
	const char *name;
	const struct file_output *output; /* NULL: the file is removed */
	const char *temporary;            /* NULL while there is none */
	int fd;                           /* of the temporary file while it is written, else -1 */
	bool placed, replaced;            /* replaced: the old file is at the temporary name */
};

struct file_job {
	struct arena *arena;
	const char *folder;
	int dir;
	struct file_step *steps;
	size_t count;
	char **made; /* folders that were not there before */
	size_t made_count;
	mode_t umask;
	bool changed; /* a name in the folder stands for another file than before */
	const char **why;
};

static const char *file_reason(int error)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
		return "the disk is full";
	case EACCES:
	case EPERM:
		return "you may not write there";
	case EROFS:
		return "the file system is read-only";
	case EFBIG:
		return "files may not become that large here";
	case EBUSY:
		return "something is mounted there";
	default:
		return strerror(error);
	}
}

static bool file_fail(const struct file_job *job, const char *name, const char *reason)
{
	*job->why =
		arena_printf(job->arena, "cannot write \"%s/%s\": %s", job->folder, name, reason);
	return false;
}

static bool file_fail_errno(const struct file_job *job, const char *name)
{
	return file_fail(job, name, file_reason(errno));
}

static bool file_fail_folder(const struct file_job *job, const char *path, const char *reason)
{
	*job->why = arena_printf(job->arena, "cannot make the folder \"%s\": %s", path, reason);
	return false;
}

/* Makes one folder unless it is there. */
static bool file_make_folder(struct file_job *job, char *path)
{
	struct stat info;

	if (!mkdir(path, 0777)) {
		*arena_append(job->arena, job->made, job->made_count) = path;
		return true;
	}
	if (errno != EEXIST)
		return file_fail_folder(job, path, file_reason(errno));
	if (!stat(path, &info) && !S_ISDIR(info.st_mode))
		return file_fail_folder(job, path, "a file of that name is in the way");
	return true;
}

static bool file_open_folder(struct file_job *job)
{
	const char *path = job->folder;
	size_t length = strlen(path), at;

	for (at = 1; at <= length; at++) {
		if ((path[at] == '/' && path[at - 1] != '/') ||
		    (!path[at] && path[at - 1] != '/')) {
			if (!file_make_folder(job, arena_strndup(job->arena, path, at)))
				return false;
		}
	}
	job->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (job->dir >= 0)
		return true;
	*job->why = arena_printf(job->arena, "cannot open the folder \"%s\": %s", path,
				 file_reason(errno));
	return false;
}

/* The umask can only be read by setting another one. */
static mode_t file_umask(void)
{
	mode_t mask = umask(0077);

	umask(mask);
	return mask;
}

static mode_t file_mode(const struct file_job *job, const struct file_output *output)
{
	return output->mode & ~job->umask;
}

/* Does the file hold exactly this already? What cannot be read is not the same. */
static bool file_is_same(const struct file_job *job, const struct file_output *output)
{
	char piece[FILE_COMPARED];
	struct stat info;
	size_t at = 0;
	ssize_t got = 0;
	int fd = openat(job->dir, output->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return false;
	if (!fstat(fd, &info) && S_ISREG(info.st_mode) &&
	    (info.st_mode & 07777) == file_mode(job, output) &&
	    (size_t)info.st_size == output->length) {
		while ((got = read(fd, piece, sizeof(piece))) > 0 &&
		       at + (size_t)got <= output->length &&
		       !memcmp(piece, output->text + at, (size_t)got))
			at += (size_t)got;
	} else {
		got = -1;
	}
	close(fd);
	return !got && at == output->length;
}

/* In pieces, the disk at work on each while the next one is copied: the sync that follows waits for
 * the last of them. */
static bool file_write_bytes(int fd, const char *text, size_t length)
{
	ssize_t put;

	while (length) {
		put = write(fd, text, length < FILE_PIECE ? length : FILE_PIECE);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		if (put == FILE_PIECE)
			sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
		text += put;
		length -= (size_t)put;
	}
	return true;
}

/*
 * A name beside the file that nothing has yet: where the new file is written, which is made at
 * once, or where the old one goes.
 */
static bool file_take_name(struct file_job *job, struct file_step *step)
{
	struct stat info;
	unsigned int i;

	for (i = 0; i < FILE_NAMES; i++) {
		const char *name =
			arena_printf(job->arena, ".%s.tpc-%ld-%u", step->name, (long)getpid(), i);

		if (step->output)
			step->fd = openat(job->dir, name,
					  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
					  0600);
		else
			errno = fstatat(job->dir, name, &info, AT_SYMLINK_NOFOLLOW) ? errno
										    : EEXIST;
		if (step->output ? step->fd >= 0 : errno == ENOENT) {
			step->temporary = name;
			return true;
		}
		if (errno != EEXIST)
			break;
	}
	return file_fail_errno(job, step->name);
}

static bool file_write_temporary(struct file_job *job, struct file_step *step)
{
	const struct file_output *output = step->output;

	if (!file_take_name(job, step))
		return false;
	return (file_write_bytes(step->fd, output->text, output->length) &&
		!fchmod(step->fd, file_mode(job, output))) ||
	       file_fail_errno(job, step->name);
}

/*
 * Syncs and closes what was written. A step of its own: once all is written, the first sync carries
 * most of it to the disk for all of them.
 */
static bool file_sync(struct file_job *job, struct file_step *step)
{
	int fd = step->fd;

	if (fd < 0)
		return true;
	if (fsync(fd))
		return file_fail_errno(job, step->name);
	step->fd = -1;
	return !close(fd) || file_fail_errno(job, step->name);
}

/* Everything that can be done before the first visible change. */
static bool file_prepare(struct file_job *job, struct file_step *step)
{
	struct stat info;
	bool exists = !fstatat(job->dir, step->name, &info, AT_SYMLINK_NOFOLLOW);

	if (!exists && errno != ENOENT)
		return file_fail_errno(job, step->name);
	if (!step->output) /* a folder of that name is no output */
		return !exists || S_ISDIR(info.st_mode) || file_take_name(job, step);
	if (exists && S_ISDIR(info.st_mode))
		return file_fail(job, step->name, "a folder of that name is in the way");
	return file_is_same(job, step->output) || file_write_temporary(job, step);
}

static int file_exchange(const struct file_job *job, const struct file_step *step)
{
	return (int)syscall(SYS_renameat2, job->dir, step->temporary, job->dir, step->name,
			    RENAME_EXCHANGE);
}

/*
 * The new file takes its place, or the old one leaves it. Some file systems (vfat, NFS) cannot let
 * two files trade places: there the old one is gone at once, and only for them a later refusal
 * could not be undone.
 */
static bool file_place(struct file_job *job, struct file_step *step)
{
	if (!step->temporary)
		return true;
	if (!step->output)
		step->placed = step->replaced =
			!renameat(job->dir, step->name, job->dir, step->temporary);
	else if (!file_exchange(job, step))
		step->placed = step->replaced = true;
	else if (errno == ENOENT || errno == EINVAL || errno == ENOSYS)
		step->placed = !renameat(job->dir, step->temporary, job->dir, step->name);
	job->changed = job->changed || step->placed;
	return step->placed || file_fail_errno(job, step->name);
}

/*
 * The way back, possible a moment ago. If it fails all the same, what was replaced stays at its
 * temporary name: rather a file too many than the only copy gone.
 */
static void file_undo(struct file_job *job, struct file_step *step)
{
	int failed;

	if (!step->placed)
		return;
	if (!step->output)
		failed = renameat(job->dir, step->temporary, job->dir, step->name);
	else if (step->replaced)
		failed = file_exchange(job, step);
	else
		failed = renameat(job->dir, step->name, job->dir, step->temporary);
	if (failed || !step->output)
		step->temporary = NULL;
}

/* Some file systems know no sync of a folder and say EINVAL. */
static bool file_sync_folder(const struct file_job *job)
{
	if (!job->changed || !fsync(job->dir) || errno == EINVAL)
		return true;
	*job->why = arena_printf(job->arena, "cannot write the folder \"%s\": %s", job->folder,
				 file_reason(errno));
	return false;
}

static void file_clean(const struct file_job *job, const struct file_step *step)
{
	if (step->fd >= 0)
		close(step->fd);
	if (step->temporary)
		unlinkat(job->dir, step->temporary, 0);
}

static bool file_run(struct file_job *job)
{
	bool done = true;
	size_t i;

	for (i = 0; i < job->count && done; i++)
		done = file_prepare(job, &job->steps[i]);
	for (i = 0; i < job->count && done; i++)
		done = file_sync(job, &job->steps[i]);
	for (i = 0; i < job->count && done; i++)
		done = file_place(job, &job->steps[i]);
	done = done && file_sync_folder(job);
	for (i = job->count; i-- && !done;)
		file_undo(job, &job->steps[i]);
	for (i = 0; i < job->count; i++)
		file_clean(job, &job->steps[i]);
	return done;
}

static void file_plan(struct file_job *job, const struct file_output *outputs, size_t count,
		      const char *const *stale)
{
	size_t i;

	for (i = 0; i < count; i++) {
		*arena_append(job->arena, job->steps, job->count) = (struct file_step){
			.name = outputs[i].name, .output = &outputs[i], .fd = -1
		};
	}
	for (; stale && *stale; stale++)
		*arena_append(job->arena, job->steps, job->count) =
			(struct file_step){ .name = *stale, .fd = -1 };
}

bool file_write_all(struct arena *arena, const char *folder, const struct file_output *outputs,
		    size_t count, const char *const *stale, const char **why)
{
	struct file_job job = {
		.arena = arena, .folder = folder, .dir = -1, .umask = file_umask(), .why = why
	};
	struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
	bool done;

	file_plan(&job, outputs, count, stale);
	/* A limit on the size of files should be an error like a full disk, not the end. */
	sigaction(SIGXFSZ, &ignore, &before);
	done = file_open_folder(&job) && file_run(&job);
	sigaction(SIGXFSZ, &before, NULL);
	if (job.dir >= 0)
		close(job.dir);
	while (!done && job.made_count)
		rmdir(job.made[--job.made_count]);
	return done;
}
