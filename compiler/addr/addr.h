/*
 * addr: IPv4 and IPv6 addresses, prefixes and ranges as text and as numbers, and sets of both
 * families.
 */
#ifndef TPC_ADDR_ADDR_H
#define TPC_ADDR_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr/interval.h"

struct arena;
struct buf;

enum addr_family { ADDR_IPV4, ADDR_IPV6 };
enum { ADDR_FAMILIES = 2 };

struct addr {
	enum addr_family family;
	struct wide bits; /* host order; IPv4 in the low 32 bits */
};

struct addr_prefix {
	struct addr addr;    /* bits after the length are zero */
	unsigned int length; /* 0..32, 0..128 */
};

struct addr_range {
	enum addr_family family;
	struct wide first, last;
};

/* Addresses of both families. Indexed by enum addr_family. */
struct addr_set {
	struct interval_set family[ADDR_FAMILIES];
};

/*
 * The parsers take exactly `length` bytes, never look past them and never ask a resolver. IPv4 is
 * four decimal numbers (no octal, no leading zeros), IPv6 is RFC 4291 text without a zone, and
 * without IPv4 in it, which no packet has. On failure they return false and *why says in words what
 * is wrong and what would be right ("host bits are set; write 10.0.0.0/8"; the text may live in the
 * arena). Without an arena (NULL) *why is of no use and costs nothing. *why is what the author
 * probably meant, where that can be guessed ("write 10.0.0.0/8" for 10/8).
 */
bool addr_parse(struct arena *arena, const char *text, size_t length, struct addr *out,
		const char **why);
/* With or without "/length"; no length means one address. Host bits that are set are an error that
 * names the prefix. */
bool addr_parse_prefix(struct arena *arena, const char *text, size_t length,
		       struct addr_prefix *out, const char **why);
/* An address, a prefix, or a range first-last. */
bool addr_parse_range(struct arena *arena, const char *text, size_t length, struct addr_range *out,
		      const char **why);
/* The same without a guess. */
bool addr_read(struct arena *arena, const char *text, size_t length, struct addr *out,
	       const char **why);
bool addr_read_prefix(struct arena *arena, const char *text, size_t length, struct addr_prefix *out,
		      const char **why);
bool addr_read_range(struct arena *arena, const char *text, size_t length, struct addr_range *out,
		     const char **why);
/* Bits in the form of an address: a mask, or the part of an address that a mask leaves. */
bool addr_read_mask(struct arena *arena, const char *text, size_t length, struct addr *out,
		    const char **why);
/*
 * The quick way through long lists: the address, prefix or range that the bytes from text up to end
 * begin with. Returns the byte after it, or NULL for what is not plain, and that addr_parse_range
 * may still take. Says nothing of what stands after: the caller looks whether a word can end
 * there.
 */
const char *addr_scan_range(const char *text, const char *end, struct addr_range *out);
/* Does this look like an attempt at an address (so that a message should speak of addresses and not
 * of names)? */
bool addr_looks_like(const char *text, size_t length);
/* Is it a name with a dot in it, as a domain's? */
bool addr_looks_like_domain(const char *text);

/* Text as inet_ntop gives it: canonical RFC 5952 for IPv6. `out` has room for ADDR_TEXT bytes. */
enum { ADDR_TEXT = 64 };
const char *addr_format(struct addr addr, char out[ADDR_TEXT]);
const char *addr_format_prefix(struct addr_prefix prefix, char out[ADDR_TEXT]);
static inline bool addr_is_digit(char c)
{
	return c >= '0' && c <= '9';
}
/* '4' or '6': "IPv%c", "ip -%c", "_v%c". */
static inline char addr_digit(enum addr_family family)
{
	return family == ADDR_IPV6 ? '6' : '4';
}
static inline const char *addr_family_name(enum addr_family family)
{
	return family == ADDR_IPV6 ? "IPv6" : "IPv4";
}
/* As in `ip daddr`. */
static inline const char *addr_nft_word(enum addr_family family)
{
	return family == ADDR_IPV6 ? "ip6" : "ip";
}
/* What stands around that text in a policy: colons want quotes in YAML's brackets. */
static inline const char *addr_quote(enum addr_family family)
{
	return family == ADDR_IPV6 ? "\"" : "";
}
bool addr_equal(struct addr a, struct addr b);
bool addr_is_loopback(struct addr addr);   /* 127.0.0.0/8, ::1 */
bool addr_is_link_local(struct addr addr); /* fe80::/10 (RFC 4291 section 2.5.6); none of IPv4 */
/*
 * Is this an IPv6 address that only stands for an IPv4 one, as programs show it: ::ffff:192.0.2.1
 * or
 * ::192.0.2.1? *ipv4, which may be the same variable's, is then that one. :: and ::1 are
 * themselves.
 */
bool addr_embeds_ipv4(struct addr addr, struct addr *ipv4);
/* The ones of a netmask, 24 for 255.255.255.0, and -1 for what is none. */
int addr_netmask_length(struct addr addr);
unsigned int addr_width(enum addr_family family); /* 32 or 128 */
struct wide addr_last(enum addr_family family);   /* the highest address */
/* The bits after a prefix's length, as ones. */
struct wide addr_host_bits(enum addr_family family, unsigned int length);
bool addr_prefix_covers(struct addr_prefix prefix, struct addr addr);
/* Is it every address of the family? */
bool addr_is_whole(enum addr_family family, struct interval interval);
/* The interval as one prefix, if it is one. */
bool addr_interval_is_prefix(enum addr_family family, struct interval interval,
			     struct addr_prefix *out);
/* An interval in nft's words: address, prefix, or first-last. */
void addr_put_interval(struct buf *buf, enum addr_family family, struct interval interval);
/*
 * The fewest prefixes that cover the interval exactly, one call each: starts at *next, which is
 * moved after the prefix. All is covered once *next - 1 == last (after the highest IPv6 address
 * comes 0: do not compare with <=).
 */
struct addr_prefix addr_next_prefix(enum addr_family family, struct wide *next, struct wide last);

void addr_set_add(struct arena *arena, struct addr_set *set, struct addr_range range);
void addr_set_normalise(struct addr_set *set);
struct addr_set addr_set_union(struct arena *arena, const struct addr_set *a,
			       const struct addr_set *b);
struct addr_set addr_set_subtract(struct arena *arena, const struct addr_set *a,
				  const struct addr_set *b);
bool addr_set_is_empty(const struct addr_set *set);

#endif
