/*
 * addr_parse: addr_read.c's answers, and for a text that is no address, prefix or range, what was
 * probably meant. In come the ways of other programs (10/8, 192.0.2.*, a wildcard mask, a port, one
 * number for all four), out comes how to write it here. Nothing is ever taken on a guess.
 */
#include <string.h>

#include "addr/addr.h"
#include "base/arena.h"

enum { GUESS_NUMBERS = 4 };

struct guess {
	struct arena *arena;
	const char *text, *end;
	const char *rest; /* the byte after the numbers */
	uint32_t bits;    /* those numbers from the left; the ones that are missing are zero */
	unsigned int count;
};

/* The decimal number at *at, which moves; more than `most` when there is none. */
static uint64_t guess_number(const char **at, const char *end, uint64_t most)
{
	const char *begin = *at;
	uint64_t value = 0;

	for (; *at < end && addr_is_digit(**at) && value <= most; ++*at)
		value = value * 10 + (uint64_t)(**at - '0');
	return *at > begin ? value : most + 1;
}

/* Up to four numbers of an IPv4 address with dots between them. */
static void guess_numbers(struct guess *guess)
{
	const char *at = guess->text;
	uint64_t value;

	guess->rest = at;
	while (guess->count < GUESS_NUMBERS && (value = guess_number(&at, guess->end, 255)) < 256) {
		guess->bits |= (uint32_t)value << (24 - 8 * guess->count++);
		guess->rest = at;
		if (at == guess->end || *at++ != '.')
			return;
	}
}

static const char *guess_prefix(const struct guess *guess, unsigned int length, const char *why)
{
	struct addr addr = { ADDR_IPV4,
			     wide(guess->bits & ~(uint32_t)addr_host_bits(ADDR_IPV4, length).low) };
	char text[ADDR_TEXT];

	return arena_printf(guess->arena, "%s: write %s", why,
			    addr_format_prefix((struct addr_prefix){ addr, length }, text));
}

/* 10/8, 192.0.2.0_24 */
static const char *guess_length(const struct guess *guess)
{
	const char *at = guess->rest + 1;
	uint64_t length;

	if (guess->rest == guess->end || !strchr("/_\\", *guess->rest))
		return NULL;
	length = guess_number(&at, guess->end, 32);
	if (length > 32 || at < guess->end)
		return NULL;
	if (guess->count < GUESS_NUMBERS)
		return guess_prefix(guess, (unsigned int)length,
				    "all four numbers of an IPv4 address are written");
	return *guess->rest == '/' ? NULL
				   : guess_prefix(guess, (unsigned int)length,
						  "the length stands after a \"/\"");
}

/* 192.0.2.*, 10.x.x.x, 192.0.2. */
static const char *guess_stars(const struct guess *guess)
{
	const char *at = guess->rest;

	if (guess->count == GUESS_NUMBERS || at == guess->end || *at != '.')
		return NULL;
	while (at < guess->end && *at == '.')
		at += at + 1 < guess->end && strchr("*xX", at[1]) ? 2 : 1;
	return at < guess->end ? NULL
			       : guess_prefix(guess, 8 * guess->count,
					      "all addresses that begin like this are a prefix");
}

/* 192.0.2.0/0.0.0.255: the bits that do not count are the ones. */
static const char *guess_wildcard(const struct guess *guess)
{
	const char *mask = guess->rest + 1;
	struct addr addr;
	int length;

	if (guess->count < GUESS_NUMBERS || guess->rest == guess->end || *guess->rest != '/' ||
	    !addr_read_mask(NULL, mask, (size_t)(guess->end - mask), &addr,
			    &(const char *){ NULL }) ||
	    addr.family != ADDR_IPV4 || addr_netmask_length(addr) >= 0)
		return NULL;
	addr.bits = wide(~(uint32_t)addr.bits.low);
	length = addr_netmask_length(addr);
	return length < 0 ? NULL
			  : guess_prefix(guess, (unsigned int)length,
					 "a length stands here, no wildcard mask");
}

/* 192.0.2.1:80, [2001:db8::1]:80 */
static const char *guess_port(const struct guess *guess)
{
	const char *close = memchr(guess->text, ']', (size_t)(guess->end - guess->text));
	bool brackets = *guess->text == '[' && close;
	const char *begin = brackets ? guess->text + 1 : guess->text;
	const char *end = brackets ? close : guess->rest, *at = brackets ? close + 1 : guess->rest;
	struct addr addr;
	char text[ADDR_TEXT];

	if (at == guess->end || *at++ != ':' || guess_number(&at, guess->end, 65535) > 65535 ||
	    at < guess->end ||
	    !addr_read(NULL, begin, (size_t)(end - begin), &addr, &(const char *){ NULL }))
		return NULL;
	return arena_printf(guess->arena, "a port has no place after it: write %s",
			    addr_format(addr, text));
}

/* 3221225985, 0xC0000201; shorter ones may be anything. */
static const char *guess_integer(const struct guess *guess)
{
	static const char hex[] = "0123456789abcdefABCDEF";
	size_t length = (size_t)(guess->end - guess->text);
	const char *at = guess->text;
	uint64_t value = 0;
	char text[ADDR_TEXT];

	if (length == 10 && at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
		for (at += 2; at < guess->end && strchr(hex, *at) && *at; at++)
			value = value << 4 |
				(uint64_t)(addr_is_digit(*at) ? *at - '0' : (*at & 15) + 9);
	} else if (length >= 8) {
		value = guess_number(&at, guess->end, UINT32_MAX);
	}
	if (!value || value > UINT32_MAX || at < guess->end)
		return NULL;
	return arena_printf(guess->arena, "an IPv4 address is four numbers: write %s",
			    addr_format((struct addr){ ADDR_IPV4, wide(value) }, text));
}

/* 192.0.2.1..192.0.2.9, and every dash that is none of ASCII's. */
static const char *guess_dash(const struct guess *guess)
{
	static const char *const dashes[] = { "..",           "~",
					      "\xe2\x80\x90", "\xe2\x80\x91",
					      "\xe2\x80\x92", "\xe2\x80\x93",
					      "\xe2\x80\x94", "\xe2\x80\x95",
					      "\xe2\x88\x92", "--",
					      "->",           ":" };
	size_t length = (size_t)(guess->end - guess->text);
	struct addr first, last;
	char text[2][ADDR_TEXT];

	for (size_t i = 0; i < sizeof(dashes) / sizeof(dashes[0]); i++) {
		const char *dash = memmem(guess->text, length, dashes[i], strlen(dashes[i]));
		const char *after = dash ? dash + strlen(dashes[i]) : NULL;

		if (dash &&
		    addr_read(NULL, guess->text, (size_t)(dash - guess->text), &first,
			      &(const char *){ NULL }) &&
		    addr_read(NULL, after, (size_t)(guess->end - after), &last,
			      &(const char *){ NULL }))
			return arena_printf(guess->arena, "a range has a plain \"-\": write %s-%s",
					    addr_format(first, text[0]),
					    addr_format(last, text[1]));
	}
	return NULL;
}

/* What was probably meant helps more than which byte is wrong. */
static bool guess_instead(struct arena *arena, const char *text, size_t length, const char **why)
{
	static const char *(*const guesses[])(const struct guess *) = {
		guess_length, guess_stars, guess_wildcard, guess_port, guess_integer, guess_dash,
	};
	struct guess guess = { .arena = arena, .text = text, .end = text + length };
	const char *meant = NULL;

	if (!length || !arena)
		return false;
	guess_numbers(&guess);
	for (size_t i = 0; i < sizeof(guesses) / sizeof(guesses[0]) && !meant; i++)
		if (i > 1 || guess.count)
			meant = guesses[i](&guess);
	if (meant)
		*why = meant;
	return false;
}

bool addr_parse(struct arena *arena, const char *text, size_t length, struct addr *out,
		const char **why)
{
	return addr_read(arena, text, length, out, why) || guess_instead(arena, text, length, why);
}

bool addr_parse_prefix(struct arena *arena, const char *text, size_t length,
		       struct addr_prefix *out, const char **why)
{
	return addr_read_prefix(arena, text, length, out, why) ||
	       guess_instead(arena, text, length, why);
}

bool addr_parse_range(struct arena *arena, const char *text, size_t length, struct addr_range *out,
		      const char **why)
{
	return addr_read_range(arena, text, length, out, why) ||
	       guess_instead(arena, text, length, why);
}
