/*
 * settings: reads and writes sysctls. In goes a dotted key, out comes a value or an errno; nothing
 * else on the host is touched.
 */
#include "live/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "ir/ir.h"

enum { VALUE_MOST = 4096 };

static const char *path_of(struct arena *arena, const char *key)
{
	char *path = arena_printf(arena, "/proc/sys/%s", key);

	for (char *c = path + strlen("/proc/sys/"); *c; c++) {
		if (*c == '.')
			*c = '/';
		else if (*c == '/')
			*c = '.';
	}
	return path;
}

const char *settings_read(struct arena *arena, const char *key)
{
	int fd = open(path_of(arena, key), O_RDONLY | O_CLOEXEC);
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

bool settings_write(struct arena *arena, const char *key, const char *value)
{
	int fd = open(path_of(arena, key), O_WRONLY | O_CLOEXEC), code;
	ssize_t length;

	if (fd < 0)
		return false;
	length = write(fd, value, strlen(value));
	code = errno;
	close(fd);
	errno = code;
	return length == (ssize_t)strlen(value);
}

bool settings_has_ipv6(struct arena *arena)
{
	const char *off = settings_read(arena, "net.ipv6.conf.all.disable_ipv6");

	return off && strcmp(off, "0") == 0;
}

/*
 * The reverse-path filter that packets meet is the greater of conf.all's and the interface's
 * (Documentation/networking/ip-sysctl.rst); 1 is strict.
 */
static bool is_strict(struct arena *arena, const char *now)
{
	const char *all = settings_read(arena, "net.ipv4.conf.all.rp_filter");
	int here = atoi(now), everywhere = all ? atoi(all) : 0;

	return (here > everywhere ? here : everywhere) == 1;
}

bool settings_is_open(struct arena *arena, const struct ir_sysctl *wish, const char **now)
{
	*now = settings_read(arena, wish->key);
	if (!*now || strcmp(*now, wish->value) == 0)
		return false;
	return !wish->only_if_strict || is_strict(arena, *now);
}
