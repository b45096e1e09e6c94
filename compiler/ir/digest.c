/*
 * digest: one number for everything a policy puts into the kernel.
 *
 * FNV-1a, 64 bits (Fowler, Noll, Vo), over the fields that the kernel will hold; places, remarks
 * and suffixes of set names are left out. Matches are digested as the text they print.
 */
#include <string.h>

#include "base/buf.h"
#include "ir/ir.h"

static const uint64_t FNV_START = 0xcbf29ce484222325u, FNV_PRIME = 0x100000001b3u;

struct digest {
	uint64_t value;
	struct buf scratch;
};

static void add_bytes(struct digest *digest, const void *bytes, size_t count)
{
	const unsigned char *byte = bytes;

	for (size_t i = 0; i < count; i++)
		digest->value = (digest->value ^ byte[i]) * FNV_PRIME;
}

static void add_number(struct digest *digest, uint64_t number)
{
	for (int i = 0; i < 8; i++) {
		unsigned char byte = (unsigned char)(number >> 8 * i);

		add_bytes(digest, &byte, 1);
	}
}

static void add_text(struct digest *digest, const char *text)
{
	if (text)
		add_bytes(digest, text, strlen(text));
	add_number(digest, text != NULL);
}

static void add_addr(struct digest *digest, struct addr addr)
{
	add_number(digest, addr.family);
	add_number(digest, addr.bits.high);
	add_number(digest, addr.bits.low);
}

uint64_t ir_set_digest(const struct ir_set *set, uint64_t seed)
{
	struct digest digest = { .value = interval_digest(&set->elements, seed) };

	for (size_t i = 0; i < set->target_count; i++) {
		add_number(&digest, set->targets[i].verdict);
		add_text(&digest, set->targets[i].chain);
	}
	for (size_t i = 0; set->targets && i < set->elements.count; i++)
		add_number(&digest, set->leads[i]);
	return digest.value;
}

/* The fields of a rule's own map, or the name of one that is a set. */
static void add_lookup(struct digest *digest, const struct ir_statement *statement)
{
	const struct ir_set *map = statement->map;

	digest->scratch.length = 0;
	statement->key->ops->key->print(statement->key, &digest->scratch);
	add_text(digest, buf_text(&digest->scratch));
	add_text(digest, map->base);
	if (!map->base)
		digest->value = ir_set_digest(map, digest->value);
}

static void add_statement(struct digest *digest, const struct ir_statement *statement)
{
	add_number(digest, statement->op);
	add_number(digest, (uint64_t)statement->value << 32 | statement->mask);
	add_addr(digest, statement->addr);
	add_number(digest, statement->port);
	if (statement->length) /* what has none keeps its digest */
		add_number(digest, statement->length);
	add_text(digest, statement->name);
	add_text(digest, statement->chain);
	add_number(digest, statement->reject);
	add_number(digest, statement->by);
	add_number(digest, statement->on_ct);
	for (size_t i = 0; i < statement->case_count; i++) {
		add_number(digest, statement->cases[i].value);
		add_text(digest, statement->cases[i].chain);
	}
	if (statement->op == IR_LOOKUP)
		add_lookup(digest, statement);
}

/* A set's name in a match may carry a suffix: its base and the print of the rest stand for it. */
static void add_match(struct digest *digest, const struct ir_match *match)
{
	struct ir_set set;
	struct ir_match plain = *match;

	if (match->set) {
		set = *match->set;
		set.name = set.base;
		plain.set = &set;
	}
	digest->scratch.length = 0;
	plain.ops->print(&plain, &digest->scratch);
	add_text(digest, buf_text(&digest->scratch));
}

static void add_rules(struct digest *digest, const struct ir_chain *chain)
{
	for (size_t i = 0; i < chain->rule_count; i++) {
		const struct ir_rule *rule = &chain->rules[i];

		add_number(digest, rule->match_count);
		for (size_t k = 0; k < rule->match_count; k++)
			add_match(digest, &rule->matches[k]);
		for (size_t k = 0; k < rule->statement_count; k++)
			add_statement(digest, &rule->statements[k]);
	}
}

static void add_chain(struct digest *digest, const struct ir_chain *chain)
{
	add_text(digest, chain->name);
	add_number(digest, chain->hook);
	add_number(digest, chain->type);
	add_number(digest, (uint64_t)chain->priority);
	add_rules(digest, chain);
}

uint64_t ir_rules_digest(const struct ir_chain *chain, uint64_t seed)
{
	struct digest digest = { .value = FNV_START ^ seed };

	add_rules(&digest, chain);
	buf_free(&digest.scratch);
	return digest.value;
}

/* Whether the host can have one by interface is its own affair; the chain `unmarked` says which. */
static void add_ip_rule(struct digest *digest, const struct ir_ip_rule *rule)
{
	if (rule->iif)
		return;
	add_number(digest, rule->family);
	add_number(digest, rule->priority);
	add_number(digest, (uint64_t)rule->mark << 32 | rule->mask);
	add_number(digest, rule->action);
	add_number(digest, (uint64_t)rule->table << 32 | rule->shortest);
	if (rule->oif)
		add_text(digest, rule->oif);
}

static void add_route(struct digest *digest, const struct ir_route *route)
{
	add_number(digest, route->family);
	add_number(digest, route->table);
	add_number(digest, route->type);
	add_addr(digest, route->to.addr);
	add_number(digest, route->to.length);
	add_number(digest, (uint64_t)route->metric << 32 | route->mtu);
	add_number(digest, route->has_src);
	add_addr(digest, route->src);
	for (size_t i = 0; i < route->hop_count; i++) {
		add_number(digest, route->hops[i].has_via);
		add_addr(digest, route->hops[i].via);
		add_text(digest, route->hops[i].dev);
		add_number(digest, (uint64_t)route->hops[i].weight << 1 | route->hops[i].onlink);
	}
}

/* Of their contents, sets are digested by name, where that is asked for. */
static uint64_t digest_of(const struct ir *ir, bool with_contents)
{
	struct digest digest = { .value = FNV_START };

	add_text(&digest, ir->table);
	add_number(&digest, ir->protocol);
	for (size_t i = 0; i < ir->set_count; i++) {
		add_text(&digest, ir->sets[i].base);
		add_number(&digest, ir->sets[i].type);
		if (ir->sets[i].dynamic)
			add_number(&digest, (uint64_t)ir->sets[i].timeout << 32 | ir->sets[i].size);
		if (with_contents)
			add_number(&digest, ir->sets[i].contents);
	}
	for (size_t i = 0; i < ir->counter_count; i++)
		add_text(&digest, ir->counters[i]);
	for (size_t i = 0; i < ir->chain_count; i++)
		add_chain(&digest, &ir->chains[i]);
	for (size_t i = 0; i < ir->ip_rule_count; i++)
		add_ip_rule(&digest, &ir->ip_rules[i]);
	add_number(&digest, ir->main_copy);
	for (size_t i = 0; i < ir->route_count; i++)
		add_route(&digest, &ir->routes[i]);
	for (size_t i = 0; i < ir->sysctl_count; i++) {
		add_text(&digest, ir->sysctls[i].key);
		add_text(&digest, ir->sysctls[i].value);
	}
	buf_free(&digest.scratch);
	return digest.value;
}

uint64_t ir_digest(struct ir *ir)
{
	for (size_t i = 0; i < ir->set_count; i++)
		if (!ir->sets[i].contents)
			ir->sets[i].contents = ir_set_digest(&ir->sets[i], 0);
	return digest_of(ir, true);
}

uint64_t ir_shape(const struct ir *ir)
{
	return digest_of(ir, false);
}
