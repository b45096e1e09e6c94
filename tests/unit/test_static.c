/*
 * Unit tests of lang/static/shadow: random policies over a small world, every packet of which is
 * sent through the ir. A rule that is reported as shadowed must be decided by none of them; and
 * where all rules are plain spaces, a rule that none of them is decided by must be reported.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "ir/evaluate.h"
#include "lang/lang.h"

enum { RULES_MOST = 9, FIRST_LINE = 12, PLAIN = 1500, MIXED = 1500 };

struct world {
	uint64_t random;
	bool plain; /* only conditions that are spaces and stay the same for a connection */
	size_t rule_count;
	bool decided[RULES_MOST];
	bool decided_here[RULES_MOST]; /* of packets to this host itself */
	unsigned int used;             /* conditions that a packet must be asked for */
	const struct ir *ir;
	const struct ir_walker *walker;
};

enum { USES_FROM = 1, USES_IN = 2, USES_STATE = 4, USES_MARK = 8, USES_TTL = 16, USES_SPORT = 32 };

static unsigned int pick(struct world *world, unsigned int below)
{
	world->random = world->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned int)(world->random >> 33) % below;
}

static bool chance(struct world *world, unsigned int percent)
{
	return pick(world, 100) < percent;
}

#define PICK(world, words) words[pick(world, sizeof(words) / sizeof(*(words)))]

/* ---- policies ---- */

static void put_value(struct world *world, struct buf *out, const char *key, const char *value)
{
	bool is_port = strstr(key, "port") != NULL; /* there is a port 0, which no packet here has
						     */

	if (chance(world, 15) && !(world->plain && is_port))
		buf_printf(out, "%s: {not: %s}, ", key, value);
	else
		buf_printf(out, "%s: %s, ", key, value);
}

static void put_to(struct world *world, struct buf *out)
{
	static const char *const plain[] = {
		"192.0.2.0/30",
		"192.0.2.0-192.0.2.2",
		"[192.0.2.1, 192.0.2.3]",
		"192.0.2.2/31",
		"low",
		"high",
		"both",
		"any",
		"'2001:db8::/127'",
		"['2001:db8::1', 192.0.2.3]",
		"192.0.2.0/31",
	};
	static const char *const mixed[] = {
		"dyn",       "[dyn, low]", "local", "[local, high]", "192.0.2.1/255.255.255.253",
		"link-local"
	};

	if (chance(world, 30))
		return;
	if (!world->plain && chance(world, 30))
		buf_printf(out, "to: %s, ", PICK(world, mixed));
	else
		put_value(world, out, "to", PICK(world, plain));
}

static void put_ports(struct world *world, struct buf *out)
{
	static const char *const protos[] = { "tcp", "udp", "[tcp, udp]", "icmp", "{not: tcp}" };
	static const char *const ports[] = { "1", "'1-2'", "[1, 3]", "'2-3'", "'1-3'" };

	if (chance(world, 45))
		buf_printf(out, "proto: %s, ", PICK(world, protos));
	if (chance(world, 30) && !strstr(buf_text(out), "icmp, port"))
		put_value(world, out, "port", PICK(world, ports));
	if (world->used & USES_SPORT && chance(world, 20))
		put_value(world, out, "sport", PICK(world, ports));
}

static void put_others(struct world *world, struct buf *out)
{
	static const char *const froms[] = { "198.51.100.0/31", "198.51.100.0/30", "198.51.100.2",
					     "near", "'2001:db8:1::/126'" };
	static const char *const ins[] = { "lan0", "\"lan*\"", "[lan0, wan0]", "wan0" };
	static const char *const states[] = { "new", "established", "[new, established]" };
	static const char *const marks[] = { "1", "[1, 2]", "{value: 1, mask: 1}" };
	static const char *const ttls[] = { "1", "'1-9'", "'5-255'" };
	static const char *const rest[] = { "time: {hours: '08:00-18:00'}, ",
					    "user: alice, ",
					    "time: {hours: '09:00-10:00'}, ",
					    "limit: 5/second, ",
					    "user: proxy, ",
					    "user: proxy, " };

	if (world->used & USES_FROM && chance(world, 30))
		put_value(world, out, "from", PICK(world, froms));
	if (world->used & USES_IN && chance(world, 30))
		put_value(world, out, "in", PICK(world, ins));
	if (world->used & USES_STATE && chance(world, 30))
		put_value(world, out, "state", PICK(world, states));
	if (world->used & USES_MARK && chance(world, 30))
		put_value(world, out, "mark", PICK(world, marks));
	if (world->used & USES_TTL && chance(world, 30))
		put_value(world, out, "ttl", PICK(world, ttls));
	if (!world->plain && chance(world, 20))
		buf_puts(out, PICK(world, rest));
}

static void put_rule(struct world *world, struct buf *out)
{
	static const char *const thens[] = { "direct",       "drop",          "reject",
					     "{route: vpn}", "{proxy: here}", "{route: vpn}" };
	struct buf rule = { 0 };

	put_to(world, &rule);
	put_ports(world, &rule);
	put_others(world, &rule);
	if (!strstr(buf_text(&rule), "in: ") && !strstr(buf_text(&rule), "user: ") &&
	    chance(world, 30))
		buf_puts(&rule, chance(world, 50) ? "scope: both, " : "scope: local, ");
	buf_printf(out, "  - {%sthen: %s}\n", buf_text(&rule),
		   !world->plain && chance(world, 10) ? "continue, log: x" : PICK(world, thens));
	buf_free(&rule);
}

static void put_policy(struct world *world, struct buf *out)
{
	static const unsigned int plain_uses[] = { 0, USES_FROM, USES_IN, USES_SPORT,
						   USES_FROM | USES_IN };
	static const unsigned int mixed_uses[] = { USES_STATE, USES_MARK, USES_TTL, USES_FROM };

	world->used = world->plain ? PICK(world, plain_uses) : PICK(world, mixed_uses);
	buf_puts(out, "version: 1\n"
		      "sets:\n"
		      "  low: [192.0.2.0/31, 192.0.2.2]\n"
		      "  high: [192.0.2.2/31, \"2001:db8::1\"]\n"
		      "  both: {include: [low, high], exclude: 192.0.2.1}\n"
		      "  near: [198.51.100.0/31, \"2001:db8:1::1\"]\n"
		      "  dyn: {dynamic: true, elements: [192.0.2.1]}\n"
		      "listeners: {here: {tproxy: 12345, runs_as: {user: proxy}}}\n"
		      "tables: {vpn: {dev: eth9, fallback: unreachable}}\n"
		      "settings: {ipv6: on}\n"
		      "rules:\n");
	world->rule_count = 2 + pick(world, RULES_MOST - 1);
	for (size_t i = 0; i < world->rule_count; i++)
		put_rule(world, out);
}

/* ---- packets ---- */

static void send(struct world *world, const struct ir_packet *packet)
{
	struct ir_outcome outcome = ir_walk(world->walker, packet, NULL);
	const struct ir_rule *decided = outcome.decided;
	bool *seen = packet->to_local ? world->decided_here : world->decided;

	if (!decided || !decided->origin.source)
		return;
	seen[source_place(decided->origin.source, decided->origin.begin).line - FIRST_LINE] = true;
}

/* Numbers that stand for all of the world: the nth of a packet's, or the only one where no rule
 * asks. */
static size_t so_many(const struct world *world, unsigned int use, size_t count)
{
	return world->used & use ? count : 1;
}

static void send_fields(struct world *world, struct ir_packet packet)
{
	static const unsigned int marks[] = { 0, 1, 2, 3 }, ttls[] = { 64, 1, 3, 7 };
	static const unsigned int sports[] = { 9, 1, 2, 3 };
	static const char *const ins[] = { "eth0", "lan0", "lan1", "wan0" };

	for (size_t mark = 0; mark < so_many(world, USES_MARK, 4); mark++)
		for (size_t ttl = 0; ttl < so_many(world, USES_TTL, 4); ttl++)
			for (size_t in = 0; in < so_many(world, USES_IN, 4); in++)
				for (size_t state = 0; state < so_many(world, USES_STATE, 2);
				     state++)
					for (size_t s = 0; s < so_many(world, USES_SPORT, 4); s++) {
						bool has = packet.protocol != 1 &&
							   packet.protocol != 47;

						packet.mark = marks[mark];
						packet.ttl = ttls[ttl];
						packet.in = packet.scope == SCOPE_LOCAL ? ""
											: ins[in];
						packet.state = state ? STATE_ESTABLISHED
								     : STATE_NEW;
						packet.source_port = has ? sports[s] : 0;
						send(world, &packet);
					}
}

static void send_senders(struct world *world, struct ir_packet packet)
{
	packet.user = packet.scope == SCOPE_LOCAL ? "alice" : NULL;
	send_fields(world, packet);
	packet.user = packet.scope == SCOPE_LOCAL ? "bob" : NULL;
	if (packet.scope == SCOPE_LOCAL)
		send_fields(world, packet);
	packet.user = "proxy";
	if (packet.scope == SCOPE_LOCAL)
		send_fields(world, packet);
}

static void send_ports(struct world *world, struct ir_packet packet)
{
	static const unsigned int protocols[] = { 6, 17, 132, 1, 47 }, ports[] = { 1, 2, 3, 9 };

	for (size_t p = 0; p < 5; p++)
		for (size_t port = 0; port < (p < 3 ? 4 : 1); port++) {
			packet.protocol = protocols[p];
			packet.port = p < 3 ? ports[port] : 0;
			packet.scope = SCOPE_FORWARD;
			send_senders(world, packet);
			packet.scope = SCOPE_LOCAL;
			send_senders(world, packet);
		}
}

static void send_addresses(struct world *world, struct ir_packet packet, struct wide to_base,
			   struct wide from_base)
{
	static const unsigned int ends[] = { 0, 1, 2, 3, 77 };

	for (size_t to = 0; to < 5; to++)
		for (size_t from = 0; from < so_many(world, USES_FROM, 5); from++) {
			packet.to = wide_add(to_base, wide(ends[to]));
			packet.from = wide_add(from_base, wide(ends[from]));
			packet.to_local = false;
			send_ports(world, packet);
			packet.to_local = true;
			if (!world->plain)
				send_ports(world, packet);
		}
}

static void send_all(struct world *world)
{
	/* 2026-06-01, a Monday, at 09:30 and at 17:00 */
	static const int64_t times[] = { 1780306200, 1780333200 };

	for (size_t i = 0; i < (world->plain ? 1 : 2); i++) {
		struct ir_packet packet = { .out = "eth5",
					    .has_from = true,
					    .has_to = true,
					    .length = 100,
					    .mac = 0x020000000001,
					    .time = times[i] };

		packet.family = ADDR_IPV4;
		send_addresses(world, packet, wide(0xc0000200u), wide(0xc6336400u));
		packet.family = ADDR_IPV6;
		send_addresses(world, packet, (struct wide){ 0x20010db8ull << 32, 0 },
			       (struct wide){ 0x20010db8ull << 32 | 1 << 16, 0 });
	}
}

/* ---- the test ---- */

static bool is_told(const char *shown, const char *path, size_t rule, const char *code,
		    bool *but_here)
{
	static const char but[] = "unless it goes to this host itself";
	char head[128], tail[64];
	size_t length = (size_t)snprintf(head, sizeof(head), "%s:%zu:", path, rule + FIRST_LINE);

	snprintf(tail, sizeof(tail), "[%s]\n", code);
	for (const char *line = shown; line; line = (line = strchr(line, '\n')) ? line + 1 : NULL) {
		const char *end = strchr(line, '\n');

		if (end && !strncmp(line, head, length) && (size_t)(end - line) > strlen(tail) &&
		    !strncmp(end + 1 - strlen(tail), tail, strlen(tail))) {
			*but_here = memmem(line, (size_t)(end - line), but, strlen(but)) != NULL;
			return true;
		}
	}
	return false;
}

static void judge(struct world *world, const char *path, const char *text, const char *shown,
		  size_t *covered)
{
	for (size_t i = 0; i < world->rule_count; i++) {
		bool but_here = false, ignored;
		bool told = is_told(shown, path, i, "shadowed-rule", &but_here);
		bool empty = is_told(shown, path, i, "never-matches", &ignored) ||
			     is_told(shown, path, i, "host-stays-host", &ignored);

		*covered += told;
		if (told && (world->decided[i] || (!but_here && world->decided_here[i])))
			fail_msg("rule %zu is met, and reported:\n%s\n%s", i + 1, text, shown);
		if (world->plain && !told && !world->decided[i] && !empty)
			fail_msg("rule %zu is not met, and not reported:\n%s\n%s", i + 1, text,
				 shown);
	}
}

static void try_policy(struct world *world, const char *path, size_t *covered, size_t *compiled)
{
	struct arena *arena = arena_new();
	struct diag *diag = diag_new(arena);
	struct buf text = { 0 }, shown = { 0 };
	FILE *file = fopen(path, "w");

	put_policy(world, &text);
	assert_non_null(file);
	assert_int_equal(fwrite(buf_text(&text), 1, text.length, file), text.length);
	assert_int_equal(fclose(file), 0);
	world->ir = lang_compile(arena, diag, path, NULL);
	diag_render(diag, &shown, (struct diag_style){ 0 });
	memset(world->decided, 0, sizeof(world->decided));
	memset(world->decided_here, 0, sizeof(world->decided_here));
	if (world->ir) {
		++*compiled;
		world->walker = ir_walker(arena, world->ir);
		send_all(world);
		judge(world, path, buf_text(&text), buf_text(&shown), covered);
	}
	buf_free(&text);
	buf_free(&shown);
	arena_free(arena);
}

static void try_many(bool plain, size_t count, uint64_t seed)
{
	char path[] = "/tmp/tpc-prove-XXXXXX";
	int file = mkstemp(path);
	size_t covered = 0, compiled = 0;

	assert_true(file >= 0);
	close(file);
	for (size_t i = 0; i < count; i++) {
		struct world world = { .random = seed + i * 0x9e3779b97f4a7c15u, .plain = plain };

		try_policy(&world, path, &covered, &compiled);
	}
	unlink(path);
	/* A test that compiles little, or that meets no covered rule, would show nothing. */
	assert_true(compiled > count / 4);
	assert_true(covered > count / 20);
	printf("# %zu of %zu policies compile, %zu rules in them are covered\n", compiled, count,
	       covered);
}

static void shadowed_rules_are_never_met_and_unmet_boxes_are_covered(void **state)
{
	(void)state;
	try_many(true, PLAIN, 1);
}

static void shadowed_rules_are_never_met_whatever_the_conditions(void **state)
{
	(void)state;
	try_many(false, MIXED, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shadowed_rules_are_never_met_and_unmet_boxes_are_covered),
		cmocka_unit_test(shadowed_rules_are_never_met_whatever_the_conditions),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
