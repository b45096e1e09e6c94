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
#include "base/hash.h"
#include "lang/lower/lower.h"
#include "match/kinds.h"

/* ---- values ---- */

static bool is_taken(const struct lower *lower, uint32_t value)
{
	for (size_t i = 0; i < lower->connmark_count; i++)
		if (lower->connmarks[i].value == value)
			return true;
	for (size_t i = 0; i < lower->target_count; i++) {
		const struct lower_target *target = lower->targets[i];

		if (target->ct_value == value)
			return true;
		for (size_t k = 0; k < target->member_count; k++)
			if (target->members[k].ct_value == value)
				return true;
	}
	return false;
}

uint32_t lower_free_connmark(const struct lower *lower, uint32_t start)
{
	uint32_t mask = lower_mark_mask(lower), room = lower_mask_room(mask);

	for (uint32_t i = 0; i < room; i++) {
		uint32_t value = lower_mask_value(mask, (start + i) % room + 1);

		if (!is_taken(lower, value))
			return value;
	}
	return 0;
}

/* After the uplinks comes this host itself, where a program on it spoofs its clients. */
static const char *uplink_name(const struct lower *lower, size_t uplink)
{
	if (!uplink)
		return "";
	return uplink > lower->uplink_count ? "/spoofed" : lower->uplinks[uplink - 1].table->name;
}

/*
 * Connections outlive the policy that wrote their value, so a value is drawn from the names it
 * stands for and not from their order: under the next policy it means the same, or, mostly,
 * nothing.
 */
static uint32_t draw_value(struct lower *lower, size_t uplink, size_t decision)
{
	uint32_t start = hash_text(HASH_TEXT, uplink_name(lower, uplink));

	if (decision) {
		start = hash_text(start, lower->decisions[decision - 1].scope == SCOPE_LOCAL
						 ? "/local/"
						 : "/forward/");
		start = hash_text(start, lower->decisions[decision - 1].chain
						 ? lower->decisions[decision - 1].chain
						 : "");
	}
	return lower_free_connmark(lower, start);
}

static void no_room(struct lower *lower)
{
	uint32_t mask = lower_mark_mask(lower);
	struct diag_record *record;

	if (diag_error_count(lower->diag))
		return;
	record = diag_add(lower->diag, DIAG_out_of_numbers, lower->rule,
			  "there is no value left in 0x%08x for the ways that connections keep",
			  mask);
	if (lower->policy->settings.mark_mask_span.source)
		diag_also(record, lower->policy->settings.mark_mask_span, "the mask");
	diag_help(record,
		  "widen `settings: {mark_mask: ...}`: each way (and each again below every rule that drops or rejects) "
		  "needs a value for itself and one for each uplink; put rules that drop above all others, or join them");
}

uint32_t lower_find_connmark(const struct lower *lower, size_t uplink, size_t decision,
			     size_t member)
{
	for (size_t i = 0; i < lower->connmark_count; i++)
		if (lower->connmarks[i].uplink == uplink &&
		    lower->connmarks[i].decision == decision &&
		    lower->connmarks[i].member == member)
			return lower->connmarks[i].value;
	return 0;
}

uint32_t lower_connmark(struct lower *lower, size_t uplink, size_t decision)
{
	uint32_t value = lower_find_connmark(lower, uplink, decision, 0);

	if (value)
		return value;
	value = draw_value(lower, uplink, decision);
	if (!value)
		no_room(lower);
	*arena_append(lower->arena, lower->connmarks, lower->connmark_count) =
		(struct lower_connmark){ .uplink = uplink, .decision = decision, .value = value };
	return value;
}

void lower_add_member_connmark(struct lower *lower, size_t decision, size_t member, uint32_t start)
{
	uint32_t value = lower_free_connmark(lower, start);

	if (value)
		*arena_append(lower->arena, lower->connmarks, lower->connmark_count) =
			(struct lower_connmark){ .decision = decision,
						 .member = member,
						 .value = value };
}

const char lower_spoofed[] = "spoofed";

uint32_t lower_spoofed_connmark(struct lower *lower)
{
	return lower_connmark(lower, lower->uplink_count + 1, 0);
}

/* ---- decisions ---- */

struct lower_prefilter *lower_prefilter(struct lower *lower, const struct lower_block *block)
{
	struct lower_prefilter *prefilter;

	for (size_t i = 0; i < lower->prefilter_count; i++)
		if (!strcmp(lower->prefilters[i]->name, block->name))
			return lower->prefilters[i];
	prefilter = arena_new_of(lower->arena, struct lower_prefilter);
	prefilter->scope = block->scope;
	prefilter->name = block->name;
	*arena_append(lower->arena, lower->prefilters, lower->prefilter_count) = prefilter;
	return prefilter;
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

size_t lower_decision(struct lower *lower, const struct lower_block *block, const char *to)
{
	struct lower_prefilter *prefilter = block->filters ? lower_prefilter(lower, block) : NULL;
	struct lower_decision *decision;

	for (size_t i = 0; i < lower->decision_count; i++) {
		decision = &lower->decisions[i];
		if (decision->scope == block->scope && same(decision->chain, to) &&
		    decision->prefilter == prefilter && decision->filters == block->filters)
			return i + 1;
	}
	decision = arena_append(lower->arena, lower->decisions, lower->decision_count);
	*decision = (struct lower_decision){ .scope = block->scope,
					     .chain = to,
					     .prefilter = prefilter,
					     .filters = block->filters };
	return lower->decision_count;
}

/* A decision's number depends on the order of the rules, its name does not. */
const char *lower_decision_name(struct lower *lower, size_t decision)
{
	const struct lower_decision *of = &lower->decisions[decision - 1];
	const char *to = of->chain ? of->chain : "direct";

	if (of->prefilter)
		return arena_printf(lower->arena, "%s.%s_below_%s", to, of->prefilter->name,
				    of->prefilter->filters[of->filters - 1]->name);
	return of->scope == SCOPE_LOCAL ? arena_printf(lower->arena, "%s.local", to) : to;
}

const struct lower_decision *lower_decided(const struct lower *lower, size_t connmark)
{
	size_t decision = lower->connmarks[connmark].decision;

	return decision ? &lower->decisions[decision - 1] : NULL;
}

/* ---- by which uplink ---- */

/* The value for what came in by an uplink (its number; 0: by none) with the decision (0: none
 * yet). */
static uint32_t value_of(struct lower *lower, size_t uplink, size_t decision)
{
	return uplink || decision ? lower_connmark(lower, uplink, decision) : 0;
}

static void set_uplink(struct lower *lower, struct ir_chain *chain, const char **devs, size_t count,
		       const struct ir_match *by, uint32_t value)
{
	struct ir_rule *rule = lower_guarantee(lower, chain, NULL);

	lower_match(lower, rule, interface_match(INTERFACE_IN, devs, count, false));
	if (by)
		lower_match(lower, rule, *by);
	lower_set_connmark(lower, rule, value);
}

/* What comes from a gateway of the main table by an uplink's interface came in by none. */
static void set_main(struct lower *lower, struct ir_chain *chain, size_t decision)
{
	struct ir_match by;

	if (!lower->main_gateways)
		return;
	by = gateway_match(lower->main_gateways);
	set_uplink(lower, chain, lower->main_devs, lower->main_dev_count, &by,
		   value_of(lower, 0, decision));
}

static void set_by_addresses(struct lower *lower, struct ir_chain *chain, size_t uplink,
			     size_t decision)
{
	const struct lower_uplink *of = &lower->uplinks[uplink];

	for (size_t i = 0; i < of->table->answer_count; i++) {
		struct addr addr = of->table->answers[i].addr;
		struct addr_prefix prefix = { addr, addr_width(addr.family) };
		struct ir_match by = address_match(lower->arena, ADDRESS_TO, prefix);

		set_uplink(lower, chain, of->devs, of->dev_count, &by,
			   value_of(lower, uplink + 1, decision));
	}
}

/*
 * The last rule that holds counts: an interface says least, then the link address of the gateway
 * that sent the packet, and most an address that the table answers for. Of several tables with one
 * interface, gateway or address the first counts.
 */
void lower_save_uplink(struct lower *lower, struct ir_chain *chain, size_t decision)
{
	for (size_t i = 0; i < lower->uplink_count; i++)
		if (!lower->uplinks[i].table->answer_count && !lower->uplinks[i].by_gateway)
			set_uplink(lower, chain, lower->uplinks[i].devs,
				   lower->uplinks[i].dev_count, NULL,
				   value_of(lower, i + 1, decision));
	set_main(lower, chain, decision);
	for (size_t i = lower->uplink_count; i > 0; i--) {
		const struct lower_uplink *uplink = &lower->uplinks[i - 1];
		struct ir_match by;

		if (!uplink->gateways)
			continue;
		by = gateway_match(uplink->gateways);
		set_uplink(lower, chain, uplink->devs, uplink->dev_count, &by,
			   value_of(lower, i, decision));
	}
	for (size_t i = lower->uplink_count; i > 0; i--)
		set_by_addresses(lower, chain, i - 1, decision);
}

void lower_save_decision(struct lower *lower, struct ir_chain *chain,
			 const struct lower_block *block, size_t decision)
{
	lower_set_connmark(lower, lower_guarantee(lower, chain, NULL),
			   lower_connmark(lower, 0, decision));
	if (block->scope == SCOPE_FORWARD)
		lower_save_uplink(lower, chain, decision);
}
