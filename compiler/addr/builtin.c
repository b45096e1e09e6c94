/*
 * builtin: the address sets that every policy knows by name. In comes a name, out comes a canonical
 * set of both families.
 *
 * The tables follow the IANA registries, one line an entry, each with the document that made it:
 * iana-ipv4-special-registry, iana-ipv6-special-registry, ipv4-address-space, ipv6-address-space.
 */
#include "addr/builtin.h"

#include <assert.h>
#include <string.h>

#include "base/arena.h"

static const char *const builtin_any[] = { "0.0.0.0/0", "::/0", NULL };

static const char *const builtin_private[] = {
	"10.0.0.0/8",     /* RFC 1918 */
	"172.16.0.0/12",  /* RFC 1918 */
	"192.168.0.0/16", /* RFC 1918 */
	"fc00::/7",       /* RFC 4193: unique local */
	NULL,
};

static const char *const builtin_loopback[] = {
	"127.0.0.0/8", /* RFC 1122, 3.2.1.3 */
	"::1/128",     /* RFC 4291, 2.5.3 */
	NULL,
};

static const char *const builtin_link_local[] = {
	"169.254.0.0/16", /* RFC 3927 */
	"fe80::/10",      /* RFC 4291, 2.5.6 */
	NULL,
};

static const char *const builtin_multicast[] = {
	"224.0.0.0/4", /* RFC 5771 */
	"ff00::/8",    /* RFC 4291, 2.7 */
	NULL,
};

static const char *const builtin_bogons[] = {
	"0.0.0.0/8",       /* RFC 791, 3.2: this network */
	"10.0.0.0/8",      /* RFC 1918: private */
	"100.64.0.0/10",   /* RFC 6598: shared address space of carriers (CGNAT) */
	"127.0.0.0/8",     /* RFC 1122: loopback */
	"169.254.0.0/16",  /* RFC 3927: link-local */
	"172.16.0.0/12",   /* RFC 1918: private */
	"192.0.0.0/24",    /* RFC 6890: IETF protocol assignments */
	"192.0.2.0/24",    /* RFC 5737: documentation, TEST-NET-1 */
	"192.88.99.0/24",  /* RFC 7526: 6to4 relay anycast, deprecated */
	"192.168.0.0/16",  /* RFC 1918: private */
	"198.18.0.0/15",   /* RFC 2544: benchmarking */
	"198.51.100.0/24", /* RFC 5737: documentation, TEST-NET-2 */
	"203.0.113.0/24",  /* RFC 5737: documentation, TEST-NET-3 */
	"224.0.0.0/4",     /* RFC 5771: multicast */
	"240.0.0.0/4", /* RFC 1112, 4: reserved; ends in the limited broadcast address, RFC 919 */

	"::/8", /* RFC 4291: unspecified, loopback, IPv4-mapped; RFC 8215: local translation; else
		   reserved */
	"100::/8",   /* RFC 6666: discard-only; RFC 9780: dummy prefix; else reserved, RFC 4291 */
	"200::/7",   /* RFC 4048: reserved */
	"400::/6",   /* RFC 4291: reserved */
	"800::/5",   /* RFC 4291: reserved */
	"1000::/4",  /* RFC 4291: reserved */
	"2001::/23", /* RFC 2928: IETF protocol assignments; RFC 4380: Teredo; RFC 5180:
			benchmarking */
	"2001:db8::/32", /* RFC 3849: documentation */
	"2002::/16",     /* RFC 3056: 6to4 */
	"3fff::/20",     /* RFC 9637: documentation */
	"4000::/3",      /* RFC 4291: reserved; in it 5f00::/16, RFC 9602: segment routing */
	"6000::/3",      /* RFC 4291: reserved */
	"8000::/3",      /* RFC 4291: reserved */
	"a000::/3",      /* RFC 4291: reserved */
	"c000::/3",      /* RFC 4291: reserved */
	"e000::/4",      /* RFC 4291: reserved */
	"f000::/5",      /* RFC 4291: reserved */
	"f800::/6",      /* RFC 4291: reserved */
	"fc00::/7",      /* RFC 4193: unique local */
	"fe00::/9",      /* RFC 4291: reserved */
	"fe80::/10",     /* RFC 4291: link-local */
	"fec0::/10",     /* RFC 3879: site-local, deprecated */
	"ff00::/8",      /* RFC 4291: multicast */
	NULL,
};

/* What lies inside the above and is globally reachable all the same, by the registries' column of
 * that name. */
static const char *const builtin_reachable[] = {
	"192.0.0.9/32",        /* RFC 7723: Port Control Protocol anycast */
	"192.0.0.10/32",       /* RFC 8155: TURN anycast */
	"64:ff9b::/96",        /* RFC 6052: NAT64 */
	"2001:1::1-2001:1::3", /* RFC 7723, RFC 8155, RFC 9665: anycast of PCP, TURN and DNS-SD
				  registration */
	"2001:3::/32",         /* RFC 7450: AMT */
	"2001:4:112::/48",     /* RFC 7535: AS112 */
	"2001:20::/28",        /* RFC 7343: ORCHIDv2 */
	"2001:30::/28",        /* RFC 9374: drone remote identification */
	NULL,
};

struct builtin {
	const char *const *entries;
	const char *const *except; /* or NULL */
};

static const char *const builtin_words[] = { "any",        "private",   "loopback",
					     "link-local", "multicast", "bogons" };

/* In the order of builtin_words. */
static const struct builtin builtin_sets[] = {
	{ builtin_any, NULL },       { builtin_private, NULL },
	{ builtin_loopback, NULL },  { builtin_link_local, NULL },
	{ builtin_multicast, NULL }, { builtin_bogons, builtin_reachable },
};

enum { BUILTIN_COUNT = sizeof(builtin_sets) / sizeof(builtin_sets[0]) };
static_assert(sizeof(builtin_words) / sizeof(builtin_words[0]) == BUILTIN_COUNT,
	      "a set without a name");

static struct addr_set builtin_parse(struct arena *arena, const char *const *entries)
{
	struct addr_set set = { .family = { { NULL, 0 } } };
	struct addr_range range;
	const char *why;

	for (; *entries; entries++) {
		if (addr_parse_range(arena, *entries, strlen(*entries), &range, &why))
			addr_set_add(arena, &set, range);
		else
			assert(!"a built-in set has a bad entry");
	}
	addr_set_normalise(&set);
	return set;
}

bool builtin_find(struct arena *arena, const char *name, struct addr_set *out)
{
	struct addr_set except;
	size_t i;

	for (i = 0; i < BUILTIN_COUNT; i++) {
		if (strcmp(name, builtin_words[i]))
			continue;
		*out = builtin_parse(arena, builtin_sets[i].entries);
		if (builtin_sets[i].except) {
			except = builtin_parse(arena, builtin_sets[i].except);
			*out = addr_set_subtract(arena, out, &except);
		}
		return true;
	}
	return false;
}

const char *const *builtin_names(size_t *count)
{
	*count = BUILTIN_COUNT;
	return builtin_words;
}
