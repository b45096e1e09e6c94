/*
 * Unit tests of addr/listfile: which lines count, which are refused and where, and lists of a
 * hundred thousand lines.
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

#include "addr/listfile.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"

struct fixture {
	struct arena *arena;
	struct diag *diag;
	struct addr_set set;
	char path[64];
};

static int make(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int fd;

	fixture->arena = arena_new();
	fixture->diag = diag_new(fixture->arena);
	strcpy(fixture->path, "/tmp/tpc-test-listfile-XXXXXX");
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

static bool read_list(struct fixture *fixture, const char *text, size_t length)
{
	FILE *file = fopen(fixture->path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
	return listfile_read(fixture->arena, fixture->diag, fixture->path,
			     (struct span){ NULL, 0, 0 }, &fixture->set);
}

/* The set's contents, canonical, separated by blanks: IPv4 first. */
static const char *contents(struct fixture *fixture)
{
	struct buf buf = { 0 };
	const char *text;
	size_t i;
	int f;

	addr_set_normalise(&fixture->set);
	for (f = 0; f < ADDR_FAMILIES; f++) {
		for (i = 0; i < fixture->set.family[f].count; i++) {
			buf_puts(&buf, buf.length ? " " : "");
			addr_put_interval(&buf, (enum addr_family)f,
					  fixture->set.family[f].items[i]);
		}
	}
	text = arena_strdup(fixture->arena, buf_text(&buf));
	buf_free(&buf);
	return text;
}

/* What was said, without the excerpts and with the file as "LIST". */
static const char *said(struct fixture *fixture)
{
	struct buf all = { 0 }, kept = { 0 };
	char *line, *rest;
	const char *text;

	diag_render(fixture->diag, &all, (struct diag_style){ 0 });
	if (!all.length)
		return "";
	for (line = strtok_r(all.text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (!strncmp(line, "  ", 2))
			continue;
		if (!strncmp(line, fixture->path, strlen(fixture->path)))
			buf_printf(&kept, "LIST%s\n", line + strlen(fixture->path));
		else
			buf_printf(&kept, "%s\n", line);
	}
	text = arena_strdup(fixture->arena, buf_text(&kept));
	buf_free(&all);
	buf_free(&kept);
	return text;
}

static void check_good(struct fixture *fixture, const char *text, const char *expected)
{
	fixture->set = (struct addr_set){ .family = { { NULL, 0 } } };
	assert_true(read_list(fixture, text, strlen(text)));
	assert_string_equal(contents(fixture), expected);
	assert_string_equal(said(fixture), "");
}

static void what_counts_as_an_entry(void **state)
{
	check_good(*state, "", "");
	check_good(*state, "\n\n\n", "");
	check_good(*state, "# nothing\n; nothing either\n   # nor this\n", "");
	check_good(*state, "10.0.0.0/8\n192.0.2.1\n198.51.100.1-198.51.100.5\n2001:db8::/32\n",
		   "10.0.0.0/8 192.0.2.1 198.51.100.1-198.51.100.5 2001:db8::/32");
	check_good(*state, "192.0.2.1", "192.0.2.1");
	check_good(*state, "192.0.2.1\r\n192.0.2.3\r\n", "192.0.2.1 192.0.2.3");
	check_good(*state, "192.0.2.1\r192.0.2.3\r", "192.0.2.1 192.0.2.3");
	check_good(*state,
		   "\xef\xbb\xbf"
		   "192.0.2.1\n",
		   "192.0.2.1");
	check_good(*state, " \t192.0.2.1 \t\n", "192.0.2.1");
	check_good(*state, "\v192.0.2.1\f\v\f\n", "192.0.2.1");
	check_good(*state, "192.0.2.1 some remark\n192.0.2.3\tCN\n", "192.0.2.1 192.0.2.3");
	check_good(*state, "192.0.2.1#remark\n192.0.2.3;remark\n192.0.2.5 # remark\n",
		   "192.0.2.1 192.0.2.3 192.0.2.5");
	check_good(*state, "192.0.2.1 - the gateway\n192.0.2.3 -\n192.0.2.5 - \n",
		   "192.0.2.1 192.0.2.3 192.0.2.5");
	check_good(*state, "192.0.2.0/24 192.0.2.0/24\n198.51.100.0/24 ,\n",
		   "192.0.2.0/24 198.51.100.0/24");
	check_good(*state, "192.0.2.1\n192.0.2.0\n192.0.2.0/31\n192.0.2.2/31\n", "192.0.2.0/30");
}

static void what_was_there_stays(void **state)
{
	struct fixture *fixture = *state;
	uint32_t i;

	for (i = 0; i < 100; i++)
		addr_set_add(fixture->arena, &fixture->set,
			     (struct addr_range){ ADDR_IPV4, wide(i * 4), wide(i * 4) });
	assert_true(read_list(fixture, "0.0.4.0\n", 8));
	assert_int_equal(fixture->set.family[ADDR_IPV4].count, 101);
	for (i = 0; i < 100; i++)
		addr_set_add(fixture->arena, &fixture->set,
			     (struct addr_range){ ADDR_IPV4, wide(2000 + i * 4),
						  wide(2000 + i * 4) });
	addr_set_normalise(&fixture->set);
	assert_int_equal(fixture->set.family[ADDR_IPV4].count, 201);
	for (i = 0; i < 100; i++)
		assert_true(interval_contains(&fixture->set.family[ADDR_IPV4], wide(i * 4)));
	assert_true(interval_contains(&fixture->set.family[ADDR_IPV4], wide(1024)));
}

static void check_bad(struct fixture *fixture, const char *text, const char *expected)
{
	fixture->diag = diag_new(fixture->arena);
	fixture->set = (struct addr_set){ .family = { { NULL, 0 } } };
	assert_false(read_list(fixture, text, strlen(text)));
	assert_string_equal(said(fixture), expected);
}

/* Words and bare numbers. */
static void what_is_a_remark(void **state)
{
	static const char *const rests[] = {
		" some words",
		"\t7",
		"\t7\tCN",
		" - the gateway",
		" - 2024-01-05 12:30:45",
		" CN - Beijing",
		" up to 20 times",
		"# 198.51.100.1",
		" # 198.51.100.1",
		" // 198.51.100.1",
		" ; as 198.51.100.1 had it",
		";7",
		" ; 7",
		" ,",
		" | words",
		" 198-51-100-1.isp.example",
		" 198.51.100.1.isp.example",
		" https://isp.example/198.51.100.1",
		" aa:bb:cc:dd:ee:ff",
		" std::string :: x",
		" 1.2.3",
		" connection timeout",
		" 50% (5)",
		" to",
	};
	char line[128];

	for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
		sprintf(line, "192.0.2.1%s\n", rests[i]);
		check_good(*state, line, "192.0.2.1");
		sprintf(line, "2001:db8::1%s", rests[i]);
		check_good(*state, line, "2001:db8::1");
	}
}

static const char *why_bad(struct fixture *fixture, const char *line)
{
	fixture->diag = diag_new(fixture->arena);
	fixture->set = (struct addr_set){ .family = { { NULL, 0 } } };
	if (read_list(fixture, line, strlen(line)))
		fail_msg("taken for an entry with a remark: %s", line);
	assert_int_equal(diag_error_count(fixture->diag), 1);
	assert_string_equal(contents(fixture), "");
	return said(fixture);
}

/* What no remark is, and the words of the message that say so. */
static void what_is_no_remark(void **state)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
		{ "192.0.2.0\t192.0.2.255\t64496", "a range is one word, 192.0.2.0-192.0.2.255" },
		{ "2001:db8::\t2001:db8::ff\tx", "a range is one word, 2001:db8::-2001:db8::ff" },
		{ "192.0.2.0;192.0.2.255;ZZ", "a range is one word, 192.0.2.0-192.0.2.255" },
		{ "192.0.2.0;ZZ;192.0.2.255", "a range is one word, 192.0.2.0-192.0.2.255" },
		{ "192.0.2.0 256 192.0.2.255", "a range is one word, 192.0.2.0-192.0.2.255" },
		{ "192.0.2.0 \xc2\xa0"
		  "192.0.2.255",
		  "a range is one word, 192.0.2.0-192.0.2.255" },
		{ "192.0.2.0 255.255.255.0", "a mask stands after it: write 192.0.2.0/24" },
		{ "192.0.2.0\t0.0.0.255", "a mask stands after it: write 192.0.2.0/24" },
		{ "192.0.2.0;255.255.255.0", "a mask stands after it: write 192.0.2.0/24" },
		{ "192.0.2.0 netmask 0xffffff00", "a mask stands after it: write 192.0.2.0/24" },
		{ "192.0.2.0 /255.255.255.0", "a mask stands after it: write 192.0.2.0/24" },
		{ "192.0.2.0 /24", "write 192.0.2.0/24 in one word" },
		{ "192.0.2.0\t/\t24", "write 192.0.2.0/24 in one word" },
		{ "192.0.2.0;24;64496", "write 192.0.2.0/24 in one word" },
		{ "192.0.2.0 mask 24", "write 192.0.2.0/24 in one word" },
		{ "192.0.2.0 -/ 24", "write 192.0.2.0/24 in one word" },
		{ "192.0.2.0/ 24", "write both in one word" },
		{ "2001:db8:: /32", "write 2001:db8::/32 in one word" },
		{ "192.0.2.1 - 192.0.2.9", "a range is one word: write 192.0.2.1-192.0.2.9" },
		{ "192.0.2.1 -- 192.0.2.9", "a range is one word: write 192.0.2.1-192.0.2.9" },
		{ "192.0.2.1 -192.0.2.9", "a range is one word: write 192.0.2.1-192.0.2.9" },
		{ "192.0.2.1- 192.0.2.9", "a range is one word: write 192.0.2.1-192.0.2.9" },
		{ "192.0.2.1 to 192.0.2.9", "a range is one word: write 192.0.2.1-192.0.2.9" },
		{ "192.0.2.1\t..\t192.0.2.9", "a range is one word: write 192.0.2.1-192.0.2.9" },
		{ "192.0.2.1 \xe2\x80\x93 192.0.2.9",
		  "a range is one word: write 192.0.2.1-192.0.2.9" },
		{ "192.0.2.1 \xe2\x80\x93"
		  "192.0.2.9",
		  "a range is one word: write 192.0.2.1-192.0.2.9" },
		{ "2001:db8::1 - 2001:db8::9", "write 2001:db8::1-2001:db8::9" },
		{ "192.0.2.1 - 20", "its end an address: write 192.0.2.1-192.0.2.20" },
		{ "192.0.2.1 -20", "its end an address: write 192.0.2.1-192.0.2.20" },
		{ "192.0.2.1 to 20", "its end an address: write 192.0.2.1-192.0.2.20" },
		{ "192.0.2.1 - 2.20", "its end an address: write first-last" },
		{ "2001:db8::1 - ff", "its end an address: write first-last" },
		{ "192.0.2.0/24 - 198.51.100.0/24", "both of them addresses" },
		{ "192.0.2.0/24 198.51.100.0/24", "another address stands after it" },
		{ "192.0.2.0/24;198.51.100.0/24", "another address stands after it" },
		{ "192.0.2.0/24 ,198.51.100.0/24", "another address stands after it" },
		{ "192.0.2.0/24 2001:db8::/32", "another address stands after it" },
		{ "2001:db8::/32 [2001:db9::]/32", "another address stands after it" },
		{ "192.0.2.0/24 except 192.0.2.128/25", "another address stands after it" },
		{ "192.0.2.0/24 !192.0.2.1", "another address stands after it" },
		{ "192.0.2.0/24 via 198.51.100.1 dev eth0", "another address stands after it" },
		{ "192.0.2.0 192.000.002.255", "another address stands after it" },
		{ "192.0.2.0 | 256", "a column with a number stands after it" },
		{ "192.0.2.0 ,24", "a column with a number stands after it" },
		{ "192.0.2.0/24 nomatch", "`nomatch` leaves this out" },
		{ "2001:db8::/32 timeout 5", "it has no timeout" },
		{ "0.0.0.0 ads.example", "a line of a hosts file" },
		{ "127.0.0.1\tlocalhost", "a line of a hosts file" },
		{ "::1 localhost ip6-localhost", "a line of a hosts file" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *why = why_bad(*state, cases[i].line);

		assert_non_null(strstr(why, "LIST:1:1: error: "));
		if (!strstr(why, cases[i].says))
			fail_msg("%s: %s", cases[i].line, why);
	}
}

/* Lines that other programs write, and what the message calls them. */
static void what_begins_with_no_entry(void **state)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
		{ "192.0.2.0/24,", "a comma stands after it: write 192.0.2.0/24 alone" },
		{ "192.0.2.0/24, 198.51.100.0/24", "a comma stands after it" },
		{ "192.0.2.0,192.0.2.255,ZZ", "a table with commas (CSV)" },
		{ "\"192.0.2.0\",\"192.0.2.255\",\"ZZ\"", "a table with commas (CSV)" },
		{ "prefixes:", "a key of YAML" },
		{ "192.0.2.0|256", "a table with a \"|\"" },
		{ "\"192.0.2.0/24\"", "quotes have no place around it: write 192.0.2.0/24 alone" },
		{ "[2001:db8::1]", "brackets have no place around it: write 2001:db8::1 alone" },
		{ "{ 192.0.2.0/24, 198.51.100.0/24 }", "text of nft: write 192.0.2.0/24 alone" },
		{ "!192.0.2.0/24", "a list has no exceptions" },
		{ "- '192.0.2.0/24'", "an item of a YAML list: write 192.0.2.0/24 alone" },
		{ "deny 192.0.2.0/24;", "a line of nginx: write 192.0.2.0/24 alone" },
		{ "allow 2001:db8::/32;", "a line of nginx: write 2001:db8::/32 alone" },
		{ "COMMIT", "a line of iptables-save" },
		{ "IP-CIDR,192.0.2.0/24,no-resolve",
		  "a rule of Clash or mihomo: write 192.0.2.0/24" },
		{ "full:www.example", "a rule about domains" },
		{ "domain:www.example", "a rule about domains" },
		{ "regexp:www\\.example", "a rule about domains" },
		{ "server=/www.example/192.0.2.1", "a line of dnsmasq" },
		{ "||www.example^", "a rule of a filter for browsers" },
		{ "www.example", "this is a name" },
		{ "*.www.example", "this is a name" },
		{ "AS64496", "the number of a network (AS)" },
		{ "https://www.example/x", "this is a URL" },
		{ "default via 192.0.2.1 dev eth0", "a line about a route" },
		{ "some org:192.0.2.0-192.0.2.255", "a line of a P2P block list" },
		{ "// remark", "a remark begins with a #" },
		{ "-- remark", "a remark begins with a #" },
		{ "192.0.2.0/24//remark", "a remark begins with a #" },
		{ "192.0.2.0/24\xc2\xa0", "a no-break space" },
		{ "block 192.0.2.0/24", "an entry stands first on its line: write 192.0.2.0/24" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *why = why_bad(*state, cases[i].line);

		assert_non_null(strstr(why, "LIST:1:1: error: "));
		if (!strstr(why, cases[i].says))
			fail_msg("%s: %s", cases[i].line, why);
	}
	why_bad(*state, "# joined\n\xef\xbb\xbf"
			"192.0.2.0/24\n");
	assert_non_null(strstr(said(*state), "LIST:2:1: error: "));
	assert_non_null(strstr(said(*state), "a byte order mark stands here"));
}

/* A file of another kind has one error, which is about no line of it. */
static void what_is_no_list(void **state)
{
	struct fixture *fixture = *state;
	struct buf buf = { 0 };

	buf_puts(&buf, "payload:\n");
	for (int i = 0; i < 100; i++)
		buf_printf(&buf, "  - '10.0.%d.0/24'\n", i);
	assert_false(read_list(fixture, buf_text(&buf), buf.length));
	buf_free(&buf);
	assert_int_equal(diag_error_count(fixture->diag), 1);
	assert_non_null(strstr(said(fixture), "\" is YAML of Clash or mihomo, and no list of "
					      "addresses [list-format]\n"));
	assert_string_equal(contents(fixture), "");
}

static void lines_that_are_alike_have_one_error(void **state)
{
	struct fixture *fixture = *state;
	struct buf buf = { 0 };
	int i;

	for (i = 0; i < 3000; i++)
		buf_printf(&buf, "10.0.%d.0\t10.0.%d.255\t64496\n10.1.%d.0,%d\n", i % 256, i % 256,
			   i % 256, i);
	assert_false(read_list(fixture, buf_text(&buf), buf.length));
	buf_free(&buf);
	assert_int_equal(diag_error_count(fixture->diag), 2);
	assert_non_null(strstr(said(fixture), "2999 more lines of this file are like it"));
	check_bad(fixture, "192.0.2.0 /24\n192.0.2.0/24\n198.51.100.0\t/24\n",
		  "LIST:1:1: error: \"192.0.2.0 /24\": the length stands apart from its prefix: "
		  "write 192.0.2.0/24 in one word [list-entry]\n"
		  "help: 1 more line of this file is like it\n");
}

/* Numbers after addresses are remarks, unless every one of them would be a length. */
static void numbers_that_may_be_lengths(void **state)
{
	static const char columns[] = "192.0.2.0\t24\t64496\n198.51.100.128 25\n2001:db8:: 32\n";
	struct fixture *fixture = *state;

	assert_true(read_list(fixture, columns, sizeof(columns) - 1));
	assert_string_equal(contents(fixture), "192.0.2.0 198.51.100.128 2001:db8::");
	assert_int_equal(diag_warning_count(fixture->diag), 1);
	assert_non_null(strstr(said(fixture), "would all be lengths of prefixes"));
	fixture->diag = diag_new(fixture->arena);
	check_good(fixture, "192.0.2.0 24\n192.0.2.1 7\n", "192.0.2.0/31");
	check_good(fixture, "192.0.2.0 24\n192.0.2.1\n", "192.0.2.0/31");
	check_good(fixture, "192.0.2.0 32\n192.0.2.1 32\n", "192.0.2.0/31");
	check_good(fixture, "192.0.2.0/24 24\n", "192.0.2.0/24");
}

static void every_bad_line_has_its_error(void **state)
{
	check_bad(*state, "10.0.0.1/8\n",
		  "LIST:1:1: error: \"10.0.0.1/8\": host bits are set: write 10.0.0.0/8 [list-entry]\n");
	check_bad(*state, "192.0.2.1\n\n  x/y z\n1.2.3\n",
		  "LIST:3:3: error: \"x/y\": this is no address: write 192.0.2.1 or 2001:db8::1 [list-entry]\n"
		  "LIST:4:1: error: \"1.2.3\": an IPv4 address has four numbers, like 192.0.2.1 [list-entry]\n");
	check_bad(*state, "192.0.2.1 - 192.0.2.9\n",
		  "LIST:1:1: error: \"192.0.2.1 - 192.0.2.9\": a range is one word: "
		  "write 192.0.2.1-192.0.2.9 [list-entry]\n");
	check_bad(*state, "::1%lo\n",
		  "LIST:1:1: error: \"::1%lo\": IPv6 zones (%eth0) have no meaning here: "
		  "write the address without it [list-entry]\n");
	check_bad(*state, "::ffff:192.0.2.0/120\n",
		  "LIST:1:1: error: \"::ffff:192.0.2.0/120\": no packet has IPv4 in the form of IPv6: "
		  "write 192.0.2.0/24, or leave it out [list-entry]\n");
	check_bad(*state, "\xc3\xa9 x\n",
		  "LIST:1:1: error: \"\xc3\xa9\": this is no address: write 192.0.2.1 or 2001:db8::1 "
		  "[list-entry]\n");
}

static void good_lines_beside_bad_ones_count(void **state)
{
	struct fixture *fixture = *state;

	assert_false(read_list(fixture, "x\n192.0.2.1\n", 12));
	assert_string_equal(contents(fixture), "192.0.2.1");
}

static void nul_bytes_are_no_end(void **state)
{
	struct fixture *fixture = *state;

	assert_false(read_list(fixture, "192.0.2.1\n192.0.2.3\0\n192.0.2.5\n", 31));
	assert_string_equal(contents(fixture), "192.0.2.1 192.0.2.5");
	assert_non_null(strstr(said(fixture), "LIST:2:1: error: "));
}

/* A message repeats the beginning of a long word, and never half a character of it. */
static void long_words_are_cut(void **state)
{
	struct fixture *fixture = *state;
	char text[4001];
	const char *message;

	text[0] = 'x';
	for (int i = 1; i < 3999; i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	text[3999] = '\0';
	check_good(fixture, "", "");
	assert_false(read_list(fixture, text, strlen(text)));
	message = said(fixture);
	assert_true(strlen(message) < 200);
	assert_non_null(strstr(message, "\xc3\xa9...\": this is no address"));
	assert_null(strstr(message, "\\x"));
}

static void many_bad_lines_are_counted(void **state)
{
	struct fixture *fixture = *state;
	struct buf buf = { 0 };
	const char *text;
	int i;

	for (i = 0; i < 20; i++)
		buf_printf(&buf, "bad%d\n", i);
	assert_false(read_list(fixture, buf_text(&buf), buf.length));
	assert_int_equal(diag_error_count(fixture->diag), 20);
	assert_null(strstr(said(fixture), "more"));

	fixture->diag = diag_new(fixture->arena);
	buf_puts(&buf, "bad\n");
	assert_false(read_list(fixture, buf_text(&buf), buf.length));
	assert_non_null(
		strstr(said(fixture),
		       "LIST:21:1: error: and 1 more line of this file is wrong [list-entry]\n"));

	fixture->diag = diag_new(fixture->arena);
	for (i = 0; i < 5000; i++)
		buf_puts(&buf, "bad\n192.0.2.1\n");
	assert_false(read_list(fixture, buf_text(&buf), buf.length));
	text = said(fixture);
	assert_int_equal(diag_error_count(fixture->diag), 21);
	assert_non_null(
		strstr(text,
		       "LIST:21:1: error: and 5001 more lines of this file are wrong [list-entry]\n"));
	buf_free(&buf);
}

static void the_first_error_says_who_wants_the_list(void **state)
{
	struct fixture *fixture = *state;
	struct source *policy = source_from(fixture->arena, "p.yaml", "{file: x}", 9);
	FILE *file = fopen(fixture->path, "w");

	fputs("bad\nbad\n", file);
	fclose(file);
	assert_false(listfile_read(fixture->arena, fixture->diag, fixture->path,
				   (struct span){ policy, 7, 8 }, &fixture->set));
	assert_string_equal(
		said(fixture),
		"LIST:1:1: error: \"bad\": this is no address: write 192.0.2.1 or 2001:db8::1 [list-entry]\n"
		"p.yaml:1:8: note: the list is named here\n"
		"LIST:2:1: error: \"bad\": this is no address: write 192.0.2.1 or 2001:db8::1 [list-entry]\n");
}

static void a_missing_list_is_an_error(void **state)
{
	struct fixture *fixture = *state;

	unlink(fixture->path);
	assert_false(listfile_read(fixture->arena, fixture->diag, fixture->path,
				   (struct span){ NULL, 0, 0 }, &fixture->set));
	assert_int_equal(diag_error_count(fixture->diag), 1);
	assert_non_null(strstr(said(fixture), "there is no such file [file-unreadable]"));
	assert_int_equal(mkdtemp(strcpy(fixture->path, "/tmp/tpc-test-listfile-XXXXXX")) != NULL,
			 1);
	assert_false(listfile_read(fixture->arena, fixture->diag, fixture->path,
				   (struct span){ NULL, 0, 0 }, &fixture->set));
	assert_non_null(strstr(said(fixture), "it is a directory"));
	rmdir(fixture->path);
}

/* A hundred thousand entries of both families, in no order, with every tenth twice. */
static void long_lists_are_read_whole(void **state)
{
	enum { ENTRIES = 100000 };
	struct fixture *fixture = *state;
	struct buf buf = { 0 };
	uint32_t i;

	for (i = 0; i < ENTRIES; i++) {
		uint32_t n = (uint32_t)((uint64_t)i * 7919 % ENTRIES) * 2;

		buf_printf(&buf, "10.%u.%u.%u\n", n >> 16, n >> 8 & 255, n & 255);
		if (i % 10 == 0)
			buf_printf(&buf, "10.%u.%u.%u\n2001:db8::%x:0\n", n >> 16, n >> 8 & 255,
				   n & 255, n & 0xffff);
	}
	assert_true(read_list(fixture, buf_text(&buf), buf.length));
	addr_set_normalise(&fixture->set);
	assert_int_equal(fixture->set.family[ADDR_IPV4].count, ENTRIES);
	for (i = 0; i < ENTRIES; i++)
		assert_true(fixture->set.family[ADDR_IPV4].items[i].first.low ==
			    0x0a000000 + 2 * i);
	assert_true(fixture->set.family[ADDR_IPV6].count > 5000);
	buf_free(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_counts_as_an_entry, make, drop),
		cmocka_unit_test_setup_teardown(what_was_there_stays, make, drop),
		cmocka_unit_test_setup_teardown(what_is_a_remark, make, drop),
		cmocka_unit_test_setup_teardown(what_is_no_remark, make, drop),
		cmocka_unit_test_setup_teardown(what_begins_with_no_entry, make, drop),
		cmocka_unit_test_setup_teardown(what_is_no_list, make, drop),
		cmocka_unit_test_setup_teardown(lines_that_are_alike_have_one_error, make, drop),
		cmocka_unit_test_setup_teardown(numbers_that_may_be_lengths, make, drop),
		cmocka_unit_test_setup_teardown(every_bad_line_has_its_error, make, drop),
		cmocka_unit_test_setup_teardown(good_lines_beside_bad_ones_count, make, drop),
		cmocka_unit_test_setup_teardown(nul_bytes_are_no_end, make, drop),
		cmocka_unit_test_setup_teardown(long_words_are_cut, make, drop),
		cmocka_unit_test_setup_teardown(many_bad_lines_are_counted, make, drop),
		cmocka_unit_test_setup_teardown(the_first_error_says_who_wants_the_list, make,
						drop),
		cmocka_unit_test_setup_teardown(a_missing_list_is_an_error, make, drop),
		cmocka_unit_test_setup_teardown(long_lists_are_read_whole, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
