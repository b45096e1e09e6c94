/*
 * apply_gateways: the link addresses of gateways into their sets.
 *
 * What they hold is the host's and no part of the policy: it changes when a gateway is another
 * device, while the policy stays the same.
 */
#include <string.h>

#include "apply/apply_state.h"
#include "base/arena.h"
#include "base/report.h"
#include "kernel/delta.h"
#include "kernel/gateways.h"
#include "kernel/netlink.h"
#include "kernel/nft_elements.h"
#include "kernel/nft_set.h"

static struct interval_set held_by(struct apply *apply, size_t index)
{
	struct nft_elements held = { 0 };
	struct netlink_error error;
	uint32_t now;

	if (apply->diff.fill[index] ||
	    !nft_elements_read(apply->arena, &apply->kernel.nft, apply->ir->table,
			       apply->ir->sets[index].base, IR_SET_LINK, &held, &now, &error))
		return (struct interval_set){ 0 };
	return held.ranges;
}

/* What a gateway had that does not answer now stays. */
static void compare(struct apply *apply, size_t index, const struct gateways_set *wished)
{
	const struct ir_set *set = &apply->ir->sets[index];
	struct interval_set held = held_by(apply, index);
	struct delta delta = { .set = index, .removed = *set, .added = *set };

	delta.added.elements = interval_subtract(apply->arena, &wished->addresses, &held);
	delta.removed.elements = (struct interval_set){ 0 };
	if (!wished->is_partial)
		delta.removed.elements = interval_subtract(apply->arena, &held, &wished->addresses);
	if (delta.added.elements.count || delta.removed.elements.count)
		*arena_append(apply->arena, apply->diff.links, apply->diff.link_count) = delta;
}

void apply_find_gateways(struct apply *apply)
{
	struct gateways found = gateways_find(apply->arena, &apply->kernel.route,
					      apply->ir->gateways, apply->ir->gateway_count,
					      !apply->job->dry_run, apply->report);

	for (size_t i = 0; i < apply->ir->set_count; i++)
		for (size_t k = 0; k < found.count; k++)
			if (apply->ir->sets[i].type == IR_SET_LINK &&
			    strcmp(apply->ir->sets[i].base, found.sets[k].base) == 0)
				compare(apply, i, &found.sets[k]);
}

static bool put(struct apply *apply, const struct delta *delta, const struct ir_set *part,
		bool is_removal, struct netlink_error *error)
{
	struct nft_set_change change = { .table = apply->ir->table,
					 .name = apply->ir->sets[delta->set].name,
					 .type = IR_SET_LINK,
					 .contents.ranges = part->elements,
					 .is_removal = is_removal };

	return !part->elements.count || nft_set_change(&apply->kernel.nft, &change, error);
}

bool apply_put_gateways(struct apply *apply)
{
	struct netlink_error error;

	for (size_t i = 0; i < apply->diff.link_count; i++) {
		const struct delta *delta = &apply->diff.links[i];
		const struct ir_set *set = &apply->ir->sets[delta->set];

		if (!put(apply, delta, &delta->removed, true, &error) ||
		    !put(apply, delta, &delta->added, false, &error)) {
			report_add(apply->report, SEVERITY_ERROR, DIAG_kernel_refused,
				   "the set %s does not take the link addresses of gateways: %s",
				   set->base, error.text)
				->where = set->origin;
			return false;
		}
		report_step(apply->report, "set %s: %zu link addresses added, %zu removed",
			    set->base, delta->added.elements.count, delta->removed.elements.count);
		apply->counts->updated_sets++;
		apply->counts->added += delta->added.elements.count;
		apply->counts->removed += delta->removed.elements.count;
	}
	return true;
}
