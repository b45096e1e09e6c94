/*
 * test_emit: the text back ends, from an ir built by hand.
 *
 * One small policy (a proxy and an uplink, both families) goes through every output; the pieces
 * where a slip would be dangerous, quoting, marks, the lines that the live engine reads back, are
 * looked at by themselves.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "emit/about.h"
#include "emit/elements.h"
#include "emit/emit.h"
#include "emit/ipbatch.h"
#include "emit/statement.h"
#include "emit/text.h"
#include "ir/ir.h"

static void print_to_foreign(const struct ir_match *match, struct buf *out)
{
	(void)match;
	buf_puts(out, "meta l4proto { tcp, udp } ip daddr ");
}

static void print_both(const struct ir_match *match, struct buf *out)
{
	buf_printf(out, "meta nfproto ipv%u meta l4proto { tcp, udp }",
		   match->family == ADDR_IPV4 ? 4 : 6);
}

static const struct ir_match_ops to_foreign = { .name = "to", .print = print_to_foreign };
static const struct ir_match_ops both = { .name = "both", .print = print_both };

static struct addr loopback(enum addr_family family)
{
	return (struct addr){ family, wide(family == ADDR_IPV4 ? 0x7f000001 : 1) };
}

static struct span at_line(const struct source *source, size_t line)
{
	uint32_t offset = source_offset(source, line - 1, 0);

	return (struct span){ source, offset, offset + 1 };
}

static struct ir_rule *add_rule(struct arena *arena, struct ir_chain *chain, size_t statements)
{
	struct ir_rule *rule = arena_append(arena, chain->rules, chain->rule_count);

	rule->statements = arena_alloc(arena, statements * sizeof(*rule->statements));
	rule->statement_count = statements;
	return rule;
}

static void add_match(struct arena *arena, struct ir_rule *rule, struct ir_match match)
{
	*arena_append(arena, rule->matches, rule->match_count) = match;
}

static void add_sets(struct arena *arena, struct ir *ir, const struct source *source)
{
	struct ir_set *set = arena_append(arena, ir->sets, ir->set_count);

	*set = (struct ir_set){ .base = "foreign_v4",
				.type = IR_SET_IPV4,
				.origin = at_line(source, 2) };
	interval_add(arena, &set->elements, wide(0xc0000208), wide(0xc0000208));
	interval_add(arena, &set->elements, wide(0xcb007100), wide(0xcb0071ff));
	interval_add(arena, &set->elements, wide(0xcb007205), wide(0xcb007209));
}

static void add_chains(struct arena *arena, struct ir *ir, const struct source *source)
{
	struct ir_chain *way = arena_append(arena, ir->chains, ir->chain_count);
	struct ir_chain *first = arena_append(arena, ir->chains, ir->chain_count);
	struct ir_rule *rule;

	way = &ir->chains[0];
	*way = (struct ir_chain){ .name = "proxy_p", .remark = "the listener p" };
	rule = add_rule(arena, way, 1);
	rule->statements[0] = (struct ir_statement){ .op = IR_SET_MARK, .value = 100, .mask = ~0u };
	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++) {
		rule = add_rule(arena, way, 2);
		add_match(arena, rule, (struct ir_match){ .ops = &both, .family = family });
		rule->statements[0] = (struct ir_statement){ .op = IR_TPROXY,
							     .addr = loopback(family),
							     .port = 12345 };
		rule->statements[1] = (struct ir_statement){ .op = IR_ACCEPT };
	}
	rule = add_rule(arena, way, 1);
	rule->statements[0] = (struct ir_statement){ .op = IR_REJECT };

	first->name = "prerouting";
	first->hook = IR_HOOK_PREROUTING;
	first->priority = -150;
	rule = add_rule(arena, first, 2);
	rule->origin = at_line(source, 4);
	rule->remark = "seed";
	add_match(arena, rule, (struct ir_match){ .ops = &to_foreign, .set = &ir->sets[0] });
	rule->statements[0] = (struct ir_statement){ .op = IR_COUNT, .name = "rule1" };
	rule->statements[1] = (struct ir_statement){ .op = IR_GOTO, .chain = "proxy_p" };
}

static void add_routing(struct arena *arena, struct ir *ir, const struct source *source)
{
	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++) {
		struct ir_route *route = arena_append(arena, ir->routes, ir->route_count);
		struct ir_ip_rule *rule = arena_append(arena, ir->ip_rules, ir->ip_rule_count);

		*route =
			(struct ir_route){ .family = family, .table = 100, .type = IR_ROUTE_LOCAL };
		route->to.addr.family = family;
		route->origin = at_line(source, 3);
		arena_append(arena, route->hops, route->hop_count)->dev = "lo";
		*rule = (struct ir_ip_rule){
			.family = family, .priority = 10000, .mark = 100, .mask = ~0u
		};
		rule->table = 100;
		rule = arena_append(arena, ir->ip_rules, ir->ip_rule_count);
		*rule = (struct ir_ip_rule){
			.family = family, .priority = 10001, .mark = 100, .mask = ~0u
		};
		rule->action = IR_RULE_UNREACHABLE;
	}
}

static struct ir *make_ir(struct arena *arena)
{
	static const char text[] = "version: 1\nsets: {}\nlisteners: {}\nrules: []\n";
	const struct source *source =
		source_from(arena, "some/policy.yaml", text, sizeof(text) - 1);
	struct ir *ir = arena_new_of(arena, struct ir);

	ir->digest = 0x0123456789abcdef;
	ir->name = "tpc";
	ir->table = "tpc";
	ir->protocol = 116;
	ir->mark_mask = 0x7f000000;
	ir->priority_first = 10000;
	ir->priority_last = 10005;
	*arena_append(arena, ir->counters, ir->counter_count) = "rule1";
	*arena_append(arena, ir->sysctls, ir->sysctl_count) = (struct ir_sysctl){
		.key = "net.ipv4.ip_forward", .value = "1", .why = "packets pass"
	};
	*arena_append(arena, ir->classes, ir->class_count) =
		(struct ir_class){ .kind = IR_CLASS_PROXY,
				   .name = "p",
				   .mark = 100,
				   .mask = ~0u,
				   .table = 100,
				   .listener_mode = "tproxy",
				   .port = 12345 };
	add_sets(arena, ir, source);
	add_chains(arena, ir, source);
	add_routing(arena, ir, source);
	return ir;
}

static struct buf output(const struct ir *ir, const char *kind)
{
	struct emit_job job = { ir, "policy.yaml", "policy" };
	struct buf out = { 0 };

	emit_find(kind)->put(&job, &out);
	return out;
}

static void assert_holds(const struct buf *out, const char *wanted)
{
	if (!strstr(buf_text(out), wanted))
		fail_msg("\"%s\" is missing in:\n%s", wanted, buf_text(out));
}

static void test_nft(void **state)
{
	struct arena *arena = arena_new();
	struct buf out = output(make_ir(arena), "nft");
	const char *sets, *flush, *rules;

	(void)state;
	assert_holds(&out,
		     "add element inet tpc foreign_v4 {\n\t192.0.2.8, 203.0.113.0/24, 203.0.114.5-203.0.114.9\n}\n");
	assert_holds(&out, "\t\ttype filter hook prerouting priority -150; policy accept;\n");
	assert_holds(&out,
		     "\t\t# seed\n"
		     "\t\tmeta l4proto { tcp, udp } ip daddr @foreign_v4 counter name \"rule1\" goto proxy_p\n");
	assert_holds(&out,
		     "\t# the listener p\n\tchain proxy_p {\n\t\tmeta mark set 0x00000064\n"
		     "\t\tmeta nfproto ipv4 meta l4proto { tcp, udp } tproxy ip to 127.0.0.1:12345 accept\n");
	assert_holds(&out, "tproxy ip6 to [::1]:12345 accept\n");
	sets = strstr(buf_text(&out), "add element");
	flush = strstr(buf_text(&out), "flush table inet tpc\n");
	rules = strstr(buf_text(&out), "goto proxy_p");
	assert_true(sets < flush && flush < rules);
	buf_free(&out);
	arena_free(arena);
}

/* Where there is no table yet: nothing is flushed, and no chain is named twice. */
static void test_nft_first(void **state)
{
	struct arena *arena = arena_new();
	struct ir *ir = make_ir(arena);
	struct emit_job job = { ir, "policy.yaml", "policy" };
	struct buf first = { 0 };
	const char *chain;

	(void)state;
	emit_nft_first(&job, &first);
	assert_holds(&first, "add table inet tpc\ncreate chain inet tpc about\n"
			     "add rule inet tpc about return comment \"tpc ");
	assert_holds(&first, "\t\ttype filter hook prerouting priority -150; policy accept;\n");
	assert_null(strstr(buf_text(&first), "flush"));
	assert_null(strstr(buf_text(&first), "\tchain about"));
	chain = strstr(buf_text(&first), "\tchain proxy_p {");
	assert_non_null(chain);
	assert_null(strstr(chain + 1, "\tchain proxy_p {"));
	buf_free(&first);
	arena_free(arena);
}

static void test_nft_halves(void **state)
{
	struct arena *arena = arena_new();
	struct ir *ir = make_ir(arena);
	struct emit_job job = { ir, "policy.yaml", "policy" };
	const bool none[] = { false };
	struct buf fill = { 0 }, nothing = { 0 }, commit = { 0 };

	(void)state;
	emit_nft_declare(&job, NULL, &fill);
	emit_nft_declare(&job, none, &nothing);
	emit_nft_commit(&job, &commit);
	assert_holds(&fill, "set foreign_v4 {");
	assert_null(strstr(buf_text(&fill), "chain"));
	assert_string_equal(buf_text(&nothing), "table inet tpc {\n}\n");
	assert_null(strstr(buf_text(&commit), "set foreign_v4"));
	assert_null(strstr(buf_text(&commit), "element"));
	buf_free(&fill);
	buf_free(&nothing);
	buf_free(&commit);
	arena_free(arena);
}

/* The names that sets have in nft are the job's; the ir keeps its own. */
static void test_set_names(void **state)
{
	struct arena *arena = arena_new();
	struct ir *ir = make_ir(arena);
	const char *const names[] = { "foreign_v4.2" };
	struct emit_job job = { .ir = ir, .set_names = names };
	struct buf sets = { 0 }, rules = { 0 };

	(void)state;
	emit_nft_declare(&job, NULL, &sets);
	emit_nft_commit(&job, &rules);
	assert_holds(&sets, "\tset foreign_v4.2 {\n");
	assert_holds(&rules, "ip daddr @foreign_v4.2 ");
	assert_holds(&rules, "set=foreign_v4 name=foreign_v4.2 contents=");
	assert_null(strstr(buf_text(&rules), "@foreign_v4 "));
	buf_free(&sets);
	buf_free(&rules);
	arena_free(arena);
}

static void test_long_set(void **state)
{
	struct arena *arena = arena_new();
	uint64_t high = 0x20010db8ull << 32;
	struct ir_set set = { .base = "x_v6", .type = IR_SET_IPV6 };
	struct buf out = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 5000; i++)
		interval_add(arena, &set.elements, (struct wide){ high, i * 1000u },
			     (struct wide){ high, i * 1000u + i % 900 });
	elements_fill(&set, "tpc", &out);
	for (const char *line = buf_text(&out), *end; (end = strchr(line, '\n')); line = end + 1)
		assert_true(end - line <= 100);
	assert_holds(&out, "2001:db8::7d0-2001:db8::7d2");
	buf_free(&out);
	arena_free(arena);
}

static void test_empty_set_is_flushed(void **state)
{
	struct ir_set set = { .base = "x_v4", .type = IR_SET_IPV4 };
	struct buf out = { 0 };

	(void)state;
	elements_fill(&set, "tpc", &out);
	assert_string_equal(buf_text(&out), "flush set inet tpc x_v4\n");
	buf_free(&out);
}

static void test_port_set(void **state)
{
	struct arena *arena = arena_new();
	struct ir_set set = { .base = "r.port", .type = IR_SET_PORT };
	struct buf out = { 0 };

	(void)state;
	interval_add(arena, &set.elements, wide(80), wide(80));
	interval_add(arena, &set.elements, wide(1000), wide(65535));
	elements_fill(&set, "tpc", &out);
	assert_holds(&out, "{\n\t80, 1000-65535\n}\n");
	buf_free(&out);
	arena_free(arena);
}

static void assert_statement(struct ir_statement statement, const char *wanted)
{
	struct buf out = { 0 };

	statement_put(&statement, NULL, &out);
	assert_string_equal(buf_text(&out), wanted);
	buf_free(&out);
}

static void test_statements(void **state)
{
	struct ir_case cases[] = { { 0x01000000, "proxy_p" }, { 0x02000000, NULL } };
	struct addr v6 = { ADDR_IPV6, { 0x20010db8ull << 32, 1 } };

	(void)state;
	assert_statement((struct ir_statement){ .op = IR_SET_MARK, .value = 0x64, .mask = ~0u },
			 "meta mark set 0x00000064");
	assert_statement((struct ir_statement){ .op = IR_SET_CT_MARK,
						.value = 0x01000000,
						.mask = 0x7f000000 },
			 "ct mark set ct mark & 0x80ffffff | 0x01000000");
	assert_statement((struct ir_statement){ .op = IR_DNAT, .addr = v6, .port = 80 },
			 "dnat ip6 to [2001:db8::1]:80");
	assert_statement((struct ir_statement){ .op = IR_SNAT, .addr = loopback(ADDR_IPV4) },
			 "snat ip to 127.0.0.1");
	assert_statement((struct ir_statement){ .op = IR_CLAMP_MSS },
			 "tcp option maxseg size set rt mtu");
	assert_statement((struct ir_statement){ .op = IR_CLAMP_MSS, .value = 1300 },
			 "tcp option maxseg size set 1300");
	assert_statement((struct ir_statement){ .op = IR_REJECT, .reject = REJECT_NO_ROUTE },
			 "reject with icmpx no-route");
	assert_statement((struct ir_statement){ .op = IR_DISPATCH,
						.on_ct = true,
						.mask = 0x7f000000,
						.cases = cases,
						.case_count = 2 },
			 "ct mark & 0x7f000000 vmap { 0x01000000 : goto proxy_p, 0x02000000 : accept }");
}

/* Nothing of a policy becomes syntax, even if it got past the checks before. */
static void test_hostile_text(void **state)
{
	struct buf out = { 0 };

	(void)state;
	assert_statement((struct ir_statement){ .op = IR_LOG, .name = "a\" drop\n$x;" },
			 "log prefix \"a? drop??x;\"");
	text_put_comment(&out, "x\ndelete table ip filter\r");
	buf_putc(&out, '|');
	text_put_shell(&out, "a'b; $(reboot) `id`");
	buf_putc(&out, '|');
	text_put_word(&out, "eth0.100");
	buf_putc(&out, '|');
	text_put_word(&out, "a;b");
	buf_putc(&out, '|');
	text_put_word(&out, "");
	assert_string_equal(buf_text(&out),
			    "x?delete table ip filter?|'a'\\''b; $(reboot) `id`'|eth0.100|'a;b'|''");
	buf_free(&out);
}

static void test_batches(void **state)
{
	struct arena *arena = arena_new();
	struct ir *ir = make_ir(arena);
	struct buf ipv4 = output(ir, "ip"), ipv6 = output(ir, "ip6");

	(void)state;
	assert_true(ipbatch_needs_ipv6(ir));
	assert_holds(&ipv4,
		     "# p: tproxy port 12345\n"
		     "rule add fwmark 0x64/0xffffffff unreachable priority 10001 protocol 116\n"
		     "# p\n"
		     "route add local default dev lo table 100 protocol 116\n"
		     "# p: tproxy port 12345\n"
		     "rule add fwmark 0x64/0xffffffff lookup 100 priority 10000 protocol 116\n");
	assert_holds(&ipv6, "route add local default dev lo table 100 protocol 116\n");
	for (size_t i = 0; i < ir->route_count; i++)
		ir->routes[i].family = ADDR_IPV4;
	for (size_t i = 0; i < ir->ip_rule_count; i++)
		ir->ip_rules[i].family = ADDR_IPV4;
	assert_false(ipbatch_needs_ipv6(ir));
	buf_free(&ipv4);
	buf_free(&ipv6);
	arena_free(arena);
}

static void test_routes(void **state)
{
	struct ir_nexthop hops[] = {
		{ .has_via = true, .via = { ADDR_IPV4, { 0, 0xc0000201 } }, .weight = 3 },
		{ .dev = "ppp0", .weight = 1, .onlink = true },
	};
	struct ir_route route = { .family = ADDR_IPV4, .table = 200, .hops = hops, .hop_count = 2 };
	struct buf many = { 0 }, one = { 0 };

	(void)state;
	ipbatch_put_route(&route, 116, &many);
	assert_string_equal(buf_text(&many),
			    "default table 200 protocol 116 nexthop via 192.0.2.1 weight 3 "
			    "nexthop dev ppp0 weight 1 onlink");
	hops[0].dev = "eth1";
	hops[0].onlink = true;
	route.hop_count = 1;
	route.to = (struct addr_prefix){ { ADDR_IPV4, { 0, 0x0a000000 } }, 8 };
	route.has_src = true;
	route.src = (struct addr){ ADDR_IPV4, { 0, 0xc0000202 } };
	route.metric = 20;
	route.mtu = 1400;
	ipbatch_put_route(&route, 116, &one);
	assert_string_equal(buf_text(&one),
			    "10.0.0.0/8 via 192.0.2.1 dev eth1 table 200 protocol 116 "
			    "src 192.0.2.2 metric 20 mtu 1400 onlink");
	buf_free(&many);
	buf_free(&one);
}

static void test_script(void **state)
{
	struct arena *arena = arena_new();
	struct buf out = output(make_ir(arena), "sh");

	(void)state;
	assert_holds(&out,
		     "\t\"$1\" 4 100 'default 0' local default dev lo table 100 protocol 116\n");
	assert_holds(&out,
		     "\t\"$1\" 6 100 'default 1024' local default dev lo table 100 protocol 116\n");
	assert_holds(&out, "\t\"$1\" 4 '10000 0x64/0xffffffff 100 - -' fwmark");
	assert_holds(&out, "\t\"$1\" 6 '10001 0x64/0xffffffff unreachable - -' fwmark");
	assert_holds(&out, "\nsets='foreign_v4'\n");
	assert_holds(&out, "\ntables='100'\n");
	assert_holds(&out, "1up) up ;;");
	buf_free(&out);
	arena_free(arena);
}

/* What about_put writes, about_parse reads back, and every comment is short enough for nft. */
static void test_about(void **state)
{
	struct arena *arena = arena_new();
	struct ir *ir = make_ir(arena);
	struct emit_job job = { .ir = ir };
	struct about_line lines[8];
	struct buf out = { 0 };
	size_t count = 0;

	(void)state;
	ir->sets[0].base = "abcdefghijklmnopqrstuvwxyzabcde_v4";
	ir->sets[0].contents = 0xfedcba9876543210;
	about_put(&job, &out);
	for (char *text = strtok(out.text, "\n"); text; text = strtok(NULL, "\n")) {
		char *comment = strchr(text, '"') + 1;

		*strrchr(comment, '"') = '\0';
		assert_true(strlen(comment) >= 1 && strlen(comment) <= 127);
		assert_true(about_parse(comment, &lines[count++]));
	}
	assert_int_equal(count, 6);
	assert_int_equal(lines[0].kind, ABOUT_POLICY);
	assert_int_equal(lines[0].version, ABOUT_VERSION);
	assert_string_equal(lines[0].name, "tpc");
	assert_true(lines[0].digest == ir->digest);
	assert_int_equal(lines[1].kind, ABOUT_ROUTING);
	assert_int_equal(lines[1].priority_last, 10005);
	assert_int_equal(lines[1].mask, 0x7f000000);
	assert_int_equal(lines[2].kind, ABOUT_MARK);
	assert_int_equal(lines[2].mark, ir->classes[0].mark);
	assert_int_equal(lines[2].mask, ir->classes[0].mask);
	assert_int_equal(lines[3].kind, ABOUT_CONNECTIONS);
	assert_int_equal(lines[3].mask, ir->ct_mask);
	assert_int_equal(lines[4].table, 100);
	assert_string_equal(lines[5].base, ir->sets[0].base);
	assert_true(lines[5].digest == ir->sets[0].contents);
	buf_free(&out);
	arena_free(arena);
}

static void test_about_refuses(void **state)
{
	static const char *const strangers[] = {
		"",
		"tpc",
		"tpc 1 x",
		"tpc 1 x digest=12 more",
		"table=",
		"table=12x",
		"table=12 copy of it",
		"set=a name=b",
		"protocol=116 priority=1-2",
		"somebody else's",
	};
	struct about_line line;

	(void)state;
	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
		if (about_parse(strangers[i], &line))
			fail_msg("\"%s\" was taken for ours", strangers[i]);
}

static void test_json(void **state)
{
	struct arena *arena = arena_new();
	struct ir *ir = make_ir(arena);
	struct buf out = output(ir, "json");

	(void)state;
	assert_holds(&out,
		     "{\"name\": \"foreign_v4\", \"nft\": \"foreign_v4\", \"type\": \"ipv4\", \"intervals\": 3}");
	assert_holds(&out, "\"priorities\": {\"first\": 10000, \"last\": 10005}");
	assert_holds(&out, "\"listeners\": []");
	buf_free(&out);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nft),          cmocka_unit_test(test_nft_first),
		cmocka_unit_test(test_nft_halves),   cmocka_unit_test(test_set_names),
		cmocka_unit_test(test_long_set),     cmocka_unit_test(test_empty_set_is_flushed),
		cmocka_unit_test(test_port_set),     cmocka_unit_test(test_statements),
		cmocka_unit_test(test_hostile_text), cmocka_unit_test(test_batches),
		cmocka_unit_test(test_routes),       cmocka_unit_test(test_script),
		cmocka_unit_test(test_about),        cmocka_unit_test(test_about_refuses),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
