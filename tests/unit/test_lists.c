/*
 * The quick way through long lists against the careful one: texts that addr_scan_range takes are
 * those of addr_parse_range and mean the same, and files of random lines, in which pieces of a file
 * end anywhere, hold what their lines hold one by one.
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

enum { TEXT = 256, TEXTS = 300000, LINES = 30000, FILES = 12 };

static uint32_t draw(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % below;
}

/* Often at an edge, often with rows of zeros or ones. */
static struct wide draw_any_bits(uint64_t *seed, enum addr_family family)
{
	struct wide bits = wide(0);
	uint32_t kind;

	for (int i = 0; i < 8; i++) {
		kind = draw(seed, 4);
		bits = wide_or(wide_left(bits, 16),
			       wide(kind ? draw(seed, kind == 1 ? 16 : 0x10000) : 0));
	}
	kind = draw(seed, 20);
	if (kind == 0)
		return wide(0);
	return kind == 1 ? addr_last(family) : wide_and(bits, addr_last(family));
}

/* The same, but no IPv4 address in the form of an IPv6 one. */
static struct wide draw_bits(uint64_t *seed, enum addr_family family)
{
	struct addr addr, ipv4;

	do
		addr = (struct addr){ family, draw_any_bits(seed, family) };
	while (addr_embeds_ipv4(addr, &ipv4));
	return addr.bits;
}

/* An address, a prefix or a range, as people write them. */
static void draw_entry(uint64_t *seed, char out[TEXT])
{
	enum addr_family family = draw(seed, 2) ? ADDR_IPV6 : ADDR_IPV4;
	unsigned int length = draw(seed, addr_width(family) + 1);
	struct addr first = { family, draw_bits(seed, family) };
	struct addr last = { family, draw_bits(seed, family) };
	char text[2][ADDR_TEXT];

	switch (draw(seed, 3)) {
	case 0:
		strcpy(out, addr_format(first, text[0]));
		break;
	case 1:
		first.bits = wide_and(first.bits, wide_not(addr_host_bits(family, length)));
		sprintf(out, "%s/%u", addr_format(first, text[0]), length);
		break;
	default:
		sprintf(out, "%s-%s",
			addr_format(wide_less(first.bits, last.bits) ? first : last, text[0]),
			addr_format(wide_less(first.bits, last.bits) ? last : first, text[1]));
	}
	for (char *at = out; draw(seed, 8) == 0 && *at; at++)
		*at = *at >= 'a' && *at <= 'f' ? (char)(*at - 'a' + 'A') : *at;
}

static void spoil(uint64_t *seed, char *text)
{
	static const char letters[] = "0123456789abcdefABCDEF:./-:./- g%\xff";
	size_t length = strlen(text), at = draw(seed, (uint32_t)length);

	switch (draw(seed, 3)) {
	case 0:
		text[at] = letters[draw(seed, sizeof(letters) - 1)];
		break;
	case 1:
		memmove(text + at, text + at + 1, length - at);
		break;
	default:
		memmove(text + at + 1, text + at, length - at + 1);
		text[at] = letters[draw(seed, sizeof(letters) - 1)];
	}
}

/* True when the quick way takes the whole text. The room behind it ends with the block, so that the
 * sanitizer sees who looks further. */
static bool check_text(struct arena *arena, const char *text, size_t room)
{
	size_t length = strlen(text);
	char *block = malloc(length + room);
	struct addr_range quick, careful;
	const char *behind, *why;
	bool is_taken;

	memset(block, '\n', length + room);
	memcpy(block, text, length);
	behind = addr_scan_range(block, block + length + room, &quick);
	is_taken = behind == block + length;
	if (is_taken) {
		assert_true(addr_parse_range(arena, text, length, &careful, &why));
		assert_int_equal(quick.family, careful.family);
		assert_true(wide_equal(quick.first, careful.first) &&
			    wide_equal(quick.last, careful.last));
	}
	free(block);
	return is_taken;
}

static void what_both_take_is_the_same(void **state)
{
	struct arena *arena = arena_new();
	uint64_t seed = 5;
	size_t plain = 0, spoilt = 0;
	char text[TEXT];

	(void)state;
	for (int i = 0; i < TEXTS; i++) {
		draw_entry(&seed, text);
		/* IPv4 within IPv6 is left to the careful way. */
		if (!strchr(text, ':') || !strchr(text, '.')) {
			assert_true(check_text(arena, text, 100));
			plain++;
		}
		check_text(arena, text, draw(&seed, 60));
		for (uint32_t n = 1 + draw(&seed, 3); n && *text; n--)
			spoil(&seed, text);
		spoilt += check_text(arena, text, 1 + draw(&seed, 100));
	}
	assert_true(plain > TEXTS / 2);
	assert_true(spoilt > TEXTS / 100);
	arena_free(arena);
}

static void what_is_wrong_is_not_taken(void **state)
{
	static const char *const texts[] = {
		"256.0.0.1",
		"1.2.3",
		"1.2.3.4.5",
		"01.2.3.4",
		"1.2.3.00",
		"1.2.3.4/33",
		"1.2.3.4/08",
		"1.2.3.4/",
		"10.0.0.1/8",
		"1.2.3.4-1.2.3.3",
		"1.2.3.4-5",
		"1.2.3.4-::1",
		"1..3.4",
		".1.2.3.4",
		"1000.2.3.4",
		"1.2.3.4/032",
		"1:2:3:4:5:6:7",
		"1::2::3",
		"1:2:3:4:5:6:7:8:9",
		":1::2",
		"::1:",
		"1:2:3:4:5:6:7::8:9",
		"12345::",
		"::/129",
		"2001:db8::1/32",
		"::1-1.2.3.4",
		"::2-::1",
		":",
		"1:2:3:4:5:6:7:",
		"::/00",
		"::ffff:c000:201",
		"::c000:201",
		"::ffff:0:0/96",
		"::1-::ffff:c000:201",
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(check_text(arena, texts[i], 100));
	assert_true(check_text(arena, "0.0.0.0/0", 100));
	assert_true(check_text(arena, "255.255.255.255/32", 100));
	assert_true(check_text(arena, "::/0", 100));
	assert_true(check_text(arena, "1:2:3:4:5:6:7::", 100));
	assert_true(check_text(arena, "::2:3:4:5:6:7:8", 100));
	assert_true(check_text(arena, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", 100));
	arena_free(arena);
}

/* ---- whole files ---- */

struct made {
	struct arena *arena;
	struct diag *diag;
	struct buf text;
	struct addr_set expected, found;
	char path[64];
};

static int make(void **state)
{
	struct made *made = calloc(1, sizeof(*made));
	int fd;

	made->arena = arena_new();
	made->diag = diag_new(made->arena);
	strcpy(made->path, "/tmp/tpc-test-lists-XXXXXX");
	*state = made;
	fd = mkstemp(made->path);
	return fd < 0 ? -1 : close(fd);
}

static int drop(void **state)
{
	struct made *made = *state;

	unlink(made->path);
	buf_free(&made->text);
	arena_free(made->arena);
	free(made);
	return 0;
}

static void add_line(struct made *made, uint64_t *seed, const char *end)
{
	static const char *const behind[] = { "", "", "", "", " ", "#x", " ; y", "\t7 CN  - x" };
	struct addr_range range;
	char entry[TEXT];
	const char *why;

	draw_entry(seed, entry);
	assert_true(addr_parse_range(made->arena, entry, strlen(entry), &range, &why));
	addr_set_add(made->arena, &made->expected, range);
	buf_printf(&made->text, "%s%s%s%s", draw(seed, 9) ? "" : " \t", entry,
		   behind[draw(seed, 8)], end);
	if (draw(seed, 20) == 0)
		buf_printf(&made->text, "# %*s%s%s", (int)draw(seed, 200), "10.0.0.0/8", end, end);
}

static bool read_made(struct made *made)
{
	FILE *file = fopen(made->path, "w");

	assert_int_equal(fwrite(buf_text(&made->text), 1, made->text.length, file),
			 made->text.length);
	assert_int_equal(fclose(file), 0);
	made->found = (struct addr_set){ .family = { { NULL, 0 } } };
	return listfile_read(made->arena, made->diag, made->path, (struct span){ NULL, 0, 0 },
			     &made->found);
}

static void compare(struct made *made)
{
	addr_set_normalise(&made->found);
	addr_set_normalise(&made->expected);
	for (int f = 0; f < ADDR_FAMILIES; f++) {
		const struct interval_set *expected = &made->expected.family[f],
					  *found = &made->found.family[f];

		assert_int_equal(found->count, expected->count);
		if (found->count)
			assert_memory_equal(found->items, expected->items,
					    found->count * sizeof(*found->items));
	}
}

/* Several pieces long; the first lines make the rest fall differently each time. */
static void files_hold_what_their_lines_hold(void **state)
{
	static const char *const ends[] = { "\n", "\r\n", "\r" };
	struct made *made = *state;
	uint64_t seed = 11;

	for (int i = 0; i < FILES; i++) {
		const char *end = ends[i % 3];

		made->text.length = 0;
		made->expected = (struct addr_set){ .family = { { NULL, 0 } } };
		for (int line = 0; line < (i < 6 ? LINES : 3); line++)
			add_line(made, &seed, end);
		if (draw(&seed, 2))
			made->text.length -= strlen(end);
		assert_true(read_made(made));
		compare(made);
	}
	assert_int_equal(diag_error_count(made->diag), 0);
}

static void a_line_longer_than_a_piece(void **state)
{
	struct made *made = *state;
	uint64_t seed = 3;

	add_line(made, &seed, "\n");
	buf_printf(&made->text, "# %*s\n", 300000, "x");
	add_line(made, &seed, "\n");
	assert_true(read_made(made));
	compare(made);
}

/* Nothing of the first reading is left when the second one has to say what is wrong. */
static void a_bad_line_far_behind(void **state)
{
	struct made *made = *state;
	struct buf out = { 0 };
	uint64_t seed = 7;

	for (int line = 0; line < LINES; line++) {
		char entry[TEXT];

		draw_entry(&seed, entry);
		buf_printf(&made->text, "%s\n", entry);
	}
	buf_puts(&made->text, "10.0.0.1/8\n192.0.2.1\n");
	assert_false(read_made(made));
	assert_int_equal(made->found.family[0].count + made->found.family[1].count, LINES + 1);
	assert_int_equal(diag_error_count(made->diag), 1);
	diag_render(made->diag, &out, (struct diag_style){ 0 });
	assert_non_null(strstr(buf_text(&out),
			       ":30001:1: error: \"10.0.0.1/8\": host bits are set: "
			       "write 10.0.0.0/8 [list-entry]\n"));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_both_take_is_the_same),
		cmocka_unit_test(what_is_wrong_is_not_taken),
		cmocka_unit_test_setup_teardown(files_hold_what_their_lines_hold, make, drop),
		cmocka_unit_test_setup_teardown(a_line_longer_than_a_piece, make, drop),
		cmocka_unit_test_setup_teardown(a_bad_line_far_behind, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
