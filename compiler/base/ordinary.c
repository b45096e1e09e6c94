/*
 * ordinary: opens files that hold bytes (see ordinary.h). What a path stands for may change between
 * the look and the opening: so the look is repeated at what was opened, and the opening itself
 * waits for nothing.
 */
#include "base/ordinary.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stddef.h>
#include <sys/vfs.h>
#include <unistd.h>

const char *ordinary_kind(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return NULL;
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a pipe";
	case S_IFSOCK:
		return "a socket";
	case S_IFLNK:
		return "a symbolic link";
	default:
		return "a device";
	}
}

/* Of files that look ordinary: does the kernel make their text? They say that they hold 0 bytes. */
static const char *kernel_kind(int fd)
{
	static const unsigned long made[] = {
		PROC_SUPER_MAGIC,    SYSFS_MAGIC,      DEBUGFS_MAGIC,
		TRACEFS_MAGIC,       SECURITYFS_MAGIC, CGROUP_SUPER_MAGIC,
		CGROUP2_SUPER_MAGIC, SELINUX_MAGIC,    BPF_FS_MAGIC,
	};
	struct statfs about;

	if (fstatfs(fd, &about))
		return NULL;
	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
		if ((unsigned long)about.f_type == made[i])
			return "a file that the kernel makes at each reading";
	return NULL;
}

int ordinary_open(const char *path, int flags, struct stat *info, const char **kind)
{
	int fd;

	*kind = NULL;
	if (flags & O_NOFOLLOW ? lstat(path, info) : stat(path, info))
		return -1;
	*kind = ordinary_kind(info->st_mode);
	if (*kind)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
	if (fd < 0)
		return -1;
	if (!fstat(fd, info)) {
		*kind = ordinary_kind(info->st_mode);
		if (!*kind)
			*kind = kernel_kind(fd);
		if (!*kind)
			return fd;
	}
	close(fd);
	return -1;
}
