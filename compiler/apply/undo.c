/*
 * undo: runs an op and notes what takes it back; in the end, if need be, takes back what was done.
 * Everything that changes the host goes through here, or notes what it did here.
 */
#include <errno.h>

#include "apply/apply_state.h"
#include "base/arena.h"
#include "base/report.h"
#include "ir/ir.h"
#include "kernel/netlink.h"

/* ---- one op ---- */

void apply_done(struct apply *apply, struct op *op)
{
	const char *words;

	op->state = OP_DONE;
	words = op_words(apply->arena, op);
	if (*words)
		report_step(apply->report, "%s", words);
}

bool apply_run(struct apply *apply, struct op *op, struct netlink_error *error)
{
	struct op inverse = op_inverse(op);

	if (!op_run(&apply->kernel, op, error)) {
		op->state = OP_LEFT_OUT;
		return false;
	}
	if (inverse.kind != OP_NONE)
		op_add_copy(apply->arena, &apply->undo, &inverse);
	apply_done(apply, op);
	return true;
}

struct op *apply_note(struct apply *apply, enum op_kind inverse, const char *name)
{
	struct op *op = op_add(apply->arena, &apply->undo, inverse, STAGE_SYSCTLS);

	op->table = apply->ir->table;
	op->name = name;
	return op;
}

bool apply_remove_all(struct apply *apply, enum op_stage stage, struct netlink_error *error)
{
	bool done = op_remove_all(apply->arena, &apply->kernel, &apply->ops, stage, error);

	for (struct op *op = apply->ops.first; op && done; op = op->next)
		if (op->stage == stage && op->state == OP_PLANNED)
			apply_done(apply, op);
	return done;
}

/* ---- taking back: the inverses, last first ---- */

/* An ip rule that is there again is no error. */
static bool take_back(struct apply *apply, const struct op *op, struct netlink_error *error)
{
	return op_run(&apply->kernel, op, error) ||
	       (op->kind == OP_RULE_ADD && error->code == EEXIST);
}

bool apply_undo(struct apply *apply)
{
	bool done = true;

	for (const struct op *op = apply->undo.last; op; op = op->previous) {
		struct netlink_error error;

		if (take_back(apply, op, &error) || take_back(apply, op, &error))
			continue;
		done = false;
		report_add(apply->report, SEVERITY_ERROR, DIAG_undo_failed,
			   "a change could not be undone: %s", error.text)
			->command = op_command(apply->arena, op);
	}
	return done;
}
