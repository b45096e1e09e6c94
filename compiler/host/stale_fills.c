/*
 * stale_fills: reads each of these sets and compares it with what it should hold.
 */
#include "host/stale_fills.h"

#include "base/arena.h"
#include "base/buf.h"
#include "host/host.h"
#include "ir/ir.h"
#include "kernel/delta.h"
#include "kernel/fills.h"
#include "kernel/nft_elements.h"

/* What the set of a gateway lacks, in words, or NULL; it may hold what one had that is silent now.
 */
static const char *stale_gateway(struct arena *arena, const struct ir_fill *fill,
				 const struct interval_set *held, const struct filled_set *now)
{
	if (!now->elements.count || interval_covers(held, &now->elements))
		return NULL;
	return arena_printf(arena,
			    "a gateway of %s has a link address that the set %s lacks: replies to it may leave through another gateway",
			    gateways_owner(arena, fill), fill->set);
}

static const char *stale_own(struct arena *arena, const struct ir *ir, const struct ir_set *set,
			     const struct interval_set *held, const struct filled_set *now)
{
	struct ir_set old = *set, wanted = *set;
	struct buf what = { 0 };
	struct delta delta;

	old.elements = *held;
	wanted.elements = now->elements;
	delta_all(arena, &old, &wanted, &delta);
	if (!delta.added.elements.count && !delta.removed.elements.count)
		return NULL;
	ir_put_fills(ir, set->base, &what);
	return arena_printf(arena, "the set %s lacks %zu and has %zu too many of the %s", set->base,
			    delta.added.elements.count, delta.removed.elements.count,
			    buf_keep(arena, &what));
}

static const char *stale(struct arena *arena, struct kernel *kernel, const struct ir *ir,
			 const struct filled_set *now)
{
	const struct ir_fill *fill = ir_fill_of(ir, now->base);
	const struct ir_set *set = ir_set_find(ir, now->base);
	struct nft_elements held = { 0 };
	struct netlink_error error;
	uint32_t generation;

	if (!set || !nft_elements_read(arena, &kernel->nft, ir->table, set->base, set->type, &held,
				       &generation, &error))
		return NULL;
	return ir_fill_is_own(fill) ? stale_own(arena, ir, set, &held.ranges, now)
				    : stale_gateway(arena, fill, &held.ranges, now);
}

const char *const *stale_fills(struct arena *arena, struct kernel *kernel, const struct ir *ir,
			       struct report *report, size_t *count)
{
	struct filled_sets now =
		fills_find(arena, &kernel->route, ir->fills, ir->fill_count, false, report);
	const char **lines = NULL;

	for (size_t i = 0; i < now.count; i++) {
		const char *line = stale(arena, kernel, ir, &now.items[i]);

		if (line)
			*arena_append(arena, lines, *count) = line;
	}
	return lines;
}
