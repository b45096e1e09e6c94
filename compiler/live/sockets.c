/*
 * sockets: reads /proc/net/{tcp,tcp6,udp,udp6}. An address there is words of 32 bits in the
 * machine's order, each printed as one hexadecimal number (tcp4_seq_show and tcp6_seq_show in the
 * kernel).
 */
#include "live/sockets.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "ir/ir.h"

/* TCP_LISTEN of include/net/tcp_states.h; an unconnected UDP socket shows as TCP_CLOSE, 7. */
enum { STATE_LISTEN = 10, STATE_UNCONNECTED = 7 };

struct socket_line {
	struct wide addr;
	unsigned int port, state;
	bool is_ipv6;
};

/* "  0: 0100007F:3039 00000000:0000 0A ..." */
static bool parse_line(const char *line, struct socket_line *out)
{
	char addr[33];
	size_t length;

	if (sscanf(line, " %*u: %32[0-9A-F]:%X %*[0-9A-F]:%*X %X", addr, &out->port, &out->state) !=
	    3)
		return false;
	length = strlen(addr);
	out->is_ipv6 = length == 32;
	out->addr = wide(0);
	for (size_t i = 0; i < length; i += 8) {
		unsigned int word;

		if (sscanf(addr + i, "%8X", &word) != 1)
			return false;
		out->addr = wide_or(wide_left(out->addr, 32), wide(ntohl(word)));
	}
	return length == 8 || length == 32;
}

/* Would the socket take packets for the address? Sockets of the other family do when they are bound
 * to any address. */
static bool takes(const struct socket_line *line, enum addr_family family, struct wide addr)
{
	struct wide mapped = wide_or(addr, wide(UINT64_C(0xffff) << 32)); /* RFC 4291: ::ffff:0:0/96
									   */
	bool is_any = wide_is_zero(line->addr);

	if (line->is_ipv6 == (family == ADDR_IPV6))
		return is_any || wide_equal(line->addr, addr);
	return line->is_ipv6 && (is_any || wide_equal(line->addr, mapped));
}

/* What a look through the tables finds. */
struct look {
	const struct ir_listener *listener;
	enum addr_family family;
	unsigned int state;
	bool is_found;
	struct addr elsewhere[4]; /* sockets of the port that take none of the listener's packets */
	size_t elsewhere_count;
};

static void take(struct look *look, const struct socket_line *line)
{
	struct addr addr = { line->is_ipv6 ? ADDR_IPV6 : ADDR_IPV4, line->addr };
	size_t i = 0;

	if (line->port != look->listener->port || line->state != look->state)
		return;
	if (takes(line, look->family, look->listener->addr[look->family].bits)) {
		look->is_found = true;
		return;
	}
	while (i < look->elsewhere_count && !addr_equal(look->elsewhere[i], addr))
		i++;
	if (i == look->elsewhere_count && i < sizeof(look->elsewhere) / sizeof(look->elsewhere[0]))
		look->elsewhere[look->elsewhere_count++] = addr;
}

static void search(const char *path, struct look *look)
{
	FILE *file = fopen(path, "re");
	struct socket_line line;
	char text[512];

	if (!file)
		return;
	while (fgets(text, sizeof(text), file))
		if (parse_line(text, &line))
			take(look, &line);
	fclose(file);
}

/* "127.0.0.1:12345", "[::1]:12345" */
static const char *endpoint(struct arena *arena, struct addr addr, unsigned int port)
{
	char text[ADDR_TEXT];

	return arena_printf(arena, addr.family == ADDR_IPV6 ? "[%s]:%u" : "%s:%u",
			    addr_format(addr, text), port);
}

const char *sockets_missing(struct arena *arena, const struct ir_listener *listener,
			    enum addr_family family, bool udp)
{
	struct look look = { .listener = listener,
			     .family = family,
			     .state = udp ? STATE_UNCONNECTED : STATE_LISTEN };
	const char *words;

	search(udp ? "/proc/net/udp" : "/proc/net/tcp", &look);
	search(udp ? "/proc/net/udp6" : "/proc/net/tcp6", &look);
	if (look.is_found)
		return NULL;
	words = arena_printf(arena, "no socket listens on %s/%s (listener %s)",
			     endpoint(arena, listener->addr[family], listener->port),
			     udp ? "udp" : "tcp", listener->name);
	for (size_t i = 0; i < look.elsewhere_count; i++)
		words = arena_printf(arena, "%s%s %s", words,
				     i ? "," : "; what listens on that port is bound to",
				     endpoint(arena, look.elsewhere[i], listener->port));
	return words;
}
