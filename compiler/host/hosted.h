/*
 * hosted: users, groups and cgroups that a policy names and the host does not have yet.
 *
 * The kernel keeps a number, which such a name has not got. Until the next apply, what the name
 * stands for is refused, for its own rules alone: a user that comes later has a number that no user
 * has now, and a cgroup that comes later is none of those that its place holds now.
 */
#ifndef TPC_HOST_HOSTED_H
#define TPC_HOST_HOSTED_H

#include <stdbool.h>

#include "ir/ir.h"

struct arena;
struct record;
struct report;

/*
 * Asks the host for every name, and puts refusals in the place of rules that ask for one that is
 * missing. The rules as they were written are kept in the ir, and an ir that has been through this
 * before, here or in an archive, begins with them. False where a cgroup is missing because the host
 * has no cgroups of version 2 at all: no rule can ask for one.
 */
bool hosted_resolve(struct arena *arena, struct ir *ir);
/* The digest of the rules as they were written. */
uint64_t hosted_written(const struct ir *ir);
/* Says which names are missing, with what to do; or, after false, that there are no cgroups. */
void hosted_tell(struct report *report, const struct ir *ir, const char *command);
/* Of those that the packet's sender is, or may be. */
void hosted_tell_of(struct report *report, const struct ir *ir, const struct ir_packet *packet,
		    const char *command);
/* Of the names that the record has: the first that has come, has gone or has another number now, in
 * words; or NULL. Cgroups with another number are cgroup.h's. */
const char *hosted_changed(struct arena *arena, const struct record *record);
/* Those that were missing and are so still. */
void hosted_tell_missing(struct report *report, const struct record *record, const char *command);

#endif
