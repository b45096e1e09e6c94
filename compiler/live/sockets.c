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

static bool search(const char *path, const struct ir_listener *listener, enum addr_family family,
		   unsigned int state)
{
	FILE *file = fopen(path, "re");
	struct socket_line line;
	char text[512];
	bool found = false;

	if (!file)
		return false;
	while (!found && fgets(text, sizeof(text), file))
		found = parse_line(text, &line) && line.port == listener->port &&
			line.state == state && takes(&line, family, listener->addr[family].bits);
	fclose(file);
	return found;
}

static bool has_listener(const struct ir_listener *listener, enum addr_family family, bool udp)
{
	unsigned int state = udp ? STATE_UNCONNECTED : STATE_LISTEN;

	return (family == ADDR_IPV4 &&
		search(udp ? "/proc/net/udp" : "/proc/net/tcp", listener, family, state)) ||
	       search(udp ? "/proc/net/udp6" : "/proc/net/tcp6", listener, family, state);
}

const char *sockets_missing(struct arena *arena, const struct ir_listener *listener,
			    enum addr_family family, bool udp)
{
	char addr[ADDR_TEXT];

	if (has_listener(listener, family, udp))
		return NULL;
	return arena_printf(arena, "nobody waits at %s %s port %u: the listener %s is down",
			    udp ? "udp" : "tcp", addr_format(listener->addr[family], addr),
			    listener->port, listener->name);
}
