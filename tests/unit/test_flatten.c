/*
 * A flattened ir against the one it was made of: random chains over every field that can be looked
 * up, and all packets of a small world around their edges.
 */
#include "opt/opt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "ir/evaluate.h"
#include "match/kinds.h"

enum { RULES = 14, SETS = 5, WORLD = 16, CHAINS = 4 };

static const char *const names[] = { "eth0", "eth1", "wg0" };
static const char *const chain_names[] = { "a", "b", "c", "back" };

struct maker {
	struct arena *arena;
	struct ir *ir;
	unsigned int seed;
};

static unsigned int draw(struct maker *maker, unsigned int below)
{
	return (unsigned int)rand_r(&maker->seed) % below;
}

static struct interval_set some_values(struct maker *maker, unsigned int first, unsigned int below)
{
	struct interval_set set = { 0 };

	for (unsigned int i = 0; i <= draw(maker, 3); i++) {
		uint64_t from = first + draw(maker, below), to = from + draw(maker, 4);

		interval_add(maker->arena, &set, wide(from),
			     wide(to < first + below ? to : first + below - 1));
	}
	interval_normalise(&set);
	return set;
}

static void add_match(struct maker *maker, struct ir_rule *rule, struct ir_match match)
{
	*arena_append(maker->arena, rule->matches, rule->match_count) = match;
}

static void add_address(struct maker *maker, struct ir_rule *rule, unsigned int selector)
{
	enum addr_family family = draw(maker, 4) ? ADDR_IPV4 : ADDR_IPV6;
	struct addr_prefix prefix = { { family, wide(draw(maker, WORLD) & ~3u) },
				      addr_width(family) - draw(maker, 3) };
	struct ir_match match = address_match(maker->arena, selector, prefix);

	if (draw(maker, 2))
		match.set = &maker->ir->sets[draw(maker, SETS)];
	if (match.set && (match.set->type == IR_SET_IPV4) != (family == ADDR_IPV4))
		match.set = NULL;
	if (match.set)
		match.values.count = 0;
	match.negated = draw(maker, 4) == 0;
	add_match(maker, rule, match);
}

static void add_port(struct maker *maker, struct ir_rule *rule)
{
	struct ir_match match = port_match(maker->arena, PORT_DESTINATION, 1);

	match.values = some_values(maker, 1, WORLD);
	match.negated = draw(maker, 5) == 0;
	match.bits = wide(draw(maker, 2) ? PROTOCOL_TCP : 0);
	add_match(maker, rule, match);
}

static void add_interface(struct maker *maker, struct ir_rule *rule)
{
	add_match(maker, rule,
		  interface_match(INTERFACE_IN, &names[draw(maker, 2)], 1 + draw(maker, 2),
				  draw(maker, 5) == 0));
}

static void add_mac(struct maker *maker, struct ir_rule *rule)
{
	struct match_context context = { .arena = maker->arena };
	struct match_condition condition = { .kind = &match_mac };
	struct match_alternatives out = { 0 };

	interval_add(maker->arena, &condition.values, wide(1 + draw(maker, 3)), wide(0));
	condition.values.items[0].last = condition.values.items[0].first;
	condition.values.items[0].last.low += draw(maker, 4) == 0;
	match_mac.lower(&condition, &context, &out);
	add_match(maker, rule, out.items[0].items[0]);
}

/* Mostly of one field, so that there are runs. */
static void add_matches(struct maker *maker, struct ir_rule *rule, unsigned int field)
{
	struct interval_set tcp = { 0 };

	if (draw(maker, 6) == 0)
		field = draw(maker, 7);
	if (field < 2)
		add_address(maker, rule, ADDRESS_TO);
	else if (field == 2)
		add_address(maker, rule, ADDRESS_FROM);
	else if (field == 3)
		add_port(maker, rule);
	else if (field == 4)
		add_interface(maker, rule);
	else if (field == 5)
		add_match(maker, rule, mark_match(maker->arena, MARK_PACKET, draw(maker, 3), 0xf));
	else
		add_mac(maker, rule);
	interval_add(maker->arena, &tcp, wide(PROTOCOL_TCP), wide(PROTOCOL_TCP));
	if (draw(maker, 3) == 0)
		add_match(maker, rule, protocol_match(&tcp));
	if (draw(maker, 6) == 0)
		add_port(maker, rule);
}

static void add_statement(struct maker *maker, struct ir_rule *rule, struct ir_statement statement)
{
	*arena_append(maker->arena, rule->statements, rule->statement_count) = statement;
}

static struct ir_statement sets_mark(struct maker *maker)
{
	return (struct ir_statement){ .op = IR_SET_MARK, .value = draw(maker, 3), .mask = 0xf };
}

static void add_statements(struct maker *maker, struct ir_rule *rule)
{
	unsigned int kind = draw(maker, 10);

	if (draw(maker, 5) == 0)
		add_statement(maker, rule,
			      (struct ir_statement){ .op = IR_COUNT, .name = "rule1" });
	if (kind < 4)
		add_statement(maker, rule,
			      (struct ir_statement){ .op = IR_GOTO,
						     .chain = chain_names[draw(maker, CHAINS)] });
	else if (kind < 6)
		add_statement(maker, rule, (struct ir_statement){ .op = IR_ACCEPT });
	else if (kind < 7)
		add_statement(maker, rule, (struct ir_statement){ .op = IR_DROP });
	else if (kind < 8)
		add_statement(maker, rule, (struct ir_statement){ .op = IR_JUMP, .chain = "back" });
	else if (kind < 9)
		add_statement(maker, rule, sets_mark(maker));
	else
		add_statement(maker, rule, (struct ir_statement){ .op = IR_RETURN });
}

static struct ir_rule *add_rule(struct maker *maker, struct ir_chain *chain)
{
	struct ir_rule *rule = arena_append(maker->arena, chain->rules, chain->rule_count);
	static struct source *const somewhere = (struct source *)&chain_names;

	rule->origin = (struct span){ .source = somewhere, .begin = chain->rule_count };
	return rule;
}

static void fill_ways(struct maker *maker)
{
	for (size_t i = 0; i < CHAINS; i++) {
		struct ir_chain *chain = &maker->ir->chains[1 + i];
		struct ir_rule *rule = add_rule(maker, chain);

		chain->name = chain_names[i];
		add_statement(maker, rule,
			      (struct ir_statement){
				      .op = IR_SET_MARK, .value = 4 + (uint32_t)i, .mask = 0xf });
		if (i + 1 == CHAINS)
			add_match(maker, rule, mark_match(maker->arena, MARK_PACKET, 1, 0xf));
		else
			add_statement(maker, rule, (struct ir_statement){ .op = IR_ACCEPT });
	}
}

static struct ir *random_ir(struct arena *arena, unsigned int seed)
{
	struct ir *ir = arena_new_of(arena, struct ir);
	struct maker maker = { arena, ir, seed };
	unsigned int field = draw(&maker, 7);

	ir->table = "tpc";
	ir->chain_count = 1 + CHAINS;
	ir->chains = arena_alloc(arena, ir->chain_count * sizeof(*ir->chains));
	ir->chains[0].name = "prerouting";
	ir->set_count = SETS;
	ir->sets = arena_alloc(arena, SETS * sizeof(*ir->sets));
	for (unsigned int i = 0; i < SETS; i++) {
		ir->sets[i].base = arena_printf(arena, "set%u", i);
		ir->sets[i].type = i % 2 ? IR_SET_IPV6 : IR_SET_IPV4;
		ir->sets[i].elements = some_values(&maker, 0, WORLD);
		ir->sets[i].dynamic = i == 4;
	}
	fill_ways(&maker);
	for (unsigned int i = 0; i < 1 + draw(&maker, RULES); i++) {
		struct ir_rule *rule = add_rule(&maker, &ir->chains[0]);

		if (draw(&maker, 12))
			add_matches(&maker, rule, field);
		add_statements(&maker, rule);
	}
	return ir;
}

static struct ir_packet random_packet(struct maker *maker)
{
	return (struct ir_packet){
		.scope = SCOPE_FORWARD,
		.in = draw(maker, 4) ? names[draw(maker, 3)] : "eth9",
		.out = "",
		.family = draw(maker, 3) ? ADDR_IPV4 : ADDR_IPV6,
		.from = wide(draw(maker, WORLD)),
		.to = wide(draw(maker, WORLD)),
		.has_from = true,
		.has_to = draw(maker, 20) > 0,
		.protocol = draw(maker, 3) ? PROTOCOL_TCP : PROTOCOL_UDP,
		.port = draw(maker, WORLD + 2),
		.mark = draw(maker, 4),
		.mac = draw(maker, 6),
		.state = STATE_NEW,
	};
}

static void flat_is_the_same(void **state)
{
	size_t maps = 0;

	(void)state;
	for (unsigned int round = 0; round < 6000; round++) {
		struct arena *arena = arena_new();
		struct ir *plain = random_ir(arena, round), *flat;
		struct maker maker = { arena, plain, round };
		const struct ir_walker *before = ir_walker(arena, plain), *after;

		flat = opt_run(arena, plain, OPT_FLAT);
		after = ir_walker(arena, flat);
		assert_null(ir_verify(arena, flat));
		maps += flat->chain_count > plain->chain_count ||
			flat->chains[0].rule_count < plain->chains[0].rule_count;
		for (int i = 0; i < 200; i++) {
			struct ir_packet packet = random_packet(&maker);
			struct ir_outcome a = ir_walk(before, &packet, NULL),
					  b = ir_walk(after, &packet, NULL);

			if (a.verdict != b.verdict || a.mark != b.mark)
				fail_msg("round %u packet %d: %d mark %u, flat: %d mark %u", round,
					 i, (int)a.verdict, a.mark, (int)b.verdict, b.mark);
		}
		arena_free(arena);
	}
	assert_true(maps > 600); /* the test is about these */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flat_is_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
