/*
 * lower/gateway: uplinks that share their interface with another gateway.
 *
 * Two providers on one card, a VPN box in the same LAN: the interface does not say by which of them
 * a connection came in, but the link address of the packet does. Which link address a gateway has
 * only the host knows, and whether the main table leads by the interface as well: so there is a set
 * for the gateways of each uplink, and one for those of the main table, that are filled where the
 * policy is loaded, and stay empty where the interface has one gateway only.
 */
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/names.h"
#include "lang/lower/lower.h"
#include "lang/lower/table.h"

static bool is_among(const struct addr *gateways, size_t count, struct addr gateway)
{
	for (size_t i = 0; i < count; i++)
		if (addr_equal(gateways[i], gateway))
			return true;
	return false;
}

static bool shares_gateway(const struct lower *lower, const struct ast_table *one,
			   const struct ast_table *other, const char *dev)
{
	size_t count, other_count;
	const struct addr *gateways = lower_table_gateways(lower->arena, one, dev, &count);
	const struct addr *others = lower_table_gateways(lower->arena, other, dev, &other_count);

	for (size_t i = 0; i < count; i++)
		if (is_among(others, other_count, gateways[i]))
			return true;
	return false;
}

bool lower_has_new_gateways(const struct lower *lower, const struct ast_table *table,
			    const char *dev)
{
	size_t count;

	lower_table_gateways(lower->arena, table, dev, &count);
	if (!count || (table->answers_span.source && !table->answer_count))
		return false;
	for (size_t i = 0; i < lower->uplink_count; i++)
		if (shares_gateway(lower, table, lower->uplinks[i].table, dev))
			return false;
	return true;
}

/* The comment about a set has no room for a longer one. */
enum { NAME_MOST = 30 };

static const struct ir_set *gateway_set(struct lower *lower, const char *name, struct span origin)
{
	const char *base = strlen(name) <= NAME_MOST
				   ? arena_printf(lower->arena, "gateways.%s", name)
				   : arena_printf(lower->arena, "gateways.%.*s.%08x", NAME_MOST - 9,
						  name, hash_text(HASH_TEXT, name));

	return lower_add_set(lower, (struct ir_set){ .base = base,
						     .type = IR_SET_LINK,
						     .dynamic = true,
						     .origin = origin });
}

static bool is_learnt(struct addr gateway)
{
	return wide_equal(gateway.bits, wide(0));
}

static void add_gateway(struct lower *lower, const struct ir_set *set, const char *name,
			const char *dev, const struct addr *via)
{
	bool learnt = via && is_learnt(*via);

	*arena_append(lower->arena, lower->fills, lower->fill_count) =
		(struct ir_fill){ .set = set->base,
				  .name = name,
				  .dev = dev,
				  .kind = learnt ? IR_FILL_LEARNT
					  : via  ? IR_FILL_GIVEN
						 : IR_FILL_MAIN,
				  .has_via = via && !learnt,
				  .via = via ? *via : (struct addr){ 0 },
				  .origin = set->origin };
}

static void add_uplink_gateways(struct lower *lower, struct lower_uplink *uplink)
{
	const struct ast_table *table = uplink->table;

	for (size_t i = 0; i < uplink->dev_count; i++) {
		size_t count;
		const struct addr *gateways =
			lower_table_gateways(lower->arena, table, uplink->devs[i], &count);

		if (count && !uplink->gateways)
			uplink->gateways = gateway_set(lower, table->name, table->span);
		for (size_t k = 0; k < count; k++)
			add_gateway(lower, uplink->gateways, table->name, uplink->devs[i],
				    &gateways[k]);
		if (count)
			names_add(lower->arena, &lower->main_devs, &lower->main_dev_count,
				  uplink->devs[i]);
	}
}

void lower_gateways(struct lower *lower)
{
	for (size_t i = 0; i < lower->uplink_count; i++)
		if (!lower->uplinks[i].table->answer_count)
			add_uplink_gateways(lower, &lower->uplinks[i]);
	if (!lower->main_dev_count)
		return;
	lower->main_gateways = gateway_set(lower, "main", (struct span){ 0 });
	for (size_t i = 0; i < lower->main_dev_count; i++)
		add_gateway(lower, lower->main_gateways, "main", lower->main_devs[i], NULL);
}
