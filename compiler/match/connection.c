/*
 * connection: matches that no key stands for and the guarantees need: the reply direction, the kind
 * of destination, sockets on this host.
 */
#include "base/buf.h"
#include "match/kinds.h"

static void print_direction(const struct ir_match *match, struct buf *out)
{
	(void)match;
	buf_puts(out, "ct direction reply");
}

/* The packets that are evaluated are a connection's own. */
static bool direction_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	(void)match, (void)packet;
	return false;
}

static const struct ir_match_ops direction_ops = { "direction", print_direction, direction_holds,
						   false, NULL };

struct ir_match direction_match(void)
{
	return (struct ir_match){ .ops = &direction_ops };
}

static void print_fib(const struct ir_match *match, struct buf *out)
{
	static const char *const types[] = { "local", "broadcast",
					     "{ local, broadcast, anycast }" };

	buf_printf(out, "fib daddr type %s", types[match->selector]);
}

static bool fib_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	return (match->selector != FIB_BROADCAST && packet->to_local) ||
	       (match->selector != FIB_LOCAL && packet->to_broadcast);
}

static const struct ir_match_ops fib_ops = { "fib", print_fib, fib_holds, false, NULL };

struct ir_match fib_match(unsigned int selector)
{
	return (struct ir_match){ .ops = &fib_ops, .selector = selector };
}

/* Without `wildcard` new connections to a listener on the wildcard address are missed. */
static void print_socket(const struct ir_match *match, struct buf *out)
{
	(void)match;
	buf_puts(out, "socket transparent 1 socket wildcard 0");
}

static bool socket_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	(void)match, (void)packet;
	return false;
}

static const struct ir_match_ops socket_ops = { "socket", print_socket, socket_holds, false, NULL };

struct ir_match socket_match(void)
{
	return (struct ir_match){ .ops = &socket_ops };
}

static void print_undirected(const struct ir_match *match, struct buf *out)
{
	(void)match;
	buf_puts(out, "ct status & dnat == 0");
}

static const struct ir_match_ops undirected_ops = { "undirected", print_undirected, socket_holds,
						    false, NULL };

struct ir_match undirected_match(void)
{
	return (struct ir_match){ .ops = &undirected_ops };
}

static void print_translated(const struct ir_match *match, struct buf *out)
{
	(void)match;
	buf_puts(out, "ct status dnat");
}

/* Of this host, and of no interface that the packet leaves by. */
static void print_borrowed(const struct ir_match *match, struct buf *out)
{
	(void)match;
	buf_puts(out, "fib saddr type local fib saddr . oif type != local");
}

static const struct ir_match_ops borrowed_ops = { "borrowed", print_borrowed, socket_holds, false,
						  NULL };

struct ir_match borrowed_match(void)
{
	return (struct ir_match){ .ops = &borrowed_ops };
}

static const struct ir_match_ops translated_ops = { "translated", print_translated, socket_holds,
						    false, NULL };

struct ir_match translated_match(void)
{
	return (struct ir_match){ .ops = &translated_ops };
}

/* `ct status` knows nothing of a packet without a connection, and holds for none, negated or not.
 */
static void print_unconnected(const struct ir_match *match, struct buf *out)
{
	(void)match;
	buf_puts(out, "ct state invalid,untracked");
}

static const struct ir_match_ops unconnected_ops = { "unconnected", print_unconnected, socket_holds,
						     false, NULL };

struct ir_match unconnected_match(void)
{
	return (struct ir_match){ .ops = &unconnected_ops };
}

/* Half-open connections are no full sockets and have no `wildcard`: ask only of packets in state
 * new. */
static void print_listening(const struct ir_match *match, struct buf *out)
{
	(void)match;
	buf_puts(out, "socket wildcard { 0, 1 }");
}

static const struct ir_match_ops listening_ops = { "listening", print_listening, socket_holds,
						   false, NULL };

struct ir_match listening_match(void)
{
	return (struct ir_match){ .ops = &listening_ops };
}

/* RFC 4861: some of these go to unicast addresses, and connection tracking does not follow them. */
static void print_discovery(const struct ir_match *match, struct buf *out)
{
	(void)match;
	buf_puts(out,
		 "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, "
		 "nd-redirect }");
}

static const struct ir_match_ops discovery_ops = { "discovery", print_discovery, socket_holds,
						   false, NULL };

struct ir_match discovery_match(void)
{
	return (struct ir_match){ .ops = &discovery_ops };
}

static void print_redirect(const struct ir_match *match, struct buf *out)
{
	(void)match;
	buf_puts(out, "icmpv6 type nd-redirect");
}

static const struct ir_match_ops redirect_ops = { "redirect", print_redirect, socket_holds, false,
						  NULL };

struct ir_match redirect_match(void)
{
	return (struct ir_match){ .ops = &redirect_ops };
}

static void print_syn(const struct ir_match *match, struct buf *out)
{
	(void)match;
	buf_puts(out, "tcp flags syn / syn,rst");
}

static const struct ir_match_ops syn_ops = { "syn", print_syn, socket_holds, false, NULL };

struct ir_match syn_match(void)
{
	return (struct ir_match){ .ops = &syn_ops };
}

static void print_continued(const struct ir_match *match, struct buf *out)
{
	(void)match;
	buf_puts(out, "tcp flags != syn / syn,rst");
}

static const struct ir_match_ops continued_ops = { "continued", print_continued, socket_holds,
						   false, NULL };

struct ir_match continued_match(void)
{
	return (struct ir_match){ .ops = &continued_ops };
}

static void print_end(const struct ir_match *match, struct buf *out)
{
	(void)match;
	buf_puts(out, "tcp flags fin,rst");
}

static const struct ir_match_ops end_ops = { "end", print_end, socket_holds, false, NULL };

struct ir_match end_match(void)
{
	return (struct ir_match){ .ops = &end_ops };
}

static void print_answered(const struct ir_match *match, struct buf *out)
{
	(void)match;
	buf_puts(out, "meta l4proto udp ct status seen-reply");
}

static const struct ir_match_ops answered_ops = { "answered", print_answered, socket_holds, false,
						  NULL };

struct ir_match answered_match(void)
{
	return (struct ir_match){ .ops = &answered_ops };
}

static void print_flow(const struct ir_match *match, struct buf *out)
{
	ir_put_flow(match->family, out);
	buf_printf(out, " @%s", match->set->name);
}

static const struct ir_match_ops flow_ops = { "flow", print_flow, socket_holds, true, NULL };

struct ir_match flow_match(const struct ir_set *set)
{
	return (struct ir_match){ .ops = &flow_ops,
				  .set = set,
				  .family = set->type == IR_SET_FLOW_IPV4 ? ADDR_IPV4 : ADDR_IPV6 };
}
