/*
 * fill_ops: sets that only the host knows the contents of (kernel/fills.h). In go the ir and what
 * the kernel's sets hold, out come ops that make them equal before the rules are committed.
 *
 * What these sets hold is no part of the policy: it changes when a gateway is another device, or
 * with a lease, while the policy stays the same. Elements that other programs have added go.
 */
#include "apply/apply_state.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/report.h"
#include "ir/ir.h"
#include "kernel/delta.h"
#include "kernel/fills.h"
#include "kernel/nft_elements.h"

static struct interval_set held_by(struct apply *apply, const struct ir_set *set)
{
	struct nft_elements held = { 0 };
	struct netlink_error error;
	uint32_t now;

	if (op_fills(&apply->ops, set) ||
	    !nft_elements_read(apply->arena, &apply->kernel.nft, apply->ir->table, set->base,
			       set->type, &held, &now, &error))
		return (struct interval_set){ 0 };
	return held.ranges;
}

/* What a gateway had that does not answer now stays. */
static void compare(struct apply *apply, struct ir_set *set, const struct filled_set *filled)
{
	struct ir_set *old = arena_new_of(apply->arena, struct ir_set),
		      *wanted = arena_new_of(apply->arena, struct ir_set);
	struct delta *delta = arena_new_of(apply->arena, struct delta);
	struct buf why = { 0 };
	struct op *op;

	*old = *wanted = *set;
	old->elements = held_by(apply, set);
	wanted->elements = filled->elements;
	if (filled->is_partial)
		wanted->elements = interval_union(apply->arena, &old->elements, &filled->elements);
	delta_all(apply->arena, old, wanted, delta);
	if (!delta->added.elements.count && !delta->removed.elements.count)
		return;
	op = op_add(apply->arena, &apply->ops, OP_SET_UPDATE, STAGE_FILLS);
	op->table = apply->ir->table;
	op->name = apply->set_names[set - apply->ir->sets];
	op->set = set;
	op->added = &delta->added;
	op->removed = &delta->removed;
	ir_put_fills(apply->ir, set->base, &why);
	op->why = buf_keep(apply->arena, &why);
}

void apply_find_fills(struct apply *apply)
{
	struct filled_sets found = fills_find(apply->arena, &apply->kernel.route, apply->ir->fills,
					      apply->ir->fill_count, !apply->job->dry_run,
					      apply->report);

	for (size_t i = 0; i < found.count; i++) {
		struct ir_set *set = ir_set_find(apply->ir, found.items[i].base);

		if (set)
			compare(apply, set, &found.items[i]);
	}
}

bool apply_put_fill(struct apply *apply, struct op *op)
{
	struct netlink_error error;

	if (apply_run(apply, op, &error))
		return true;
	report_add(apply->report, SEVERITY_ERROR, DIAG_kernel_refused,
		   "the set %s does not take the %s: %s", op->set->base, op->why, error.text)
		->where = op->set->origin;
	return false;
}
