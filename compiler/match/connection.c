/*
 * connection: matches that no key stands for and the guarantees need: the reply direction, the kind
 * of destination, sockets on this host, what the rules or an apply have noted in sets.
 */
#include "base/buf.h"
#include "match/kinds.h"

/* ---- what does not depend on anything ---- */

enum words {
	WORDS_DIRECTION,
	WORDS_ORIGINAL,
	WORDS_EXPECTED,
	WORDS_SOCKET,
	WORDS_UNDIRECTED,
	WORDS_TRANSLATED,
	WORDS_BORROWED,
	WORDS_SPOOFED,
	WORDS_LODGED,
	WORDS_UNSOURCED,
	WORDS_UNCONNECTED,
	WORDS_LISTENING,
	WORDS_DISCOVERY,
	WORDS_REDIRECT,
	WORDS_SYN,
	WORDS_CONTINUED,
	WORDS_END,
	WORDS_RESET,
	WORDS_ANSWERED
};

static const char *const words[] = {
	[WORDS_DIRECTION] = "ct direction reply",
	[WORDS_ORIGINAL] = "ct direction original",
	[WORDS_EXPECTED] = "ct status expected",
	/* Without `wildcard` new connections to a listener on the wildcard address are missed. */
	[WORDS_SOCKET] = "socket transparent 1 socket wildcard 0",
	[WORDS_UNDIRECTED] = "ct status & dnat == 0",
	[WORDS_TRANSLATED] = "ct status dnat",
	/* Of this host, and of no interface that the packet leaves by. */
	[WORDS_BORROWED] = "fib saddr type local fib saddr . oif type != local",
	[WORDS_SPOOFED] = "fib saddr type != local",
	[WORDS_LODGED] = "fib saddr . oif type != local",
	/* The first packet passes before the kernel confirms its entry; later ones do not. */
	[WORDS_UNSOURCED] = "ct status & (confirmed | snat) == confirmed",
	/* `ct status` knows nothing of a packet without a connection, and holds for none, negated
	 * or not. */
	[WORDS_UNCONNECTED] = "ct state invalid,untracked",
	/* Half-open connections are no full sockets and have no `wildcard`: ask only of packets in
	 * state new. */
	[WORDS_LISTENING] = "socket wildcard { 0, 1 }",
	/* RFC 4861: some of these go to unicast addresses, and connection tracking does not follow
	 * them. */
	[WORDS_DISCOVERY] =
		"icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, "
		"nd-neighbor-advert, nd-redirect }",
	[WORDS_REDIRECT] = "icmpv6 type nd-redirect",
	[WORDS_SYN] = "tcp flags syn / syn,rst",
	[WORDS_CONTINUED] = "tcp flags != syn / syn,rst",
	[WORDS_END] = "tcp flags fin,rst",
	[WORDS_RESET] = "tcp flags rst",
	[WORDS_ANSWERED] = "meta l4proto udp ct status seen-reply",
};

static void print_words(const struct ir_match *match, struct buf *out)
{
	buf_puts(out, words[match->selector]);
}

/* The packets that are evaluated are first packets of a connection, and not ones of the kinds
 * above; what the host has noted is not known of them. */
static bool never_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	(void)match, (void)packet;
	return false;
}

static const struct ir_match_ops words_ops = { "words", print_words, never_holds, false, NULL };

static struct ir_match words_match(enum words which)
{
	return (struct ir_match){ .ops = &words_ops, .selector = which };
}

struct ir_match direction_match(void)
{
	return words_match(WORDS_DIRECTION);
}

struct ir_match original_match(void)
{
	return words_match(WORDS_ORIGINAL);
}

struct ir_match expected_match(void)
{
	return words_match(WORDS_EXPECTED);
}

struct ir_match socket_match(void)
{
	return words_match(WORDS_SOCKET);
}

struct ir_match undirected_match(void)
{
	return words_match(WORDS_UNDIRECTED);
}

struct ir_match translated_match(void)
{
	return words_match(WORDS_TRANSLATED);
}

struct ir_match borrowed_match(void)
{
	return words_match(WORDS_BORROWED);
}

struct ir_match spoofed_match(void)
{
	return words_match(WORDS_SPOOFED);
}

struct ir_match lodged_match(void)
{
	return words_match(WORDS_LODGED);
}

struct ir_match unsourced_match(void)
{
	return words_match(WORDS_UNSOURCED);
}

struct ir_match unconnected_match(void)
{
	return words_match(WORDS_UNCONNECTED);
}

struct ir_match listening_match(void)
{
	return words_match(WORDS_LISTENING);
}

struct ir_match discovery_match(void)
{
	return words_match(WORDS_DISCOVERY);
}

struct ir_match redirect_match(void)
{
	return words_match(WORDS_REDIRECT);
}

struct ir_match syn_match(void)
{
	return words_match(WORDS_SYN);
}

struct ir_match continued_match(void)
{
	return words_match(WORDS_CONTINUED);
}

struct ir_match end_match(void)
{
	return words_match(WORDS_END);
}

struct ir_match reset_match(void)
{
	return words_match(WORDS_RESET);
}

struct ir_match answered_match(void)
{
	return words_match(WORDS_ANSWERED);
}

/* ---- ping ---- */

static void print_echo(const struct ir_match *match, struct buf *out)
{
	buf_printf(out, "%s type echo-request", match->family == ADDR_IPV4 ? "icmp" : "icmpv6");
}

/* Of the packets that are evaluated, first ones of a connection, those of ICMP are pings. */
static bool echo_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	return packet->family == match->family &&
	       (packet->protocol == PROTOCOL_ICMP || packet->protocol == PROTOCOL_ICMPV6);
}

static const struct ir_match_ops echo_ops = { "echo", print_echo, echo_holds, true, NULL };

struct ir_match echo_match(enum addr_family family)
{
	return (struct ir_match){ .ops = &echo_ops, .family = family };
}

/* ---- the address that a connection was given ---- */

static void print_given(const struct ir_match *match, struct buf *out)
{
	buf_printf(out, "ct reply %s daddr ", addr_nft_word(match->family));
	addr_put_interval(out, match->family, match->values.items[0]);
}

static const struct ir_match_ops given_ops = { "given", print_given, never_holds, true, NULL };

struct ir_match given_match(struct arena *arena, struct addr_prefix prefix)
{
	enum addr_family family = prefix.addr.family;
	struct ir_match match = { .ops = &given_ops, .family = family };
	struct wide first = prefix.addr.bits;

	interval_add(arena, &match.values, first,
		     wide_or(first, addr_host_bits(family, prefix.length)));
	return match;
}

/* ---- the kind of destination ---- */

static void print_fib(const struct ir_match *match, struct buf *out)
{
	static const char *const types[] = { "local", "broadcast",
					     "{ local, broadcast, anycast }" };

	buf_printf(out, "fib daddr type %s%s", match->negated ? "!= " : "", types[match->selector]);
}

static bool fib_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	bool is = (match->selector != FIB_BROADCAST && packet->to_local) ||
		  (match->selector != FIB_LOCAL && packet->to_broadcast);

	return is != match->negated;
}

static const struct ir_match_ops fib_ops = { "fib", print_fib, fib_holds, false, NULL };

struct ir_match fib_match(unsigned int selector)
{
	return (struct ir_match){ .ops = &fib_ops, .selector = selector };
}

struct ir_match elsewhere_match(void)
{
	struct ir_match match = fib_match(FIB_LOCAL);

	match.negated = true;
	return match;
}

/* ---- whose the source is ---- */

static void print_source(const struct ir_match *match, struct buf *out)
{
	(void)match;
	buf_puts(out, "fib saddr type local");
}

/* A host that is asked knows; else what it sends has an address of its own. */
static bool source_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	(void)match;
	return !packet->from_foreign;
}

static const struct ir_match_ops source_ops = { "source", print_source, source_holds, false, NULL };

struct ir_match own_source_match(void)
{
	return (struct ir_match){ .ops = &source_ops,
				  .unless = "a local packet from a foreign address is a reply" };
}

/* ---- what was noted ---- */

static void print_flow(const struct ir_match *match, struct buf *out)
{
	ir_put_flow(match->family, out);
	buf_putc(out, ' ');
}

static const struct ir_match_ops flow_ops = { "flow", print_flow, never_holds, true, NULL };

struct ir_match flow_match(const struct ir_set *set)
{
	return (struct ir_match){ .ops = &flow_ops,
				  .set = set,
				  .family = set->type == IR_SET_FLOW_IPV4 ? ADDR_IPV4 : ADDR_IPV6 };
}

static void print_gateway(const struct ir_match *match, struct buf *out)
{
	(void)match;
	buf_puts(out, "ether saddr ");
}

static const struct ir_match_ops gateway_ops = { "gateway", print_gateway, never_holds, false,
						 NULL };

struct ir_match gateway_match(const struct ir_set *set)
{
	return (struct ir_match){ .ops = &gateway_ops, .set = set };
}
