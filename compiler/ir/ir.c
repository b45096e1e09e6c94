/*
 * ir: finding, naming and verifying what a policy asks of the kernel.
 */
#include "ir/ir.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/names.h"

static const struct {
	const char *name, *then;
} class_words[] = {
	[IR_CLASS_PROXY] = { "proxy", "proxy" },     [IR_CLASS_ROUTE] = { "route", "route" },
	[IR_CLASS_MARK] = { "mark", "mark" },        [IR_CLASS_REPLY] = { "reply", "route" },
	[IR_CLASS_INBOUND] = { "inbound", "route" }, [IR_CLASS_SYN] = { "syn", "route" },
	[IR_CLASS_DIRECT] = { "direct", "direct" },  [IR_CLASS_ANSWER] = { "answer", "answer" },
	[IR_CLASS_MEMBER] = { "member", "route" },
};

const char *ir_class_name(enum ir_class_kind kind)
{
	return class_words[kind].name;
}

const char *ir_class_then(enum ir_class_kind kind)
{
	return class_words[kind].then;
}

const struct ir_chain *ir_chain_find(const struct ir *ir, const char *name)
{
	for (size_t i = 0; i < ir->chain_count; i++)
		if (!strcmp(ir->chains[i].name, name))
			return &ir->chains[i];
	return NULL;
}

const struct ir_class *ir_table_class(const struct ir *ir, uint32_t table)
{
	for (size_t i = 0; i < ir->class_count; i++)
		if (ir->classes[i].table == table)
			return &ir->classes[i];
	return NULL;
}

bool ir_has_table(const struct ir *ir, uint32_t table)
{
	for (size_t i = 0; i < ir->route_count; i++)
		if (ir->routes[i].table == table)
			return true;
	return false;
}

bool ir_leaves_by(const struct ir *ir, const char *dev)
{
	for (size_t i = 0; i < ir->route_count; i++)
		for (size_t k = 0; k < ir->routes[i].hop_count; k++)
			if (ir->routes[i].hops[k].dev && !strcmp(ir->routes[i].hops[k].dev, dev))
				return true;
	return false;
}

struct ir_set *ir_set_find(const struct ir *ir, const char *base)
{
	for (size_t i = 0; i < ir->set_count; i++)
		if (!strcmp(ir->sets[i].base, base))
			return &ir->sets[i];
	return NULL;
}

/* ---- fields and maps ---- */

enum { NAME_BYTES = IR_INTERFACE_TEXT - 1 };

struct wide ir_interface_number(const char *name)
{
	char bytes[IR_INTERFACE_TEXT] = { 0 };

	memccpy(bytes, name, 0, NAME_BYTES);
	return wide_get(bytes, NAME_BYTES);
}

const char *ir_interface_name(struct wide number, char text[static IR_INTERFACE_TEXT])
{
	wide_put(number, text, NAME_BYTES);
	text[NAME_BYTES] = 0;
	return text;
}

bool ir_match_same_key(const struct ir_match *a, const struct ir_match *b)
{
	return a->ops == b->ops && a->family == b->family && a->selector == b->selector &&
	       a->mask == b->mask && a->tracked == b->tracked;
}

const struct ir_target *ir_map_find(const struct ir_set *map, struct wide value)
{
	const struct interval *found = interval_find(&map->elements, value);

	return found ? &map->targets[map->leads[found - map->elements.items]] : NULL;
}

bool ir_marks_meet(uint32_t value, uint32_t mask, uint32_t other, uint32_t other_mask)
{
	return (mask & other_mask) && !((value ^ other) & mask & other_mask);
}

bool ir_masquerades(const struct ir *ir, uint32_t table, enum addr_family family)
{
	for (size_t i = 0; i < ir->route_count; i++)
		if (ir->routes[i].table == table && ir->routes[i].family == family &&
		    ir->routes[i].masquerades)
			return true;
	return false;
}

static bool has_hop(const struct ir_route *route, enum ir_learnt learnt)
{
	for (size_t i = 0; i < route->hop_count; i++)
		if (route->hops[i].learnt == learnt)
			return true;
	return false;
}

bool ir_route_is_lacking(const struct ir_route *route)
{
	return has_hop(route, IR_LACKING);
}

bool ir_route_is_open(const struct ir_route *route)
{
	return has_hop(route, IR_TO_LEARN) || ir_route_is_lacking(route);
}

bool ir_table_is_foreign(const struct ir *ir, uint32_t table)
{
	bool is_foreign = table && table != IR_TABLE_MAIN && table != IR_TABLE_LOCAL &&
			  table != ir->main_copy;

	for (size_t i = 0; i < ir->route_count && is_foreign; i++)
		is_foreign = ir->routes[i].table != table;
	return is_foreign;
}

bool ir_rule_asks_main(const struct ir *ir, const struct ir_ip_rule *rule)
{
	return rule->action == IR_RULE_LOOKUP &&
	       (rule->table == IR_TABLE_MAIN || (ir->main_copy && rule->table == ir->main_copy));
}

bool ir_rule_takes_default(const struct ir_ip_rule *rule)
{
	return rule->action == IR_RULE_LOOKUP && rule->table == IR_TABLE_MAIN && !rule->shortest;
}

bool ir_fill_is_own(const struct ir_fill *fill)
{
	return fill->kind == IR_FILL_ADDRESSES || fill->kind == IR_FILL_PREFIXES;
}

const struct ir_fill *ir_fill_of(const struct ir *ir, const char *base)
{
	for (size_t i = 0; i < ir->fill_count; i++)
		if (strcmp(ir->fills[i].set, base) == 0)
			return &ir->fills[i];
	return NULL;
}

void ir_put_fills(const struct ir *ir, const char *base, struct buf *out)
{
	const struct ir_fill *first = ir_fill_of(ir, base);

	if (!first || !ir_fill_is_own(first)) {
		buf_puts(out, "link addresses of gateways");
		return;
	}
	for (size_t i = 0; i < ir->fill_count; i++)
		if (strcmp(ir->fills[i].set, base) == 0)
			buf_printf(out, "%s%s of %s", &ir->fills[i] == first ? "" : ", ",
				   ir->fills[i].kind == IR_FILL_PREFIXES ? "networks" : "addresses",
				   ir->fills[i].dev);
}

bool ir_set_is_learned(const struct ir_set *set)
{
	return set->dynamic && (set->type == IR_SET_IPV4 || set->type == IR_SET_IPV6) &&
	       !strchr(set->base, '.');
}

bool ir_set_holds_flows(const struct ir_set *set)
{
	return set->type == IR_SET_FLOW_IPV4 || set->type == IR_SET_FLOW_IPV6;
}

const char *ir_ended_set(enum addr_family family)
{
	return family == ADDR_IPV4 ? "flows.ended_v4" : "flows.ended_v6";
}

void ir_put_link(struct buf *out, uint64_t address)
{
	for (int shift = 40; shift >= 0; shift -= 8)
		buf_printf(out, "%02x%s", (unsigned int)(address >> shift & 0xff),
			   shift ? ":" : "");
}

void ir_put_flow(enum addr_family family, struct buf *out)
{
	const char *word = addr_nft_word(family);

	buf_printf(out, "%s saddr . %s daddr . meta l4proto . th sport . th dport", word, word);
}

void ir_match_put(const struct ir_match *match, const char *set_name, struct buf *out)
{
	match->ops->print(match, out);
	if (match->set)
		buf_printf(out, "@%s", set_name ? set_name : match->set->base);
}

const char *ir_action_name(enum ir_rule_action action)
{
	switch (action) {
	case IR_RULE_LOOKUP:
		return "lookup";
	case IR_RULE_UNREACHABLE:
		return "unreachable";
	case IR_RULE_PROHIBIT:
		return "prohibit";
	case IR_RULE_BLACKHOLE:
		return "blackhole";
	}
	return "";
}

/* ---- verification ---- */

static const char *verify_statement(struct arena *arena, const struct ir *ir,
				    const struct ir_chain *chain,
				    const struct ir_statement *statement)
{
	bool goes = statement->op == IR_GOTO || statement->op == IR_JUMP;

	if (goes && !ir_chain_find(ir, statement->chain))
		return arena_printf(arena, "chain %s leads to %s, which is not there", chain->name,
				    statement->chain);
	for (size_t i = 0; statement->op == IR_LOOKUP && i < statement->map->target_count; i++) {
		const char *to = statement->map->targets[i].chain;

		if (to && !ir_chain_find(ir, to))
			return arena_printf(arena, "the map %s leads to %s, which is not there",
					    statement->map->base, to);
	}
	for (size_t i = 0; i < statement->case_count; i++) {
		const char *to = statement->cases[i].chain;

		if (to && !ir_chain_find(ir, to))
			return arena_printf(arena, "chain %s dispatches to %s, which is not there",
					    chain->name, to);
		for (size_t k = 0; k < i; k++)
			if (statement->cases[k].value == statement->cases[i].value)
				return arena_printf(arena, "chain %s dispatches 0x%08x twice",
						    chain->name, statement->cases[i].value);
	}
	return NULL;
}

static bool owns_set(const struct ir *ir, const struct ir_set *set)
{
	return set >= ir->sets && set < ir->sets + ir->set_count;
}

static const char *verify_chain(struct arena *arena, const struct ir *ir,
				const struct ir_chain *chain)
{
	const char *broken = NULL;

	for (size_t i = 0; i < chain->rule_count && !broken; i++) {
		const struct ir_rule *rule = &chain->rules[i];

		for (size_t k = 0; k < rule->match_count; k++)
			if (rule->matches[k].set && !owns_set(ir, rule->matches[k].set))
				return arena_printf(arena,
						    "chain %s asks for the set %s, which is not there",
						    chain->name, rule->matches[k].set->base);
		for (size_t k = 0; k < rule->statement_count && !broken; k++) {
			const struct ir_set *map = rule->statements[k].map;

			if (map && map->base && !owns_set(ir, map))
				return arena_printf(arena,
						    "chain %s looks into the map %s, which is not there",
						    chain->name, map->base);
			broken = verify_statement(arena, ir, chain, &rule->statements[k]);
		}
	}
	return broken;
}

/* Neighbours may touch in a map, where they lead elsewhere. */
static bool is_separate(const struct ir_set *set, size_t i)
{
	struct wide end = set->elements.items[i - 1].last, next = set->elements.items[i].first;

	if (set->targets)
		return wide_less(end, next) &&
		       (wide_less(wide_after(end), next) || set->leads[i] != set->leads[i - 1]);
	return wide_less(wide_after(end), next);
}

static const char *verify_set(struct arena *arena, const struct ir_set *set)
{
	for (size_t i = 1; i < set->elements.count; i++)
		if (!is_separate(set, i))
			return arena_printf(arena, "the set %s is not canonical", set->base);
	for (size_t i = 1; i < set->domain_count; i++)
		if (strcmp(set->domains[i - 1], set->domains[i]) >= 0)
			return arena_printf(arena, "the domains of the set %s are not sorted",
					    set->base);
	return NULL;
}

static const char *verify_ip_rules(struct arena *arena, const struct ir *ir)
{
	for (size_t i = 0; i < ir->ip_rule_count; i++) {
		const struct ir_ip_rule *rule = &ir->ip_rules[i];

		if ((!rule->mark && !rule->iif && !rule->oif) || !rule->mask ||
		    rule->mark & ~rule->mask)
			return arena_printf(arena,
					    "ip rule %u has a mark that would match everything or nothing",
					    rule->priority);
		if (i && rule->priority < rule[-1].priority)
			return arena_printf(arena, "ip rule %u is out of order", rule->priority);
	}
	return NULL;
}

const char *ir_verify(struct arena *arena, const struct ir *ir)
{
	const char *broken = verify_ip_rules(arena, ir);

	for (size_t i = 0; i < ir->set_count && !broken; i++)
		broken = verify_set(arena, &ir->sets[i]);
	for (size_t i = 0; i < ir->chain_count && !broken; i++)
		broken = verify_chain(arena, ir, &ir->chains[i]);
	return broken;
}
