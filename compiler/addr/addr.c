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

bool addr_is_loopback(struct addr addr)
{
	return addr.family == ADDR_IPV4 ? addr.bits >> 24 == 127 : addr.bits == 1;
}

unsigned int addr_width(enum addr_family family)
{
	return family == ADDR_IPV4 ? 32 : 128;
}

addr_bits addr_last(enum addr_family family)
{
	return family == ADDR_IPV4 ? (addr_bits)UINT32_MAX : ~(addr_bits)0;
}

/* A decimal number up to 255; returns the byte behind it. Lists have a million of these: printf
 * would take a second. */
static char *addr_put_number(char *out, unsigned int number)
{
	if (number >= 100)
		*out++ = (char)('0' + number / 100);
	if (number >= 10)
		*out++ = (char)('0' + number / 10 % 10);
	*out++ = (char)('0' + number % 10);
	return out;
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

/* Writes the text and a NUL; returns the place of the NUL. */
static char *addr_put(char *out, struct addr addr)
{
	unsigned char bytes[16];
	unsigned int i;

	if (addr.family == ADDR_IPV4) {
		out = addr_put_ipv4(out, (uint32_t)addr.bits);
		*out = '\0';
		return out;
	}
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(addr.bits >> (120 - 8 * i));
	inet_ntop(AF_INET6, bytes, out, INET6_ADDRSTRLEN);
	return out + strlen(out);
}

/* Behind the address, "/length" unless the prefix is one address. */
static char *addr_put_prefix(char *out, struct addr_prefix prefix)
{
	out = addr_put(out, prefix.addr);
	if (prefix.length == addr_width(prefix.addr.family))
		return out;
	*out++ = '/';
	out = addr_put_number(out, prefix.length);
	*out = '\0';
	return out;
}

const char *addr_format(struct addr addr, char out[ADDR_TEXT])
{
	addr_put(out, addr);
	return out;
}

const char *addr_format_prefix(struct addr_prefix prefix, char out[ADDR_TEXT])
{
	addr_put_prefix(out, prefix);
	return out;
}

/* How many bits at the low end are zero; all of them for 0. */
static unsigned int addr_zero_bits(addr_bits bits, unsigned int width)
{
	unsigned int zeros;

	if ((uint64_t)bits)
		zeros = (unsigned int)__builtin_ctzll((uint64_t)bits);
	else if (bits >> 64)
		zeros = 64 + (unsigned int)__builtin_ctzll((uint64_t)(bits >> 64));
	else
		zeros = width;
	return zeros < width ? zeros : width;
}

/* A number whose low `count` bits are ones; count is at most 128. */
static addr_bits addr_ones(unsigned int count)
{
	return count < 128 ? ((addr_bits)1 << count) - 1 : ~(addr_bits)0;
}

addr_bits addr_host_bits(enum addr_family family, unsigned int length)
{
	return addr_ones(addr_width(family) - length);
}

bool addr_interval_is_prefix(enum addr_family family, struct interval interval,
			     struct addr_prefix *out)
{
	addr_bits differing = interval.first ^ interval.last;
	unsigned int width = addr_width(family), host = addr_zero_bits(~differing, width);

	if (addr_ones(host) != differing || (interval.first & differing))
		return false;
	*out = (struct addr_prefix){ .addr = { family, interval.first }, .length = width - host };
	return true;
}

void addr_put_interval(struct buf *buf, enum addr_family family, struct interval interval)
{
	char text[2 * ADDR_TEXT], *end;
	struct addr_prefix prefix;

	if (addr_interval_is_prefix(family, interval, &prefix)) {
		end = addr_put_prefix(text, prefix);
	} else {
		end = addr_put(text, (struct addr){ family, interval.first });
		*end++ = '-';
		end = addr_put(end, (struct addr){ family, interval.last });
	}
	buf_add(buf, text, (size_t)(end - text));
}

struct addr_prefix addr_next_prefix(enum addr_family family, addr_bits *next, addr_bits last)
{
	unsigned int width = addr_width(family), host = addr_zero_bits(*next, width);
	struct addr_prefix prefix = { .addr = { family, *next } };

	while (addr_ones(host) > last - *next)
		host--;
	prefix.length = width - host;
	*next += addr_ones(host);
	++*next;
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
