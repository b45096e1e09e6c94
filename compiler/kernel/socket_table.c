/*
 * socket_table: chooses as the kernel does (see socket_table.h). In go sockets and a way, out comes
 * whether they take what goes that way, in words.
 *
 * The kernel looks among the sockets of the port for one with the very address, and only then for
 * one with any; of several it takes one of the packet's own family (inet_lookup_listener,
 * udp4_lib_lookup, udp6_lib_lookup). Those that are the same in this may share what comes
 * (SO_REUSEPORT). Where some of them are bound to the interface and some to none, the order in
 * which they were bound decides, which sock_diag does not say. An IPv6 socket takes IPv4, too,
 * unless IPV6_V6ONLY is set. tproxy gives a packet to a socket with IP_TRANSPARENT alone.
 */
#include "kernel/socket_table.h"

#include <string.h>

#include "base/arena.h"
#include "base/names.h"
#include "ir/ir.h"
#include "kernel/link.h"
#include "kernel/socket_state.h"

/* LOOPBACK_IFINDEX in the kernel: this host's own packets come in by it. */
enum { LOOPBACK = 1 };

struct judging {
	struct arena *arena;
	const struct socket_table *sockets;
	const struct socket_table_way *way;
	bool knows_to;
	struct addr to; /* where the policy sends them */
	unsigned int device;
	/* ---- found ---- */
	unsigned int best;               /* the rank of those that take the packets; 0: none does */
	size_t takers, opaque, silent;   /* of them: without IP_TRANSPARENT, and not known */
	const struct socket_seen *first; /* of them: of the opaque or silent ones, if any */
	/* Those that do not take them, in words: of the packet's family, and of the other one. */
	const char **others[2];
	size_t other_count[2];
	bool may_be_other; /* one of them would, at another interface */
};

static bool is_mode(const struct judging *judging, const char *mode)
{
	return !strcmp(judging->way->listener->mode, mode);
}

static bool is_any(struct addr addr)
{
	return wide_is_zero(addr.bits);
}

/* RFC 4291 section 2.5.5.2: ::ffff:0:0/96 */
static struct addr unmapped(struct addr addr)
{
	struct addr ipv4;

	if (addr.family == ADDR_IPV6 && addr.bits.low >> 32 == 0xffff &&
	    addr_embeds_ipv4(addr, &ipv4))
		return ipv4;
	return addr;
}

/* ---- which socket ---- */

static bool has_family(const struct judging *judging, const struct socket_seen *seen)
{
	enum addr_family family = judging->way->family;

	if (seen->addr.family == family)
		return unmapped(seen->addr).family == family;
	return family == ADDR_IPV4 && seen->only_ipv6 != FLAG_YES &&
	       (is_any(seen->addr) || unmapped(seen->addr).family == ADDR_IPV4);
}

static bool has_address(const struct judging *judging, const struct socket_seen *seen)
{
	return is_any(seen->addr) ||
	       (judging->knows_to && addr_equal(unmapped(seen->addr), judging->to));
}

/* 0: it does not take the packets. */
static unsigned int rank(const struct judging *judging, const struct socket_seen *seen)
{
	if (seen->is_connected || !has_family(judging, seen) || !has_address(judging, seen) ||
	    (seen->device && seen->device != judging->device))
		return 0;
	return 1 + (is_any(seen->addr) ? 0 : 2) + (seen->addr.family == judging->way->family);
}

/* Of a socket that does not take them: would it, at some interface? */
static bool may_take(const struct judging *judging, const struct socket_seen *seen)
{
	if (judging->way->is_local || judging->device || seen->is_connected ||
	    !has_family(judging, seen))
		return false;
	return is_any(seen->addr) ||
	       (!judging->knows_to && !addr_is_loopback(unmapped(seen->addr)));
}

/* ---- words ---- */

/* "127.0.0.1:12345", "[::1]:12345" */
static const char *endpoint(struct arena *arena, struct addr addr, unsigned int port)
{
	char text[ADDR_TEXT];

	return arena_printf(arena, addr.family == ADDR_IPV6 ? "[%s]:%u" : "%s:%u",
			    addr_format(addr, text), port);
}

/* A socket, and what limits it. */
static const char *socket_words(const struct judging *judging, const struct socket_seen *seen)
{
	struct arena *arena = judging->arena;
	const char *words = endpoint(arena, seen->addr, seen->port);
	char text[ADDR_TEXT];

	if (judging->way->family == ADDR_IPV4 && seen->only_ipv6 == FLAG_YES)
		words = arena_printf(arena, "%s (IPv6 alone)", words);
	if (seen->device)
		words = arena_printf(arena, "%s (%s alone)", words,
				     socket_device(arena, seen->device));
	if (seen->is_connected)
		words = arena_printf(arena, "%s (connected to %s alone)", words,
				     addr_format(seen->peer, text));
	return words;
}

static const char *protocol(const struct judging *judging)
{
	return judging->way->udp ? "udp" : "tcp";
}

static void add_other(struct judging *judging, const struct socket_seen *seen)
{
	int which = !has_family(judging, seen);

	judging->may_be_other |= may_take(judging, seen);
	names_add(judging->arena, &judging->others[which], &judging->other_count[which],
		  socket_words(judging, seen));
}

/* A few of them, those of the other family only where there are none else; or NULL. */
static const char *other_words(const struct judging *judging)
{
	enum { SHOWN = 4 };
	int which = !judging->other_count[0];
	size_t count = judging->other_count[which];
	const char *words = NULL;

	for (size_t i = 0; i < count && i < SHOWN; i++)
		words = words ? arena_printf(judging->arena, "%s, %s", words,
					     judging->others[which][i])
			      : judging->others[which][i];
	return count > SHOWN ? arena_printf(judging->arena, "%s and others", words) : words;
}

static size_t first_of(const struct socket_table *sockets, unsigned int port)
{
	size_t low = 0, high = sockets->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (sockets->items[middle].port < port)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void look(struct judging *judging)
{
	const struct socket_table *sockets = judging->sockets;
	const struct socket_table_way *way = judging->way;

	for (size_t i = first_of(sockets, way->listener->port);
	     i < sockets->count && sockets->items[i].port == way->listener->port; i++) {
		const struct socket_seen *seen = &sockets->items[i];
		unsigned int its;

		if (seen->udp != way->udp)
			continue;
		its = rank(judging, seen);
		if (!its)
			add_other(judging, seen);
		if (!its || its < judging->best)
			continue;
		if (its > judging->best) {
			judging->best = its;
			judging->takers = judging->opaque = judging->silent = 0;
			judging->first = NULL;
		}
		judging->takers++;
		judging->opaque += seen->transparent == FLAG_NO;
		judging->silent += seen->transparent == FLAG_UNKNOWN;
		if (!judging->first ||
		    (seen->transparent == FLAG_NO && judging->first->transparent != FLAG_NO))
			judging->first = seen;
	}
}

/* Where the policy sends them, and what for. */
static const char *target_words(const struct judging *judging)
{
	const struct ir_listener *listener = judging->way->listener;
	struct arena *arena = judging->arena;

	if (!judging->knows_to)
		return arena_printf(arena, "port %u/%s for IPv%c", listener->port,
				    protocol(judging), addr_digit(judging->way->family));
	return arena_printf(arena, "%s/%s", endpoint(arena, judging->to, listener->port),
			    protocol(judging));
}

static const char *any_of(enum addr_family family)
{
	return family == ADDR_IPV6 ? "::" : "0.0.0.0";
}

/* ---- verdicts ---- */

static struct socket_table_verdict missing(const struct judging *judging)
{
	const struct ir_listener *listener = judging->way->listener;
	bool is_redirected = !judging->way->is_local && is_mode(judging, "redirect");
	struct arena *arena = judging->arena;
	struct socket_table_verdict verdict = { SOCKET_TABLE_MISSING };
	const char *others = other_words(judging);
	char text[ADDR_TEXT];

	verdict.text = arena_printf(arena, "no socket listens on %s (listener %s)",
				    target_words(judging), listener->name);
	verdict.help = "start its program in this network namespace: a socket in another one (a "
		       "container's) gets no packets of this one";
	if (!others)
		return verdict;
	verdict.kind = judging->may_be_other ? SOCKET_TABLE_UNKNOWN : SOCKET_TABLE_WRONG;
	if (is_redirected && judging->device && judging->knows_to)
		verdict.text =
			arena_printf(arena,
				     "no socket listens on %s, where redirect sends packets from "
				     "%s (listener %s)",
				     target_words(judging), socket_device(arena, judging->device),
				     listener->name);
	verdict.text = arena_printf(arena, "%s; what listens on that port is bound to %s",
				    verdict.text, others);
	verdict.help =
		judging->knows_to
			? arena_printf(arena, "let it listen on %s, or on every address (%s)",
				       addr_format(judging->to, text), any_of(judging->way->family))
			: arena_printf(arena, "let it listen on every address (%s)",
				       any_of(judging->way->family));
	return verdict;
}

static const char *share_words(const struct judging *judging, size_t count)
{
	const char *words = socket_words(judging, judging->first);

	return judging->takers == 1
		       ? arena_printf(judging->arena, "the socket on %s/%s", words,
				      protocol(judging))
		       : arena_printf(judging->arena, "%zu of %zu sockets on %s/%s", count,
				      judging->takers, words, protocol(judging));
}

static struct socket_table_verdict opaque(const struct judging *judging)
{
	const struct ir_listener *listener = judging->way->listener;
	struct socket_table_verdict verdict = { SOCKET_TABLE_WRONG };

	verdict.text = arena_printf(judging->arena,
				    "%s %s no IP_TRANSPARENT: tproxy hands it no packets, and "
				    "`on_failure` applies to its share (listener %s)",
				    share_words(judging, judging->opaque),
				    judging->opaque == 1 ? "has" : "have", listener->name);
	verdict.help =
		arena_printf(judging->arena,
			     "let its program set IP_TRANSPARENT (or IPV6_TRANSPARENT) on it, "
			     "which takes CAP_NET_ADMIN; `ss -Hln%cp sport = :%u` names the "
			     "program",
			     judging->way->udp ? 'u' : 't', listener->port);
	return verdict;
}

static struct socket_table_verdict silent(const struct judging *judging)
{
	const struct ir_listener *listener = judging->way->listener;
	struct socket_table_verdict verdict = { SOCKET_TABLE_UNKNOWN };

	verdict.text =
		arena_printf(judging->arena,
			     "whether %s has IP_TRANSPARENT cannot be known: this kernel does "
			     "not say so (sock_diag, Linux 5.10); without it tproxy hands it no "
			     "packets (listener %s)",
			     share_words(judging, judging->silent), listener->name);
	verdict.help = "test a connection through the proxy: without the option `on_failure` "
		       "applies";
	return verdict;
}

static void find_target(struct judging *judging)
{
	const struct socket_table_way *way = judging->way;
	const struct socket_link *link;

	judging->to = way->listener->addr[way->family];
	judging->knows_to = true;
	judging->device = way->is_local ? LOOPBACK : way->device;
	if (!is_mode(judging, "redirect"))
		return;
	if (way->is_local) {
		judging->to = (struct addr){ way->family,
					     wide(way->family == ADDR_IPV6 ? 1 : 0x7f000001) };
		return;
	}
	link = socket_link(judging->sockets, way->device);
	judging->knows_to = link && link->has[way->family];
	if (judging->knows_to)
		judging->to = link->first[way->family];
}

struct socket_table_verdict socket_table_judge(struct arena *arena,
					       const struct socket_table *sockets,
					       const struct socket_table_way *way)
{
	struct judging judging = { .arena = arena, .sockets = sockets, .way = way };

	find_target(&judging);
	look(&judging);
	if (!judging.best)
		return missing(&judging);
	if (is_mode(&judging, "tproxy") && judging.opaque)
		return opaque(&judging);
	if (is_mode(&judging, "tproxy") && judging.silent)
		return silent(&judging);
	return (struct socket_table_verdict){ SOCKET_TABLE_TAKEN };
}

bool socket_table_is_here(struct netlink *netlink, const struct ir_listener *listener,
			  enum addr_family family)
{
	if (!listener->has[family])
		return false;
	return listener->on_this_host || link_has_address(netlink, listener->addr[family]);
}
