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

	diag_render(fixture->diag, &all, (struct diag_style){ false, false });
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

static void every_bad_line_has_its_error(void **state)
{
	check_bad(*state, "10.0.0.1/8\n",
		  "LIST:1:1: error: \"10.0.0.1/8\": host bits are set: write 10.0.0.0/8 [list-entry]\n");
	check_bad(*state, "192.0.2.1\n\n  x.example y\n1.2.3\n",
		  "LIST:3:3: error: \"x.example\": \"x\" has no place in an IPv4 address [list-entry]\n"
		  "LIST:4:1: error: \"1.2.3\": an IPv4 address has four numbers, like 192.0.2.1 [list-entry]\n");
	check_bad(*state, "192.0.2.1 - 192.0.2.9\n",
		  "LIST:1:1: error: \"192.0.2.1 - 192.0.2.9\": a range is one word: write first-last without spaces [list-entry]\n");
	check_bad(*state, "192.0.2.1,192.0.2.2\n",
		  "LIST:1:1: error: \"192.0.2.1,192.0.2.2\": \",\" has no place in an IPv4 address [list-entry]\n");
	check_bad(*state, "::1%lo\n",
		  "LIST:1:1: error: \"::1%lo\": IPv6 zones (%eth0) have no meaning here: "
		  "write the address without it [list-entry]\n");
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
