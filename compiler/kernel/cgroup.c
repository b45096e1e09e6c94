/*
 * cgroup: what the policy's cgroups are here, and what the rules in the kernel ask for (see
 * cgroup.h). Paths are below the place where nft looks them up, wherever else the hierarchy may be
 * mounted.
 */
#include "kernel/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/names.h"
#include "ir/ir.h"

/* The number is that of the folder (kernfs gives a new one to every folder); 0: there is no such
 * cgroup. Directories of cgroup v1 may be there, too, and their numbers mean nothing to the rules.
 */
static uint64_t number_of(const char *path)
{
	struct buf full = { 0 };
	struct statfs system;
	struct stat folder;
	uint64_t number = 0;

	buf_printf(&full, CGROUPS_ROOT "%s", path);
	if (!statfs(buf_text(&full), &system) && system.f_type == CGROUP2_SUPER_MAGIC &&
	    !stat(buf_text(&full), &folder))
		number = folder.st_ino;
	buf_free(&full);
	return number;
}

uint64_t cgroup_number(const char *path)
{
	return number_of(path);
}

const char *cgroup_above(struct arena *arena, const char *path, unsigned int *level)
{
	char *above = arena_strdup(arena, path), *slash;

	do {
		slash = strrchr(above, '/');
		*(slash ? slash : above) = '\0';
	} while (*above && !number_of(above));
	*level = *above != '\0';
	for (const char *c = above; *c; c++)
		*level += *c == '/';
	return above;
}

/* nft's words have no place for other letters between quotes. */
static bool is_plain(const char *name)
{
	for (const char *c = name; *c; c++)
		if (*c <= ' ' || *c >= 0x7f || strchr("\"'`$*?", *c))
			return false;
	return true;
}

struct cgroup_list cgroup_below(struct arena *arena, const char *path)
{
	DIR *stream = opendir(arena_printf(arena, CGROUPS_ROOT "%s", path));
	struct cgroup_list list = { 0 };
	struct dirent *entry;

	while (stream && (entry = readdir(stream)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' && is_plain(entry->d_name))
			*arena_append(arena, list.names, list.count) =
				arena_printf(arena, "%s%s%s", path, *path ? "/" : "",
					     entry->d_name);
	if (stream)
		closedir(stream);
	if (list.count)
		qsort(list.names, list.count, sizeof(*list.names), names_compare);
	return list;
}

const char *cgroup_changed(const struct ir *ir, const uint64_t *numbers, size_t count)
{
	for (size_t i = 0; i < ir->cgroup_count; i++) {
		uint64_t number = number_of(ir->cgroups[i].name);
		bool found = !number; /* one that is not there is reported elsewhere */

		for (size_t k = 0; k < count; k++)
			found |= numbers[k] == number;
		if (!found)
			return ir->cgroups[i].name;
	}
	return NULL;
}

/* ---- in the kernel's rules ---- */

static const struct nlattr *inside(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *attribute;

	if (!nest)
		return NULL;
	mnl_attr_for_each_nested(attribute, nest)
		if (mnl_attr_get_type(attribute) == type)
			return attribute;
	return NULL;
}

static bool is_expression(const struct nlattr *expression, const char *name)
{
	const struct nlattr *found = inside(expression, NFTA_EXPR_NAME);

	return found && !strcmp(mnl_attr_get_str(found), name);
}

static bool loads_cgroup(const struct nlattr *expression)
{
	const struct nlattr *key = inside(inside(expression, NFTA_EXPR_DATA), NFTA_SOCKET_KEY);

	return is_expression(expression, "socket") && key &&
	       ntohl(mnl_attr_get_u32(key)) == NFT_SOCKET_CGROUPV2;
}

/* What is loaded is compared next. */
void cgroup_read(struct arena *arena, const struct nlattr *expressions, uint64_t **numbers,
		 size_t *count)
{
	const struct nlattr *expression, *value;
	bool loaded = false;

	mnl_attr_for_each_nested(expression, expressions) {
		value = inside(inside(inside(expression, NFTA_EXPR_DATA), NFTA_CMP_DATA),
			       NFTA_DATA_VALUE);
		if (loaded && is_expression(expression, "cmp") && value &&
		    mnl_attr_get_payload_len(value) == sizeof(uint64_t))
			*arena_append(arena, *numbers, *count) = mnl_attr_get_u64(value);
		loaded = loads_cgroup(expression);
	}
}

/* A folder of kernfs can be opened by its number (FILEID_KERNFS, linux/exportfs.h). -1, with errno:
 * it cannot. */
static int open_numbered(uint64_t number)
{
	union {
		struct file_handle handle;
		unsigned char room[sizeof(struct file_handle) + sizeof(number)];
	} by_number = { .handle = { .handle_bytes = sizeof(number), .handle_type = 0xfe } };
	int root = open(CGROUPS_ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC), found, code;

	if (root < 0) {
		errno = EPERM;
		return -1;
	}
	memcpy(by_number.room + sizeof(struct file_handle), &number, sizeof(number));
	found = open_by_handle_at(root, &by_number.handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	code = errno;
	close(root);
	errno = code;
	return found;
}

bool cgroup_is_gone(uint64_t number)
{
	int found = open_numbered(number);

	if (found >= 0) {
		close(found);
		return false;
	}
	return errno == ESTALE || errno == ENOENT;
}

/* Below the root; false: it is not known. */
static bool read_path(uint64_t number, char path[static PATH_MAX])
{
	static const char root[] = CGROUPS_ROOT;
	char link[64], full[PATH_MAX] = "";
	int folder = open_numbered(number);

	if (folder < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", folder);
	if (readlink(link, full, sizeof(full) - 1) < 0)
		*full = '\0';
	close(folder);
	/* The root itself has no slash at its end. */
	if (strncmp(full, root, sizeof(root) - 2) != 0)
		return false;
	strcpy(path, full + sizeof(root) - 2 + (full[sizeof(root) - 2] == '/'));
	return true;
}

const char *cgroup_path(struct arena *arena, uint64_t number)
{
	char path[PATH_MAX];

	return read_path(number, path) ? arena_strdup(arena, path) : NULL;
}

bool cgroup_at_level(uint64_t number, unsigned int level, uint64_t *out)
{
	char path[PATH_MAX], *end = path;

	*out = 0;
	if (!read_path(number, path))
		return false;
	for (; level; level--) {
		if (!*end)
			return true;
		end += 1 + strcspn(end + 1, "/");
	}
	*end = '\0';
	*out = number_of(path);
	return *out != 0;
}
