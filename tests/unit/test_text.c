/*
 * Unit tests of base/buf, base/utf8 and base/suggest: text that grows, text that is none, and words
 * that are near.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/suggest.h"
#include "base/utf8.h"

static void an_empty_buffer_is_text(void **state)
{
	struct buf buf = { 0 };

	(void)state;
	assert_string_equal(buf_text(&buf), "");
	buf_free(&buf);
	buf_puts(&buf, "");
	assert_string_equal(buf_text(&buf), "");
	assert_int_equal(buf.length, 0);
	buf_free(&buf);
	assert_null(buf.text);
}

static void a_buffer_grows_by_any_way(void **state)
{
	struct buf buf = { 0 };
	size_t i, expected = 0;

	(void)state;
	for (i = 0; i < 3000; i++) {
		buf_putc(&buf, 'a');
		buf_puts(&buf, "bc");
		buf_add(&buf, "d\0e", 3);
		buf_printf(&buf, "%zu", i);
		expected += 6 + (i > 999 ? 4 : i > 99 ? 3 : i > 9 ? 2 : 1);
		assert_int_equal(buf.length, expected);
		assert_int_equal(buf.text[buf.length], '\0');
	}
	assert_memory_equal(buf.text, "abcd\0e0abcd\0e1", 14);
	buf_printf(&buf, "%05000d", 7);
	assert_int_equal(buf.length, expected + 5000);
	assert_int_equal(buf.text[buf.length - 1], '7');
	assert_int_equal(buf.text[buf.length], '\0');
	buf_free(&buf);
}

/* A print that ends exactly at the end of the room, one less and one more. */
static void printing_at_the_edge(void **state)
{
	int before, width;

	(void)state;
	for (before = 240; before < 260; before++) {
		for (width = 1; width < 20; width++) {
			struct buf buf = { 0 };

			buf_printf(&buf, "%0*d", before, 0);
			buf_printf(&buf, "%0*d", width, 1);
			assert_int_equal(buf.length, before + width);
			assert_int_equal(strlen(buf.text), before + width);
			assert_int_equal(buf.text[before + width - 1], '1');
			buf_free(&buf);
		}
	}
}

static void check_json(const char *text, size_t length, const char *expected)
{
	struct buf buf = { 0 };

	json_put_string(&buf, text, length);
	assert_string_equal(buf_text(&buf), expected);
	buf_free(&buf);
}

static void json_strings(void **state)
{
	(void)state;
	check_json("", 0, "\"\"");
	check_json("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
	check_json("\n\t\r\0\x1b\x7f", 6, "\"\\n\\t\\r\\u0000\\u001b\\u007f\"");
	check_json("\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\"");
	check_json("\xff-\xc3", 3, "\"\xef\xbf\xbd-\xef\xbf\xbd\"");
	check_json("\xc2\x9b\xe2\x80\xae", 5, "\"\\u009b\\u202e\"");
	check_json("\xf3\xa0\x80\x81", 4, "\"\\udb40\\udc01\"");
}

static void utf8_is_strict(void **state)
{
	static const struct {
		const char *text;
		size_t length, size;
		uint32_t code;
	} cases[] = {
		{ "a", 1, 1, 'a' },
		{ "\0", 1, 1, 0 },
		{ "\x7f", 1, 1, 0x7f },
		{ "\xc2\x80", 2, 2, 0x80 },
		{ "\xdf\xbf", 2, 2, 0x7ff },
		{ "\xe0\xa0\x80", 3, 3, 0x800 },
		{ "\xef\xbf\xbf", 3, 3, 0xffff },
		{ "\xf0\x90\x80\x80", 4, 4, 0x10000 },
		{ "\xf4\x8f\xbf\xbf", 4, 4, 0x10ffff },
		{ "\x80", 1, 0, 0 },             /* continues nothing */
		{ "\xc0\x80", 2, 0, 0 },         /* overlong */
		{ "\xc1\xbf", 2, 0, 0 },         /* overlong */
		{ "\xe0\x9f\xbf", 3, 0, 0 },     /* overlong */
		{ "\xf0\x8f\xbf\xbf", 4, 0, 0 }, /* overlong */
		{ "\xed\xa0\x80", 3, 0, 0 },     /* surrogate */
		{ "\xf4\x90\x80\x80", 4, 0, 0 }, /* above U+10FFFF */
		{ "\xf5\x80\x80\x80", 4, 0, 0 },
		{ "\xff", 1, 0, 0 },
		{ "\x84\x80\x80\x80", 4, 0, 0 }, /* continues nothing, though long enough */
		{ "\xc2", 1, 0, 0 },             /* cut short */
		{ "\xe2\x82", 2, 0, 0 },         /* cut short */
		{ "\xe2\x82z", 3, 0, 0 },
	};
	uint32_t code;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		code = 0;
		assert_int_equal(utf8_decode(cases[i].text, cases[i].length, &code), cases[i].size);
		assert_int_equal(code, cases[i].code);
	}
}

static void hidden_characters(void **state)
{
	static const uint32_t hidden[] = { 0,      0x1b,   '\n',   0x7f,   0x9b,    0xad,
					   0x200b, 0x200f, 0x2028, 0x202e, 0x2060,  0x206f,
					   0xfeff, 0x1f,   0xfff9, 0xfffb, 0xe0001, 0xe007f };
	static const uint32_t shown[] = { ' ',     '~',    0xa0,   0xe9,   0x4e2d,
					  0x1f600, 0x2010, 0x200a, 0x2027, 0x202f,
					  0x205f,  0x2070, 0xfff8, 0xfffc, 0xe0080 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		assert_true(utf8_is_hidden(hidden[i]));
	for (i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		assert_false(utf8_is_hidden(shown[i]));
}

static void suggests_what_is_near(void **state)
{
	static const char *const words[] = { "proxy", "private", "foreign", "cn", "x", "direct" };
	static const struct {
		const char *word, *expected;
	} cases[] = {
		{ "prxy", "proxy" },                     /* one missing */
		{ "proxxy", "proxy" },                   /* one too many */
		{ "porxy", "proxy" },                    /* two swapped */
		{ "PROXY", "proxy" },                    /* case is no difference */
		{ "froeing", "foreign" },                /* two swaps in seven letters */
		{ "pryxo", NULL },                       /* two steps in five letters */
		{ "cm", "cn" },           { "y", NULL }, /* of one letter nothing would be left */
		{ "zzzz", NULL },         { "", NULL },  { "privateprivate", NULL },
	};
	char *large = malloc(10001);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *found = suggest_nearest(cases[i].word, words, 6);

		if (cases[i].expected)
			assert_string_equal(found ? found : "nothing", cases[i].expected);
		else
			assert_null(found);
	}
	memset(large, 'a', 10000);
	large[10000] = '\0';
	assert_null(suggest_nearest(large, words, 6));
	free(large);
	assert_null(suggest_nearest("proxy", NULL, 0));
}

static void suggests_the_nearest_and_the_first(void **state)
{
	static const char *const words[] = { "interfaces", "interface", "interfact" };
	static const char *const half_swapped[] = { "ca" }, *const gone[] = { "x" };
	static const char *const lengths[] = { "bad", "badl" };

	(void)state;
	assert_string_equal(suggest_nearest("interfac", words, 3), "interface");
	assert_string_equal(suggest_nearest("interfacess", words, 3), "interfaces");
	assert_string_equal(suggest_nearest("bald", lengths, 2), "badl");
	assert_null(suggest_nearest("ab", half_swapped, 1));
	assert_null(suggest_nearest("yx", gone, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_buffer_is_text),
		cmocka_unit_test(a_buffer_grows_by_any_way),
		cmocka_unit_test(printing_at_the_edge),
		cmocka_unit_test(json_strings),
		cmocka_unit_test(utf8_is_strict),
		cmocka_unit_test(hidden_characters),
		cmocka_unit_test(suggests_what_is_near),
		cmocka_unit_test(suggests_the_nearest_and_the_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
