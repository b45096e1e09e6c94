/*
 * addr: addresses and prefixes as numbers, their text, and sets of both families. What goes in is
 * always valid: text from outside comes through addr_parse.c. What comes out as text is what nft
 * and ip print and read.
 */
#include "addr/addr.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"

bool addr_equal(struct addr a, struct addr b)
{
	return a.family == b.family && wide_equal(a.bits, b.bits);
}

bool addr_is_loopback(struct addr addr)
{
	return addr.family == ADDR_IPV4 ? addr.bits.low >> 24 == 127
					: wide_equal(addr.bits, wide(1));
}

bool addr_is_link_local(struct addr addr)
{
	return addr.family == ADDR_IPV6 && addr.bits.high >> 54 == 0xfe80 >> 6;
}

bool addr_embeds_ipv4(struct addr addr, struct addr *ipv4)
{
	uint64_t above = addr.bits.low >> 32, low = addr.bits.low & UINT32_MAX;

	if (addr.family == ADDR_IPV4 || addr.bits.high ||
	    !(above == 0xffff || (!above && low > 0xffff)))
		return false;
	*ipv4 = (struct addr){ ADDR_IPV4, wide(low) };
	return true;
}

int addr_netmask_length(struct addr addr)
{
	uint32_t host = ~(uint32_t)addr.bits.low;

	if (addr.family == ADDR_IPV6 || host & (host + 1))
		return -1;
	return host ? __builtin_clz(host) : 32;
}

unsigned int addr_width(enum addr_family family)
{
	return family == ADDR_IPV4 ? 32 : 128;
}

struct wide addr_last(enum addr_family family)
{
	return wide_ones(addr_width(family));
}

#define TEN(tens)                                                                                 \
	tens "0", tens "1", tens "2", tens "3", tens "4", tens "5", tens "6", tens "7", tens "8", \
		tens "9"

/* The numbers of an IPv4 address, each to be copied whole: lists have a million of them. */
static const char addr_numbers[256][4] = {
	TEN(""),   TEN("1"),  TEN("2"),  TEN("3"),  TEN("4"),  TEN("5"),  TEN("6"),  TEN("7"),
	TEN("8"),  TEN("9"),  TEN("10"), TEN("11"), TEN("12"), TEN("13"), TEN("14"), TEN("15"),
	TEN("16"), TEN("17"), TEN("18"), TEN("19"), TEN("20"), TEN("21"), TEN("22"), TEN("23"),
	TEN("24"), "250",     "251",     "252",     "253",     "254",     "255",
};

/* A decimal number up to 255; returns the byte after it, from which on three may be overwritten.
 */
static char *addr_put_number(char *out, unsigned int number)
{
	memcpy(out, addr_numbers[number], sizeof(addr_numbers[number]));
	return out + 1 + (number > 9) + (number > 99);
}

static char *addr_put_ipv4(char *out, uint32_t bits)
{
	int shift;

	for (shift = 24; shift >= 0; shift -= 8) {
		out = addr_put_number(out, bits >> shift & 0xff);
		*out++ = '.';
	}
	return out - 1;
}

static char *addr_put_group(char *out, unsigned int group)
{
	int shift = group > 0xfff ? 12 : group > 0xff ? 8 : group > 0xf ? 4 : 0;

	for (; shift >= 0; shift -= 4)
		*out++ = "0123456789abcdef"[group >> shift & 15];
	return out;
}

enum { ADDR_GROUPS = 8 };

/* The first of the longest rows of zeros among the groups; *end is 0 when none has two. */
static void addr_find_gap(const uint16_t groups[ADDR_GROUPS], unsigned int *begin,
			  unsigned int *end)
{
	unsigned int i, first = 0;

	*begin = *end = 0;
	for (i = 0; i < ADDR_GROUPS; i++) {
		if (groups[i])
			first = i + 1;
		else if (i > first && i + 1 - first > *end - *begin) {
			*begin = first;
			*end = i + 1;
		}
	}
}

static char *addr_put_groups(char *out, struct wide bits)
{
	uint16_t groups[ADDR_GROUPS];
	unsigned int begin, end, i;

	for (i = 0; i < ADDR_GROUPS; i++)
		groups[i] = (uint16_t)wide_right(bits, 112 - 16 * i).low;
	addr_find_gap(groups, &begin, &end);
	for (i = 0; i < ADDR_GROUPS; i++) {
		if (end && i == begin) {
			*out++ = ':';
			i = end;
		}
		if (i)
			*out++ = ':';
		if (i < ADDR_GROUPS)
			out = addr_put_group(out, groups[i]);
	}
	return out;
}

/* What may hold an IPv4 address, which is then written as one, is the library's. */
static char *addr_put_ipv6(char *out, struct wide bits)
{
	unsigned char bytes[16];

	if (bits.high || bits.low >> 48)
		return addr_put_groups(out, bits);
	wide_put(bits, bytes, sizeof(bytes));
	inet_ntop(AF_INET6, bytes, out, INET6_ADDRSTRLEN);
	return out + strlen(out);
}

/* Writes the text and a NUL; returns the place of the NUL. */
static char *addr_put(char *out, enum addr_family family, struct wide bits)
{
	out = family == ADDR_IPV4 ? addr_put_ipv4(out, (uint32_t)bits.low)
				  : addr_put_ipv6(out, bits);
	*out = '\0';
	return out;
}

/* Behind the address, "/length" unless the prefix is one address. */
static char *addr_put_prefix(char *out, enum addr_family family, struct wide bits,
			     unsigned int length)
{
	out = addr_put(out, family, bits);
	if (length == addr_width(family))
		return out;
	*out++ = '/';
	out = addr_put_number(out, length);
	*out = '\0';
	return out;
}

const char *addr_format(struct addr addr, char out[ADDR_TEXT])
{
	addr_put(out, addr.family, addr.bits);
	return out;
}

const char *addr_format_prefix(struct addr_prefix prefix, char out[ADDR_TEXT])
{
	addr_put_prefix(out, prefix.addr.family, prefix.addr.bits, prefix.length);
	return out;
}

/* How many bits at the low end are zero; all of them for 0. */
static unsigned int addr_zero_bits(struct wide bits, unsigned int width)
{
	unsigned int zeros;

	if (bits.low)
		zeros = (unsigned int)__builtin_ctzll(bits.low);
	else if (bits.high)
		zeros = WIDE_WORD + (unsigned int)__builtin_ctzll(bits.high);
	else
		zeros = width;
	return zeros < width ? zeros : width;
}

/* How many bits a number takes. */
static unsigned int addr_bit_length(struct wide bits)
{
	if (bits.high)
		return WIDE_BITS - (unsigned int)__builtin_clzll(bits.high);
	return bits.low ? WIDE_WORD - (unsigned int)__builtin_clzll(bits.low) : 0;
}

bool addr_prefix_covers(struct addr_prefix prefix, struct addr addr)
{
	unsigned int width = addr_width(prefix.addr.family);

	if (prefix.addr.family != addr.family)
		return false;
	/* A shift by the whole width has no meaning. */
	return !prefix.length || wide_is_zero(wide_right(wide_xor(prefix.addr.bits, addr.bits),
							 width - prefix.length));
}

struct wide addr_host_bits(enum addr_family family, unsigned int length)
{
	return wide_ones(addr_width(family) - length);
}

/* False, or the prefix's length. */
static bool addr_find_length(enum addr_family family, struct wide first, struct wide last,
			     unsigned int *length)
{
	struct wide host = wide_xor(first, last);

	/* Ones at the low end and nothing else, where the first address has zeros. */
	*length = addr_width(family) - addr_bit_length(host);
	return wide_is_zero(wide_and(host, wide_or(wide_after(host), first)));
}

bool addr_is_whole(enum addr_family family, struct interval interval)
{
	return interval_equal(interval, (struct interval){ wide(0), addr_last(family) });
}

bool addr_interval_is_prefix(enum addr_family family, struct interval interval,
			     struct addr_prefix *out)
{
	unsigned int length;

	if (!addr_find_length(family, interval.first, interval.last, &length))
		return false;
	*out = (struct addr_prefix){ .addr = { family, interval.first }, .length = length };
	return true;
}

void addr_put_interval(struct buf *buf, enum addr_family family, struct interval interval)
{
	char *out = buf_room(buf, 2 * ADDR_TEXT);
	unsigned int length;

	if (addr_find_length(family, interval.first, interval.last, &length)) {
		out = addr_put_prefix(out, family, interval.first, length);
	} else {
		out = addr_put(out, family, interval.first);
		*out++ = '-';
		out = addr_put(out, family, interval.last);
	}
	buf_end(buf, out);
}

struct addr_prefix addr_next_prefix(enum addr_family family, struct wide *next, struct wide last)
{
	unsigned int width = addr_width(family), host = addr_zero_bits(*next, width);
	struct addr_prefix prefix = { .addr = { family, *next } };

	while (wide_less(wide_subtract(last, *next), wide_ones(host)))
		host--;
	prefix.length = width - host;
	*next = wide_after(wide_add(*next, wide_ones(host)));
	return prefix;
}

void addr_set_add(struct arena *arena, struct addr_set *set, struct addr_range range)
{
	interval_add(arena, &set->family[range.family], range.first, range.last);
}

void addr_set_normalise(struct addr_set *set)
{
	interval_normalise(&set->family[ADDR_IPV4]);
	interval_normalise(&set->family[ADDR_IPV6]);
}

struct addr_set addr_set_union(struct arena *arena, const struct addr_set *a,
			       const struct addr_set *b)
{
	struct addr_set both;
	int f;

	for (f = 0; f < ADDR_FAMILIES; f++)
		both.family[f] = interval_union(arena, &a->family[f], &b->family[f]);
	return both;
}

struct addr_set addr_set_subtract(struct arena *arena, const struct addr_set *a,
				  const struct addr_set *b)
{
	struct addr_set rest;
	int f;

	for (f = 0; f < ADDR_FAMILIES; f++)
		rest.family[f] = interval_subtract(arena, &a->family[f], &b->family[f]);
	return rest;
}

bool addr_set_is_empty(const struct addr_set *set)
{
	return !set->family[ADDR_IPV4].count && !set->family[ADDR_IPV6].count;
}
