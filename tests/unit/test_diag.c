/*
 * Unit tests of base/diag: what is shown of a record, to the byte, and that nothing a policy holds
 * reaches a terminal raw.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/utf8.h"

struct fixture {
	struct arena *arena;
	struct diag *diag;
};

static const struct diag_style plain = { 0 }, json = { .json = true }, colored = { .color = true };
static const struct span nowhere = { NULL, 0, 0 };

static int make(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->arena = arena_new();
	fixture->diag = diag_new(fixture->arena);
	*state = fixture;
	return 0;
}

static int drop(void **state)
{
	arena_free(((struct fixture *)*state)->arena);
	free(*state);
	return 0;
}

static struct source *from(struct fixture *fixture, const char *name, const char *text)
{
	return source_from(fixture->arena, name, text, strlen(text));
}

/* Where `part` stands in the source. */
static struct span at(const struct source *source, const char *part)
{
	const char *found = strstr(source->text, part);

	assert_non_null(found);
	return (struct span){ source, (uint32_t)(found - source->text),
			      (uint32_t)(found - source->text + strlen(part)) };
}

static const char *shown(struct fixture *fixture, struct diag_style style)
{
	struct buf buf = { 0 };
	const char *text;

	diag_render(fixture->diag, &buf, style);
	text = arena_strdup(fixture->arena, buf_text(&buf));
	buf_free(&buf);
	return text;
}

static void a_record_in_full(void **state)
{
	struct source *source = from(*state, "policy.yaml",
				     "a:\n  proxy: 1\nb:\n  - {to: x, then: {proxy: prxy}}\n");
	struct fixture *fixture = *state;
	struct diag_record *record = diag_add(fixture->diag, DIAG_unknown_name, at(source, "prxy"),
					      "no listener \"%s\"", "prxy");

	diag_also(record, at(source, "proxy"), "the only one is %s", "here");
	diag_help(record, "did you mean \"%s\"?", "proxy");
	diag_help(record, "or define it");
	assert_string_equal(shown(fixture, plain),
			    "policy.yaml:4:27: error: no listener \"prxy\" [unknown-name]\n"
			    "  4 |   - {to: x, then: {proxy: prxy}}\n"
			    "    |                           ^^^^\n"
			    "policy.yaml:2:3: note: the only one is here\n"
			    "help: did you mean \"proxy\"?\n"
			    "help: or define it\n");
	assert_string_equal(
		shown(fixture, json),
		"{\"severity\":\"error\",\"code\":\"unknown-name\",\"file\":\"policy.yaml\",\"line\":4,\"column\":27,"
		"\"end_column\":31,\"message\":\"no listener \\\"prxy\\\"\",\"notes\":[{\"file\":\"policy.yaml\","
		"\"line\":2,\"column\":3,\"end_column\":8,\"message\":\"the only one is here\"}],"
		"\"help\":[\"did you mean \\\"proxy\\\"?\",\"or define it\"],\"command\":null}\n");
}

static void a_record_in_color(void **state)
{
	struct fixture *fixture = *state;
	struct source *source = from(fixture, "p", "x: y\n");
	struct diag_record *record = diag_add(fixture->diag, DIAG_unused, at(source, "y"), "text");

	diag_also(record, at(source, "x"), "note");
	diag_help(record, "mend");
	assert_string_equal(shown(fixture, colored),
			    "\x1b[1mp:1:4:\x1b[0m \x1b[1;35mwarning:\x1b[0m text [unused]\n"
			    "  1 | x: y\n"
			    "    | \x1b[1;35m   ^\x1b[0m\n"
			    "\x1b[1mp:1:1:\x1b[0m \x1b[1;36mnote:\x1b[0m note\n"
			    "\x1b[1;32mhelp:\x1b[0m mend\n");
}

static void a_record_without_a_place(void **state)
{
	struct fixture *fixture = *state;
	struct diag_record *record =
		diag_add(fixture->diag, DIAG_file_unreadable, nowhere, "cannot read it");

	diag_also(record, nowhere, "nor this");
	assert_string_equal(shown(fixture, plain),
			    "tpc: error: cannot read it [file-unreadable]\ntpc: note: nor this\n");
	assert_string_equal(
		shown(fixture, json),
		"{\"severity\":\"error\",\"code\":\"file-unreadable\",\"file\":null,\"line\":null,"
		"\"column\":null,\"end_column\":null,\"message\":\"cannot read it\",\"notes\":[{\"file\":null,"
		"\"line\":null,\"column\":null,\"end_column\":null,\"message\":\"nor this\"}],\"help\":[],\"command\":null}\n");
}

static void nothing_is_shown_of_nothing(void **state)
{
	assert_string_equal(shown(*state, plain), "");
	assert_string_equal(shown(*state, json), "");
}

/* The lines of an excerpt of one record whose span is `part`. */
static void check_excerpt(struct fixture *fixture, const char *text, const char *part,
			  const char *expected)
{
	struct diag *diag = diag_new(fixture->arena);
	struct fixture own = { fixture->arena, diag };
	const char *all;

	diag_add(diag, DIAG_bad_value, at(from(fixture, "t", text), part), "x");
	all = shown(&own, plain);
	assert_non_null(strchr(all, '\n'));
	assert_string_equal(strchr(all, '\n') + 1, expected);
}

static void carets_stand_below_the_span(void **state)
{
	check_excerpt(*state, "abc\n", "a", "  1 | abc\n    | ^\n");
	check_excerpt(*state, "abc", "abc", "  1 | abc\n    | ^^^\n");
	check_excerpt(*state,
		      "a\xc3\xa9\xe4\xb8\xad"
		      "b",
		      "b",
		      "  1 | a\xc3\xa9\xe4\xb8\xad"
		      "b\n    |    ^\n");
	check_excerpt(*state, "\xc3\xa9\xc3\xa9x", "\xc3\xa9\xc3\xa9",
		      "  1 | \xc3\xa9\xc3\xa9x\n    | ^^\n");
	check_excerpt(*state, "\ta\tbc\td", "bc", "  1 | \ta\tbc\td\n    | \t \t^^\n");
	check_excerpt(*state, "a\tb c", "a\tb", "  1 | a\tb c\n    | ^\t^\n");
	check_excerpt(*state, "\n\n\n\n\n\n\n\n\nx", "x", "  10 | x\n     | ^\n");
	check_excerpt(*state, "one: [\n  two\n", "[\n  two", "  1 | one: [\n    |      ^\n");
	check_excerpt(*state, "one\r\ntwo\r\n", "ne\r\nt", "  1 | one\n    |  ^^\n");
	check_excerpt(*state, "abc\n", "", "  1 | abc\n    | ^\n");
	check_excerpt(*state, "abc\n", "\n", "  1 | abc\n    |    ^\n");
	check_excerpt(*state, "abc\r\n", "\n", "  1 | abc\n    |    ^\n");
}

static void the_end_of_the_text_has_a_line_too(void **state)
{
	struct fixture *fixture = *state;
	struct source *source = from(fixture, "t", "a\n");

	diag_add(fixture->diag, DIAG_bad_value, (struct span){ source, 2, 2 }, "x");
	diag_add(fixture->diag, DIAG_bad_name, (struct span){ source, 99, 120 }, "y");
	assert_string_equal(shown(fixture, plain), "t:2:1: error: x [bad-value]\n  2 | \n    | ^\n"
						   "t:2:1: error: y [bad-name]\n  2 | \n    | ^\n");
}

static void what_is_no_text_is_made_visible(void **state)
{
	check_excerpt(*state, "a\x1b[31mb c", "c", "  1 | a\\x1b[31mb c\n    |            ^\n");
	check_excerpt(*state,
		      "a\xff"
		      "b",
		      "\xff", "  1 | a\\xffb\n    |  ^^^^\n");
	check_excerpt(*state,
		      "a\xe2\x80\xae"
		      "b",
		      "b", "  1 | a\\u202eb\n    |        ^\n");
	check_excerpt(*state,
		      "\xc2\x9b"
		      "b",
		      "b", "  1 | \\u009bb\n    |       ^\n");
	check_excerpt(*state, "a\rb", "b", "  1 | a\\x0db\n    |      ^\n");
}

static void messages_and_names_are_made_visible(void **state)
{
	struct fixture *fixture = *state;
	struct source *source = from(fixture, "a\x1b\n\xff", "x\n");
	struct diag_record *record =
		diag_add(fixture->diag, DIAG_bad_value, at(source, "x"), "\x1b]0;%s\x07", "\xc3");

	diag_also(record, at(source, "x"), "two\nlines");
	diag_help(record, "\xe2\x80\xae");
	assert_string_equal(shown(fixture, plain),
			    "a\\x1b\\x0a\\xff:1:1: error: \\x1b]0;\\xc3\\x07 [bad-value]\n"
			    "  1 | x\n    | ^\n"
			    "a\\x1b\\x0a\\xff:1:1: note: two\\x0alines\nhelp: \\u202e\n");
}

/* A long line of numbers, of which the one at `wanted` is marked. */
static const char *show_long_line(struct fixture *fixture, int count, int wanted, const char *end)
{
	struct diag *diag = diag_new(fixture->arena);
	struct fixture own = { fixture->arena, diag };
	struct buf buf = { 0 };
	struct source *source;
	int i;

	for (i = 0; i < count; i++)
		buf_printf(&buf, "%05d ", i);
	buf_puts(&buf, end);
	source = source_from(fixture->arena, "long", buf_text(&buf), buf.length);
	buf_free(&buf);
	diag_add(diag, DIAG_bad_value,
		 (struct span){ source, (uint32_t)wanted * 6, (uint32_t)wanted * 6 + 5 }, "x");
	return strchr(shown(&own, plain), '\n') + 1;
}

static void long_lines_are_cut_around_the_span(void **state)
{
	const char *text, *below, *mark;

	text = show_long_line(*state, 100000, 5000, "\n");
	below = strchr(text, '\n') + 1;
	assert_true(below - text < 180);
	assert_memory_equal(text, "  1 | ...", 9);
	assert_memory_equal(below - 4, "...\n", 4);
	mark = strchr(below, '^');
	assert_memory_equal(text + (mark - below), "05000 ", 6);
	assert_string_equal(mark, "^^^^^\n");

	text = show_long_line(*state, 1000, 0, "\n");
	assert_memory_equal(text, "  1 | 00000 00001 ", 18);
	text = show_long_line(*state, 1000, 999, "\n");
	below = strchr(text, '\n') + 1;
	assert_memory_equal(below - 7, "00999 \n", 7);
	mark = strchr(below, '^');
	assert_memory_equal(text + (mark - below), "00999 ", 6);
	text = show_long_line(*state, 26, 25, "1234\n");
	assert_memory_equal(text, "  1 | 00000 00001 ", 18);
	assert_null(strstr(text, "..."));
}

/* A span longer than what is shown of the line is marked as far as it is shown. */
static void long_spans_end_with_the_line(void **state)
{
	struct fixture *fixture = *state;
	char line[2001];
	struct source *source;
	const char *text, *below;

	memset(line, 'a', 2000);
	line[2000] = '\0';
	source = from(fixture, "long", line);
	diag_add(fixture->diag, DIAG_bad_value, (struct span){ source, 0, 2000 }, "x");
	text = strchr(shown(fixture, plain), '\n') + 1;
	below = strchr(text, '\n') + 1;
	assert_int_equal(strlen(below), below - text - 3);
}

/* Megabytes that are no text at all give a few hundred bytes of message. */
static void rubbish_is_cut_too(void **state)
{
	struct fixture *fixture = *state;
	char *text = test_malloc(1 << 20);
	struct source *source;
	size_t i, length;
	const char *all;

	memset(text, 0x80, 1 << 20);
	source = source_from(fixture->arena, "rubbish", text, 1 << 20);
	diag_add(fixture->diag, DIAG_encoding, (struct span){ source, 500000, 500001 }, "x");
	all = shown(fixture, plain);
	length = strlen(all);
	assert_true(length < 6000);
	assert_non_null(strchr(all, '^'));
	for (i = 0; i < length; i++)
		assert_true(all[i] == '\n' || (all[i] >= ' ' && all[i] < 0x7f));
	test_free(text);
}

static void records_are_sorted_by_place(void **state)
{
	struct fixture *fixture = *state;
	struct source *a = from(fixture, "a", "123456789\n"),
		      *b = from(fixture, "b", "123456789\n");

	diag_add(fixture->diag, DIAG_bad_value, at(b, "1"), "five");
	diag_add(fixture->diag, DIAG_bad_value, at(a, "7"), "four");
	diag_add(fixture->diag, DIAG_bad_value, at(a, "23"), "two");
	diag_add(fixture->diag, DIAG_bad_name, at(a, "2"), "three");
	diag_add(fixture->diag, DIAG_bad_value, nowhere, "one");
	diag_add(fixture->diag, DIAG_bad_value, at(a, "1"), "one and a half");
	assert_string_equal(shown(fixture, plain),
			    "tpc: error: one [bad-value]\n"
			    "a:1:1: error: one and a half [bad-value]\n  1 | 123456789\n    | ^\n"
			    "a:1:2: error: two [bad-value]\n  1 | 123456789\n    |  ^^\n"
			    "a:1:2: error: three [bad-name]\n  1 | 123456789\n    |  ^\n"
			    "a:1:7: error: four [bad-value]\n  1 | 123456789\n    |       ^\n"
			    "b:1:1: error: five [bad-value]\n  1 | 123456789\n    | ^\n");
}

static void equal_records_are_shown_once(void **state)
{
	struct fixture *fixture = *state;
	struct source *source = from(fixture, "a", "12\n");
	struct diag_record *first = diag_add(fixture->diag, DIAG_bad_value, at(source, "1"), "x");

	diag_help(first, "the first one's help");
	diag_add(fixture->diag, DIAG_bad_value, at(source, "1"), "y");
	diag_add(fixture->diag, DIAG_bad_value, at(source, "1"), "x");
	diag_add(fixture->diag, DIAG_bad_value, nowhere, "x");
	diag_add(fixture->diag, DIAG_bad_value, nowhere, "x");
	assert_string_equal(shown(fixture, plain),
			    "tpc: error: x [bad-value]\n"
			    "a:1:1: error: x [bad-value]\n  1 | 12\n    | ^\n"
			    "help: the first one's help\n"
			    "a:1:1: error: y [bad-value]\n  1 | 12\n    | ^\n");
}

static void records_are_counted(void **state)
{
	struct fixture *fixture = *state;
	int i;

	assert_int_equal(diag_error_count(fixture->diag), 0);
	for (i = 0; i < 100; i++)
		diag_add(fixture->diag, i % 4 ? DIAG_bad_value : DIAG_unused, nowhere, "%d", i);
	assert_int_equal(diag_error_count(fixture->diag), 75);
	assert_int_equal(diag_warning_count(fixture->diag), 25);
}

static void codes_have_names(void **state)
{
	int code;

	(void)state;
	assert_string_equal(diag_code_name(DIAG_file_unreadable), "file-unreadable");
	assert_string_equal(diag_code_name(DIAG_yaml_colon_address), "yaml-colon-address");
	assert_string_equal(diag_code_name(DIAG_unused), "unused");
	assert_int_equal(diag_code_severity(DIAG_unused), SEVERITY_WARNING);
	assert_int_equal(diag_code_severity(DIAG_encoding), SEVERITY_ERROR);
	for (code = 0; code < DIAG_CODE_COUNT; code++) {
		const char *name = diag_code_name((enum diag_code)code);

		assert_true(strlen(name) >= 3);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-"),
				 strlen(name));
		assert_true(strlen(diag_code_about((enum diag_code)code)) > 5);
	}
}

/* Any bytes, any span: the message is text, and its lines of carets are as long as they may be. */
static void no_bytes_escape(void **state)
{
	uint64_t seed = 4;
	int round, i;

	(void)state;
	for (round = 0; round < 400; round++) {
		struct arena *arena = arena_new();
		struct fixture own = { arena, diag_new(arena) };
		char text[600];
		struct source *source;
		const char *all;
		size_t length, offset, size;
		uint32_t code, begin;

		for (i = 0; i < (int)sizeof(text); i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			text[i] = (char)(seed >> 56);
		}
		source = source_from(arena, "t", text, sizeof(text));
		begin = (uint32_t)(seed >> 33) % 600;
		diag_add(own.diag, DIAG_encoding,
			 (struct span){ source, begin, begin + (uint32_t)(round % 50) }, "%.*s", 40,
			 text);
		all = shown(&own, plain);
		length = strlen(all);
		for (offset = 0; offset < length; offset += size) {
			size = utf8_decode(all + offset, length - offset, &code);
			assert_true(size > 0);
			assert_true(code == '\n' || code == '\t' || !utf8_is_hidden(code));
		}
		assert_non_null(strchr(all, '^'));
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_record_in_full, make, drop),
		cmocka_unit_test_setup_teardown(a_record_in_color, make, drop),
		cmocka_unit_test_setup_teardown(a_record_without_a_place, make, drop),
		cmocka_unit_test_setup_teardown(nothing_is_shown_of_nothing, make, drop),
		cmocka_unit_test_setup_teardown(carets_stand_below_the_span, make, drop),
		cmocka_unit_test_setup_teardown(the_end_of_the_text_has_a_line_too, make, drop),
		cmocka_unit_test_setup_teardown(what_is_no_text_is_made_visible, make, drop),
		cmocka_unit_test_setup_teardown(messages_and_names_are_made_visible, make, drop),
		cmocka_unit_test_setup_teardown(long_lines_are_cut_around_the_span, make, drop),
		cmocka_unit_test_setup_teardown(long_spans_end_with_the_line, make, drop),
		cmocka_unit_test_setup_teardown(rubbish_is_cut_too, make, drop),
		cmocka_unit_test_setup_teardown(records_are_sorted_by_place, make, drop),
		cmocka_unit_test_setup_teardown(equal_records_are_shown_once, make, drop),
		cmocka_unit_test_setup_teardown(records_are_counted, make, drop),
		cmocka_unit_test_setup_teardown(codes_have_names, make, drop),
		cmocka_unit_test(no_bytes_escape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
