/*
 * Unit tests of addr/addr and addr/addr_parse: texts and numbers, each way, against
 * tables, against the C library where it means the same, and against the rule that every prefix of
 * a cover obeys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "addr/addr.h"
#include "base/arena.h"
#include "base/buf.h"

enum { MUTATIONS = 200000 };

static int make(void **state)
{
	*state = arena_new();
	return 0;
}

static int drop(void **state)
{
	arena_free(*state);
	return 0;
}

static uint32_t draw(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % below;
}

static struct wide number(uint64_t high, uint64_t low)
{
	return (struct wide){ high, low };
}

static bool parse(struct arena *arena, const char *text, struct addr *out, const char **why)
{
	return addr_parse(arena, text, strlen(text), out, why);
}

static void good_addresses(void **state)
{
	static const struct {
		const char *text, *shown;
		enum addr_family family;
		uint64_t high, low;
	} cases[] = {
		{ "0.0.0.0", "0.0.0.0", ADDR_IPV4, 0, 0 },
		{ "255.255.255.255", "255.255.255.255", ADDR_IPV4, 0, 0xffffffff },
		{ "192.0.2.1", "192.0.2.1", ADDR_IPV4, 0, 0xc0000201 },
		{ "10.100.1.9", "10.100.1.9", ADDR_IPV4, 0, 0x0a640109 },
		{ "::", "::", ADDR_IPV6, 0, 0 },
		{ "::1", "::1", ADDR_IPV6, 0, 1 },
		{ "1::", "1::", ADDR_IPV6, 0x0001000000000000, 0 },
		{ "2001:DB8::a", "2001:db8::a", ADDR_IPV6, 0x20010db800000000, 0xa },
		{ "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", ADDR_IPV6, 0x0001000200030004,
		  0x0005000600070008 },
		{ "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0", ADDR_IPV6, 0x0001000200030004,
		  0x0005000600070000 },
		{ "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8", ADDR_IPV6, 0x0000000200030004,
		  0x0005000600070008 },
		{ "0001:0:0:0:1:0:0:1", "1::1:0:0:1", ADDR_IPV6, 0x0001000000000000,
		  0x0001000000000001 },
		{ "64:ff9b::192.0.2.33", "64:ff9b::c000:221", ADDR_IPV6, 0x0064ff9b00000000,
		  0xc0000221 },
		{ "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304", ADDR_IPV6, 0x0001000200030004,
		  0x0005000601020304 },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDR_IPV6, UINT64_MAX, UINT64_MAX },
	};
	char text[ADDR_TEXT];
	struct addr addr;
	const char *why;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(parse(*state, cases[i].text, &addr, &why));
		assert_int_equal(addr.family, cases[i].family);
		assert_true(wide_equal(addr.bits, number(cases[i].high, cases[i].low)));
		assert_string_equal(addr_format(addr, text), cases[i].shown);
	}
}

static void bad_addresses(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "", "an address is missing" },
		{ "10", "an IPv4 address has four numbers, like 192.0.2.1" },
		{ "10.0.0", "an IPv4 address has four numbers, like 192.0.2.1" },
		{ "10.0.0.0.0", "an IPv4 address has four numbers, not more" },
		{ "10.0.0.256", "a number of an IPv4 address is at most 255" },
		{ "99999999999999999999.0.0.1", "a number of an IPv4 address is at most 255" },
		{ "10.0.0.", "all addresses that begin like this are a prefix: write 10.0.0.0/24" },
		{ "1x.0.0.1", "\"x\" has no place in an IPv4 address" },
		{ "10..0.1", "\".\" has no place in an IPv4 address" },
		{ ".10.0.0.1", "\".\" has no place in an IPv4 address" },
		{ "10.0.0.1 ", "\" \" has no place in an IPv4 address" },
		{ " 10.0.0.1", "\" \" has no place in an IPv4 address" },
		{ "10.0.0.0x1", "\"x\" has no place in an IPv4 address" },
		{ "10.0.0.-1", "\"-\" has no place in an IPv4 address" },
		{ "10.0.0.\xc3\xa9", "\"\xc3\xa9\" has no place in an IPv4 address" },
		{ "010.0.0.1", "leading zeros have two meanings: write 10" },
		{ "10.00.0.1", "leading zeros have two meanings: write 0" },
		{ "1.2.3.4/32", "one address stands here, without a \"/\"" },
		{ "example", "this is no address: write 192.0.2.1 or 2001:db8::1" },
		{ "[::1]", "an address stands here without brackets" },
		{ "fe80::1%eth0",
		  "IPv6 zones (%eth0) have no meaning here: write the address without it" },
		{ ":", "a single colon cannot end an IPv6 address" },
		{ ":1::2", "a single colon cannot begin an IPv6 address" },
		{ "1:2:3:4:5:6:7:", "a single colon cannot end an IPv6 address" },
		{ ":::", "\":\" has no place in an IPv6 address" },
		{ "1:::2", "\":\" has no place in an IPv6 address" },
		{ "1::2::3", "\"::\" may stand only once in an IPv6 address" },
		{ "12345::", "a group of an IPv6 address has at most four digits" },
		{ "1:2:3", "an IPv6 address has eight groups, or \"::\" for those that are zero" },
		{ "1:2:3:4:5:6:7:8:9", "an IPv6 address has at most eight groups" },
		{ "1:2:3:4:5:6:7:1.2.3.4", "an IPv6 address has at most eight groups" },
		{ "1:2:3:4::5:6:7:8", "there are eight groups already: \"::\" stands for none" },
		{ "::g", "\"g\" has no place in an IPv6 address" },
		{ "::1.2.3", "an IPv4 address has four numbers, like 192.0.2.1" },
		{ "::1.2.3.4:5", "\":\" has no place in an IPv4 address" },
		{ "1.2.3.4:80", "a port has no place after it: write 1.2.3.4" },
		{ "1.2.3.4:99999", "\":\" has no place in an IPv4 address" },
		{ "[2001:db8::1]:80", "a port has no place after it: write 2001:db8::1" },
		{ "3221225985", "an IPv4 address is four numbers: write 192.0.2.1" },
		{ "0xC0000201", "an IPv4 address is four numbers: write 192.0.2.1" },
		{ "32212259850", "an IPv4 address has four numbers, like 192.0.2.1" },
		{ "::ffff:192.0.2.1",
		  "no packet has IPv4 in the form of IPv6: write 192.0.2.1, or leave it out" },
		{ "::ffff:c000:201",
		  "no packet has IPv4 in the form of IPv6: write 192.0.2.1, or leave it out" },
		{ "::192.0.2.1",
		  "no packet has IPv4 in the form of IPv6: write 192.0.2.1, or leave it out" },
	};
	struct addr addr;
	const char *why;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		why = NULL;
		assert_false(parse(*state, cases[i].text, &addr, &why));
		assert_non_null(why);
		assert_string_equal(why, cases[i].why);
	}
}

static void good_prefixes(void **state)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{ "10.0.0.0/8", NULL },
		{ "0.0.0.0/0", NULL },
		{ "255.255.255.255", NULL },
		{ "192.0.2.1/32", "192.0.2.1" },
		{ "192.0.2.128/25", NULL },
		{ "::/0", NULL },
		{ "2001:db8::/32", NULL },
		{ "2001:db8::1", NULL },
		{ "2001:DB8::1/128", "2001:db8::1" },
		{ "8000::/1", NULL },
		{ "::2/127", NULL },
	};
	struct addr_prefix prefix;
	char text[ADDR_TEXT];
	const char *why;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(addr_parse_prefix(*state, cases[i].text, strlen(cases[i].text), &prefix,
					      &why));
		addr_format_prefix(prefix, text);
		assert_string_equal(text, cases[i].shown ? cases[i].shown : cases[i].text);
	}
}

static void bad_prefixes(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "10.1.2.3/8", "host bits are set: write 10.0.0.0/8" },
		{ "1.2.3.4/0", "host bits are set: write 0.0.0.0/0" },
		{ "2001:db8::1/32", "host bits are set: write 2001:db8::/32" },
		{ "::1/127", "host bits are set: write ::/127" },
		{ "10.0.0.0/", "the length of an IPv4 prefix is a number from 0 to 32" },
		{ "10.0.0.0/33", "the length of an IPv4 prefix is a number from 0 to 32" },
		{ "10.0.0.0/-1", "the length of an IPv4 prefix is a number from 0 to 32" },
		{ "10.0.0.0/8x", "the length of an IPv4 prefix is a number from 0 to 32" },
		{ "10.0.0.0/4294967304", "the length of an IPv4 prefix is a number from 0 to 32" },
		{ "10.0.0.0/8/8", "the length of an IPv4 prefix is a number from 0 to 32" },
		{ "::/129", "the length of an IPv6 prefix is a number from 0 to 128" },
		{ "10.0.0.0/08", "the length is written without leading zeros: /8" },
		{ "10.0.0.0/255.0.0.0", "write the length of the netmask: /8" },
		{ "1.2.3.4/255.255.255.255", "write the length of the netmask: /32" },
		{ "0.0.0.0/0.0.0.0", "write the length of the netmask: /0" },
		{ "10.0.0.0/255.0.255.0", "the length of an IPv4 prefix is a number from 0 to 32" },
		{ "/8", "an address is missing" },
		{ "10.0/8", "all four numbers of an IPv4 address are written: write 10.0.0.0/8" },
		{ "10/8", "all four numbers of an IPv4 address are written: write 10.0.0.0/8" },
		{ "192.168.1/16",
		  "all four numbers of an IPv4 address are written: write 192.168.0.0/16" },
		{ "10/33", "an IPv4 address has four numbers, like 192.0.2.1" },
		{ "192.0.2.*",
		  "all addresses that begin like this are a prefix: write 192.0.2.0/24" },
		{ "10.x.x.x", "all addresses that begin like this are a prefix: write 10.0.0.0/8" },
		{ "192.0.2.0_24", "the length stands after a \"/\": write 192.0.2.0/24" },
		{ "10.0.0.0/0.255.255.255",
		  "a length stands here, no wildcard mask: write 10.0.0.0/8" },
		{ "::ffff:192.0.2.0/120",
		  "no packet has IPv4 in the form of IPv6: write 192.0.2.0/24, or leave it out" },
		{ "::ffff:192.0.2.1/120",
		  "no packet has IPv4 in the form of IPv6: write 192.0.2.0/24, or leave it out" },
		{ "::192.0.2.0/120",
		  "no packet has IPv4 in the form of IPv6: write 192.0.2.0/24, or leave it out" },
		{ "::ffff:0:0/96",
		  "no packet has IPv4 in the form of IPv6: write 0.0.0.0/0, or leave it out" },
		{ "::ffff:192.0.2.0/90",
		  "no packet has IPv4 in the form of IPv6: write the IPv4 prefix, or leave it out" },
	};
	struct addr_prefix prefix;
	const char *why;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		why = NULL;
		assert_false(addr_parse_prefix(*state, cases[i].text, strlen(cases[i].text),
					       &prefix, &why));
		assert_non_null(why);
		assert_string_equal(why, cases[i].why);
	}
}

static void good_ranges(void **state)
{
	static const struct {
		const char *text, *shown; /* shown: what nft is told, NULL for the same */
	} cases[] = {
		{ "192.0.2.1", NULL },
		{ "10.0.0.0/8", NULL },
		{ "0.0.0.0/0", NULL },
		{ "::/0", NULL },
		{ "10.0.0.1-10.0.0.9", NULL },
		{ "10.0.0.0-10.0.0.255", "10.0.0.0/24" },
		{ "10.0.0.7-10.0.0.7", "10.0.0.7" },
		{ "0.0.0.0-255.255.255.255", "0.0.0.0/0" },
		{ "2001:db8::1-2001:db8::ffff", NULL },
		{ "2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::/32" },
		{ "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0" },
		{ "::-8000::", NULL },
	};
	struct addr_range range;
	const char *why;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf buf = { 0 };

		assert_true(addr_parse_range(*state, cases[i].text, strlen(cases[i].text), &range,
					     &why));
		addr_put_interval(&buf, range.family, (struct interval){ range.first, range.last });
		assert_string_equal(buf_text(&buf),
				    cases[i].shown ? cases[i].shown : cases[i].text);
		buf_free(&buf);
	}
}

static void bad_ranges(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "10.0.0.9-10.0.0.1", "the range ends before it begins: write 10.0.0.1-10.0.0.9" },
		{ "::2-::1", "the range ends before it begins: write ::1-::2" },
		{ "10.0.0.1-::1", "both ends of a range are IPv4, or both are IPv6" },
		{ "10.0.0.0/8-11.0.0.0",
		  "a range goes from one address to another, without a \"/\"" },
		{ "10.0.0.1-9", "the end of a range is an address too: write 10.0.0.1-10.0.0.9" },
		{ "10.0.0.1-", "an address is missing" },
		{ "-10.0.0.1", "an address is missing" },
		{ "10.0.0.1-10.0.0.2-10.0.0.3", "\"-\" has no place in an IPv4 address" },
		{ "10.0.0.1-x", "this is no address: write 192.0.2.1 or 2001:db8::1" },
		{ "192.0.2.1\xe2\x80\x93"
		  "192.0.2.9",
		  "a range has a plain \"-\": write 192.0.2.1-192.0.2.9" },
		{ "192.0.2.1..192.0.2.9", "a range has a plain \"-\": write 192.0.2.1-192.0.2.9" },
		{ "::ffff:192.0.2.1-::ffff:192.0.2.9",
		  "no packet has IPv4 in the form of IPv6: write 192.0.2.1-192.0.2.9, or leave it out" },
		{ "2001:db8::-::ffff:192.0.2.9",
		  "no packet has IPv4 in the form of IPv6: write an IPv4 range and an IPv6 one" },
		{ "::1-::ffff:192.0.2.9",
		  "no packet has IPv4 in the form of IPv6: write an IPv4 range and an IPv6 one" },
		{ "my-set", "this is no address: write 192.0.2.1 or 2001:db8::1" },
		{ "10.0.0.1/8", "host bits are set: write 10.0.0.0/8" },
	};
	struct addr_range range;
	const char *why;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		why = NULL;
		assert_false(addr_parse_range(*state, cases[i].text, strlen(cases[i].text), &range,
					      &why));
		assert_non_null(why);
		assert_string_equal(why, cases[i].why);
	}
}

/* The parsers are given text without an end: memory of just that length, which ASan watches. */
static void parsers_stop_at_the_length(void **state)
{
	static const char text[] = "192.0.2.123/24-2001:db8::ffff";
	struct addr_range range;
	struct addr addr;
	const char *why;
	size_t length;

	assert_true(addr_parse(*state, text, 9, &addr, &why));
	assert_int_equal(addr.bits.low, 0xc0000201);
	assert_true(addr_parse(*state, text, 11, &addr, &why));
	assert_int_equal(addr.bits.low, 0xc000027b);
	for (length = 0; length < sizeof(text); length++) {
		char *copy = test_malloc(length + !length);

		memcpy(copy, text, length);
		addr_parse_range(*state, copy, length, &range, &why);
		addr_looks_like(copy, length);
		test_free(copy);
	}
}

/* Is it what the C library takes, and the same number? */
static void check_against_library(struct arena *arena, const char *text)
{
	bool is_ipv6 = strchr(text, ':') != NULL;
	unsigned char bytes[16] = { 0 };
	const char *why = NULL;
	struct addr addr;
	int known = inet_pton(is_ipv6 ? AF_INET6 : AF_INET, text, bytes);

	if (addr_read_mask(arena, text, strlen(text), &addr, &why) != (known == 1))
		fail_msg("the C library and addr_parse do not agree about \"%s\"", text);
	if (known != 1) {
		assert_non_null(why);
		return;
	}
	assert_true(wide_equal(addr.bits, wide_get(bytes, is_ipv6 ? 16 : 4)));
	assert_int_equal(addr.family, is_ipv6 ? ADDR_IPV6 : ADDR_IPV4);
}

static void mutants_are_what_the_library_says(void **state)
{
	static const char *const seeds[] = { "1:2:3:4:5:6:7:8",   "::1",
					     "2001:db8::1.2.3.4", "192.168.1.254",
					     "::ffff:10.0.0.1",   "1::8",
					     "fe80::a:b:c:d" };
	static const char letters[] = "0123456789abcdefF::::...g";
	uint64_t seed = 5;
	char text[64];
	int i;

	(void)state;
	for (i = 0; i < MUTATIONS; i++) {
		struct arena *arena = arena_new();
		uint32_t changes = draw(&seed, 4), length;

		strcpy(text, seeds[draw(&seed, 7)]);
		while (changes--) {
			uint32_t at = draw(&seed, (uint32_t)strlen(text) + 1);

			length = (uint32_t)strlen(text);
			if (draw(&seed, 2) && at < length) {
				memmove(text + at, text + at + 1, length - at);
			} else {
				memmove(text + at + 1, text + at, length - at + 1);
				text[at] = letters[draw(&seed, sizeof(letters) - 1)];
			}
		}
		check_against_library(arena, text);
		arena_free(arena);
	}
}

/* What addr_format writes is what inet_ntop writes, and is read back as the same number. */
static void formatting_is_the_librarys(void **state)
{
	char expected[INET6_ADDRSTRLEN], text[ADDR_TEXT];
	uint64_t seed = 77;
	struct addr addr, again;
	unsigned char bytes[16];
	const char *why;
	int i, j;

	for (i = 0; i < 20000; i++) {
		addr.family = i % 2 ? ADDR_IPV6 : ADDR_IPV4;
		for (addr.bits = wide(0), j = 0; j < 8; j++)
			addr.bits = wide_or(wide_left(addr.bits, 16),
					    wide(draw(&seed, 2) ? draw(&seed, 0x10000) : 0));
		addr.bits = wide_and(addr.bits, addr_last(addr.family));
		wide_put(addr.bits, bytes, 16);
		inet_ntop(addr.family == ADDR_IPV4 ? AF_INET : AF_INET6,
			  addr.family == ADDR_IPV4 ? bytes + 12 : bytes, expected,
			  sizeof(expected));
		assert_string_equal(addr_format(addr, text), expected);
		assert_true(addr_read_mask(*state, text, strlen(text), &again, &why));
		assert_true(wide_equal(again.bits, addr.bits) && again.family == addr.family);
	}
}

/* Covers first..last and checks that it was covered exactly, by aligned prefixes that could not be
 * larger. */
static size_t check_cover(enum addr_family family, struct wide first, struct wide last)
{
	unsigned int width = addr_width(family);
	struct wide next = first, before;
	size_t count = 0;

	do {
		struct addr_prefix prefix = addr_next_prefix(family, &next, last), whole;
		struct interval part = { prefix.addr.bits, wide_before(next) };
		struct wide size_less_one = wide_subtract(part.last, part.first);

		before = count ? prefix.addr.bits : first;
		assert_true(wide_equal(prefix.addr.bits, before));
		assert_true(prefix.length <= width);
		assert_true(wide_is_zero(wide_and(prefix.addr.bits, size_less_one)));
		assert_false(wide_less(last, part.last) || wide_less(part.last, part.first));
		assert_true(addr_interval_is_prefix(family, part, &whole));
		assert_int_equal(whole.length, prefix.length);
		count++;
		assert_true(count <= 2 * width);
	} while (!wide_equal(wide_before(next), last));
	return count;
}

static void covers_are_exact(void **state)
{
	struct wide top4 = addr_last(ADDR_IPV4), top6 = addr_last(ADDR_IPV6);
	uint64_t seed = 3;
	int i;

	(void)state;
	assert_int_equal(check_cover(ADDR_IPV4, wide(0), top4), 1);
	assert_int_equal(check_cover(ADDR_IPV6, wide(0), top6), 1);
	assert_int_equal(check_cover(ADDR_IPV4, wide(1), wide_before(top4)), 62);
	assert_int_equal(check_cover(ADDR_IPV6, wide(1), wide_before(top6)), 254);
	assert_int_equal(check_cover(ADDR_IPV4, wide(1), top4), 32);
	assert_int_equal(check_cover(ADDR_IPV6, wide(1), top6), 128);
	assert_int_equal(check_cover(ADDR_IPV6, top6, top6), 1);
	assert_int_equal(check_cover(ADDR_IPV4, wide(0x0a000001), wide(0x0a000009)), 4);
	for (i = 0; i < 5000; i++) {
		struct wide a = wide(draw(&seed, 1000)), b = wide_add(a, wide(draw(&seed, 1000)));
		struct wide middle = { 1, 0 };

		check_cover(ADDR_IPV4, a, b);
		check_cover(ADDR_IPV4, wide_subtract(top4, b), wide_subtract(top4, a));
		check_cover(ADDR_IPV6, wide_subtract(top6, b), wide_subtract(top6, a));
		check_cover(ADDR_IPV6, wide_subtract(middle, a), wide_add(middle, b));
	}
}

static void intervals_that_are_no_prefix(void **state)
{
	static const struct interval cases[] = {
		{ { 0, 1 }, { 0, 2 } }, { { 0, 0 }, { 0, 2 } }, { { 0, 1 }, { 0, 4 } },
		{ { 0, 2 }, { 0, 5 } }, { { 0, 4 }, { 0, 6 } }, { { 0, 0 }, { 0, 0xfffffffe } }
	};
	struct addr_prefix prefix;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_false(addr_interval_is_prefix(ADDR_IPV4, cases[i], &prefix));
		assert_false(addr_interval_is_prefix(ADDR_IPV6, cases[i], &prefix));
	}
	assert_true(addr_interval_is_prefix(ADDR_IPV6,
					    (struct interval){ wide(0), wide(0xffffffff) },
					    &prefix));
	assert_int_equal(prefix.length, 96);
}

static void what_looks_like_an_address(void **state)
{
	static const char *const yes[] = { "10.0.0.1",     "10",    "1.2.3",     "::1",
					   "fe80::1%eth0", "[::1]", "dead:beef", "10.0.0.0/8",
					   "::zz",         "fd00::" };
	static const char *const no[] = { "",       "foreign",     "cn", "any",
					  "my-set", "example.com", "f",  "-1" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		assert_true(addr_looks_like(yes[i], strlen(yes[i])));
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_false(addr_looks_like(no[i], strlen(no[i])));
}

static void sets_of_both_families(void **state)
{
	struct addr_set a = { .family = { { NULL, 0 } } }, b = a, made;

	assert_true(addr_set_is_empty(&a));
	addr_set_add(*state, &a, (struct addr_range){ ADDR_IPV4, wide(10), wide(20) });
	addr_set_add(*state, &a, (struct addr_range){ ADDR_IPV6, wide(10), wide(20) });
	addr_set_add(*state, &a, (struct addr_range){ ADDR_IPV6, wide(21), wide(30) });
	addr_set_add(*state, &b, (struct addr_range){ ADDR_IPV4, wide(15), wide(40) });
	addr_set_normalise(&a);
	addr_set_normalise(&b);
	assert_int_equal(a.family[ADDR_IPV6].count, 1);
	made = addr_set_subtract(*state, &a, &b);
	assert_true(made.family[ADDR_IPV4].items[0].last.low == 14);
	assert_true(made.family[ADDR_IPV6].items[0].last.low == 30);
	made = addr_set_union(*state, &a, &b);
	assert_true(made.family[ADDR_IPV4].items[0].last.low == 40);
	assert_false(addr_set_is_empty(&made));
	made = addr_set_subtract(*state, &a, &a);
	assert_true(addr_set_is_empty(&made));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(good_addresses, make, drop),
		cmocka_unit_test_setup_teardown(bad_addresses, make, drop),
		cmocka_unit_test_setup_teardown(good_prefixes, make, drop),
		cmocka_unit_test_setup_teardown(bad_prefixes, make, drop),
		cmocka_unit_test_setup_teardown(good_ranges, make, drop),
		cmocka_unit_test_setup_teardown(bad_ranges, make, drop),
		cmocka_unit_test_setup_teardown(parsers_stop_at_the_length, make, drop),
		cmocka_unit_test(mutants_are_what_the_library_says),
		cmocka_unit_test_setup_teardown(formatting_is_the_librarys, make, drop),
		cmocka_unit_test(covers_are_exact),
		cmocka_unit_test(intervals_that_are_no_prefix),
		cmocka_unit_test(what_looks_like_an_address),
		cmocka_unit_test_setup_teardown(sets_of_both_families, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
