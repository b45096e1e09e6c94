/*
 * addr_read: addresses, prefixes and ranges out of text. In come exactly `length` bytes, out comes
 * a number, or the reason why there is none, written for the person who wrote the text. Reasons are
 * only built when something is wrong, and only with an arena: the good lines of a long list cost no
 * memory, nor do bad ones that no message is about. What was probably meant is in addr_parse.c.
 */
#include "addr/addr.h"

#include <stdarg.h>
#include <string.h>

#include "base/arena.h"

enum { ADDR_GROUPS = 8, MAC_BYTES = 6 };

#define EMBEDDED "no packet has IPv4 in the form of IPv6: "

struct addr_text {
	struct arena *arena;
	const char *text;
	size_t length;
	const char **why;
};

/* A part of the text with the same place for a reason. */
static struct addr_text addr_part(const struct addr_text *whole, size_t begin, size_t end)
{
	return (struct addr_text){ whole->arena, whole->text + begin, end - begin, whole->why };
}

static bool addr_fail(const struct addr_text *in, const char *why)
{
	*in->why = why;
	return false;
}

/* As addr_fail, for a reason that is built; without an arena it is not. */
__attribute__((format(printf, 2, 3))) static bool addr_fail_with(const struct addr_text *in,
								 const char *format, ...)
{
	va_list args;

	if (!in->arena)
		return addr_fail(in, format);
	va_start(args, format);
	*in->why = arena_vprintf(in->arena, format, args);
	va_end(args);
	return false;
}

/* A byte that has no place where it stands; what is not printable is shown by the diagnostics. */
static bool addr_fail_byte(const struct addr_text *in, size_t at, const char *what)
{
	size_t size = 1;

	if (at >= in->length)
		return addr_fail_with(in, "the %s is cut short", what);
	while (at + size < in->length && ((unsigned char)in->text[at + size] & 0xc0) == 0x80)
		size++;
	return addr_fail_with(in, "\"%.*s\" has no place in an %s", (int)size, in->text + at, what);
}

static int addr_hex(char c)
{
	if (addr_is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Where the first `wanted` is, or the length. */
static size_t addr_find(const struct addr_text *in, char wanted)
{
	const char *found = in->length ? memchr(in->text, wanted, in->length) : NULL;

	return found ? (size_t)(found - in->text) : in->length;
}

/* One number of a dotted quad at *at, which is moved after it. */
static bool addr_read_octet(const struct addr_text *in, size_t *at, unsigned int *out)
{
	size_t begin = *at;
	unsigned int value = 0;

	for (; *at < in->length && addr_is_digit(in->text[*at]); ++*at) {
		value = value * 10 + (unsigned int)(in->text[*at] - '0');
		if (value > 255)
			return addr_fail(in, "a number of an IPv4 address is at most 255");
	}
	if (*at == begin)
		return addr_fail_byte(in, *at, "IPv4 address");
	if (in->text[begin] == '0' && *at - begin > 1)
		return addr_fail_with(in, "leading zeros have two meanings: write %u", value);
	*out = value;
	return true;
}

static bool addr_read_ipv4(const struct addr_text *in, struct wide *out)
{
	unsigned int octet = 0, i;
	uint32_t bits = 0;
	size_t at = 0;

	for (i = 0; i < 4; i++) {
		if (i) {
			if (at == in->length)
				return addr_fail(in,
						 "an IPv4 address has four numbers, like 192.0.2.1");
			if (in->text[at++] != '.')
				return addr_fail_byte(in, at - 1, "IPv4 address");
		}
		if (!addr_read_octet(in, &at, &octet))
			return false;
		bits = bits << 8 | octet;
	}
	if (at < in->length && in->text[at] == '.')
		return addr_fail(in, "an IPv4 address has four numbers, not more");
	if (at < in->length)
		return addr_fail_byte(in, at, "IPv4 address");
	*out = wide(bits);
	return true;
}

/* An IPv6 address as it is read: groups so far, and how many of them stand before "::". */
struct addr_groups {
	uint16_t value[ADDR_GROUPS];
	unsigned int count, gap;
	bool has_gap;
};

/* The groups as a number; those after the gap move to the end. */
static struct wide addr_join_groups(const struct addr_groups *groups)
{
	unsigned int missing = ADDR_GROUPS - groups->count, i;
	struct wide bits = wide(0);

	for (i = 0; i < groups->count; i++) {
		unsigned int place = groups->has_gap && i >= groups->gap ? i + missing : i;

		bits = wide_or(bits, wide_left(wide(groups->value[i]), 112 - 16 * place));
	}
	return bits;
}

static bool addr_push_group(const struct addr_text *in, struct addr_groups *groups,
			    unsigned int value)
{
	if (groups->count == ADDR_GROUPS)
		return addr_fail(in, "an IPv6 address has at most eight groups");
	groups->value[groups->count++] = (uint16_t)value;
	return true;
}

/* An IPv4 address at the end stands for the last two groups. */
static bool addr_push_ipv4(const struct addr_text *in, struct addr_groups *groups)
{
	struct wide bits;

	if (!addr_read_ipv4(in, &bits))
		return false;
	return addr_push_group(in, groups, (unsigned int)(bits.low >> 16)) &&
	       addr_push_group(in, groups, (unsigned int)(bits.low & 0xffff));
}

/* One group at *at, which is moved after it. *done when it was an IPv4 address, which ends the
 * text. */
static bool addr_read_group(const struct addr_text *in, size_t *at, struct addr_groups *groups,
			    bool *done)
{
	size_t begin = *at;
	unsigned int value = 0;
	struct addr_text rest;

	while (*at < in->length && *at - begin < 4 && addr_hex(in->text[*at]) >= 0)
		value = value << 4 | (unsigned int)addr_hex(in->text[(*at)++]);
	if (*at < in->length && in->text[*at] == '.') {
		rest = addr_part(in, begin, in->length);
		*done = true;
		return addr_push_ipv4(&rest, groups);
	}
	if (*at == begin)
		return addr_fail_byte(in, *at, "IPv6 address");
	if (*at < in->length && addr_hex(in->text[*at]) >= 0)
		return addr_fail(in, "a group of an IPv6 address has at most four digits");
	return addr_push_group(in, groups, value);
}

/* The colon or colons between groups at *at. */
static bool addr_read_colons(const struct addr_text *in, size_t *at, struct addr_groups *groups)
{
	if (in->text[*at] != ':')
		return addr_fail_byte(in, *at, "IPv6 address");
	++*at;
	if (*at == in->length)
		return addr_fail(in, "a single colon cannot end an IPv6 address");
	if (in->text[*at] != ':') {
		if (*at == 1)
			return addr_fail(in, "a single colon cannot begin an IPv6 address");
		return true;
	}
	++*at;
	if (groups->has_gap)
		return addr_fail(in, "\"::\" may stand only once in an IPv6 address");
	groups->has_gap = true;
	groups->gap = groups->count;
	return true;
}

static bool addr_read_ipv6(const struct addr_text *in, struct wide *out)
{
	struct addr_groups groups = { .count = 0 };
	bool done = false;
	size_t at = 0;

	if (addr_find(in, '%') < in->length)
		return addr_fail(in,
				 "IPv6 zones (%eth0) have no meaning here: write the address without it");
	while (at < in->length && !done) {
		if ((at || in->text[0] == ':') && !addr_read_colons(in, &at, &groups))
			return false;
		if (at < in->length && !addr_read_group(in, &at, &groups, &done))
			return false;
	}
	if (groups.count == MAC_BYTES && !groups.has_gap && in->length == 3 * MAC_BYTES - 1)
		return addr_fail(in,
				 "this is a MAC address, and stands in no set: write `mac: \"...\"` in the rule");
	if (groups.count < ADDR_GROUPS && !groups.has_gap)
		return addr_fail(in,
				 "an IPv6 address has eight groups, or \"::\" for those that are zero");
	if (groups.count == ADDR_GROUPS && groups.has_gap)
		return addr_fail(in, "there are eight groups already: \"::\" stands for none");
	*out = addr_join_groups(&groups);
	return true;
}

/* What is wrong with a text that has neither the dots nor the colons of an address. */
static bool addr_fail_shapeless(const struct addr_text *in)
{
	size_t i;

	if (!in->length)
		return addr_fail(in, "an address is missing");
	for (i = 0; i < in->length && addr_is_digit(in->text[i]); i++)
		;
	if (i == in->length)
		return addr_fail(in, "an IPv4 address has four numbers, like 192.0.2.1");
	return addr_fail(in, "this is no address: write 192.0.2.1 or 2001:db8::1");
}

static bool addr_address(const struct addr_text *in, struct addr *out)
{
	if (in->length && in->text[0] == '[')
		return addr_fail(in, "an address stands here without brackets");
	if (addr_find(in, ':') < in->length) {
		out->family = ADDR_IPV6;
		return addr_read_ipv6(in, &out->bits);
	}
	if (addr_find(in, '.') == in->length)
		return addr_fail_shapeless(in);
	out->family = ADDR_IPV4;
	return addr_read_ipv4(in, &out->bits);
}

static bool addr_read_length(const struct addr_text *in, unsigned int width, unsigned int *out)
{
	unsigned int value = 0;
	struct addr mask;
	int ones = -1;
	size_t i;

	if (width == 32 &&
	    addr_read_mask(NULL, in->text, in->length, &mask, &(const char *){ NULL }))
		ones = addr_netmask_length(mask);

	if (ones >= 0)
		return addr_fail_with(in, "write the length of the netmask: /%d", ones);
	for (i = 0; i < in->length && i < 4 && addr_is_digit(in->text[i]); i++)
		value = value * 10 + (unsigned int)(in->text[i] - '0');
	if (!i || i < in->length || value > width)
		return addr_fail_with(in, "the length of an %s prefix is a number from 0 to %u",
				      width == 32 ? "IPv4" : "IPv6", width);
	if (in->text[0] == '0' && in->length > 1)
		return addr_fail_with(in, "the length is written without leading zeros: /%u",
				      value);
	*out = value;
	return true;
}

static bool addr_fail_host_bits(const struct addr_text *in, struct addr_prefix prefix)
{
	char text[ADDR_TEXT];

	prefix.addr.bits = wide_and(prefix.addr.bits,
				    wide_not(addr_host_bits(prefix.addr.family, prefix.length)));
	return addr_fail_with(in, "host bits are set: write %s", addr_format_prefix(prefix, text));
}

/* IPv4 in the form of IPv6 (RFC 4291 section 2.5.5) is in no packet, so nothing would ever match.
 */
static bool addr_fail_embedded(const struct addr_text *in, struct addr_prefix prefix)
{
	char text[ADDR_TEXT];

	if (prefix.length < 96)
		return addr_fail(in, EMBEDDED "write the IPv4 prefix, or leave it out");
	prefix.length -= 96;
	prefix.addr.bits =
		wide_and(prefix.addr.bits, wide_not(addr_host_bits(ADDR_IPV4, prefix.length)));
	return addr_fail_with(in, EMBEDDED "write %s, or leave it out",
			      addr_format_prefix(prefix, text));
}

static bool addr_prefix_text(const struct addr_text *in, struct addr_prefix *out)
{
	size_t slash = addr_find(in, '/');
	struct addr_text addr = addr_part(in, 0, slash), length;
	struct addr ipv4;

	if (!addr_address(&addr, &out->addr))
		return false;
	out->length = addr_width(out->addr.family);
	length = addr_part(in, slash < in->length ? slash + 1 : slash, in->length);
	if (slash < in->length && !addr_read_length(&length, out->length, &out->length))
		return false;
	if (addr_embeds_ipv4(out->addr, &ipv4))
		return addr_fail_embedded(in, (struct addr_prefix){ ipv4, out->length });
	if (!wide_is_zero(wide_and(out->addr.bits, addr_host_bits(out->addr.family, out->length))))
		return addr_fail_host_bits(in, *out);
	return true;
}

/* "10.0.0.1-9" says its end by the last number alone. */
static bool addr_fail_short_end(const struct addr_text *in, struct addr first, unsigned int last)
{
	char text[2][ADDR_TEXT];
	struct addr end = { first.family, wide((first.bits.low & ~UINT64_C(0xff)) | last) };

	return addr_fail_with(in, "the end of a range is an address too: write %s-%s",
			      addr_format(first, text[0]), addr_format(end, text[1]));
}

static bool addr_read_range_end(const struct addr_text *in, size_t dash, struct addr first,
				struct addr *last)
{
	struct addr_text end = addr_part(in, dash + 1, in->length);
	unsigned int octet = 0;
	size_t at = 0;

	if (first.family == ADDR_IPV4 && addr_find(&end, '.') == end.length &&
	    addr_find(&end, ':') == end.length) {
		if (addr_read_octet(&end, &at, &octet) && at == end.length)
			return addr_fail_short_end(in, first, octet);
	}
	return addr_address(&end, last);
}

static bool addr_read_ends(const struct addr_text *in, size_t dash, struct addr_range *out)
{
	struct addr_text begin = addr_part(in, 0, dash);
	struct addr first, last;
	char text[2][ADDR_TEXT];
	bool embeds;

	if (addr_find(in, '/') < in->length)
		return addr_fail(in, "a range goes from one address to another, without a \"/\"");
	if (!addr_address(&begin, &first) || !addr_read_range_end(in, dash, first, &last))
		return false;
	embeds = addr_embeds_ipv4(first, &first);
	if (addr_embeds_ipv4(last, &last) || embeds)
		return first.family == last.family
			       ? addr_fail_with(in, EMBEDDED "write %s-%s, or leave it out",
						addr_format(first, text[0]),
						addr_format(last, text[1]))
			       : addr_fail(in, EMBEDDED "write an IPv4 range and an IPv6 one");
	if (first.family != last.family)
		return addr_fail(in, "both ends of a range are IPv4, or both are IPv6");
	if (wide_less(last.bits, first.bits))
		return addr_fail_with(in, "the range ends before it begins: write %s-%s",
				      addr_format(last, text[0]), addr_format(first, text[1]));
	*out = (struct addr_range){ first.family, first.bits, last.bits };
	return true;
}

bool addr_read_mask(struct arena *arena, const char *text, size_t length, struct addr *out,
		    const char **why)
{
	struct addr_text in = { arena, text, length, why };

	if (addr_find(&in, '/') < length)
		return addr_fail(&in, "one address stands here, without a \"/\"");
	return addr_address(&in, out);
}

bool addr_read(struct arena *arena, const char *text, size_t length, struct addr *out,
	       const char **why)
{
	struct addr_text in = { arena, text, length, why };
	struct addr ipv4;

	if (!addr_read_mask(arena, text, length, out, why))
		return false;
	return !addr_embeds_ipv4(*out, &ipv4) ||
	       addr_fail_embedded(&in, (struct addr_prefix){ ipv4, addr_width(ADDR_IPV6) });
}

bool addr_read_prefix(struct arena *arena, const char *text, size_t length, struct addr_prefix *out,
		      const char **why)
{
	struct addr_text in = { arena, text, length, why };

	return addr_prefix_text(&in, out);
}

bool addr_read_range(struct arena *arena, const char *text, size_t length, struct addr_range *out,
		     const char **why)
{
	struct addr_text in = { arena, text, length, why };
	size_t dash = addr_find(&in, '-');
	struct addr_prefix prefix;

	if (dash < length)
		return addr_read_ends(&in, dash, out);
	if (!addr_prefix_text(&in, &prefix))
		return false;
	out->family = prefix.addr.family;
	out->first = prefix.addr.bits;
	out->last = wide_or(prefix.addr.bits, addr_host_bits(prefix.addr.family, prefix.length));
	return true;
}

bool addr_looks_like(const char *text, size_t length)
{
	size_t i;

	if (!length)
		return false;
	if (addr_is_digit(text[0]) || text[0] == ':' || text[0] == '[')
		return true;
	for (i = 0; i < length && addr_hex(text[i]) >= 0; i++)
		;
	return i < length && text[i] == ':';
}

/* The last label of a domain holds a letter, so that it is no address (RFC 3696 section 2). */
bool addr_looks_like_domain(const char *text)
{
	static const char part[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.*";
	const char *dot = strrchr(text, '.');

	return dot && dot > text && !text[strspn(text, part)] &&
	       dot[1 + strspn(dot + 1, "0123456789")];
}
