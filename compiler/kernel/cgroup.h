/*
 * cgroup: control groups (v2) by path and by number. The kernel's rules keep the number, which a
 * group that was removed and made again does not have any more.
 */
#ifndef TPC_KERNEL_CGROUP_H
#define TPC_KERNEL_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct ir;
struct nlattr;

/* Where nft looks cgroups up by their path. */
#define CGROUPS_ROOT "/sys/fs/cgroup/"

/* The cgroup's number, 0: there is none; "" is the root, which is there wherever cgroups are. */
uint64_t cgroup_number(const char *path);
/* The deepest of those above the path that is there: "" is the root, at level 0. */
const char *cgroup_above(struct arena *arena, const char *path, unsigned int *level);
/* Those one level below the path, sorted. One whose name nft cannot be given is left out. */
struct cgroup_list {
	const char **names;
	size_t count;
};
struct cgroup_list cgroup_below(struct arena *arena, const char *path);
/* The first of the policy's cgroups that is there and whose number is not among these, or NULL. */
const char *cgroup_changed(const struct ir *ir, const uint64_t *numbers, size_t count);
/* Adds the numbers that a rule's expressions (NFTA_RULE_EXPRESSIONS) ask for. */
void cgroup_read(struct arena *arena, const struct nlattr *expressions, uint64_t **numbers,
		 size_t *count);
/* The path of the cgroup of this number, or NULL where that is not known. */
const char *cgroup_path(struct arena *arena, uint64_t number);
/* The cgroup at that level (0: the root) above the one of this number, or itself: *out is its
 * number, 0 where the one of this number is not so deep. False: not known. */
bool cgroup_at_level(uint64_t number, unsigned int level, uint64_t *out);
/* Is there surely no cgroup of this number any more? */
bool cgroup_is_gone(uint64_t number);

#endif
