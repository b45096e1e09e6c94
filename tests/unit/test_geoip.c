/*
 * Unit tests of addr/geoip and addr/country: whose addresses are whose in small databases that
 * tests/mmdb.py writes, in every shape the format has; what a damaged file does; codes of
 * countries. Runs in the project's top folder.
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

#include "addr/geoip.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"

struct fixture {
	struct arena *arena;
	struct diag *diag;
	struct geoip geoip;
	char path[64];
};

static int make(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int fd;

	fixture->arena = arena_new();
	fixture->diag = diag_new(fixture->arena);
	strcpy(fixture->path, "/tmp/tpc-test-geoip-XXXXXX");
	*state = fixture;
	fd = mkstemp(fixture->path);
	return fd < 0 ? -1 : close(fd);
}

static int drop(void **state)
{
	struct fixture *fixture = *state;

	unlink(fixture->path);
	arena_free(fixture->arena);
	free(fixture);
	return 0;
}

/* ---- making and reading ---- */

static void run(const char *command)
{
	if (system(command))
		fail_msg("failed: %s", command);
}

/* A database by tests/mmdb.py's options and NETWORK=CODE words. */
static void write_database(struct fixture *fixture, const char *options)
{
	run(arena_printf(fixture->arena, "exec /usr/bin/python3 tests/mmdb.py %s %s", fixture->path,
			 options));
}

/* Reads it as if nothing had been read before. */
static const struct geoip_database *read_database(struct fixture *fixture)
{
	fixture->geoip = (struct geoip){ 0 };
	fixture->diag = diag_new(fixture->arena);
	return geoip_read(&fixture->geoip, fixture->arena, fixture->diag, fixture->path,
			  (struct span){ NULL, 0, 0 });
}

static const char *messages(struct fixture *fixture)
{
	struct buf buf = { 0 };
	const char *text;

	diag_render(fixture->diag, &buf, (struct diag_style){ 0 });
	text = arena_strdup(fixture->arena, buf_text(&buf));
	buf_free(&buf);
	return text;
}

/* A country's networks, separated by blanks: IPv4 first. */
static const char *networks(struct fixture *fixture, const struct geoip_database *database,
			    const char *code)
{
	const struct addr_set *set = &database->countries[country_find(code, 2)];
	struct buf buf = { 0 };
	const char *text;

	for (int family = 0; family < ADDR_FAMILIES; family++) {
		for (size_t i = 0; i < set->family[family].count; i++) {
			buf_puts(&buf, buf.length ? " " : "");
			addr_put_interval(&buf, (enum addr_family)family,
					  set->family[family].items[i]);
		}
	}
	text = arena_strdup(fixture->arena, buf_text(&buf));
	buf_free(&buf);
	return text;
}

#define NETWORKS(fixture, database, code, wanted) \
	assert_string_equal(networks(fixture, database, code), wanted)

static const struct geoip_database *read_good(struct fixture *fixture)
{
	const struct geoip_database *database = read_database(fixture);

	assert_string_equal(messages(fixture), "");
	assert_non_null(database);
	return database;
}

static void assert_refused(struct fixture *fixture, const char *text)
{
	assert_null(read_database(fixture));
	assert_int_equal(diag_error_count(fixture->diag), 1);
	if (!strstr(messages(fixture), text))
		fail_msg("no \"%s\" in: %s", text, messages(fixture));
}

/* ---- whose addresses ---- */

static void test_shapes(void **state)
{
	static const char *const layouts[] = { "nested", "flat", "text" };
	static const int sizes[] = { 24, 28, 32 };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < 9; i++) {
		const struct geoip_database *database;

		write_database(fixture,
			       arena_printf(fixture->arena,
					    "--layout %s --bits %d 192.0.2.0/24=CN "
					    "192.0.2.128/25=HK 198.51.100.7=CN 2001:db8::/32=CN "
					    "2001:db8:1::/48=NO ff00::/8=NO",
					    layouts[i / 3], sizes[i % 3]));
		database = read_good(fixture);
		NETWORKS(fixture, database, "CN",
			 "192.0.2.0/25 198.51.100.7 2001:db8::/48 "
			 "2001:db8:2::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff");
		NETWORKS(fixture, database, "HK", "192.0.2.128/25");
		NETWORKS(fixture, database, "NO", "2001:db8:1::/48 ff00::/8");
		NETWORKS(fixture, database, "AQ", "");
	}
}

static void test_ipv4_only(void **state)
{
	struct fixture *fixture = *state;
	const struct geoip_database *database;

	write_database(fixture, "--version 4 0.0.0.0/1=CN 128.0.0.0/1=CN 203.0.113.0/24=HK");
	database = read_good(fixture);
	NETWORKS(fixture, database, "CN", "0.0.0.0-203.0.112.255 203.0.114.0-255.255.255.255");
	NETWORKS(fixture, database, "HK", "203.0.113.0/24");
}

static void test_aliases(void **state)
{
	struct fixture *fixture = *state;

	write_database(fixture, "192.0.2.0/24=CN");
	NETWORKS(fixture, read_good(fixture), "CN", "192.0.2.0/24");
	write_database(fixture, "--no-aliases 192.0.2.0/24=CN 2002:c000:200::/40=CN");
	NETWORKS(fixture, read_good(fixture), "CN", "192.0.2.0/24 2002:c000:200::/40");
}

/* A network that IPv4 is a part of is both: ::/95 of it is IPv4 and what follows IPv6. */
static void test_around_ipv4(void **state)
{
	struct fixture *fixture = *state;

	write_database(fixture, "--no-aliases ::/95=CN");
	NETWORKS(fixture, read_good(fixture), "CN", "0.0.0.0/0 ::1:0:0/96");
}

static void test_all_addresses(void **state)
{
	struct fixture *fixture = *state;

	write_database(fixture, "--no-aliases ::/1=CN 8000::/1=CN");
	NETWORKS(fixture, read_good(fixture), "CN",
		 "0.0.0.0/0 ::1:0:0-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

/* Neither where a network is registered nor a code that is no country's says where it is. */
static void test_other_codes(void **state)
{
	struct fixture *fixture = *state;
	const struct geoip_database *database;

	write_database(fixture, "192.0.2.0/24=EU 198.51.100.0/24=CN");
	database = read_good(fixture);
	NETWORKS(fixture, database, "CN", "198.51.100.0/24");
	NETWORKS(fixture, database, "AQ", "");
	write_database(fixture, "--layout flat 192.0.2.0/24=EU");
	read_good(fixture);
}

static void test_read_once(void **state)
{
	struct fixture *fixture = *state;
	const struct geoip_database *database;

	write_database(fixture, "192.0.2.0/24=CN");
	database = read_good(fixture);
	unlink(fixture->path);
	assert_ptr_equal(geoip_read(&fixture->geoip, fixture->arena, fixture->diag, fixture->path,
				    (struct span){ NULL, 0, 0 }),
			 database);
	assert_refused(fixture, "there is no such file");
	assert_null(geoip_read(&fixture->geoip, fixture->arena, fixture->diag, fixture->path,
			       (struct span){ NULL, 0, 0 }));
	assert_int_equal(diag_error_count(fixture->diag), 1);
}

/* ---- what cannot be used ---- */

static void test_no_countries(void **state)
{
	struct fixture *fixture = *state;

	write_database(fixture, "--layout none --type Some-ASN 192.0.2.0/24=CN");
	assert_refused(fixture, "knows no countries: its kind is \"Some-ASN\"");
	write_database(fixture, "--type Empty");
	assert_refused(fixture, "knows no countries: its kind is \"Empty\"");
}

static char *load(struct fixture *fixture, size_t *size)
{
	FILE *file = fopen(fixture->path, "r");
	char *bytes = arena_alloc(fixture->arena, 1 << 16);

	assert_non_null(file);
	*size = fread(bytes, 1, 1 << 16, file);
	fclose(file);
	return bytes;
}

static void store(struct fixture *fixture, const char *bytes, size_t size)
{
	FILE *file = fopen(fixture->path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static void test_no_database(void **state)
{
	struct fixture *fixture = *state;

	assert_refused(fixture, "is no MaxMind DB, or its end is missing");
	store(fixture, "192.0.2.0/24\n", 13);
	assert_refused(fixture, "is no MaxMind DB, or its end is missing");
	store(fixture, "\x1f\x8b\x08", 3);
	assert_refused(fixture, "is packed");
	strcpy(fixture->path, "/dev/null");
	assert_refused(fixture, "it is a device");
	strcpy(fixture->path, "/proc/version");
	assert_refused(fixture, "it is a file that the kernel makes at each reading");
	strcpy(fixture->path, "/tmp");
	assert_refused(fixture, "it is a directory");
}

static void test_cut_short(void **state)
{
	struct fixture *fixture = *state;
	size_t size;
	char *bytes;

	write_database(fixture, "192.0.2.0/24=CN 2001:db8::/32=CN");
	bytes = load(fixture, &size);
	for (size_t cut = 0; cut < size; cut += 3) {
		store(fixture, bytes, cut);
		assert_refused(fixture, "[geoip-database]");
	}
}

/* Whatever bit is wrong: there is either an answer or an error, and an end. */
static void test_flipped(void **state)
{
	struct fixture *fixture = *state;
	size_t size, refused = 0;
	char *bytes;

	write_database(fixture, "--layout flat 192.0.2.0/24=CN");
	bytes = load(fixture, &size);
	for (size_t bit = 0; bit < 8 * size; bit += 7) {
		bytes[bit / 8] ^= (char)(1 << bit % 8);
		store(fixture, bytes, size);
		if (!read_database(fixture))
			assert_int_equal(diag_error_count(fixture->diag), ++refused ? 1 : 0);
		bytes[bit / 8] ^= (char)(1 << bit % 8);
	}
	assert_true(refused > 100);
}

/* Node 3 leads back to node 2, which is on the way to it; and then to nobody's. */
static void test_bad_tree(void **state)
{
	struct fixture *fixture = *state;
	size_t size;
	char *bytes;

	write_database(fixture, "--bits 24 192.0.2.0/24=CN");
	bytes = load(fixture, &size);
	memcpy(bytes + 3 * 6 + 3, "\0\0\2", 3);
	store(fixture, bytes, size);
	assert_refused(fixture, "is damaged: its tree or its records are not whole");
	memcpy(bytes + 3 * 6 + 3, "\0\xff\xff", 3);
	store(fixture, bytes, size);
	assert_refused(fixture, "is damaged: its tree or its records are not whole");
}

/* One network with the record that Python makes of an expression. */
static void write_record(struct fixture *fixture, const char *record)
{
	run(arena_printf(fixture->arena,
			 "exec /usr/bin/python3 -c \"import sys; sys.path.insert(0, 'tests'); import mmdb\n"
			 "record = %s\n"
			 "open('%s', 'wb').write(mmdb.database([('192.0.2.0/24', record)]))\"",
			 record, fixture->path));
}

/* Two million maps in one another, in front of the key that is looked for. */
static void test_deep_record(void **state)
{
	struct fixture *fixture = *state;

	write_record(fixture, "mmdb.Raw(b'\\xe2\\x41a' + b'\\xe1\\x40' * 400000 +"
			      " b'\\x40\\x47country\\x42CN')");
	assert_refused(fixture, "is damaged: its tree or its records are not whole");
}

/* Python that makes a database of given bytes of data: a network for each offset in `leaves`. */
static void write_data(struct fixture *fixture, const char *data, const char *leaves,
		       const char *about)
{
	run(arena_printf(fixture->arena,
			 "exec /usr/bin/python3 -c \"import sys; sys.path.insert(0, 'tests'); import mmdb\n"
			 "point = lambda to: bytes([0x38]) + to.to_bytes(4, 'big')\n"
			 "data = %s\n"
			 "leaves = [('10.%%d.%%d.0/24' %% divmod(at, 256), mmdb.At(to))"
			 " for at, to in enumerate(%s)]\n"
			 "open('%s', 'wb').write(mmdb.database(leaves, data=data%s))\"",
			 data, leaves, fixture->path, about));
}

static void assert_damaged(struct fixture *fixture, const char *data, const char *leaves)
{
	write_data(fixture, data, leaves, "");
	assert_refused(fixture, "is damaged: its tree or its records are not whole");
}

/* A leaf may lead to a pointer: the record is what that leads to, for the nesting, too. */
static void test_pointer_record(void **state)
{
	struct fixture *fixture = *state;

	write_data(fixture, "point(5) + b'\\xe1\\x47country\\x42CN'", "[0]", "");
	NETWORKS(fixture, read_good(fixture), "CN", "10.0.0.0/24");
	assert_damaged(fixture,
		       "point(5) + b'\\xe2\\x41a' + b'\\xe1\\x41b' * 400000 + b'\\x41x\\x47country\\x42CN'",
		       "[0]");
	assert_damaged(fixture,
		       "point(5) + b'\\xe2\\x41a' + b'\\x01\\x04' * 400000 + b'\\x40\\x41b\\x40'",
		       "[0]");
}

/* A pointer leads to a value: not to itself, to another pointer, or out of the data. */
static void test_bad_pointers(void **state)
{
	static const char *const data[] = {
		"point(0)",
		"point(5) + point(0)",
		"point(5) + point(10) + b'\\xe1\\x47country\\x42CN'",
		"point(6)",
		"point(0xffffffff)",
		"b'\\x38\\0\\0'",
		"b'\\xe1' + point(6) + point(1)",
		"b'\\xe1\\x47country' + point(9) + b'\\x42CN'",
		"b'\\xe1\\x47country' + point(14) + point(9)",
	};

	for (size_t i = 0; i < sizeof(data) / sizeof(data[0]); i++)
		assert_damaged(*state, data[i], "[0]");
}

/* Sizes that say more than is there, and a key that is no text. */
static void test_bad_sizes(void **state)
{
	static const char *const data[] = {
		"b'\\xff\\xff\\xff\\xff' + b'\\x41a\\x41b' * 20",
		"b'\\xe1\\x47countr'",
		"b'\\xe1\\x47country\\x5e\\xff\\xff' + b'C' * 20",
		"b'\\xe1\\x41a\\x1f\\x04\\xff\\xff\\xff\\x40'",
		"b'\\xe2\\xc1\\x01\\x40\\x47country\\x42CN'",
		"b'\\xe1\\x47country\\x42C'",
	};

	for (size_t i = 0; i < sizeof(data) / sizeof(data[0]); i++)
		assert_damaged(*state, data[i], "[0]");
}

/* Where each of n short records leads to one map of n keys, n * n would be read. */
static void test_shared_map(void **state)
{
	struct fixture *fixture = *state;

	assert_damaged(fixture,
		       "b'\\xfe' + (4000 - 285).to_bytes(2, 'big') + b'\\x40\\x40' * 4000 +"
		       " (b'\\xe1\\x47country' + point(0)) * 4000",
		       "range(8003, 8003 + 14 * 4000, 14)");
	/* The same by the key, and a record that many leaves lead to is read once. */
	assert_damaged(fixture,
		       "b'\\xfe' + (4000 - 285).to_bytes(2, 'big') + (b'\\x47Country\\x40') * 4000 +"
		       " point(0) * 4000 + (b'\\xe1\\x47country' + point(0)) * 4000",
		       "range(56003, 56003 + 14 * 4000, 14)");
	write_data(fixture,
		   "b'\\xfe' + (4000 - 285).to_bytes(2, 'big') + b'\\x40\\x40' * 4000 +"
		   " point(0) * 4000 + b'\\xe1\\x47country\\x42CN'",
		   "[*range(8003, 8003 + 5 * 4000, 5), 28003]", "");
	read_good(fixture);
}

/* The description is no better than the records: deep, in circles, or of sizes that lie. */
static void test_bad_description(void **state)
{
	static const char *const about[] = {
		", about=b'\\xe1\\x41a' + b'\\x01\\x04' * 60000 + b'\\x40'",
		", about=b'\\xe1\\x41a' * 30000",
		", about=point(5) + b'\\xe1\\x41a\\x40'",
		", about=point(0)",
		", about=b''",
		", about=b'\\xff\\xff\\xff\\xff'",
		", about=b'\\xe1\\x5bbinary_format_major_version\\x5e\\xff\\xff'",
		", more={'node_count': mmdb.Uint(1 << 40, mmdb.UINT64)}",
		", more={'node_count': mmdb.Uint(0)}",
		", more={'node_count': 'many'}",
		", more={'ip_version': mmdb.Uint(5, mmdb.UINT16)}",
		", more={'database_type': mmdb.Uint(5, mmdb.UINT16)}",
	};
	static const char *const other[] = {
		", more={'binary_format_major_version': mmdb.Uint(3, mmdb.UINT16)}",
		", more={'record_size': mmdb.Uint(20, mmdb.UINT16)}",
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(about) / sizeof(about[0]); i++) {
		write_data(fixture, "b'\\xe1\\x47country\\x42CN'", "[0]", about[i]);
		assert_refused(fixture, "is damaged: its description is not whole");
	}
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		write_data(fixture, "b'\\xe1\\x47country\\x42CN'", "[0]", other[i]);
		assert_refused(fixture, "has another version of the format than 2, or is damaged");
	}
	write_data(fixture, "b'\\xe1\\x47country\\x42CN'", "[0]",
		   ", more={'languages': ['en'] * 2000, 'description': {'en': 'x' * 70000}}");
	NETWORKS(fixture, read_good(fixture), "CN", "10.0.0.0/24");
}

/* In front of the country are values of every length that has a head of its own, and every type. */
static void test_long_values(void **state)
{
	struct fixture *fixture = *state;

	write_record(fixture, "{'a': 'x' * 28, 'b': 'x' * 29, 'c': 'y' * 284, 'd': 'y' * 285,"
			      " 'e': 'z' * 65820, 'f': 'z' * 65821, 'g': list(range(300)),"
			      " 'h': {str(i): True for i in range(40)}, 'i': 1.5, 'j': 'x' * 29,"
			      " 'k': mmdb.Uint(5, mmdb.UINT64), 'country': {'l': [], 'm': {},"
			      " 'iso_code': 'CN'}}");
	NETWORKS(fixture, read_good(fixture), "CN", "192.0.2.0/24");
}

/* ---- codes ---- */

static void test_codes(void **state)
{
	for (int i = 0; i < COUNTRY_COUNT; i++) {
		assert_int_equal(country_find(country_code(i), 2), i);
		assert_true(i == 0 || strcmp(country_code(i - 1), country_code(i)) < 0);
		assert_int_equal(strlen(country_code(i)), 2);
		assert_true(strlen(country_name(i)) > 3);
	}
	assert_string_equal(country_name(country_find("NO", 2)), "Norway");
	assert_int_equal(country_find("cn", 2), COUNTRY_NONE);
	assert_int_equal(country_find("CNX", 3), COUNTRY_NONE);
	assert_int_equal(country_find("", 0), COUNTRY_NONE);
	(void)state;
}

static void test_suggestions(void **state)
{
	static const char *const pairs[][2] = {
		{ "cn", "write CN (China)" },
		{ "No", "write NO (Norway)" },
		{ "UK", "write GB (United Kingdom)" },
		{ "DEU", "write DE (Germany)" },
		{ "china", "write CN (China)" },
		{ "Swizerland", "write CH (Switzerland)" },
		{ "QX", "with Q there is: QA" },
		{ "ZB", "with Z there is: ZA, ZM, ZW" },
		{ "Middle Earth",
		  "write its code of two capital letters (ISO 3166-1), such as CN" },
		{ "?", "write its code of two capital letters (ISO 3166-1), such as CN" },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		assert_string_equal(country_suggest(fixture->arena, pairs[i][0]), pairs[i][1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_shapes, make, drop),
		cmocka_unit_test_setup_teardown(test_ipv4_only, make, drop),
		cmocka_unit_test_setup_teardown(test_aliases, make, drop),
		cmocka_unit_test_setup_teardown(test_around_ipv4, make, drop),
		cmocka_unit_test_setup_teardown(test_all_addresses, make, drop),
		cmocka_unit_test_setup_teardown(test_other_codes, make, drop),
		cmocka_unit_test_setup_teardown(test_read_once, make, drop),
		cmocka_unit_test_setup_teardown(test_no_countries, make, drop),
		cmocka_unit_test_setup_teardown(test_no_database, make, drop),
		cmocka_unit_test_setup_teardown(test_cut_short, make, drop),
		cmocka_unit_test_setup_teardown(test_flipped, make, drop),
		cmocka_unit_test_setup_teardown(test_bad_tree, make, drop),
		cmocka_unit_test_setup_teardown(test_deep_record, make, drop),
		cmocka_unit_test_setup_teardown(test_long_values, make, drop),
		cmocka_unit_test_setup_teardown(test_codes, make, drop),
		cmocka_unit_test_setup_teardown(test_suggestions, make, drop),
		cmocka_unit_test_setup_teardown(test_pointer_record, make, drop),
		cmocka_unit_test_setup_teardown(test_bad_pointers, make, drop),
		cmocka_unit_test_setup_teardown(test_bad_sizes, make, drop),
		cmocka_unit_test_setup_teardown(test_shared_map, make, drop),
		cmocka_unit_test_setup_teardown(test_bad_description, make, drop),
	};

	return cmocka_run_group_tests_name("geoip", tests, NULL, NULL);
}
