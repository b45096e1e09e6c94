/*
 * Unit tests of state/archive, state/record and state/pending: what was written is read back, and a
 * file that was cut off or altered at any place is refused, or at least harms nobody where its sum
 * was forged.
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
#include "emit/emit.h"
#include "ir/ir.h"
#include "state/archive.h"
#include "state/history.h"
#include "state/pending.h"
#include "state/record.h"
#include "state/rundir.h"
#include "state/snapshot.h"

struct fixture {
	struct arena *arena;
	struct rundir folder;
	const char *path; /* of the archive */
	char *bytes;
	size_t length;
};

static void print_daddr(const struct ir_match *match, struct buf *out)
{
	(void)match;
	buf_puts(out, "ip daddr ");
}

static const struct ir_match_ops daddr = { .name = "to", .print = print_daddr };

static struct ir *make_ir(struct arena *arena)
{
	struct ir *ir = arena_new_of(arena, struct ir);
	struct ir_set *set;
	struct ir_target *targets;
	uint32_t *leads;
	struct ir_chain *chain;
	struct ir_rule *rule;

	ir->digest = 0x1234;
	ir->name = "work";
	ir->table = "tpc_work";
	set = arena_append(arena, ir->sets, ir->set_count);
	*set = (struct ir_set){ .base = "near_v4", .type = IR_SET_IPV4, .contents = 0x5678 };
	interval_add(arena, &set->elements, wide(0x0a000000), wide(0x0affffff));
	set = arena_append(arena, ir->sets, ir->set_count);
	*set = (struct ir_set){ .base = "map_v6", .type = IR_SET_IPV6 };
	interval_add(arena, &set->elements, wide(1), wide(2));
	interval_add(arena, &set->elements, wide_left(wide(1), 100), wide_left(wide(1), 101));
	targets = arena_alloc(arena, 2 * sizeof(*targets));
	targets[0].chain = "to_one";
	targets[1].chain = "to_two";
	leads = arena_alloc(arena, 2 * sizeof(*leads));
	leads[0] = 1;
	set->targets = targets;
	set->target_count = 2;
	set->leads = leads;
	chain = arena_append(arena, ir->chains, ir->chain_count);
	chain->name = "prerouting";
	chain->hook = IR_HOOK_PREROUTING;
	rule = arena_append(arena, chain->rules, chain->rule_count);
	*arena_append(arena, rule->matches, rule->match_count) =
		(struct ir_match){ .ops = &daddr, .set = &ir->sets[0] };
	*arena_append(arena, ir->counters, ir->counter_count) = "seen";
	*arena_append(arena, ir->routes, ir->route_count) =
		(struct ir_route){ .table = 100, .metric = 7 };
	*arena_append(arena, ir->ip_rules, ir->ip_rule_count) = (struct ir_ip_rule){ .mark = 100 };
	return ir;
}

static void load(struct fixture *fixture)
{
	FILE *file = fopen(fixture->path, "rb");

	assert_non_null(file);
	fixture->bytes = arena_alloc(fixture->arena, 1 << 16);
	fixture->length = fread(fixture->bytes, 1, 1 << 16, file);
	fclose(file);
}

static void save(const struct fixture *fixture, const char *bytes, size_t length)
{
	FILE *file = fopen(fixture->path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	fclose(file);
}

static int make(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	char folder[] = "/tmp/tpc-test-archive-XXXXXX";
	const char *why;
	struct archive archive = { .policy = "/etc/work.yaml", .shape = 99 };

	fixture->arena = arena_new();
	if (!mkdtemp(folder))
		return -1;
	fixture->folder.path = arena_strdup(fixture->arena, folder);
	fixture->folder.lock = -1;
	fixture->path = arena_printf(fixture->arena, "%s/work.applied", folder);
	archive.ir = make_ir(fixture->arena);
	if (!archive_write(fixture->arena, &fixture->folder, "work", &archive, &why))
		return -1;
	load(fixture);
	*state = fixture;
	return 0;
}

static int drop(void **state)
{
	struct fixture *fixture = *state;

	archive_remove(fixture->arena, &fixture->folder, "work");
	record_remove(fixture->arena, &fixture->folder, "work");
	pending_remove(fixture->arena, &fixture->folder, "work");
	rmdir(fixture->folder.path);
	arena_free(fixture->arena);
	free(fixture);
	return 0;
}

static void *read_it(struct fixture *fixture)
{
	return archive_read(fixture->arena, &fixture->folder, "work", ARCHIVE_APPLIED);
}

static enum archive_state look(struct fixture *fixture, enum archive_kind kind, uint64_t *digest)
{
	return archive_look(fixture->arena, &fixture->folder, "work", kind, digest);
}

/* ---- archives ---- */

static void test_round_trip(void **state)
{
	struct fixture *fixture = *state;
	const struct archive *archive = read_it(fixture);
	const char *const names[] = { "of_the_day", "map_v6" };
	struct buf text = { 0 };
	uint64_t digest = 0;

	assert_non_null(archive);
	assert_string_equal(archive->policy, "/etc/work.yaml");
	assert_int_equal(archive->shape, 99);
	assert_int_equal(archive->ir->digest, 0x1234);
	assert_int_equal(archive->ir->set_count, 2);
	assert_string_equal(archive->ir->sets[0].base, "near_v4");
	assert_int_equal(archive->ir->sets[0].contents, 0x5678);
	assert_true(
		wide_equal(archive->ir->sets[1].elements.items[1].last, wide_left(wide(1), 101)));
	assert_int_equal(archive->ir->sets[1].leads[0], 1);
	assert_string_equal(archive->ir->sets[1].targets[1].chain, "to_two");
	emit_nft_put_rule(&(struct emit_job){ .ir = archive->ir, .set_names = names },
			  &archive->ir->chains[0].rules[0], &text);
	assert_non_null(strstr(buf_text(&text), "ip daddr @of_the_day"));
	buf_free(&text);
	assert_int_equal(archive->ir->routes[0].metric, 7);
	assert_string_equal(archive->ir->counters[0], "seen");
	assert_int_equal(look(fixture, ARCHIVE_APPLIED, &digest), ARCHIVE_THERE);
	assert_int_equal(digest, 0x1234);
}

static void test_cut_off(void **state)
{
	struct fixture *fixture = *state;
	uint64_t digest;

	for (size_t length = 0; length < fixture->length; length++) {
		save(fixture, fixture->bytes, length);
		assert_null(read_it(fixture));
		look(fixture, ARCHIVE_APPLIED, &digest);
	}
	save(fixture, "", 0);
	assert_int_equal(look(fixture, ARCHIVE_APPLIED, &digest), ARCHIVE_BROKEN);
}

static void test_altered(void **state)
{
	struct fixture *fixture = *state;

	for (size_t at = 0; at < fixture->length; at++) {
		fixture->bytes[at] ^= 0x41;
		save(fixture, fixture->bytes, fixture->length);
		assert_null(read_it(fixture));
		fixture->bytes[at] ^= 0x41;
	}
}

/* The archive's own sum of all words, so that altered bytes come to be read at all. */
static uint64_t hash_words(const char *at, size_t length)
{
	uint64_t sum = 0xcbf29ce484222325u ^ length, word;

	for (; length >= sizeof(word); at += sizeof(word), length -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		sum = (sum ^ word) * 0x100000001b3u;
		sum ^= sum >> 32;
	}
	word = 0;
	memcpy(&word, at, length);
	return (sum ^ word) * 0x100000001b3u;
}

static void save_with_sum(struct fixture *fixture)
{
	uint64_t sum = hash_words(fixture->bytes, fixture->length - sizeof(sum));

	memcpy(fixture->bytes + fixture->length - sizeof(sum), &sum, sizeof(sum));
	save(fixture, fixture->bytes, fixture->length);
}

typedef void *reader(struct fixture *fixture);

static void forge(struct fixture *fixture, reader *read)
{
	static const char values[] = { 0, 1, 0x7f, (char)0xff };
	size_t refused = 0;

	save_with_sum(fixture);
	assert_non_null(read(fixture));
	for (size_t at = 0; at + 8 < fixture->length; at++) {
		char before = fixture->bytes[at];

		for (size_t i = 0; i < sizeof(values); i++) {
			fixture->bytes[at] = values[i];
			save_with_sum(fixture);
			refused += read(fixture) == NULL;
		}
		fixture->bytes[at] = before;
	}
	assert_true(refused > 100);
}

static void test_forged(void **state)
{
	forge(*state, read_it);
}

static void test_of_another_boot(void **state)
{
	struct fixture *fixture = *state;
	const char *boot = snapshot_boot(fixture->arena);
	char *at = memmem(fixture->bytes, fixture->length, boot, strlen(boot));
	uint64_t digest;

	assert_non_null(at);
	at[0] = at[0] == '0' ? '1' : '0';
	save_with_sum(fixture);
	assert_null(read_it(fixture));
	assert_int_equal(look(fixture, ARCHIVE_APPLIED, &digest), ARCHIVE_NONE);
}

static void test_turns(void **state)
{
	struct fixture *fixture = *state;
	uint64_t digest;

	archive_keep(fixture->arena, &fixture->folder, "work");
	assert_int_equal(look(fixture, ARCHIVE_APPLIED, &digest), ARCHIVE_NONE);
	assert_int_equal(look(fixture, ARCHIVE_PREVIOUS, &digest), ARCHIVE_THERE);
	archive_return(fixture->arena, &fixture->folder, "work");
	assert_non_null(read_it(fixture));
	assert_int_equal(look(fixture, ARCHIVE_PREVIOUS, &digest), ARCHIVE_NONE);
}

/* ---- records ---- */

static void add_route(struct arena *arena, struct record *record)
{
	struct ir_route *route = arena_append(arena, record->ir.routes, record->ir.route_count);

	*route = (struct ir_route){ .family = ADDR_IPV6, .table = 7, .metric = 2, .mtu = 1400 };
	*arena_append(arena, route->hops, route->hop_count) = (struct ir_nexthop){ .weight = 1 };
	*arena_append(arena, route->hops, route->hop_count) =
		(struct ir_nexthop){ .dev = "eth0", .weight = 9, .onlink = true };
}

/* Every field is something. */
static struct record *make_record(struct arena *arena)
{
	static char *names[] = { "eth0" };
	static size_t places[] = { 4 };
	struct record *record = arena_new_of(arena, struct record);
	struct record_claim *claim = arena_append(arena, record->claims, record->claim_count);
	struct addr address = { ADDR_IPV6, { 5, 6 } };
	struct ir_listener listener = { .name = "proxy",
					.mode = "tproxy",
					.addr = { address },
					.has = { true },
					.port = 99,
					.tcp = true,
					.ways = 7,
					.ins = places,
					.in_count = 1 };
	struct ir_row *row;

	record->name = "work";
	record->policy = "/etc/work.yaml";
	record->options = "--strict";
	record->digest = 0x1234;
	record->ticket = "77-1";
	record->newest_link = 12;
	*claim = (struct record_claim){ 116, 10, 20, .main_copy = 7 };
	*arena_append(arena, claim->tables, claim->table_count) = 7;
	*arena_append(arena, record->chains, record->chain_count) =
		(struct record_chain){ "output", 1 };
	*arena_append(arena, record->sets, record->set_count) = (struct record_set){ "near", 2 };
	*arena_append(arena, record->sysctls, record->sysctl_count) =
		(struct record_sysctl){ "net.ipv4.ip_forward", "1", "0" };
	*arena_append(arena, record->companions, record->companion_count) =
		(struct record_companion){ "net.ipv4.ip_forward", "net.ipv4.x" };
	*arena_append(arena, record->ir.sysctls, record->ir.sysctl_count) =
		(struct ir_sysctl){ .key = "net.ipv4.ip_forward",
				    .value = "1",
				    .devs = (const char **)names,
				    .dev_count = 1,
				    .has_via = true,
				    .via = address };
	*arena_append(arena, record->ir.classes, record->ir.class_count) =
		(struct ir_class){ .kind = IR_CLASS_REPLY, .name = "vpn", .mark = 3, .port = 4 };
	*arena_append(arena, record->ir.given, record->ir.given_count) =
		(struct addr_prefix){ address, 64 };
	*arena_append(arena, record->ir.listeners, record->ir.listener_count) = listener;
	*arena_append(arena, record->left, record->left_count) = listener;
	row = arena_append(arena, record->ir.rows, record->ir.row_count);
	*arena_append(arena, row->listeners, row->count) = listener;
	*arena_append(arena, record->ir.let_go, record->ir.let_go_count) =
		(struct ir_let_go){ "proxy", 5 };
	*arena_append(arena, record->ir.asked, record->ir.asked_count) =
		(struct ir_asked){ .key = "in", .names = (const char **)names, .name_count = 1 };
	*arena_append(arena, record->hosted, record->hosted_count) =
		(struct record_hosted){ IR_HOSTED_USER, "root", false, 0 };
	*arena_append(arena, record->ir.ip_rules, record->ir.ip_rule_count) =
		(struct ir_ip_rule){ .mark = 3, .mask = 3, .table = 7, .oif = "eth0" };
	add_route(arena, record);
	return record;
}

static void make_record_file(struct fixture *fixture)
{
	const char *why;

	assert_true(
		record_write(fixture->arena, &fixture->folder, make_record(fixture->arena), &why));
	fixture->path = arena_printf(fixture->arena, "%s/work", fixture->folder.path);
	load(fixture);
}

static void *read_record(struct fixture *fixture)
{
	return record_read(fixture->arena, &fixture->folder, "work");
}

static void test_record(void **state)
{
	struct fixture *fixture = *state;
	const struct record *record;

	make_record_file(fixture);
	record = read_record(fixture);
	assert_non_null(record);
	assert_string_equal(record->policy, "/etc/work.yaml");
	assert_null(record->options_before);
	assert_int_equal(record->claims[0].tables[0], 7);
	assert_string_equal(record->sysctls[0].old, "0");
	assert_string_equal(record->ir.sysctls[0].devs[0], "eth0");
	assert_int_equal(record->ir.rows[0].listeners[0].ins[0], 4);
	assert_string_equal(record->ir.ip_rules[0].oif, "eth0");
	assert_int_equal(record->ir.routes[0].mtu, 1400);
	assert_string_equal(record->ir.routes[0].hops[1].dev, "eth0");
	assert_int_equal(record->ir.routes[0].hops[1].weight, 9);
}

static void test_record_cut_off(void **state)
{
	struct fixture *fixture = *state;

	make_record_file(fixture);
	for (size_t length = 0; length < fixture->length; length++) {
		save(fixture, fixture->bytes, length);
		assert_null(read_record(fixture));
	}
	for (size_t at = 0; at < fixture->length; at++) {
		fixture->bytes[at] ^= 0x41;
		save(fixture, fixture->bytes, fixture->length);
		assert_null(read_record(fixture));
		fixture->bytes[at] ^= 0x41;
	}
}

static void test_record_forged(void **state)
{
	make_record_file(*state);
	forge(*state, read_record);
}

/*
 * Whatever changes here is another format: raise SNAPSHOT_FORMAT, and see what becomes of a file of
 * the one before (state/old.h).
 */
static void test_format(void **state)
{
	struct fixture *fixture = *state;
	const char *boot = snapshot_boot(fixture->arena), *at;
	uint64_t sum = 0xcbf29ce484222325u;

	make_record_file(fixture);
	at = memmem(fixture->bytes, fixture->length, boot, strlen(boot));
	for (at += strlen(boot); at < fixture->bytes + fixture->length - sizeof(sum); at++)
		sum = (sum ^ (unsigned char)*at) * 0x100000001b3u;
	assert_int_equal(SNAPSHOT_FORMAT, 15);
	assert_int_equal(sum, 0x6340723a3f61584cu);
}

/* ---- what waits ---- */

static void test_pending(void **state)
{
	struct fixture *fixture = *state;
	struct pending pending = { .pid = 77, .started = 1234567, .failure = "no way\nback" };
	struct record record = { .name = "work" };
	const struct pending *seen;
	const char *why;

	assert_null(pending_read(fixture->arena, &fixture->folder, "work"));
	pending.deadline = pending_deadline(5);
	assert_true(pending_write(fixture->arena, &fixture->folder, "work", &pending, &why));
	seen = pending_read(fixture->arena, &fixture->folder, "work");
	assert_non_null(seen);
	assert_true(seen->pid == 77 && seen->started == 1234567);
	assert_true(seen->deadline == pending.deadline);
	assert_string_equal(seen->failure, "no way");
	assert_true(pending_left(seen) == 4 || pending_left(seen) == 5);
	assert_false(pending_waits(fixture->arena, seen, NULL));
	assert_false(pending_waits(fixture->arena, seen, &record));
	record.ticket = "77-1234568";
	assert_false(pending_waits(fixture->arena, seen, &record));
	record.ticket = "77-1234567";
	assert_true(pending_waits(fixture->arena, seen, &record));
	pending.deadline = 1;
	assert_int_equal(pending_left(&pending), 0);
}

static void test_pending_cut_off(void **state)
{
	struct fixture *fixture = *state;
	struct pending pending = { .pid = 77, .started = 1, .deadline = 99 };
	const char *why;

	assert_true(pending_write(fixture->arena, &fixture->folder, "work", &pending, &why));
	fixture->path = arena_printf(fixture->arena, "%s/work.pending", fixture->folder.path);
	load(fixture);
	for (size_t length = 0; length + 3 < fixture->length; length++) {
		save(fixture, fixture->bytes, length);
		assert_null(pending_read(fixture->arena, &fixture->folder, "work"));
	}
}

/* ---- text of the format before ---- */

static void save_old(struct fixture *fixture, const char *name, const char *format,
		     const char *text)
{
	fixture->path = arena_printf(fixture->arena, "%s/%s", fixture->folder.path, name);
	text = arena_printf(fixture->arena, "%s\t%s%s", format, snapshot_boot(fixture->arena),
			    text);
	fixture->bytes = (char *)text;
	fixture->length = strlen(text);
	save(fixture, text, fixture->length);
}

static void test_old_pending(void **state)
{
	struct fixture *fixture = *state;
	const struct pending *seen;

	save_old(fixture, "work.pending", "tpc-pending\t1",
		 "\nwatchdog\t77\t12\t99\nfailure\tno way\n");
	seen = pending_read(fixture->arena, &fixture->folder, "work");
	assert_non_null(seen);
	assert_true(seen->pid == 77 && seen->started == 12 && seen->deadline == 99);
	assert_string_equal(seen->failure, "no way");
	save_old(fixture, "work.pending", "tpc-pending\t1", "\nwatchdog\t77\t12\t99\n");
	assert_null(pending_read(fixture->arena, &fixture->folder, "work")->failure);
	for (size_t length = 0; length < fixture->length; length++) {
		save(fixture, fixture->bytes, length);
		assert_null(pending_read(fixture->arena, &fixture->folder, "work"));
	}
}

static void test_old_history(void **state)
{
	struct fixture *fixture = *state;
	struct history seen;

	save_old(fixture, "work.held", "tpc-held\t1",
		 "\t0000000000001234\nnear_v4\t0\tc0000201\t0\tc0000202\nnear_v6\t1\t0\t1\tff\n");
	history_read(fixture->arena, &fixture->folder, "work", &seen);
	assert_true(seen.digest == 0x1234 && seen.set_count == 2);
	assert_int_equal(seen.sets[0].ranges.items[0].last.low, 0xc0000202);
	assert_int_equal(seen.sets[1].ranges.items[0].first.high, 1);
	assert_int_equal(seen.sets[1].ranges.items[0].last.low, 0xff);
	for (size_t length = 0; length < fixture->length; length++) {
		save(fixture, fixture->bytes, length);
		history_read(fixture->arena, &fixture->folder, "work", &seen);
		assert_true(!seen.digest || fixture->bytes[length - 1] == '\n');
	}
	history_remove(fixture->arena, &fixture->folder, "work");
}

/* A route whose padding is full of one byte. */
static void add_padded(struct arena *arena, struct ir *ir, unsigned char padding)
{
	struct ir_nexthop *hop;
	struct ir_route *route = arena_append(arena, ir->routes, ir->route_count);

	memset(&route->to, padding, sizeof(route->to));
	memset(&route->src, padding, sizeof(route->src));
	route->to.addr.family = route->src.family = ADDR_IPV6;
	route->to.addr.bits = route->src.bits = wide(5);
	route->to.length = 128;
	hop = arena_append(arena, route->hops, route->hop_count);
	memset(&hop->via, padding, sizeof(hop->via));
	hop->via.family = ADDR_IPV6;
	hop->via.bits = wide(6);
}

static void test_padding_stays_out(void **state)
{
	struct fixture *fixture = *state;
	struct archive archive = { .policy = "/etc/work.yaml" };
	const char *why, *bytes;
	size_t length;

	archive.ir = make_ir(fixture->arena);
	add_padded(fixture->arena, archive.ir, 0x55);
	assert_true(archive_write(fixture->arena, &fixture->folder, "work", &archive, &why));
	load(fixture);
	bytes = fixture->bytes;
	length = fixture->length;
	archive.ir = make_ir(fixture->arena);
	add_padded(fixture->arena, archive.ir, 0xaa);
	assert_true(archive_write(fixture->arena, &fixture->folder, "work", &archive, &why));
	load(fixture);
	assert_int_equal(fixture->length, length);
	assert_memory_equal(fixture->bytes, bytes, length);
}

/* What a machine of 32 bits and one of 64 write is the same, but for the order of a number's bytes.
 */
static void test_size_is_that_of_every_machine(void **state)
{
	struct fixture *fixture = *state;

	/* The first text has the version in it; the length of a text stands before it. */
	assert_int_equal(fixture->length - strlen(fixture->bytes + sizeof(uint64_t)), 777);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, make, drop),
		cmocka_unit_test_setup_teardown(test_cut_off, make, drop),
		cmocka_unit_test_setup_teardown(test_altered, make, drop),
		cmocka_unit_test_setup_teardown(test_forged, make, drop),
		cmocka_unit_test_setup_teardown(test_of_another_boot, make, drop),
		cmocka_unit_test_setup_teardown(test_turns, make, drop),
		cmocka_unit_test_setup_teardown(test_padding_stays_out, make, drop),
		cmocka_unit_test_setup_teardown(test_size_is_that_of_every_machine, make, drop),
		cmocka_unit_test_setup_teardown(test_record, make, drop),
		cmocka_unit_test_setup_teardown(test_record_cut_off, make, drop),
		cmocka_unit_test_setup_teardown(test_record_forged, make, drop),
		cmocka_unit_test_setup_teardown(test_format, make, drop),
		cmocka_unit_test_setup_teardown(test_pending, make, drop),
		cmocka_unit_test_setup_teardown(test_pending_cut_off, make, drop),
		cmocka_unit_test_setup_teardown(test_old_pending, make, drop),
		cmocka_unit_test_setup_teardown(test_old_history, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
