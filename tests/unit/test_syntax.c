/*
 * test_syntax: texts that libyaml cannot read, or reads as something else than was meant, and what
 * we say of them: addresses with a colon at their edge, brackets, quotes, indentation.
 */
#include "reading.h"

/* ---- addresses with a colon at their edge ---- */

static void test_colon_places(void **state)
{
	(void)state;
	ERRORS("a: [::1]", "\"::1\"", "1:5 yaml-colon-address begins with a colon");
	ERRORS("a: [fd00::]", "\"fd00::\"", "1:5 yaml-colon-address ends with a colon");
	ERRORS("a: [b, ::1]", "\"::1\"", "1:8 yaml-colon-address ::1");
	ERRORS("{from: ::1}", "\"::1\"", "1:8 yaml-colon-address ::1");
	ERRORS("{from: ::/0}", "\"::/0\"", "1:8 yaml-colon-address ::/0");
	ERRORS("{from: ::, a: b}", "\"::\"", "1:8 yaml-colon-address ::");
	ERRORS("{from: fd00::, a: b}", "\"fd00::\"", "1:8 yaml-colon-address fd00::");
	ERRORS("{from: fd00:: }", "\"fd00::\"", "1:8 yaml-colon-address fd00::");
	ERRORS("{from: fd00::\n}", "\"fd00::\"", "1:8 yaml-colon-address fd00::");
	ERRORS("to: fd00::", "\"fd00::\"", "1:5 yaml-colon-address fd00::");
	ERRORS("to: ::", "\"::\"", "1:5 yaml-colon-address ::");
	ERRORS("a:\n  - fd00::\n  - ::\n", "\"fd00::\"",
	       "2:5 yaml-colon-address fd00::", "3:5 yaml-colon-address ::");
	ERRORS("a: [fe80:: , x]", "\"fe80::\"", "1:5 yaml-colon-address fe80::");
	ERRORS("a: [2001:db8::]", "\"2001:db8::\"", "1:5 yaml-colon-address 2001:db8::");
	ERRORS("a: [\n  ::1-::9\n]", "\"::1-::9\"", "2:3 yaml-colon-address ::1-::9");
	ERRORS("a: [::ffff:1.2.3.4/100]", "\"::ffff:1.2.3.4/100\"",
	       "1:5 yaml-colon-address ::ffff:1.2.3.4");
	ERRORS("a: [::1]:80", "\"[::1]:80\"", "1:4 yaml-colon-address [::1]:80");
	ERRORS("{a: [fd00::5]:80, b: c}", "\"[fd00::5]:80\"",
	       "1:5 yaml-colon-address [fd00::5]:80");
	ERRORS("a: [fd00::5]:80", "\"[fd00::5]:80\"", "1:4 yaml-colon-address [fd00::5]:80");
	ERRORS("{::1: x}", "\"::1\"", "1:2 yaml-colon-address ::1");
	ERRORS("{::12: x}", "\"::12\"", "1:2 yaml-colon-address ::12 ");
}

/* One run names all of them, and what else is wrong. */
static void test_colon_all(void **state)
{
	(void)state;
	ERRORS("a: [\xc3\xa9, ::1, fd00::, x]\nb: &c d\ne: {f: ::, g: [::/0]}\ne: 1\n", NULL,
	       "1:8 yaml-colon-address ::1",
	       "1:13 yaml-colon-address fd00::", "2:4 yaml-feature &c",
	       "3:8 yaml-colon-address ::", "3:16 yaml-colon-address ::/0",
	       "4:1 duplicate-key \"e\"");
	ERRORS("a: [::1]\nb: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n", NULL,
	       "1:5 yaml-colon-address ::1", "2:35 yaml-depth deeper",
	       "2:34 yaml-syntax not closed");
	ERRORS("a: [::1]\n---\nb: [::2]\n", NULL, "1:5 yaml-colon-address ::1",
	       "2:1 yaml-feature document");
	ERRORS("a: [::1]\nb: [c\n", NULL, "1:5 yaml-colon-address ::1",
	       "2:4 yaml-syntax not closed");
}

static void test_colon_meaning(void **state)
{
	static const char text[] =
		"a: [::1, fd00::]\nb: fd00::\nc:\n  - fd00::\nd: [fd00:: , x]\ne: [::1]:80\n";
	static const char *const lists[] = { "a", "c", "d" };
	struct reading r;

	(void)state;
	reading_open(&r, text, sizeof(text) - 1);
	assert_int_equal(diag_error_count(r.diag), 6);
	assert_non_null(r.root);
	assert_string_equal(at(r.root, "a")->items[0].text, "::1");
	assert_string_equal(at(r.root, "a")->items[1].text, "fd00::");
	assert_string_equal(at(r.root, "b")->text, "fd00::");
	assert_string_equal(at(r.root, "e")->text, "[::1]:80");
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(at(r.root, lists[i])->items[0].kind, NODE_SCALAR);
	assert_spans(&at(r.root, "c")->items[0], "fd00::");
	assert_string_equal(at(r.root, "d")->items[0].text, "fd00::");
	reading_close(&r);
}

/* What YAML reads as it was meant is none of ours. */
static void test_colon_fine(void **state)
{
	static const char text[] =
		"a: ::1\nb:\n  - ::1\n  - ::/0\n  - fd00::/8\n  - \"fd00::\"\nc: [fd00::/8, fd00::1, "
		"'::1', a::b]\nd: |\n  [::1, fd00::]\n# [::1]\ne: \"{x: ::1}\"\n::2: x\nmac: aa:bb:cc:dd:ee:ff\n";
	struct reading r;

	(void)state;
	OPEN(&r, text);
	assert_string_equal(at(r.root, "a")->text, "::1");
	assert_string_equal(at(r.root, "b")->items[1].text, "::/0");
	assert_string_equal(at(r.root, "::2")->text, "x");
	reading_close(&r);
	ERRORS("a: [b:]", "quotes", "1:5 yaml-syntax cannot end in a colon");
	ERRORS("a: [:b]", "quotes", "1:5 yaml-syntax no word can begin");
}

static void test_colon_many(void **state)
{
	struct buf text = { 0 };
	struct reading r;

	(void)state;
	buf_puts(&text, "a: [");
	put_times(&text, "::1, ", 300);
	buf_puts(&text, "x]\n");
	reading_open(&r, text.text, text.length);
	assert_int_equal(diag_error_count(r.diag), 100);
	assert_null(strstr(buf_text(&r.shown), "yaml-syntax"));
	reading_close(&r);
	buf_free(&text);
}

/* ---- syntax ---- */

static void test_syntax_lines(void **state)
{
	(void)state;
	ERRORS("a: 1\n\tb: 2\n", "spaces", "2:1 yaml-syntax tab");
	ERRORS("a:\n\t- b\n", "spaces", "2:1 yaml-syntax tab");
	ERRORS("a: |\n\tb\n", "spaces", "2:1 yaml-syntax tab");
	ERRORS("a\nb: 1\n", "key: value", "1:1 yaml-syntax key without a colon");
	ERRORS("a: 1\nbad\nc: 1\n", "key: value", "2:1 yaml-syntax key without a colon");
	ERRORS("a: 1\n  b: 2\n", "p:1:1: note:", "2:3 yaml-syntax indented deeper");
	ERRORS("a:\n  b: 1\n c: 2\n", "same column", "3:2 yaml-syntax indentation");
	ERRORS("a:\n - b\n- c\n", "same column", "3:1 yaml-syntax indentation");
	ERRORS("- a\nb: c\n", "same column", "2:1 yaml-syntax indentation");
	ERRORS("a: - b\n", "[a, b]", "1:4 yaml-syntax list item");
	ERRORS("a: b: c\n", "quotes", "1:5 yaml-syntax second colon");
	ERRORS("a: ? b\n", "quotes", "1:4 yaml-syntax \"?\"");
	ERRORS(": x\n", "key: value", "1:1 yaml-syntax without a key");
	ERRORS("{: x}\n", "key: value", "1:2 yaml-syntax without a key");
	ERRORS("a: x\n...\nb: c\n", NULL, "3:1 yaml-syntax follows the end");
}

static void test_syntax_brackets(void **state)
{
	(void)state;
	ERRORS("a: [1, 2\nb: 3\n", "p:2:1: note:", "1:4 yaml-syntax \"[\" is not closed");
	ERRORS("a: {b: 1", "p:1:9: note: the text ends", "1:4 yaml-syntax \"{\" is not closed");
	ERRORS("a:\n  - {b: c, d: {e: f}\n  - {g: h}\n", "\"}\"",
	       "2:5 yaml-syntax \"{\" is not closed");
	ERRORS("{a: 1 b: 2}", "comma", "1:7 yaml-syntax comma or \"}\"");
	ERRORS("a: [1, 2]]", "remove it", "1:10 yaml-syntax follows the end of a value");
	ERRORS("a: }", NULL, "1:4 yaml-syntax value is missing");
	ERRORS("a: [b,,c]", NULL, "1:7 yaml-syntax value is missing");
}

static void test_syntax_quotes(void **state)
{
	(void)state;
	ERRORS("a: \"x\nb: y\n", "p:3:1: note: the text ends", "1:4 yaml-syntax never closed");
	ERRORS("a: 'x\n---\n", NULL, "1:4 yaml-syntax never closed");
	ERRORS("a: \"b\" c", "remove it", "1:8 yaml-syntax follows the end of a value");
	ERRORS("a: \"x\\qz\"", "\\\\", "1:6 yaml-syntax no escape");
	ERRORS("a: \"\\ud800\"", NULL, "1:5 yaml-syntax no escape");
	ERRORS("a: @x", "\"@x\"", "1:4 yaml-syntax no word can begin");
	ERRORS("a: [`x`, b]", "\"`x`\"", "1:5 yaml-syntax no word can begin");
	ERRORS("a: >x\n", "quotes", "1:4 yaml-syntax next line");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_colon_places),    cmocka_unit_test(test_colon_all),
		cmocka_unit_test(test_colon_meaning),   cmocka_unit_test(test_colon_fine),
		cmocka_unit_test(test_colon_many),      cmocka_unit_test(test_syntax_lines),
		cmocka_unit_test(test_syntax_brackets), cmocka_unit_test(test_syntax_quotes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
