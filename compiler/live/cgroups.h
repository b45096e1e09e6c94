/*
 * cgroups: control groups (v2) by path and by number. The kernel's rules keep the number, which a
 * group that was removed and made again does not have any more.
 */
#ifndef TPC_LIVE_CGROUPS_H
#define TPC_LIVE_CGROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct diag;
struct ir;
struct nlattr;

/* Adds an error for every cgroup of the policy that is not there. False when there was one. */
bool cgroups_check(struct diag *diag, const struct ir *ir);
/* The first of the policy's cgroups whose number is not among these, or NULL. */
const char *cgroups_changed(const struct ir *ir, const uint64_t *numbers, size_t count);
/* Adds the numbers that a rule's expressions (NFTA_RULE_EXPRESSIONS) ask for. */
void cgroups_read(struct arena *arena, const struct nlattr *expressions, uint64_t **numbers,
		  size_t *count);
/* Is there surely no cgroup of this number any more? */
bool cgroups_is_gone(uint64_t number);

#endif
