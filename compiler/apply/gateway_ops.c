/*
 * gateway_ops: the link addresses of gateways into their sets.
 *
 * What they hold is the host's and no part of the policy: it changes when a gateway is another
 * device, while the policy stays the same.
 */
#include <string.h>

#include "apply/apply_state.h"
#include "base/arena.h"
#include "kernel/gateways.h"
#include "kernel/netlink.h"
#include "kernel/nft_elements.h"

static struct interval_set held_by(struct apply *apply, const struct ir_set *set)
{
	struct nft_elements held = { 0 };
	struct netlink_error error;
	uint32_t now;

	if (op_fills(&apply->ops, set) ||
	    !nft_elements_read(apply->arena, &apply->kernel.nft, apply->ir->table, set->base,
			       IR_SET_LINK, &held, &now, &error))
		return (struct interval_set){ 0 };
	return held.ranges;
}

/* What a gateway had that does not answer now stays. */
static void compare(struct apply *apply, struct ir_set *set, const struct gateways_set *wanted)
{
	struct interval_set held = held_by(apply, set);
	struct ir_set *added = arena_new_of(apply->arena, struct ir_set),
		      *removed = arena_new_of(apply->arena, struct ir_set);
	struct op *op;

	*added = *removed = *set;
	added->elements = interval_subtract(apply->arena, &wanted->addresses, &held);
	removed->elements = (struct interval_set){ 0 };
	if (!wanted->is_partial)
		removed->elements = interval_subtract(apply->arena, &held, &wanted->addresses);
	if (!added->elements.count && !removed->elements.count)
		return;
	op = diff_add_set(apply->arena, &apply->ops, OP_SET_UPDATE, STAGE_GATEWAYS, apply->ir, set,
			  apply->set_names[set - apply->ir->sets]);
	op->added = added;
	op->removed = removed;
	op->why = "link addresses of gateways";
}

void apply_find_gateways(struct apply *apply)
{
	struct gateways found = gateways_find(apply->arena, &apply->kernel.route,
					      apply->ir->gateways, apply->ir->gateway_count,
					      !apply->job->dry_run, apply->report);

	for (size_t i = 0; i < found.count; i++) {
		struct ir_set *set = ir_set_find(apply->ir, found.sets[i].base);

		if (set && set->type == IR_SET_LINK)
			compare(apply, set, &found.sets[i]);
	}
}
