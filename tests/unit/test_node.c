/*
 * test_node: texts into node_parse, and what comes out: trees with places, and errors for what a
 * policy may not hold. What is not YAML at all is in test_syntax.c.
 */
#include "reading.h"

#include <time.h>

/* ---- trees ---- */

static void test_tree(void **state)
{
	struct reading r;
	const struct node *rules;

	(void)state;
	OPEN(&r,
	     "version: 1\nsets:\n  foreign: [192.0.2.8, \"a b\"]\nrules:\n  - {to: foreign}\n  - to: x\n");
	assert_int_equal(r.root->kind, NODE_MAP);
	assert_int_equal(r.root->count, 3);
	assert_string_equal(r.root->entries[1].key, "sets");
	assert_string_equal(at(r.root, "version")->text, "1");
	assert_false(at(r.root, "version")->quoted);
	assert_int_equal(at(at(r.root, "sets"), "foreign")->count, 2);
	assert_true(at(at(r.root, "sets"), "foreign")->items[1].quoted);
	rules = at(r.root, "rules");
	assert_int_equal(rules->kind, NODE_LIST);
	assert_string_equal(at(&rules->items[1], "to")->text, "x");
	assert_null(node_find(r.root, "nothing"));
	assert_null(node_find(rules, "to"));
	reading_close(&r);
}

static void test_spans(void **state)
{
	struct reading r;
	const struct node *list;

	(void)state;
	OPEN(&r,
	     "a: 'x y'\nb: [ {c: d} , e ]  # f\ng:\n  - h\n  - i: \"j\"\n  # k\n\nl: |\n  m\n\nn:\no:\n- p\n-\n");
	assert_spans(at(r.root, "a"), "'x y'");
	assert_spans(at(r.root, "b"), "[ {c: d} , e ]");
	assert_spans(&at(r.root, "b")->items[0], "{c: d}");
	list = at(r.root, "g");
	assert_spans(list, "- h\n  - i: \"j\"");
	assert_spans(&list->items[1], "i: \"j\"");
	assert_spans(at(r.root, "l"), "|\n  m");
	assert_string_equal(at(r.root, "l")->text, "m\n");
	assert_spans(at(r.root, "n"), "");
	assert_at(at(r.root, "n"), 11, 3);
	assert_spans(at(r.root, "o"), "- p\n-");
	assert_int_equal(r.root->entries[0].key_span.begin, 0);
	assert_int_equal(r.root->entries[0].key_span.end, 1);
	reading_close(&r);
}

static void test_places(void **state)
{
	struct reading r;

	(void)state;
	/* two, three and four bytes a character */
	OPEN(&r, "a: [\xc3\xa9, \xe2\x82\xac, \xf0\x9f\x98\x80, x]\n\xc3\xa9: y\n");
	assert_at(&at(r.root, "a")->items[3], 1, 14);
	assert_spans(&at(r.root, "a")->items[2], "\xf0\x9f\x98\x80");
	assert_at(at(r.root, "\xc3\xa9"), 2, 4);
	reading_close(&r);
	/* a tab is one column */
	OPEN(&r, "a:\t[b,\tc]\n");
	assert_at(&at(r.root, "a")->items[1], 1, 8);
	reading_close(&r);
	OPEN(&r, "a: b\r\nc:\r\n  - d\r\n  - e\r\n");
	assert_at(&at(r.root, "c")->items[1], 4, 5);
	assert_spans(at(r.root, "c"), "- d\r\n  - e");
	reading_close(&r);
	OPEN(&r, "\xef\xbb\xbf"
		 "a: b\nc: d\n");
	assert_at(at(r.root, "a"), 1, 4);
	assert_at(at(r.root, "c"), 2, 4);
	reading_close(&r);
	/* a lone CR ends a line for YAML, but not for an editor: the bytes are right all the same
	 */
	OPEN(&r, "a: b\rc: d\ne: f\n");
	assert_spans(at(r.root, "c"), "d");
	assert_at(at(r.root, "e"), 2, 4);
	reading_close(&r);
}

static void test_describe(void **state)
{
	static const char *const wanted[] = { "a mapping",      "a list",         "an empty value",
					      "an empty value", "text in quotes", "true or false",
					      "a number",       "a number",       "a word",
					      "an empty value" };
	struct reading r;
	const struct node *list;

	(void)state;
	OPEN(&r, "a: [{}, [], ~, null, \"1\", true, 12, 0x1f, x, ]\nb:\n");
	list = at(r.root, "a");
	for (size_t i = 0; i < list->count; i++)
		assert_string_equal(node_describe(&list->items[i]), wanted[i]);
	assert_string_equal(node_describe(at(r.root, "b")), "an empty value");
	reading_close(&r);
}

static void test_documents(void **state)
{
	struct reading r;

	(void)state;
	OPEN(&r, "# c\n---\na: b\n...\n");
	assert_string_equal(at(r.root, "a")->text, "b");
	reading_close(&r);
	ERRORS("a: b\n---\nc: d\n---\ne: f\n", "include:", "2:1 yaml-feature second document");
}

/* ---- what is refused ---- */

static void test_encoding(void **state)
{
	(void)state;
	ERRORS("a: \xff\nb: c\x01\nd: \"\x00\"\ne: f\x7fg\n", "UTF-8", "1:4 encoding 0xff",
	       "2:5 encoding U+0001", "3:5 encoding NUL", "4:5 encoding U+007F");
	ERRORS("# \xc2\x85 \xef\xbb\xbf \xe2\x80\xa8 \xe2\x80\xa9 \x1b\n", "remove it",
	       "1:3 encoding U+0085", "1:5 encoding byte order mark", "1:7 encoding U+2028",
	       "1:9 encoding U+2029", "1:11 encoding U+001B");
	/* overlong, a surrogate, beyond Unicode, cut off */
	ERRORS("a: \xc0\xaf", NULL, "1:4 encoding 0xc0", "1:5 encoding 0xaf");
	ERRORS("a: \xed\xa0\x80", NULL, "1:4 encoding 0xed", "1:5 encoding 0xa0",
	       "1:5 encoding 0x80");
	ERRORS("a: \xe2\x82", NULL, "1:4 encoding 0xe2", "1:5 encoding 0x82");
	ERRORS("\xff\xfe"
	       "a\0:\0 \0"
	       "1\0",
	       "UTF-8", "1:1 encoding UTF-16");
	ERRORS("a: \"\\0\"\nb: \"x\\x1by\"\n", "remove", "1:4 encoding NUL", "2:4 encoding U+001B");
}

static void test_encoding_stops(void **state)
{
	char text[100];
	struct reading r;

	(void)state;
	memset(text, 1, sizeof(text));
	reading_open(&r, text, sizeof(text));
	assert_int_equal(diag_error_count(r.diag), 20);
	assert_null(r.root);
	reading_close(&r);
}

static void test_features(void **state)
{
	(void)state;
	ERRORS("a: &x 1\nb: *x\nc: *y\n<<: {d: e}\nf: !!str g\nh: !i [j]\n", "`sets:`",
	       "1:4 yaml-feature no anchors: \"&x\"", "2:4 yaml-feature no aliases: \"*x\"",
	       "3:4 yaml-feature no aliases: \"*y\"", "4:1 yaml-feature merge keys",
	       "5:4 yaml-feature no tags: \"!!str\"", "6:4 yaml-feature no tags: \"!i\"");
	ERRORS("%YAML 1.1\n%TAG ! tag:x,2000:\n---\na: b\n", "remove the line",
	       "1:1 yaml-feature %YAML", "2:1 yaml-feature %TAG");
	ERRORS("%FOO\n---\na: b\n", "remove the line", "1:1 yaml-feature %FOO");
	ERRORS("a: !x!y b\n", "remove the tag", "1:4 yaml-feature !x!y");
	ERRORS("a: [*.example.com]\n", "\"*.example.com\"", "1:5 yaml-feature alias");
	ERRORS("*a : b\nc: d\n", NULL, "1:1 yaml-feature aliases");
}

/* What is refused keeps its meaning as far as possible, or every refusal would draw errors after
 * it. */
static void test_features_mean(void **state)
{
	static const char text[] =
		"base: &b {x: 1, y: 2}\nc: &c [p, q]\nd: *c\ne: {<<: *b, y: 3}\nf: !t g\nh: &i\n  j: k\n";
	struct reading r;

	(void)state;
	reading_open(&r, text, sizeof(text) - 1);
	assert_int_equal(diag_error_count(r.diag), 7);
	assert_string_equal(at(r.root, "d")->items[1].text, "q");
	assert_spans(at(r.root, "d"), "*c");
	assert_string_equal(at(at(r.root, "e"), "x")->text, "1");
	assert_string_equal(at(at(r.root, "e"), "y")->text, "3");
	assert_spans(at(r.root, "f"), "g");
	assert_spans(at(r.root, "h"), "j: k");
	reading_close(&r);
}

static size_t count_nodes(const struct node *node, size_t limit)
{
	size_t count = 1;

	for (size_t i = 0; i < node->count && count < limit; i++)
		count += count_nodes(node->kind == NODE_LIST ? &node->items[i]
							     : &node->entries[i].value,
				     limit - count);
	return count;
}

/* Each alias doubles what the one before stands for: nobody may have to walk 2^25 nodes. */
static void test_alias_bomb(void **state)
{
	struct reading r;
	struct buf text = { 0 };

	(void)state;
	buf_puts(&text, "a0: &a0 [x, x]\n");
	for (int i = 1; i < 25; i++)
		buf_printf(&text, "a%d: &a%d [*a%d, *a%d]\n", i, i, i - 1, i - 1);
	reading_open(&r, text.text, text.length);
	assert_int_equal(diag_error_count(r.diag), 25 + 2 * 24);
	assert_non_null(r.root);
	assert_true(count_nodes(r.root, 100000) < 20000);
	reading_close(&r);
	buf_free(&text);
}

static void test_duplicates(void **state)
{
	static const char text[] = "s: {a: 1}\nl: [x]\ns: {b: 2, a: 3}\nl: [y]\nv: 1\nv: 2\n";
	struct reading r;

	(void)state;
	ERRORS("a: 1\nb: 2\n\"a\": 3\na: 4\n", "p:1:1: note: first given here",
	       "3:1 duplicate-key \"a\"", "4:1 duplicate-key \"a\"");
	ERRORS("x: {a: 1, b: {c: 2, c: 3}}\n", "remove one", "1:21 duplicate-key \"c\"");
	reading_open(&r, text, sizeof(text) - 1);
	assert_int_equal(diag_error_count(r.diag), 4); /* s, l, v and s's a */
	assert_int_equal(r.root->count, 3);
	assert_string_equal(at(at(r.root, "s"), "b")->text, "2");
	assert_string_equal(at(at(r.root, "s"), "a")->text, "1");
	assert_string_equal(at(r.root, "l")->items[1].text, "y");
	assert_string_equal(at(r.root, "v")->text, "1");
	reading_close(&r);
}

/* Many keys: found by sorting, and reported in no more than a hundred records. */
static void test_many_duplicates(void **state)
{
	struct reading r;
	struct buf text = { 0 };

	(void)state;
	for (int i = 0; i < 5000; i++)
		buf_printf(&text, "k%d: %d\n", i == 4000 ? 17 : i, i);
	reading_open(&r, text.text, text.length);
	assert_int_equal(diag_error_count(r.diag), 1);
	assert_true(is_shown(buf_text(&r.shown), "4001:1 duplicate-key \"k17\""));
	assert_int_equal(r.root->count, 4999);
	assert_string_equal(r.root->entries[4000].key, "k4001");
	reading_close(&r);
	for (int i = 0; i < 5000; i++)
		buf_printf(&text, "k%d: %d\n", i, i);
	reading_open(&r, text.text, text.length);
	assert_int_equal(diag_error_count(r.diag), 100);
	assert_non_null(strstr(buf_text(&r.shown), "was not read"));
	reading_close(&r);
	buf_free(&text);
}

static void test_keys(void **state)
{
	(void)state;
	ERRORS("? [a]\n: b\n", "key: value", "1:3 wrong-type not a list");
	ERRORS("{{a: b}: c}", NULL, "1:2 wrong-type not a mapping");
}

static void test_roots(void **state)
{
	(void)state;
	ERRORS("", "version: 1", "1:1 wrong-type empty");
	ERRORS("# nothing\n", "version: 1", "1:1 wrong-type empty");
	ERRORS("---\n", "version: 1", "1:1 wrong-type empty");
	ERRORS("- a\n", "version: 1", "1:1 wrong-type not a list");
	ERRORS("version:1\n", "a space", "1:1 wrong-type not a word");
}

static void test_sizes(void **state)
{
	struct buf text = { 0 };
	struct reading r;

	(void)state;
	buf_puts(&text, "a: ");
	put_times(&text, "x", NODE_SCALAR_LIMIT);
	reading_open(&r, text.text, text.length);
	assert_int_equal(diag_error_count(r.diag), 0);
	reading_close(&r);
	buf_puts(&text, "x\nb: '");
	put_times(&text, "x", NODE_SCALAR_LIMIT + 1);
	buf_puts(&text, "'\n");
	reading_open(&r, text.text, text.length);
	assert_int_equal(diag_error_count(r.diag), 2);
	assert_true(is_shown(buf_text(&r.shown), "1:4 yaml-scalar-size 4097 bytes"));
	assert_true(is_shown(buf_text(&r.shown), "2:4 yaml-scalar-size 4097 bytes"));
	reading_close(&r);
	buf_free(&text);
}

/* ---- depth ---- */

static void test_depth(void **state)
{
	struct buf text = { 0 };
	struct reading r;

	(void)state;
	buf_puts(&text, "a: ");
	put_times(&text, "[", NODE_DEPTH - 1);
	put_times(&text, "]", NODE_DEPTH - 1);
	reading_open(&r, text.text, text.length);
	assert_int_equal(diag_error_count(r.diag), 0);
	reading_close(&r);
	text.length = 0;
	buf_puts(&text, "a: ");
	put_times(&text, "[", NODE_DEPTH + 5);
	put_times(&text, "]", NODE_DEPTH + 5);
	buf_puts(&text, "\na: c\nd: e\n");
	reading_open(&r, text.text, text.length);
	assert_int_equal(diag_error_count(r.diag), 2);
	assert_true(is_shown(buf_text(&r.shown), "1:35 yaml-depth deeper than 32"));
	assert_true(is_shown(buf_text(&r.shown), "2:1 duplicate-key \"a\""));
	assert_non_null(r.root);
	assert_string_equal(at(r.root, "d")->text, "e");
	reading_close(&r);
	buf_free(&text);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Processor seconds that the piece takes, so many times in a row. */
static double seconds_of(const char *piece, size_t count)
{
	struct buf text = { 0 };
	struct reading r;
	double begin, took;

	put_times(&text, piece, count);
	begin = seconds();
	reading_open(&r, text.text, text.length);
	took = seconds() - begin;
	if (!strstr(buf_text(&r.shown), "[yaml-depth]") && !strstr(piece, "::"))
		fail_msg("\"%s\": %s", piece, buf_text(&r.shown));
	reading_close(&r);
	buf_free(&text);
	return took;
}

/* Eight times the text: eight times the seconds, and never 64 times, on whatever machine. */
static void test_depth_is_fast(void **state)
{
	static const char *const pieces[] = { "[",    "{",         "- ",    "? ",    "[\n",
					      "{a: ", "{\"a\": [", "[[], ", "[::1, " };

	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		double few = seconds_of(pieces[i], 25000), many = seconds_of(pieces[i], 200000);

		if (many > 24 * few + 0.1)
			fail_msg("\"%s\" takes %.2f seconds 25000 times, and %.2f seconds 200000 times",
				 pieces[i], few, many);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),           cmocka_unit_test(test_spans),
		cmocka_unit_test(test_places),         cmocka_unit_test(test_describe),
		cmocka_unit_test(test_documents),      cmocka_unit_test(test_encoding),
		cmocka_unit_test(test_encoding_stops), cmocka_unit_test(test_features),
		cmocka_unit_test(test_features_mean),  cmocka_unit_test(test_alias_bomb),
		cmocka_unit_test(test_duplicates),     cmocka_unit_test(test_many_duplicates),
		cmocka_unit_test(test_keys),           cmocka_unit_test(test_roots),
		cmocka_unit_test(test_sizes),          cmocka_unit_test(test_depth),
		cmocka_unit_test(test_depth_is_fast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
