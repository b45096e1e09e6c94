/*
 * cgroups: what the policy's cgroups are here, and what the rules in the kernel ask for (see
 * cgroups.h). Paths are below the place where nft looks them up, wherever else the hierarchy may be
 * mounted.
 */
#include "live/cgroups.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "ir/ir.h"

#define ROOT "/sys/fs/cgroup/"

/* The number is that of the folder (kernfs gives a new one to every folder); 0: there is no such
 * cgroup. Directories of cgroup v1 may be there, too, and their numbers mean nothing to the rules.
 */
static uint64_t number_of(const char *path)
{
	struct buf full = { 0 };
	struct statfs system;
	struct stat folder;
	uint64_t number = 0;

	buf_printf(&full, ROOT "%s", path);
	if (!statfs(buf_text(&full), &system) && system.f_type == CGROUP2_SUPER_MAGIC &&
	    !stat(buf_text(&full), &folder))
		number = folder.st_ino;
	buf_free(&full);
	return number;
}

static void check(struct diag *diag, const struct ir_hosted *cgroup)
{
	struct diag_record *record;

	if (!number_of("")) {
		record = diag_add(diag, DIAG_unknown_name, cgroup->origin,
				  "this host has no cgroups of version 2 at " ROOT
				  ", where nft looks for \"%s\"",
				  cgroup->name);
		diag_help(record,
			  "start it with systemd.unified_cgroup_hierarchy=1, or tell the process by its user, group or mark");
	} else if (!number_of(cgroup->name)) {
		record = diag_add(diag, DIAG_unknown_name, cgroup->origin,
				  "there is no cgroup \"%s\" on this host (" ROOT "%s)",
				  cgroup->name, cgroup->name);
		diag_help(record,
			  "the cgroup must exist when the policy is loaded; start its unit first");
	}
}

bool cgroups_check(struct diag *diag, const struct ir *ir)
{
	size_t before = diag_error_count(diag);

	for (size_t i = 0; i < ir->cgroup_count; i++)
		check(diag, &ir->cgroups[i]);
	return diag_error_count(diag) == before;
}

const char *cgroups_changed(const struct ir *ir, const uint64_t *numbers, size_t count)
{
	for (size_t i = 0; i < ir->cgroup_count; i++) {
		uint64_t number = number_of(ir->cgroups[i].name);
		bool found = false;

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
void cgroups_read(struct arena *arena, const struct nlattr *expressions, uint64_t **numbers,
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

/* A folder of kernfs can be opened by its number (FILEID_KERNFS, linux/exportfs.h). */
bool cgroups_is_gone(uint64_t number)
{
	union {
		struct file_handle handle;
		unsigned char room[sizeof(struct file_handle) + sizeof(number)];
	} by_number = { .handle = { .handle_bytes = sizeof(number), .handle_type = 0xfe } };
	int root = open(ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC), found;
	bool is_gone;

	if (root < 0)
		return false;
	memcpy(by_number.room + sizeof(struct file_handle), &number, sizeof(number));
	found = open_by_handle_at(root, &by_number.handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	is_gone = found < 0 && (errno == ESTALE || errno == ENOENT);
	if (found >= 0)
		close(found);
	close(root);
	return is_gone;
}
