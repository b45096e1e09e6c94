/*
 * addr_scan: the quick way through long lists. In come bytes, out comes the address, prefix or
 * range that they begin with, when it is plain: IPv4 as four numbers, IPv6 as groups of hexadecimal
 * digits. Whatever is wrong or rare is left to addr_read.c, which can say why; what both take,
 * both take for the same.
 */
#include <endian.h>
#include <string.h>

#include "addr/addr.h"

/*
 * An address is at most 15 or 39 characters, with its length, or the first of what follows, 4 more;
 * and the numbers of IPv4 are read by words. Nearer to the end of the text than that nothing is
 * plain.
 */
enum { SCAN_ROOM_IPV4 = 24, SCAN_ROOM_IPV6 = 48 };

#define EACH_BYTE 0x0101010101010101u

/* ---- IPv4 ---- */

/* A bit for each of eight bytes that is no digit, the lowest for the first. */
static unsigned int scan_others(const char *text)
{
	uint64_t bytes, others;

	memcpy(&bytes, text, sizeof(bytes));
	bytes = le64toh(bytes) ^ EACH_BYTE * '0';
	/* Above 9, a byte's highest bit comes on; it is on already from 0x80. */
	others = ((bytes & EACH_BYTE * 0x7f) + EACH_BYTE * (0x7f - 9)) | bytes;
	others = others >> 7 & EACH_BYTE;
	return (unsigned int)(others * 0x0102040810204080u >> 56);
}

/* The number of `length` digits at text. *wrong is not 0 after one that is no part of an address,
 * or not the way to write it. */
static unsigned int scan_octet(const char *text, unsigned int length, unsigned int *wrong)
{
	static const unsigned char least[] = { 0, 0, 10, 100 };
	uint32_t digits;
	unsigned int value;

	memcpy(&digits, text, sizeof(digits));
	/* The last digit moves to the top, and what follows it out. */
	digits = (le32toh(digits) ^ (uint32_t)EACH_BYTE * '0') << (32 - 8 * length) % 32;
	value = (digits >> 24) + (digits >> 16 & 0xff) * 10 + (digits >> 8 & 0xff) * 100;
	*wrong |= (unsigned int)(length - 1 > 2) | (value > 255) | (value < least[length % 4]);
	return value & 0xff;
}

/*
 * Returns the byte after the address, or NULL. Nothing here branches on what is in the text: to
 * guess the length of a number wrong, as one must, costs more than to read it.
 */
static const char *scan_ipv4(const char *text, const char *end, struct wide *out)
{
	unsigned int others, at = 0, stop = 0, wrong = 0, i;
	uint32_t bits = 0;

	if (end - text < SCAN_ROOM_IPV4)
		return NULL;
	others = scan_others(text) | scan_others(text + 8) << 8 | 0xf0000;
#pragma GCC unroll 4
	for (i = 0; i < 4; i++, at = stop + 1) {
		stop = (unsigned int)__builtin_ctz(others);
		others &= others - 1;
		bits = bits << 8 | scan_octet(text + at, stop - at, &wrong);
		wrong |= (unsigned int)(i < 3) & (text[stop] != '.');
	}
	*out = wide(bits);
	return wrong ? NULL : text + stop;
}

/* ---- IPv6 ---- */

/* A hexadecimal digit's value and one; 0 for what is none. */
static const unsigned char scan_hex[256] = {
	['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
	['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
	['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['A'] = 11, ['B'] = 12,
	['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

/* One group, of which the first byte is known to be a digit. */
static const char *scan_group(const char *at, struct wide *bits)
{
	unsigned int value = scan_hex[(unsigned char)*at++] - 1u, digit, i;

	for (i = 1; i < 4 && (digit = scan_hex[(unsigned char)*at]); i++, at++)
		value = value << 4 | (digit - 1);
	*bits = wide_left(*bits, 16);
	bits->low |= value;
	return at;
}

static const char *scan_ipv6(const char *text, const char *end, struct wide *out)
{
	enum { GROUPS = 8 };
	unsigned int count = 0, after = 0; /* groups, and those after the gap */
	const char *at = text;
	bool gap = false;
	struct wide bits = wide(0), tail;

	if (end - text < SCAN_ROOM_IPV6)
		return NULL;
	for (;;) {
		if (at[0] == ':' && at[1] == ':' && !gap) {
			gap = true;
			at += 2;
		} else if (count) {
			if (at[0] != ':')
				break;
			at++;
		}
		if (!scan_hex[(unsigned char)*at])
			break;
		if (count++ == GROUPS)
			return NULL;
		after += gap;
		at = scan_group(at, &bits);
	}
	if (at == text || (at[-1] == ':' && !(gap && !after)) || (count < GROUPS) != gap)
		return NULL;
	tail = wide_and(bits, wide_ones(16 * after));
	*out = count ? wide_or(wide_left(wide_xor(bits, tail), 16 * (GROUPS - count)), tail)
		     : wide(0);
	return at;
}

/* ---- both ---- */

/* What stands for an IPv4 address is not plain. Apart, so that lists of IPv4 pay nothing for it. */
__attribute__((noinline)) static const char *scan_other(const char *text, const char *end,
							struct addr *out)
{
	const char *after = scan_ipv6(text, end, &out->bits);
	struct addr ipv4;

	out->family = ADDR_IPV6;
	return after && !addr_embeds_ipv4(*out, &ipv4) ? after : NULL;
}

static const char *scan_addr(const char *text, const char *end, struct addr *out)
{
	const char *after = scan_ipv4(text, end, &out->bits);

	out->family = ADDR_IPV4;
	return after ? after : scan_other(text, end, out);
}

/* The digits of a prefix's length: at most three, and no zero before another. */
static const char *scan_length(const char *at, unsigned int width, unsigned int *out)
{
	const char *begin = at;
	unsigned int value = 0, digit;

	while (at < begin + 3 && (value || at == begin) &&
	       (digit = (unsigned char)*at - (unsigned int)'0') <= 9) {
		value = value * 10 + digit;
		at++;
	}
	*out = value;
	return at > begin && value <= width ? at : NULL;
}

static const char *scan_prefix(const char *at, struct addr addr, struct addr_range *out)
{
	unsigned int length;
	struct wide host;

	at = scan_length(at, addr_width(addr.family), &length);
	if (!at)
		return NULL;
	host = addr_host_bits(addr.family, length);
	*out = (struct addr_range){ addr.family, addr.bits, wide_or(addr.bits, host) };
	return wide_is_zero(wide_and(addr.bits, host)) ? at : NULL;
}

const char *addr_scan_range(const char *text, const char *end, struct addr_range *out)
{
	struct addr first, last;
	const char *at = scan_addr(text, end, &first);

	if (at && *at == '/')
		return scan_prefix(at + 1, first, out);
	last = first;
	if (at && *at == '-')
		at = scan_addr(at + 1, end, &last);
	if (!at || first.family != last.family || wide_less(last.bits, first.bits))
		return NULL;
	*out = (struct addr_range){ first.family, first.bits, last.bits };
	return at;
}
