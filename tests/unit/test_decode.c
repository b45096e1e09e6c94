/*
 * test_decode: mappings through a table that has a field of every kind.
 *
 * Checked are the values that arrive, that all errors of a mapping come in one run, and that each
 * says what to write.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "yaml/decode.h"
#include "yaml/node.h"

struct thing {
	const char *text, *name;
	bool flag;
	int64_t port, mark, any;
	int mode;
	const struct node *node;
};

static const char *const modes[] = { "reject", "drop", "direct", NULL };

#define FIELD(key_, read_, member) \
	.key = key_, .read = read_, .offset = offsetof(struct thing, member)

static const struct decode_field fields[] = {
	{ FIELD("text", decode_text, text) },
	{ FIELD("name", decode_name, name) },
	{ FIELD("flag", decode_bool, flag) },
	{ FIELD("port", decode_integer, port), .required = true, .least = 1, .most = 65535 },
	{ FIELD("mark", decode_integer, mark), .least = 1, .most = UINT32_MAX },
	{ FIELD("any", decode_integer, any) },
	{ FIELD("mode", decode_choice, mode), .choices = modes },
	{ FIELD("node", decode_node, node) },
};

static const struct decode_table table = { "thing", fields, sizeof(fields) / sizeof(fields[0]) };

struct decoding {
	struct decode decode;
	struct thing thing;
	struct node *root;
	bool good;
	struct buf shown;
};

static void decoding_open(struct decoding *decoding, const char *text)
{
	struct arena *arena = arena_new();

	memset(decoding, 0, sizeof(*decoding));
	decoding->decode = (struct decode){ arena, diag_new(arena), NULL };
	decoding->root = node_parse(arena, decoding->decode.diag,
				    source_from(arena, "p", text, strlen(text)));
	assert_non_null(decoding->root);
	decoding->good = decode_map(&decoding->decode, &table, decoding->root, &decoding->thing);
	diag_render(decoding->decode.diag, &decoding->shown, (struct diag_style){ 0 });
}

static void decoding_close(struct decoding *decoding)
{
	buf_free(&decoding->shown);
	arena_free(decoding->decode.arena);
}

/* Every one of `wanted` is in what is shown, and there are `count` errors. */
static void check(const char *text, size_t count, const char *const *wanted)
{
	struct decoding d;

	decoding_open(&d, text);
	if (diag_error_count(d.decode.diag) != count)
		fail_msg("%s: %zu errors, not %zu:\n%s", text, diag_error_count(d.decode.diag),
			 count, buf_text(&d.shown));
	for (; *wanted; wanted++)
		if (!strstr(buf_text(&d.shown), *wanted))
			fail_msg("%s does not say \"%s\" but\n%s", text, *wanted,
				 buf_text(&d.shown));
	assert_int_equal(d.good, count == 0);
	decoding_close(&d);
}

#define ERRORS(text, count, ...) check(text, count, (const char *const[]){ __VA_ARGS__, NULL })
/* One error in a mapping that is right otherwise. */
#define ERROR(text, ...) ERRORS("{port: 1, " text "}", 1, __VA_ARGS__)

static void test_values(void **state)
{
	struct decoding d;

	(void)state;
	decoding_open(&d,
		      "{text: a b, name: x_1-y, flag: true, port: 65535, mark: 0xfFfFfFfF, any: -7, mode: drop, node: [z]}");
	assert_string_equal(buf_text(&d.shown), "");
	assert_true(d.good);
	assert_string_equal(d.thing.text, "a b");
	assert_string_equal(d.thing.name, "x_1-y");
	assert_true(d.thing.flag);
	assert_int_equal(d.thing.port, 65535);
	assert_true(d.thing.mark == UINT32_MAX);
	assert_int_equal(d.thing.any, -7);
	assert_int_equal(d.thing.mode, 1);
	assert_int_equal(d.thing.node->kind, NODE_LIST);
	decoding_close(&d);
	decoding_open(&d, "{flag: false, port: 1, text: \"12\", mode: \"reject\"}");
	assert_true(d.good);
	assert_false(d.thing.flag);
	assert_string_equal(d.thing.text, "12");
	decoding_close(&d);
}

static void test_all_errors(void **state)
{
	(void)state;
	ERRORS("txet: a\nname: A\nflag: yes\nmark: 0\nmode: dorp\nzzzzzz: 1\n", 7,
	       "p:1:1: error: \"txet\" is no key of `thing` [unknown-key]",
	       "did you mean \"text\"?", "p:1:1: error: `thing` lacks the key `port` [missing-key]",
	       "p:2:7: error: \"A\" is no name [bad-name]",
	       "p:3:7: error: `flag` takes true or false, not \"yes\" [wrong-type]",
	       "p:4:7: error: `mark` cannot be 0 [bad-value]",
	       "p:5:7: error: `mode` cannot be \"dorp\" [bad-value]", "did you mean \"drop\"?",
	       "p:6:1: error: \"zzzzzz\" is no key of `thing` [unknown-key]",
	       "there is: text, name, flag, port, mark, any, mode, node");
}

static void test_keys(void **state)
{
	(void)state;
	ERROR("text:x", "a space is missing after the colon", "write `text: x`", "[unknown-key]");
	ERROR("texxt:x", "\"texxt:x\" is no key");
	ERRORS("{}", 1, "p:1:1: error: `thing` lacks the key `port`", "add `port: ...`");
	assert_ptr_equal(decode_find(&table, "flag"), &fields[2]);
	assert_null(decode_find(&table, "fla"));
}

static void test_text(void **state)
{
	(void)state;
	ERROR("text: [a]", "`text` takes text, not a list [wrong-type]", "write `text: a`");
	ERROR("text: {a: b}", "not a mapping");
	ERROR("text: ", "not an empty value");
	ERROR("text: ~", "not an empty value");
	ERROR("text: \"\"", "not an empty value");
	ERROR("text: \"a\\nb\"", "one line", "[bad-value]");
}

static void test_bool(void **state)
{
	(void)state;
	ERROR("flag: yes", "write `flag: true`");
	ERROR("flag: On", "write `flag: true`");
	ERROR("flag: off", "write `flag: false`");
	ERROR("flag: NO", "write `flag: false`");
	ERROR("flag: True", "write `flag: true`");
	ERROR("flag: \"true\"", "not the text \"true\"", "without quotes");
	ERROR("flag: 1", "write `flag: true` or `flag: false`");
	ERROR("flag: [true]", "not a list");
}

static void test_integer(void **state)
{
	(void)state;
	ERROR("any: \"12\"", "in quotes this is text [wrong-type]", "remove the quotes: 12");
	ERROR("any: 010", "[bad-value]", "did you mean 10?");
	ERROR("any: 1_000", "[bad-value]", "did you mean 1000?");
	ERROR("any: +5", "did you mean 5?");
	ERROR("any: 0X1f", "did you mean 0x1f?");
	ERROR("any: 0x", "not \"0x\" [wrong-type]");
	ERROR("any: 1e3", "[wrong-type]", "decimal or with 0x");
	ERROR("any: 1.5", "[wrong-type]");
	ERROR("any: 99999999999999999999", "[wrong-type]");
	ERROR("any: -0x1", "[wrong-type]");
	ERROR("any: -", "[wrong-type]");
	ERROR("any: x", "`any` takes a number, not \"x\" [wrong-type]");
	ERROR("any: [1]", "`any` takes a number, not a list", "write `any: 1`");
	ERROR("mark: 4294967296", "write a number from 1 to 4294967295", "[bad-value]");
	ERROR("mark: 0x100000000", "write a number from 0x1 to 0xffffffff");
	ERRORS("{port: 0}", 1, "`port` cannot be 0 [bad-value]", "from 1 to 65535");
	ERRORS("{port: 65536}", 1, "`port` cannot be 65536");
	ERRORS("{port: -1}", 1, "`port` cannot be -1");
}

static void test_parse_integer(void **state)
{
	struct node node = { .kind = NODE_SCALAR };
	int64_t number = 0;

	(void)state;
	node.text = "9223372036854775807";
	assert_true(node_parse_integer(&node, &number));
	assert_true(number == INT64_MAX);
	node.text = "9223372036854775808";
	assert_false(node_parse_integer(&node, &number));
	node.text = "0";
	assert_true(node_parse_integer(&node, &number));
	assert_true(number == 0);
	node.text = "0x0fF";
	assert_true(node_parse_integer(&node, &number));
	assert_true(number == 255);
	node.text = "00";
	assert_false(node_parse_integer(&node, &number));
	node.text = "";
	assert_false(node_parse_integer(&node, &number));
	node.text = "1";
	node.quoted = true;
	assert_false(node_parse_integer(&node, &number));
	node.quoted = false;
	node.kind = NODE_LIST;
	assert_false(node_parse_integer(&node, &number));
}

static void test_names(void **state)
{
	(void)state;
	assert_true(decode_is_name("a"));
	assert_true(decode_is_name("abcdefghijklmnopqrstuvwxyz01234")); /* 31 */
	assert_false(decode_is_name("abcdefghijklmnopqrstuvwxyz012345"));
	assert_false(decode_is_name(""));
	assert_false(decode_is_name("1a"));
	assert_false(decode_is_name("-a"));
	assert_false(decode_is_name("a b"));
	assert_false(decode_is_name("a\n"));
	assert_false(decode_is_name("\xc3\xa9"));
	ERROR("name: My Set", "\"My Set\" is no name [bad-name]", "for example \"my_set\"");
	ERROR("name: 1a", "begins with a letter");
}

static void test_choice(void **state)
{
	(void)state;
	ERROR("mode: x", "it is one of: reject, drop, direct", "[bad-value]");
	ERROR("mode: [drop]", "not a list", "write `mode: drop`");
}

static void test_not_a_map(void **state)
{
	struct decoding d;

	(void)state;
	decoding_open(&d, "{port: 1, node: [x]}");
	assert_false(decode_map(&d.decode, &table, d.thing.node, &d.thing));
	assert_int_equal(diag_error_count(d.decode.diag), 1);
	d.shown.length = 0;
	diag_render(d.decode.diag, &d.shown, (struct diag_style){ 0 });
	assert_non_null(strstr(buf_text(&d.shown),
			       "p:1:17: error: `thing` takes a mapping, not a list [wrong-type]"));
	assert_non_null(strstr(buf_text(&d.shown), "its keys are: text, name,"));
	decoding_close(&d);
}

static void test_unknown(void **state)
{
	static const char *const names[] = { "proxy", "other" };
	struct decoding d;

	(void)state;
	decoding_open(&d, "{port: 1}");
	decode_unknown(&d.decode, DIAG_unknown_name, d.root->span, "listener", "prxy", names, 2);
	decode_unknown(&d.decode, DIAG_unknown_name, d.root->span, "set", "zzzzzzz", names, 2);
	decode_unknown(&d.decode, DIAG_unknown_name, d.root->span, "table", "a", NULL, 0);
	diag_render(d.decode.diag, &d.shown, (struct diag_style){ 0 });
	assert_non_null(strstr(buf_text(&d.shown), "no listener \"prxy\" [unknown-name]"));
	assert_non_null(strstr(buf_text(&d.shown), "did you mean \"proxy\"?"));
	assert_non_null(strstr(buf_text(&d.shown), "there is: proxy, other"));
	assert_non_null(strstr(buf_text(&d.shown), "this policy defines none"));
	decoding_close(&d);
}

/* Messages stay short, whatever the policy holds. */
static void test_long(void **state)
{
	struct decoding d;
	struct buf text = { 0 };

	(void)state;
	buf_puts(&text, "{port: 1, any: ");
	for (int i = 0; i < 3000; i++)
		buf_puts(&text, "q");
	buf_puts(&text, "}");
	decoding_open(&d, buf_text(&text));
	assert_true(d.shown.length < 1000);
	assert_non_null(strstr(buf_text(&d.shown), "qqq...\" [wrong-type]"));
	decoding_close(&d);
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),        cmocka_unit_test(test_all_errors),
		cmocka_unit_test(test_keys),          cmocka_unit_test(test_text),
		cmocka_unit_test(test_bool),          cmocka_unit_test(test_integer),
		cmocka_unit_test(test_parse_integer), cmocka_unit_test(test_names),
		cmocka_unit_test(test_choice),        cmocka_unit_test(test_not_a_map),
		cmocka_unit_test(test_unknown),       cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
