/*
 * fills: see fills.h. One dump of the host's addresses, walked once for each fill.
 */
#include "kernel/fills.h"

#include <net/if.h>
#include <string.h>

#include "base/arena.h"
#include "base/report.h"
#include "kernel/addresses.h"
#include "kernel/netlink.h"

struct look {
	struct arena *arena;
	struct addresses_seen *items;
	size_t count;
};

static void keep(const struct addresses_seen *seen, void *user)
{
	struct look *look = user;

	if (!addr_is_link_local(seen->addr) && !addresses_is_tentative(seen))
		*arena_append(look->arena, look->items, look->count) = *seen;
}

static struct addr_prefix own_of(const struct addresses_seen *seen, enum ir_fill_kind kind)
{
	if (kind == IR_FILL_PREFIXES)
		return seen->network;
	return (struct addr_prefix){ seen->addr, addr_width(seen->addr.family) };
}

/* Prefixes are disjoint, or one covers the other. */
static bool is_covered(struct interval item, struct interval by)
{
	return !wide_less(item.first, by.first) && !wide_less(by.last, item.last);
}

static void add_own(struct arena *arena, struct interval_set *set, struct addr_prefix own)
{
	struct interval item = {
		own.addr.bits, wide_or(own.addr.bits, addr_host_bits(own.addr.family, own.length))
	};
	size_t at = 0;

	for (size_t i = 0; i < set->count; i++)
		if (is_covered(item, set->items[i]))
			return;
	for (size_t i = 0; i < set->count; i++)
		if (!is_covered(set->items[i], item))
			set->items[at++] = set->items[i];
	set->count = at;
	interval_add(arena, set, item.first, item.last);
	for (; at && wide_less(item.first, set->items[at - 1].first); at--)
		set->items[at] = set->items[at - 1];
	set->items[at] = item;
}

static void fill(const struct look *look, const struct ir_fill *fill, unsigned int index,
		 struct filled_set *set)
{
	for (size_t i = 0; i < look->count; i++) {
		const struct addresses_seen *seen = &look->items[i];

		if (seen->index == index && seen->addr.family == fill->via.family)
			add_own(look->arena, &set->elements, own_of(seen, fill->kind));
	}
}

static void warn(struct report *report, const struct ir_fill *fill, bool is_there)
{
	struct diag_record *line =
		report_add(report, SEVERITY_WARNING, DIAG_interface,
			   is_there ? "the set %s holds nothing of %s, which has no address"
				    : "the set %s holds nothing of %s: there is no such interface",
			   fill->name, fill->dev);

	line->where = fill->origin;
	diag_help_text(line, is_there ? "give it an address, then apply again"
				      : "look at its name (`ip link`); where it comes later, apply "
					"again then");
}

static bool has_any(const struct look *look, unsigned int index)
{
	for (size_t i = 0; i < look->count; i++)
		if (look->items[i].index == index)
			return true;
	return false;
}

/* Each family has a fill of its own. */
static bool is_first(const struct ir_fill *fills, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (ir_fill_is_own(&fills[k]) && !strcmp(fills[k].name, fills[i].name) &&
		    !strcmp(fills[k].dev, fills[i].dev))
			return false;
	return true;
}

struct filled_sets fills_find(struct arena *arena, struct netlink *netlink,
			      const struct ir_fill *fills, size_t count, bool asks,
			      struct report *report)
{
	struct filled_sets found = gateways_find(arena, netlink, fills, count, asks, report);
	struct look look = { .arena = arena };
	struct netlink_error error;
	bool is_read = false;

	for (size_t i = 0; i < count; i++) {
		unsigned int index;

		if (!ir_fill_is_own(&fills[i]))
			continue;
		if (!is_read)
			addresses_each(netlink, keep, &look, &look.count, &error);
		is_read = true;
		index = if_nametoindex(fills[i].dev);
		fill(&look, &fills[i], index, filled_set_of(arena, &found, fills[i].set));
		if (report && is_first(fills, i) && (!index || !has_any(&look, index)))
			warn(report, &fills[i], index);
	}
	return found;
}
