/*
 * conflicts: what stands in the way of a policy on this host, found before anything is changed.
 *
 * Numbers in use by others are errors at their place in the policy.
 * What keeps packets from going the policy's way but is not ours to change is a warning with the
 * command that fixes it.
 */
#ifndef TPC_HOST_CONFLICTS_H
#define TPC_HOST_CONFLICTS_H

#include <stdbool.h>

struct diag;
struct ir;
struct observed;
struct op_list;
struct report;

/*
 * False when there is a conflict; all of them are added. `allow_foreign`: foreign ip rules among
 * the policy's priorities are none, nor are routes in its tables that stand in no place of its own.
 * Marks are always one, and so is all that another policy of ours has.
 */
bool conflicts_find(struct diag *diag, const struct ir *ir, const struct observed *observed,
		    bool allow_foreign);
/* Interfaces that are not there, by routes that are left out. */
void conflicts_find_surroundings(struct report *report, const struct op_list *ops);

#endif
