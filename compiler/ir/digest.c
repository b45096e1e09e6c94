/*
 * digest: one number for everything a policy puts into the kernel.
 *
 * FNV-1a, 64 bits (base/hash.h), over the bytes that the codec makes of it (ir_codec.h).
 * Places, remarks and what only the host knows are left out: a thing is
 * digested as a copy without them. Matches are digested as the text they print.
 */
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "ir/ir_codec.h"

/* Of what was written since the last time; starts over. */
static uint64_t take(struct buf *bytes, uint64_t value)
{
	value = hash_bytes(value, buf_text(bytes), bytes->length);
	bytes->length = 0;
	return value;
}

/* ---- sets ---- */

uint64_t ir_set_digest(const struct ir_set *set, uint64_t seed)
{
	struct buf bytes = { 0 };
	struct codec codec = { .out = &bytes };
	uint64_t digest = interval_digest(&set->elements, seed);

	for (size_t i = 0; i < set->target_count; i++) {
		struct ir_target target = set->targets[i];

		ir_codec_target(&codec, &target);
	}
	for (size_t i = 0; set->targets && i < set->elements.count; i++) {
		uint32_t lead = set->leads[i];

		CODEC_FIELD(&codec, lead);
	}
	digest = take(&bytes, digest);
	buf_free(&bytes);
	return digest;
}

/* The digest of its elements stands for them. */
static void add_set(struct codec *codec, const struct ir_set *set, bool with_contents)
{
	struct ir_set plain = *set;

	plain.elements.count = plain.target_count = 0;
	if (!with_contents)
		plain.contents = 0;
	ir_codec_set(codec, &plain);
}

/* ---- rules ---- */

static void add_printed(struct codec *codec, struct buf *printed)
{
	const char *words = buf_text(printed);

	codec_text(codec, &words);
	buf_free(printed);
}

static void add_match(struct codec *codec, const struct ir_match *match)
{
	struct buf printed = { 0 };

	ir_match_put(match, NULL, &printed);
	add_printed(codec, &printed);
}

/* A rule's own map is its contents; one that is a set of the ir has a name. */
static void add_lookup(struct codec *codec, const struct ir_statement *statement)
{
	const struct ir_set *map = statement->map;
	const char *base = map->base;
	uint64_t contents = base ? 0 : ir_set_digest(map, 0);
	struct buf printed = { 0 };

	statement->key->ops->key->print(statement->key, &printed);
	add_printed(codec, &printed);
	codec_text(codec, &base);
	CODEC_FIELD(codec, contents);
}

static void add_rules(struct codec *codec, const struct ir_chain *chain)
{
	for (size_t i = 0; i < chain->rule_count; i++) {
		const struct ir_rule *rule = &chain->rules[i];

		codec_count(codec, rule->match_count);
		for (size_t k = 0; k < rule->match_count; k++)
			add_match(codec, &rule->matches[k]);
		for (size_t k = 0; k < rule->statement_count; k++) {
			struct ir_statement statement = rule->statements[k];

			ir_codec_statement(codec, &statement);
			if (statement.op == IR_LOOKUP)
				add_lookup(codec, &statement);
		}
	}
}

static void add_chain(struct codec *codec, const struct ir_chain *chain)
{
	struct ir_chain plain = *chain;

	ir_codec_chain(codec, &plain);
	add_rules(codec, chain);
}

uint64_t ir_rules_digest(const struct ir_chain *chain, uint64_t seed)
{
	struct buf bytes = { 0 };
	struct codec codec = { .out = &bytes };
	uint64_t digest;

	add_rules(&codec, chain);
	digest = take(&bytes, HASH_START ^ seed);
	buf_free(&bytes);
	return digest;
}

/* ---- routing ---- */

static void add_routing(struct codec *codec, const struct ir *ir)
{
	for (size_t i = 0; i < ir->ip_rule_count; i++) {
		struct ir_ip_rule rule = ir->ip_rules[i];

		/* Whether the host can have one by interface is its own affair; the chain
		 * `unmarked` says which. */
		if (!rule.iif)
			ir_codec_ip_rule(codec, &rule);
	}
	for (size_t i = 0; i < ir->route_count; i++) {
		struct ir_route route = ir->routes[i];

		route.masquerades = false;
		ir_codec_route(codec, &route);
	}
	for (size_t i = 0; i < ir->sysctl_count; i++) {
		struct ir_sysctl plain = { .key = ir->sysctls[i].key,
					   .value = ir->sysctls[i].value };

		ir_codec_sysctl(codec, &plain);
	}
}

/* ---- all of it ---- */

/* Of their contents, sets are digested by name, where that is asked for. */
static uint64_t digest_of(const struct ir *ir, bool with_contents)
{
	struct buf bytes = { 0 };
	struct codec codec = { .out = &bytes };
	const char *table = ir->table;
	uint32_t protocol = ir->protocol, main_copy = ir->main_copy;
	uint64_t digest;

	codec_text(&codec, &table);
	CODEC_FIELD(&codec, protocol);
	CODEC_FIELD(&codec, main_copy);
	for (size_t i = 0; i < ir->set_count; i++)
		add_set(&codec, &ir->sets[i], with_contents);
	for (size_t i = 0; i < ir->fill_count; i++) {
		struct ir_fill fill = ir->fills[i];

		/* Rules say themselves which gateways they are about. */
		if (ir_fill_is_own(&fill))
			ir_codec_fill(&codec, &fill);
	}
	for (size_t i = 0; i < ir->counter_count; i++) {
		const char *counter = ir->counters[i];

		codec_text(&codec, &counter);
	}
	for (size_t i = 0; i < ir->chain_count; i++)
		add_chain(&codec, &ir->chains[i]);
	add_routing(&codec, ir);
	digest = take(&bytes, HASH_START);
	buf_free(&bytes);
	return digest;
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
