/*
 * test_node: texts into node_parse, and what comes out: trees with places, or errors with places.
 *
 * An expectation is written "LINE:COLUMN CODE text", where the text is a part of the message, and a
 * text must have as many errors as it has expectations: one run finds them all.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "yaml/node.h"

struct reading {
	struct arena *arena;
	struct diag *diag;
	const struct source *source;
	struct node *root;
	struct buf shown;
};

static void reading_open(struct reading *reading, const char *text, size_t length)
{
	memset(reading, 0, sizeof(*reading));
	reading->arena = arena_new();
	reading->diag = diag_new(reading->arena);
	reading->source = source_from(reading->arena, "p", text, length);
	reading->root = node_parse(reading->arena, reading->diag, reading->source);
	diag_render(reading->diag, &reading->shown, (struct diag_style){ 0 });
}

static void reading_close(struct reading *reading)
{
	buf_free(&reading->shown);
	arena_free(reading->arena);
}

/* "3:5 bad-value text" is shown as "p:3:5: error: ...text... [bad-value]". */
static bool is_shown(const char *shown, const char *wanted)
{
	char place[32], code[64], head[64], tail[80];
	int used = 0;
	size_t head_length;

	assert_int_equal(sscanf(wanted, "%31s %63s %n", place, code, &used), 2);
	head_length = (size_t)snprintf(head, sizeof(head), "p:%s: error: ", place);
	snprintf(tail, sizeof(tail), "[%s]", code);
	for (const char *line = shown; line; line = (line = strchr(line, '\n')) ? line + 1 : NULL) {
		size_t length = strcspn(line, "\n");

		if (strncmp(line, head, head_length) || length < strlen(tail) ||
		    strncmp(line + length - strlen(tail), tail, strlen(tail)))
			continue;
		if (memmem(line, length, wanted + used, strlen(wanted + used)))
			return true;
	}
	return false;
}

/* `help` is part of what is shown below, or NULL; the expectations end in NULL. */
static void check_errors(const char *text, size_t length, const char *help,
			 const char *const *wanted)
{
	struct reading reading;
	size_t count = 0;

	reading_open(&reading, text, length);
	for (; wanted[count]; count++)
		if (!is_shown(buf_text(&reading.shown), wanted[count]))
			fail_msg("%s\nhas no error \"%s\" but\n%s", text, wanted[count],
				 buf_text(&reading.shown));
	if (diag_error_count(reading.diag) != count)
		fail_msg("%s\nhas %zu errors, not %zu:\n%s", text, diag_error_count(reading.diag),
			 count, buf_text(&reading.shown));
	if (help && !strstr(buf_text(&reading.shown), help))
		fail_msg("%s\ndoes not say \"%s\" but\n%s", text, help, buf_text(&reading.shown));
	reading_close(&reading);
}

#define ERRORS(text, help, ...) \
	check_errors(text, sizeof(text) - 1, help, (const char *const[]){ __VA_ARGS__, NULL })

/* ---- trees ---- */

static const struct node *at(const struct node *map, const char *key)
{
	struct node_entry *entry = node_find(map, key);

	assert_non_null(entry);
	return &entry->value;
}

static void assert_spans(const struct node *node, const char *text)
{
	size_t length = node->span.end - node->span.begin;

	if (length != strlen(text) ||
	    memcmp(node->span.source->text + node->span.begin, text, length))
		fail_msg("the span is \"%.*s\", not \"%s\"", (int)length,
			 node->span.source->text + node->span.begin, text);
}

static void assert_at(const struct node *node, unsigned int line, unsigned int column)
{
	struct place place = source_place(node->span.source, node->span.begin);

	assert_int_equal(place.line, line);
	assert_int_equal(place.column, column);
}

#define OPEN(reading, text)                                           \
	do {                                                          \
		reading_open(reading, text, sizeof(text) - 1);        \
		assert_string_equal(buf_text(&(reading)->shown), ""); \
		assert_non_null((reading)->root);                     \
	} while (0)

static void test_tree(void **state)
{
	struct reading r;
	const struct node *rules;

	(void)state;
	OPEN(&r,
	     "version: 1\nsets:\n  foreign: [8.8.8.8, \"a b\"]\nrules:\n  - {to: foreign}\n  - to: x\n");
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
	assert_non_null(strstr(buf_text(&r.shown), "was not looked at"));
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

static void put_times(struct buf *buf, const char *text, size_t times)
{
	for (size_t i = 0; i < times; i++)
		buf_puts(buf, text);
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
	put_times(&text, "[", NODE_DEPTH);
	put_times(&text, "]", NODE_DEPTH);
	reading_open(&r, text.text, text.length);
	assert_int_equal(diag_error_count(r.diag), 1);
	assert_true(is_shown(buf_text(&r.shown), "1:35 yaml-depth deeper than 32"));
	assert_null(r.root);
	reading_close(&r);
	buf_free(&text);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void test_depth_is_fast(void **state)
{
	static const char *const pieces[] = { "[",    "{",         "- ",    "? ",    "[\n",
					      "{a: ", "{\"a\": [", "[[], ", "[::1, " };

	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct buf text = { 0 };
		struct reading r;
		double begin;

		put_times(&text, pieces[i], 100000);
		begin = seconds();
		reading_open(&r, text.text, text.length);
		if (seconds() - begin > 1)
			fail_msg("100000 times \"%s\" takes %.1f seconds", pieces[i],
				 seconds() - begin);
		if (!strstr(buf_text(&r.shown), "[yaml-depth]") && !strstr(pieces[i], "::"))
			fail_msg("\"%s\": %s", pieces[i], buf_text(&r.shown));
		reading_close(&r);
		buf_free(&text);
	}
}

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
	       "1:5 yaml-colon-address ::1", "2:35 yaml-depth deeper");
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
	ERRORS("a: x\n...\nb: c\n", NULL, "3:1 yaml-syntax behind the end");
}

static void test_syntax_brackets(void **state)
{
	(void)state;
	ERRORS("a: [1, 2\nb: 3\n", "p:2:1: note:", "1:4 yaml-syntax \"[\" is not closed");
	ERRORS("a: {b: 1", "p:1:9: note: the text ends", "1:4 yaml-syntax \"{\" is not closed");
	ERRORS("a:\n  - {b: c, d: {e: f}\n  - {g: h}\n", "\"}\"",
	       "2:5 yaml-syntax \"{\" is not closed");
	ERRORS("{a: 1 b: 2}", "comma", "1:7 yaml-syntax comma or \"}\"");
	ERRORS("a: [1, 2]]", "remove it", "1:10 yaml-syntax behind the end of a value");
	ERRORS("a: }", NULL, "1:4 yaml-syntax value is missing");
	ERRORS("a: [b,,c]", NULL, "1:7 yaml-syntax value is missing");
}

static void test_syntax_quotes(void **state)
{
	(void)state;
	ERRORS("a: \"x\nb: y\n", "p:3:1: note: the text ends", "1:4 yaml-syntax never closed");
	ERRORS("a: 'x\n---\n", NULL, "1:4 yaml-syntax never closed");
	ERRORS("a: \"b\" c", "remove it", "1:8 yaml-syntax behind the end of a value");
	ERRORS("a: \"x\\qz\"", "\\\\", "1:6 yaml-syntax no escape");
	ERRORS("a: \"\\ud800\"", NULL, "1:5 yaml-syntax no escape");
	ERRORS("a: @x", "\"@x\"", "1:4 yaml-syntax no word can begin");
	ERRORS("a: [`x`, b]", "\"`x`\"", "1:5 yaml-syntax no word can begin");
	ERRORS("a: >x\n", "quotes", "1:4 yaml-syntax next line");
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
		cmocka_unit_test(test_depth_is_fast),  cmocka_unit_test(test_colon_places),
		cmocka_unit_test(test_colon_all),      cmocka_unit_test(test_colon_meaning),
		cmocka_unit_test(test_colon_fine),     cmocka_unit_test(test_colon_many),
		cmocka_unit_test(test_syntax_lines),   cmocka_unit_test(test_syntax_brackets),
		cmocka_unit_test(test_syntax_quotes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
