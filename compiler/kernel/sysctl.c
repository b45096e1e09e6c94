/*
 * sysctl: reads and writes sysctls. In goes a dotted key, out comes a value or an errno; nothing
 * else on the host is touched.
 */
#include "kernel/sysctl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/names.h"

/* The longest key has an interface's name in it (IFNAMSIZ). */
enum { VALUE_MOST = 4096, PATH_MOST = 256 };

/* errno says why not. */
static int open_key(const char *key, int flags)
{
	char path[PATH_MOST];

	snprintf(path, sizeof(path), "/proc/sys/%s", key);
	for (char *c = path + strlen("/proc/sys/"); *c; c++) {
		if (*c == '.')
			*c = '/';
		else if (*c == '/')
			*c = '.';
	}
	return open(path, flags | O_CLOEXEC);
}

const char *sysctl_read(struct arena *arena, const char *key)
{
	int fd = open_key(key, O_RDONLY);
	char *value = arena_alloc(arena, VALUE_MOST);
	ssize_t length;

	if (fd < 0)
		return NULL;
	length = read(fd, value, VALUE_MOST - 1);
	close(fd);
	if (length < 0)
		return NULL;
	value[strcspn(value, "\n")] = '\0';
	return value;
}

bool sysctl_write(const char *key, const char *value)
{
	int fd = open_key(key, O_WRONLY), code;
	ssize_t length;

	if (fd < 0)
		return false;
	length = write(fd, value, strlen(value));
	code = errno;
	close(fd);
	errno = code;
	return length == (ssize_t)strlen(value);
}

bool sysctl_is_writable(const char *key)
{
	int fd = open_key(key, O_WRONLY);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

bool sysctl_has_ipv6(struct arena *arena)
{
	const char *off = sysctl_read(arena, "net.ipv6.conf.all.disable_ipv6");

	return off && strcmp(off, "0") == 0;
}

/* ---- settings of interfaces ---- */

/* "net.ipv4.conf." of all that begin so, or NULL. */
static const char *after_conf(const char *key)
{
	const char *conf = strstr(key, ".conf.");

	return conf ? conf + strlen(".conf.") : NULL;
}

const char **sysctl_interfaces(struct arena *arena, const char *pattern, size_t *count)
{
	const char *begin = after_conf(pattern), **names = NULL;
	int fd = begin ? open_key(arena_strndup(arena, pattern, (size_t)(begin - pattern) - 1),
				  O_RDONLY | O_DIRECTORY)
		       : -1;
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	*count = 0;
	if (!stream)
		return NULL;
	while ((entry = readdir(stream)))
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "all") != 0 &&
		    strcmp(entry->d_name, "default") != 0)
			*arena_append(arena, names, *count) = arena_strdup(arena, entry->d_name);
	closedir(stream);
	if (*count)
		qsort(names, *count, sizeof(*names), names_compare);
	return names;
}

static char *exchange(struct arena *arena, const char *text, char from, char to)
{
	char *copy = arena_strdup(arena, text);

	for (char *c = copy; *c; c++)
		if (*c == from)
			*c = to;
	return copy;
}

const char *sysctl_key(struct arena *arena, const char *pattern, const char *interface)
{
	const char *star = strchr(pattern, '*');

	return arena_printf(arena, "%.*s%s%s", (int)(star - pattern), pattern,
			    exchange(arena, interface, '.', '/'), star + 1);
}

const char *sysctl_interface(struct arena *arena, const char *key, const char **pattern)
{
	const char *begin = after_conf(key), *end = strrchr(key, '.');

	if (!begin || end < begin)
		return NULL;
	if (pattern)
		*pattern = arena_printf(arena, "%.*s*%s", (int)(begin - key), key, end);
	return exchange(arena, arena_strndup(arena, begin, (size_t)(end - begin)), '/', '.');
}
