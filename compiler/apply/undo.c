/*
 * undo: takes changes back in reverse order. One that fails does not keep the others from being
 * taken back.
 */
#include "apply/undo.h"

#include <errno.h>

#include "base/report.h"
#include "kernel/netlink.h"
#include "kernel/op.h"

/* An ip rule that is there again is no error. */
static bool take_back(struct arena *arena, const struct op *op, struct kernel *kernel,
		      struct netlink_error *error)
{
	return op_run(arena, kernel, op, error) ||
	       (op->kind == OP_RULE_ADD && error->code == EEXIST);
}

bool undo_run(struct arena *arena, struct op_list *inverses, struct kernel *kernel,
	      struct report *report)
{
	bool done = true;

	while (inverses->count > 0) {
		const struct op *op = inverses->items[--inverses->count];
		struct netlink_error error;

		if (take_back(arena, op, kernel, &error) || take_back(arena, op, kernel, &error))
			continue;
		done = false;
		report_add(report, SEVERITY_ERROR, DIAG_undo_failed,
			   "a change could not be taken back: %s", error.text)
			->command = op_command(arena, op);
	}
	return done;
}
