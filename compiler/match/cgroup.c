/*
 * cgroup: the control group (v2) of the local process that sends, by its path below the root. What
 * is in a group below it is in it, too.
 *
 * nft keeps the group's number and not its path, so the group must be there when the policy is
 * loaded. A socket belongs to the group that its process was in when it was opened. nft's "!="
 * does not hold for a process that is less deep than the group, so that none of them means a chain
 * that those in them return from.
 */
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "match/kinds.h"

/* The kernel counts levels in eight bits (net/netfilter/nft_socket.c); a name has NAME_MAX. */
enum { DEPTH_MOST = 255, PART_MOST = 255, PATH_MOST = 3072 };

static unsigned int depth_of(const char *path)
{
	unsigned int depth = 1;

	if (!*path)
		return 0;
	for (const char *c = path; *c; c++)
		depth += *c == '/';
	return depth;
}

static bool is_part(const char *part, size_t length)
{
	if (!length || length > PART_MOST || (length <= 2 && !strncmp(part, "..", length)))
		return false;
	for (size_t i = 0; i < length; i++)
		if (part[i] <= ' ' || part[i] >= 0x7f || strchr("\"'`$*?", part[i]))
			return false;
	return true;
}

static bool is_path(const char *path)
{
	size_t length;

	if (strlen(path) > PATH_MOST || depth_of(path) > DEPTH_MOST)
		return false;
	for (;; path += length + 1) {
		length = strcspn(path, "/");
		if (!is_part(path, length))
			return false;
		if (!path[length])
			return true;
	}
}

/* What people copy: the path in the file system, or a line of /proc/PID/cgroup. */
static const char *below_root(const char *text)
{
	static const char *const roots[] = { "/sys/fs/cgroup/", "0::/", "/" };

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
		if (!strncmp(text, roots[i], strlen(roots[i])))
			return text + strlen(roots[i]);
	return text;
}

static const char *read_path(struct decode *decode, const struct node *value)
{
	const char *path = value->kind == NODE_SCALAR ? below_root(value->text) : "";

	if (is_path(path))
		return path;
	if (value->kind == NODE_SCALAR && !*path)
		diag_help(diag_add(decode->diag, DIAG_bad_value, value->span,
				   "every process is in the root of the cgroups"),
			  "name a cgroup below it, or use `scope: local` for all that this host sends");
	else
		diag_help(diag_add(decode->diag, DIAG_bad_value, value->span,
				   "this is no path of a cgroup"),
			  "write it as `systemctl status` shows it, such as system.slice/proxy.service");
	return NULL;
}

static bool read_cgroup(struct decode *decode, const struct node *value,
			struct match_condition *condition)
{
	const char *path = read_path(decode, value);

	if (path)
		*arena_append(decode->arena, condition->hosted, condition->hosted_count) =
			(struct match_reference){ path, value->span };
	return path != NULL;
}

static void print_cgroup(const struct ir_match *match, struct buf *out)
{
	const char *path = match->names[0];

	buf_printf(out, "socket cgroupv2 level %u \"%s\"", depth_of(path), *path ? path : "/");
}

static bool is_below(const char *path, const char *above)
{
	size_t length = strlen(above);

	return !length || (!strncmp(path, above, length) && (!path[length] || path[length] == '/'));
}

static bool cgroup_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	return packet->cgroup && is_below(packet->cgroup, match->names[0]);
}

static const struct ir_match_ops cgroup_ops = { "cgroup", print_cgroup, cgroup_holds, false, NULL };

/* Is the path inside another one of the list, so that it says nothing of its own? */
static bool is_covered(const struct match_condition *condition, size_t index)
{
	const char *path = condition->hosted[index].name;

	for (size_t i = 0; i < condition->hosted_count; i++) {
		const char *other = condition->hosted[i].name;

		if (is_below(path, other) && (strcmp(path, other) || i < index))
			return true;
	}
	return false;
}

/* The sending process is in this cgroup or in one below it; "" is the root, where they all are. */
static struct ir_match cgroup_match(struct arena *arena, const char *path)
{
	struct ir_match match = { .ops = &cgroup_ops };
	const char **names = NULL;

	*arena_append(arena, names, match.name_count) = path;
	match.names = names;
	/* The root is there wherever there are cgroups. */
	match.hosted = *path ? IR_HOSTED_CGROUP : IR_HOSTED_NONE;
	return match;
}

static void lower_cgroup(const struct match_condition *condition, struct match_context *context,
			 struct match_alternatives *out)
{
	for (size_t i = 0; i < condition->hosted_count; i++)
		if (!is_covered(condition, i))
			*match_append(context, match_alternative(context, out), &cgroup_ops) =
				cgroup_match(context->arena, condition->hosted[i].name);
	out->none_of = condition->negated;
	if (!condition->negated)
		return;
	/* The packet must still be some process's, and the root is above them all. */
	out->extra = arena_new_of(context->arena, struct ir_match);
	*out->extra = cgroup_match(context->arena, "");
}

const struct match_kind match_cgroup = {
	.noun = "a cgroup",
	.read = read_cgroup,
	.lower = lower_cgroup,
	.scopes = SCOPE_LOCAL,
	.elsewhere = "packets that are forwarded have no process on this host",
	.implies_local = true,
	.may_change = true,
	.names_identity = true,
};
