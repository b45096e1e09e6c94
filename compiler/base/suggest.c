/*
 * suggest: "did you mean". What other programs call the same thing comes first. Distances are
 * counted with insertions, deletions, replacements and swapped neighbours as one step each; upper
 * and lower case are the same letter. Of candidates that are equally near, one as long as the word
 * comes first, then the first of them.
 */
#include "base/suggest.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { SUGGEST_LONGEST = 64, SUGGEST_BEGINNING = 3 };

/* What nft, ip, iptables and other programs call it, and plain English does: no typing error leads
 * from one to the other. */
static const struct {
	const char *theirs, *ours;
} suggest_others[] = {
	{ "dport", "port" },
	{ "dst-port", "port" },
	{ "destination_port", "port" },
	{ "ports", "port" },
	{ "dst_port", "port" },
	{ "daddr", "to" },
	{ "dst", "to" },
	{ "dest", "to" },
	{ "destination", "to" },
	{ "saddr", "from" },
	{ "src", "from" },
	{ "source", "from" },
	{ "src_port", "sport" },
	{ "src-port", "sport" },
	{ "source_port", "sport" },
	{ "iif", "in" },
	{ "iifname", "in" },
	{ "interface", "in" },
	{ "interface", "dev" },
	{ "device", "dev" },
	{ "iface", "dev" },
	{ "oif", "out" },
	{ "oifname", "out" },
	{ "protocol", "proto" },
	{ "l4proto", "proto" },
	{ "uid", "user" },
	{ "skuid", "user" },
	{ "gid", "group" },
	{ "skgid", "group" },
	{ "fwmark", "mark" },
	{ "connmark", "ctmark" },
	{ "ctstate", "state" },
	{ "tos", "dscp" },
	{ "hoplimit", "ttl" },
	{ "ether", "mac" },
	{ "comment", "name" },
	{ "counter", "count" },
	{ "rate", "limit" },
	{ "action", "then" },
	{ "verdict", "then" },
	{ "target", "then" },
	{ "do", "then" },
	{ "accept", "direct" },
	{ "allow", "direct" },
	{ "pass", "direct" },
	{ "return", "direct" },
	{ "bypass", "direct" },
	{ "deny", "drop" },
	{ "block", "drop" },
	{ "blackhole", "drop" },
	{ "refuse", "reject" },
	{ "gateway", "via" },
	{ "gw", "via" },
	{ "nexthop", "via" },
	{ "all", "any" },
	{ "anywhere", "any" },
	{ "everything", "any" },
	{ "input", "local" },
	{ "output", "local" },
	{ "host", "local" },
	{ "all", "both" },
	{ "icmp6", "icmpv6" },
	{ "icmp-host-prohibited", "admin-prohibited" },
	{ "rst", "tcp-reset" },
	{ "false", "off" },
	{ "true", "on" },
	{ "https", "tls" },
	{ "ssl", "tls" },
	{ "http3", "quic" },
	{ "h3", "quic" },
	{ "torrent", "bittorrent" },
	{ "keyword", "contains" },
	{ "weekdays", "days" },
	{ "monday", "mon" },
	{ "tuesday", "tue" },
	{ "wednesday", "wed" },
	{ "thursday", "thu" },
	{ "friday", "fri" },
	{ "saturday", "sat" },
	{ "sunday", "sun" },
};

static char suggest_fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t suggest_least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Optimal string alignment; three rows of the matrix are enough. Both words have at most
 * SUGGEST_LONGEST bytes. */
static size_t suggest_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t rows[3][SUGGEST_LONGEST + 1], i, j;
	size_t *before = rows[0], *above = rows[1], *row = rows[2], *spare;

	for (j = 0; j <= b_length; j++)
		above[j] = before[j] = j;
	for (i = 1; i <= a_length; i++) {
		row[0] = i;
		for (j = 1; j <= b_length; j++) {
			char x = suggest_fold(a[i - 1]), y = suggest_fold(b[j - 1]);

			row[j] = suggest_least(above[j], row[j - 1]) + 1;
			row[j] = suggest_least(row[j], above[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == suggest_fold(b[j - 2]) &&
			    y == suggest_fold(a[i - 2]))
				row[j] = suggest_least(row[j], before[j - 2] + 1);
		}
		spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[b_length];
}

/* Did the author stop in the middle of it: "prot", "masq"? */
static bool suggest_begins(const char *word, size_t length, const char *candidate)
{
	return length >= SUGGEST_BEGINNING && strlen(candidate) > length &&
	       !strncasecmp(candidate, word, length);
}

/* How near a candidate is: twice the distance, and one more if it is not as long as the word. */
static size_t suggest_rank(const char *word, size_t length, const char *candidate, size_t most)
{
	size_t other = strlen(candidate), distance;
	size_t apart = other > length ? other - length : length - other;

	if (suggest_begins(word, length, candidate))
		return apart;
	if (other > SUGGEST_LONGEST || apart > most)
		return SIZE_MAX;
	distance = suggest_distance(word, length, candidate, other);
	/* A word of which nothing is left is not near. */
	if (distance > most || distance >= length || distance >= other)
		return SIZE_MAX;
	return 2 * distance + (apart != 0);
}

static const char *suggest_same(const char *word, const char *const *candidates, size_t count)
{
	for (size_t i = 0; i < sizeof(suggest_others) / sizeof(suggest_others[0]); i++) {
		if (strcasecmp(suggest_others[i].theirs, word))
			continue;
		for (size_t k = 0; k < count; k++)
			if (!strcmp(candidates[k], suggest_others[i].ours))
				return candidates[k];
	}
	return NULL;
}

const char *suggest_nearest(const char *word, const char *const *candidates, size_t count)
{
	size_t length = strlen(word), most = length / 3 > 1 ? length / 3 : 1, best = SIZE_MAX, i;
	const char *nearest = suggest_same(word, candidates, count);

	if (length > SUGGEST_LONGEST || nearest)
		return nearest;
	for (i = 0; i < count; i++) {
		size_t rank = suggest_rank(word, length, candidates[i], most);

		if (rank < best) {
			nearest = candidates[i];
			best = rank;
		}
	}
	return nearest;
}
