/*
 * set_losses: what was added at run time to sets that go, or that have gone. In go the ops and
 * what the kernel's sets hold, out come the reasons of ops, and warnings.
 */
#include <string.h>

#include "apply/apply_state.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/report.h"
#include "state/archive.h"

/* How many elements the set holds beside those that its policy lists. */
static size_t count_added(struct apply *apply, const struct nft_table_set *set)
{
	const struct ir_set *before = apply->applied ? ir_set_find(apply->applied->ir, set->name)
						     : NULL;
	enum ir_set_type type = set->bits == 32 ? IR_SET_IPV4 : IR_SET_IPV6;
	struct netlink_error error;
	struct nft_elements held;
	uint32_t generation;
	size_t count = 0;

	if (!nft_elements_read(apply->arena, &apply->kernel.nft, apply->ir->table, set->name, type,
			       &held, &generation, &error))
		return 0;
	for (size_t i = 0; i < held.ranges.count; i++) {
		struct interval_set one = { &held.ranges.items[i], 1 };

		if (!before || !interval_covers(&before->elements, &one))
			count++;
	}
	return count;
}

static bool is_learned(const struct nft_table *table, const struct op *op)
{
	return op->kind == OP_SET_REMOVE && op->stage == STAGE_DROP_SETS && !op->is_detail &&
	       nft_table_is_learned(nft_table_set_find(table, op->name));
}

static void find_loss(struct apply *apply, struct op *op)
{
	size_t count = count_added(apply, nft_table_set_find(&apply->observed.table, op->name));

	if (!count)
		return;
	op->why = arena_printf(apply->arena, "with %zu element%s added at run time", count,
			       count == 1 ? " that was" : "s that were");
	if (!apply->job->plan)
		report_add(apply->report, SEVERITY_WARNING, DIAG_elements_lost,
			   "the set %s goes%s, %s", op->name,
			   apply->job->watchdog ? " when the policy is confirmed" : "", op->why);
}

/* Sets that were re-created, and elements that are lost with the old ones. */
static void warn_of_new(struct apply *apply)
{
	struct buf names = { 0 };

	for (size_t i = 0; i < apply->ir->set_count; i++)
		if (ir_set_is_learned(&apply->ir->sets[i]) &&
		    op_fills(&apply->ops, &apply->ir->sets[i]) &&
		    !nft_table_set_find(&apply->observed.table, apply->ir->sets[i].base))
			buf_printf(&names, "%s%s", names.length ? ", " : "",
				   apply->ir->sets[i].base);
	if (names.length)
		report_add(apply->report, SEVERITY_WARNING, DIAG_elements_lost,
			   "sets re-created with their configured elements; elements added at run time are lost: %s",
			   buf_text(&names));
	buf_free(&names);
}

void apply_find_losses(struct apply *apply)
{
	for (size_t i = 0; i < apply->ops.count; i++)
		if (is_learned(&apply->observed.table, apply->ops.items[i]))
			find_loss(apply, apply->ops.items[i]);
	if (apply->job->back)
		warn_of_new(apply);
}
