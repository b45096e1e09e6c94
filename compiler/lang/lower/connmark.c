/*
 * lower/connmark: what our bits of a connection's mark say: by which uplink the connection came in,
 * and what was decided for it.
 *
 * A value stands for a pair: the uplink (replies leave there), and the decision. Values are drawn
 * from names, and never two for one pair.
 */
#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/names.h"
#include "lang/lower/lower.h"
#include "match/kinds.h"

/* ---- values ---- */

static bool is_taken(const struct lower *lower, uint32_t value)
{
	for (size_t i = 0; i < lower->value_count; i++)
		if (lower->values[i].value == value)
			return true;
	for (size_t i = 0; i < lower->class_count; i++) {
		const struct lower_class *class = lower->classes[i];

		if (class->note == value)
			return true;
		for (size_t k = 0; k < class->member_count; k++)
			if (class->members[k].note == value)
				return true;
	}
	return false;
}

uint32_t lower_free_value(const struct lower *lower, uint32_t start)
{
	uint32_t mask = lower_mark_mask(lower), room = lower_mask_room(mask);

	for (uint32_t i = 0; i < room; i++) {
		uint32_t value = lower_mask_value(mask, (start + i) % room + 1);

		if (!is_taken(lower, value))
			return value;
	}
	return 0;
}

/* Behind the uplinks stands this host itself, where a program on it spoofs its clients. */
static const char *origin_name(const struct lower *lower, size_t origin)
{
	if (!origin)
		return "";
	return origin > lower->uplink_count ? "/spoofed" : lower->uplinks[origin - 1].table->name;
}

/*
 * Connections outlive the policy that wrote their value, so a value is drawn from the names it
 * stands for and not from their order: under the next policy it means the same, or, mostly,
 * nothing.
 */
static uint32_t draw_value(struct lower *lower, size_t origin, size_t way)
{
	uint32_t start = names_hash(NAMES_HASH, origin_name(lower, origin));

	if (way) {
		start = names_hash(start, lower->ways[way - 1].scope == SCOPE_LOCAL ? "/local/"
										    : "/forward/");
		start = names_hash(start,
				   lower->ways[way - 1].target ? lower->ways[way - 1].target : "");
	}
	return lower_free_value(lower, start);
}

static void no_room(struct lower *lower)
{
	uint32_t mask = lower_mark_mask(lower);
	struct diag_record *record;

	if (lower->failed)
		return;
	lower->failed = true;
	record = diag_add(lower->diag, DIAG_out_of_numbers, lower->rule,
			  "there is no value left in 0x%08x for the ways that connections keep",
			  mask);
	if (lower->policy->settings.mark_mask_span.source)
		diag_also(record, lower->policy->settings.mark_mask_span, "the mask");
	diag_help(record,
		  "widen `settings: {mark_mask: ...}`: each way (and each again below every rule that drops or rejects) "
		  "needs a value for itself and one for each uplink; put rules that drop above all others, or join them");
}

uint32_t lower_value_of(const struct lower *lower, size_t origin, size_t way, size_t member)
{
	for (size_t i = 0; i < lower->value_count; i++)
		if (lower->values[i].origin == origin && lower->values[i].way == way &&
		    lower->values[i].member == member)
			return lower->values[i].value;
	return 0;
}

uint32_t lower_value(struct lower *lower, size_t origin, size_t way)
{
	uint32_t value = lower_value_of(lower, origin, way, 0);

	if (value)
		return value;
	value = draw_value(lower, origin, way);
	if (!value)
		no_room(lower);
	*arena_append(lower->arena, lower->values, lower->value_count) =
		(struct lower_value){ .origin = origin, .way = way, .value = value };
	return value;
}

void lower_add_member_value(struct lower *lower, size_t way, size_t member, uint32_t start)
{
	uint32_t value = lower_free_value(lower, start);

	if (value)
		*arena_append(lower->arena, lower->values, lower->value_count) =
			(struct lower_value){ .way = way, .member = member, .value = value };
}

const char lower_spoofed[] = "spoofed";

uint32_t lower_spoofed_value(struct lower *lower)
{
	return lower_value(lower, lower->uplink_count + 1, 0);
}

/* ---- decisions ---- */

struct lower_row *lower_prefilter(struct lower *lower, const struct lower_walk *walk)
{
	struct lower_row *row;

	for (size_t i = 0; i < lower->row_count; i++)
		if (!strcmp(lower->rows[i]->name, walk->name))
			return lower->rows[i];
	row = arena_new_of(lower->arena, struct lower_row);
	row->scope = walk->scope;
	row->name = walk->name;
	*arena_append(lower->arena, lower->rows, lower->row_count) = row;
	return row;
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

size_t lower_way(struct lower *lower, const struct lower_walk *walk, const char *target)
{
	struct lower_row *row = walk->cuts ? lower_prefilter(lower, walk) : NULL;
	struct lower_way *way;

	for (size_t i = 0; i < lower->way_count; i++) {
		way = &lower->ways[i];
		if (way->scope == walk->scope && same(way->target, target) && way->row == row &&
		    way->cuts == walk->cuts)
			return i + 1;
	}
	way = arena_append(lower->arena, lower->ways, lower->way_count);
	*way = (struct lower_way){
		.scope = walk->scope, .target = target, .row = row, .cuts = walk->cuts
	};
	return lower->way_count;
}

/* A way has its number from the order in which rules come to it, and its name not. */
const char *lower_way_name(struct lower *lower, size_t way)
{
	const struct lower_way *of = &lower->ways[way - 1];
	const char *target = of->target ? of->target : "direct";

	if (of->row)
		return arena_printf(lower->arena, "%s.%s_below_%s", target, of->row->name,
				    of->row->cuts[of->cuts - 1]->name);
	return of->scope == SCOPE_LOCAL ? arena_printf(lower->arena, "%s.local", target) : target;
}

/* ---- by which uplink ---- */

static void set_value(struct lower *lower, struct ir_rule *rule, uint32_t value)
{
	lower_set_ct_mark(lower, rule, value, lower_mark_mask(lower));
}

/* The value for what came in by an uplink (its number; 0: by none) and goes the way (0: not decided
 * yet). */
static uint32_t value_of(struct lower *lower, size_t origin, size_t way)
{
	return origin || way ? lower_value(lower, origin, way) : 0;
}

static void set_origin(struct lower *lower, struct ir_chain *chain, const char **devs, size_t count,
		       const struct ir_match *by, uint32_t value)
{
	struct ir_rule *rule = lower_guarantee(lower, chain, NULL);

	lower_match(lower, rule, interface_match(INTERFACE_IN, devs, count, false));
	if (by)
		lower_match(lower, rule, *by);
	set_value(lower, rule, value);
}

/* What comes from a gateway of the main table by an uplink's interface came in by none. */
static void set_main(struct lower *lower, struct ir_chain *chain, size_t way)
{
	struct ir_match by;

	if (!lower->main_gateways)
		return;
	by = gateway_match(lower->main_gateways);
	set_origin(lower, chain, lower->main_devs, lower->main_dev_count, &by,
		   value_of(lower, 0, way));
}

static void set_by_addresses(struct lower *lower, struct ir_chain *chain, size_t uplink, size_t way)
{
	const struct lower_uplink *of = &lower->uplinks[uplink];

	for (size_t i = 0; i < of->table->answer_count; i++) {
		struct addr addr = of->table->answers[i].addr;
		struct addr_prefix prefix = { addr, addr_width(addr.family) };
		struct ir_match by = address_match(lower->arena, ADDRESS_TO, prefix);

		set_origin(lower, chain, of->devs, of->dev_count, &by,
			   value_of(lower, uplink + 1, way));
	}
}

/*
 * The last rule that holds counts: an interface says least, then the link address of the gateway
 * that sent the packet, and most an address that the table answers for. Of several tables with one
 * interface, gateway or address the first counts.
 */
void lower_origin(struct lower *lower, struct ir_chain *chain, size_t way)
{
	for (size_t i = 0; i < lower->uplink_count; i++)
		if (!lower->uplinks[i].table->answer_count && !lower->uplinks[i].by_gateway)
			set_origin(lower, chain, lower->uplinks[i].devs,
				   lower->uplinks[i].dev_count, NULL, value_of(lower, i + 1, way));
	set_main(lower, chain, way);
	for (size_t i = lower->uplink_count; i > 0; i--) {
		const struct lower_uplink *uplink = &lower->uplinks[i - 1];
		struct ir_match by;

		if (!uplink->gateways)
			continue;
		by = gateway_match(uplink->gateways);
		set_origin(lower, chain, uplink->devs, uplink->dev_count, &by,
			   value_of(lower, i, way));
	}
	for (size_t i = lower->uplink_count; i > 0; i--)
		set_by_addresses(lower, chain, i - 1, way);
}

void lower_keep(struct lower *lower, struct ir_chain *chain, const struct lower_walk *walk,
		size_t way)
{
	set_value(lower, lower_guarantee(lower, chain, NULL), lower_value(lower, 0, way));
	if (walk->scope == SCOPE_FORWARD)
		lower_origin(lower, chain, way);
}
