/*
 * flows_foresee: a connection's packets in a policy that is to be applied (see flows_state.h), for
 * a plan: the kernel has its rules and routes not yet.
 *
 * What a rule before the outcome asks beside what is known of a connection leaves it unknown. The
 * main table, and foreign rules, are as they are.
 */
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>

#include "base/arena.h"
#include "host/flows_state.h"
#include "host/host.h"
#include "ir/evaluate.h"
#include "ir/lookup.h"
#include "kernel/cgroup.h"
#include "kernel/link.h"
#include "kernel/nft_elements.h"

struct foresight {
	struct ir_watch watch;
	struct ir_held held;
	struct flows_walks *walks;
	struct ir_packet packet;
	bool is_unknown;
};

/* ---- what is not known ---- */

static bool asks_more(const struct ir_match *match, const struct ir_packet *packet)
{
	if (packet->scope == SCOPE_LOCAL &&
	    (match->hosted == IR_HOSTED_GROUP ||
	     (match->hosted == IR_HOSTED_CGROUP && !packet->cgroup)))
		return true;
	if (packet->mac && (!strcmp(match->ops->name, "mac") || !strcmp(match->ops->name, "link")))
		return false;
	return match->ops->each_packet;
}

/* Where the rest of the rule holds, it depends on that. */
static void watch_rule(struct ir_watch *watch, size_t chain, const struct ir_rule *rule,
		       size_t held, size_t depth)
{
	struct foresight *foresight = (struct foresight *)watch;
	const struct ir_packet *packet = &foresight->packet;
	bool asks = false;

	(void)chain;
	(void)held;
	(void)depth;
	for (size_t i = 0; i < rule->match_count; i++)
		if (asks_more(&rule->matches[i], packet))
			asks = true;
		else if (!rule->matches[i].ops->holds(&rule->matches[i], packet))
			return;
	for (size_t i = 0; i < rule->statement_count; i++)
		asks |= rule->statements[i].op == IR_LOOKUP &&
			asks_more(rule->statements[i].key, packet);
	foresight->is_unknown |= asks;
}

/* One that is not there yet holds nothing that concerns connections which are. */
static bool find_held(struct ir_held *held, const struct ir_set *set, struct wide value,
		      struct interval *element)
{
	struct foresight *foresight =
		(struct foresight *)((char *)held - offsetof(struct foresight, held));
	struct flows_walks *walks = foresight->walks;
	struct netlink_error error;
	struct nft_elements contents;

	if (!nft_elements_find(walks->arena, &walks->kernel->nft, walks->ir->table, set->base,
			       set->type, value, &contents, &error) ||
	    !contents.ranges.count)
		return false;
	*element = contents.ranges.items[0];
	return true;
}

/* Names stand for the numbers that the host has for them. */
static void name_sender(struct foresight *foresight, const struct foreign_sender *sender)
{
	const struct ir *ir = foresight->walks->ir;
	struct arena *arena = foresight->walks->arena;

	foresight->packet.user = arena_printf(arena, "%" PRIu32, sender->user);
	for (size_t i = 0; i < ir->user_count; i++)
		if (ir->users[i].state == IR_HOSTED_THERE && ir->users[i].number == sender->user)
			foresight->packet.user = ir->users[i].name;
	if (sender->cgroup)
		foresight->packet.cgroup = cgroup_path(arena, sender->cgroup);
}

/* ---- the outcome ---- */

static struct flows_fate fate_of(const struct ir_outcome *outcome, enum ir_scope scope)
{
	struct flows_fate fate = { .end = FLOWS_PASSED, .mark = outcome->mark };
	const char *mode = outcome->class ? outcome->class->listener_mode : NULL;

	fate.is_translated = (mode && strcmp(mode, "tproxy") != 0) ||
			     (outcome->class && outcome->class->kind == IR_CLASS_ANSWER);
	if (outcome->verdict != VERDICT_ACCEPT)
		fate.end = FLOWS_ENDED;
	else if (outcome->choice && !fate.is_translated) /* shares of listeners are of one kind */
		fate.end = FLOWS_UNKNOWN;
	else if (mode && !strcmp(mode, "tproxy") && scope == SCOPE_FORWARD)
		fate.end = FLOWS_TAKEN;
	return fate;
}

struct flows_fate flows_foresee(struct flows_walks *walks, const struct flow *flow,
				enum ir_state state)
{
	struct foresight foresight = { .watch = { watch_rule },
				       .held = { find_held },
				       .walks = walks };
	struct flows_packet packet;
	struct ir_outcome outcome;

	if (!flows_packet(walks, flow, state, &packet))
		return (struct flows_fate){ 0 };
	if (!walks->walker)
		walks->walker = ir_walker(walks->arena, walks->ir);
	foresight.packet = packet.asked;
	foresight.packet.held = &foresight.held;
	if (packet.asked.scope == SCOPE_LOCAL)
		name_sender(&foresight, &packet.sender);
	outcome = ir_walk(walks->walker, &foresight.packet, &foresight.watch);
	if (foresight.is_unknown)
		return (struct flows_fate){ 0 };
	return fate_of(&outcome, packet.asked.scope);
}

/* ---- where it leaves ---- */

static bool gives_prefix(const struct ir_table *table, struct addr from, struct flows_source *out)
{
	for (size_t i = 0; i < table->npt_count; i++) {
		struct addr_prefix outside = table->npts[i].outside;

		if (!addr_prefix_covers(table->npts[i].inside, from))
			continue;
		*out = (struct flows_source){ FOREIGN_SOURCE_GIVEN, outside.addr.bits,
					      wide_or(outside.addr.bits,
						      addr_host_bits(outside.addr.family,
								     outside.length)) };
		return true;
	}
	return false;
}

/* The source that the table gives what comes from the address; false: none. */
static bool gives(const struct ir_table *table, struct addr from, struct flows_source *out)
{
	struct wide given = table->snat[from.family].bits;

	if (table->masquerades[from.family])
		*out = (struct flows_source){ .kind = FOREIGN_SOURCE_INTERFACE };
	else if (table->has_snat[from.family])
		*out = (struct flows_source){ FOREIGN_SOURCE_GIVEN, given, given };
	else
		return gives_prefix(table, from, out);
	return true;
}

bool flows_foresee_source(const struct flows_walks *walks, const struct flow *flow, uint32_t mark,
			  struct flows_source *out)
{
	const struct ir *ir = walks->ir;
	struct lookup lookup =
		lookup_route(ir, flow->from.addr.family, mark, flow->answers_from.addr.bits);

	for (size_t i = 0; lookup.rule && i < ir->table_count; i++)
		if (lookup.rule->action == IR_RULE_LOOKUP && ir->tables[i].id == lookup.rule->table)
			return gives(&ir->tables[i], flow->from.addr, out);
	return false;
}

bool flows_foresee_device(struct flows_walks *walks, const struct flow *flow, uint32_t mark,
			  const char **device)
{
	struct addr to = flow->answers_from.addr;
	struct netlink *netlink = &walks->kernel->route;
	struct lookup lookup = lookup_route(walks->ir, to.family, mark, to.bits);
	const struct ir_route *route = lookup.route;

	/* Another program's table is the kernel's to look up. */
	if (!lookup.rule || (!route && lookup.rule->action == IR_RULE_LOOKUP &&
			     ir_table_is_foreign(walks->ir, lookup.rule->table)))
		return false;
	*device = NULL;
	if (!route ? lookup.rule->action == IR_RULE_LOOKUP
		   : lookup.after_main && link_knows(walks->arena, netlink, to))
		*device = link_towards(walks->arena, netlink, to);
	else if (route && route->type == IR_ROUTE_LOCAL)
		*device = "lo";
	else if (route && route->hop_count == 1 && route->hops[0].dev)
		*device = route->hops[0].dev;
	else if (route && route->hop_count == 1)
		*device = link_towards(walks->arena, netlink, route->hops[0].via);
	return true;
}
