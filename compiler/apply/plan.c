/*
 * plan: puts the ops into the order of a plan (see plan.h). Contents of sets are compared with what
 * the last apply left, never with a dump of the kernel's.
 */
#include "apply/plan.h"

#include <stdint.h>
#include <string.h>

#include "apply/apply_state.h"
#include "base/arena.h"
#include "base/buf.h"
#include "emit/emit.h"
#include "ir/ir.h"
#include "kernel/delta.h"
#include "state/archive.h"

struct planning {
	const struct apply *apply;
	const struct archive *applied; /* or NULL */
};

/* ---- sets ---- */

static const struct ir_set *applied_set(const struct planning *planning, const char *base)
{
	return planning->applied ? ir_set_find(planning->applied->ir, base) : NULL;
}

static void fill_set(const struct planning *planning, struct op *op)
{
	const struct ir_set *set = op->set, *before = applied_set(planning, set->base);
	struct arena *arena = planning->apply->arena;
	struct delta *delta = arena_new_of(arena, struct delta);

	op->is_anew = before != NULL;
	if (!before || set->dynamic || !delta_make(arena, before, set, SIZE_MAX, delta)) {
		op->added = set;
		op->removed = set->dynamic ? NULL : before;
		return;
	}
	op->added = &delta->added;
	op->removed = &delta->removed;
	op->why =
		delta->added.elements.count || delta->removed.elements.count
			? "refilled together with the rules"
			: arena_printf(arena,
				       "changed from outside: refilled with its %zu elements, together with the rules",
				       set->elements.count);
}

/* ---- rules ---- */

/* Sets under their bases, so that a staging set's name is no difference. */
static const char *rules_text(const struct planning *planning, const struct ir *ir)
{
	const struct emit_job job = { .ir = ir };
	struct buf out = { 0 };

	for (size_t i = 0; i < ir->chain_count; i++) {
		buf_printf(&out, "\tchain %s {\n", ir->chains[i].name);
		for (size_t k = 0; k < ir->chains[i].rule_count; k++)
			emit_nft_put_rule(&job, &ir->chains[i].rules[k], &out);
		buf_puts(&out, "\t}\n");
	}
	return buf_keep(planning->apply->arena, &out);
}

/* What sets gain and lose. */
static void compare(const struct planning *planning, struct op *op)
{
	if (op->kind == OP_SET_FILL)
		fill_set(planning, op);
	if (op->kind == OP_SET_REMOVE && op->base)
		op->removed = applied_set(planning, op->base);
}

void plan_make(const struct apply *apply, struct plan *out)
{
	struct planning planning = { .apply = apply };

	planning.applied =
		archive_read(apply->arena, &apply->folder, apply->ir->name, ARCHIVE_APPLIED);
	for (enum op_kind kind = OP_NONE; kind <= OP_FLOWS_FORGET; kind++)
		for (struct op *op = apply->ops.first; op; op = op->next) {
			if (op->kind != kind || !op_is_change(op) || op->is_replaced)
				continue;
			compare(&planning, op);
			*arena_append(apply->arena, out->items, out->count) = op;
		}
	if (!op_find(&apply->ops, OP_COMMIT))
		return;
	out->new_rules = rules_text(&planning, apply->ir);
	if (planning.applied)
		out->old_rules = rules_text(&planning, planning.applied->ir);
}
