/*
 * socket_read: asks for the sockets that listen, and for the addresses that redirect uses (see
 * socket_table.h).
 *
 * inet_diag says of a socket what /proc/net does not: INET_DIAG_SOCKOPT (IP_TRANSPARENT; since
 * Linux 5.10), INET_DIAG_SKV6ONLY, the interface. A kernel may lack it for a protocol
 * (CONFIG_INET_UDP_DIAG).
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>

#include "base/arena.h"
#include "kernel/addresses.h"
#include "kernel/netlink.h"
#include "kernel/socket_state.h"

/* include/net/tcp_states.h; an unconnected UDP socket shows as TCP_CLOSE. */
enum { STATE_ESTABLISHED = 1, STATE_CLOSE = 7, STATE_LISTEN = 10 };

struct socket_table *socket_table_new(struct arena *arena)
{
	struct socket_table *sockets = arena_new_of(arena, struct socket_table);

	*sockets = (struct socket_table){ .arena = arena };
	return sockets;
}

static struct addr address_of(const void *bytes, enum addr_family family)
{
	return (struct addr){ family, wide_get(bytes, addr_width(family) / 8) };
}

static void keep(struct socket_table *sockets, const struct socket_seen *seen)
{
	*arena_append(sockets->arena, sockets->items, sockets->count) = *seen;
}

/* ---- sock_diag ---- */

static enum socket_flag is_transparent(const struct nlattr *options)
{
	const struct inet_diag_sockopt *bits = mnl_attr_get_payload(options);

	if (mnl_attr_get_payload_len(options) < sizeof(*bits))
		return FLAG_UNKNOWN;
	return bits->transparent ? FLAG_YES : FLAG_NO;
}

void socket_table_take(struct socket_table *sockets, bool udp, const struct nlmsghdr *message)
{
	const struct inet_diag_msg *header = mnl_nlmsg_get_payload(message);
	struct socket_seen seen = { .udp = udp, .transparent = FLAG_UNKNOWN };
	const struct nlattr *attribute;
	enum addr_family family;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return;
	family = header->idiag_family == AF_INET6 ? ADDR_IPV6 : ADDR_IPV4;
	seen.addr = address_of(header->id.idiag_src, family);
	seen.peer = address_of(header->id.idiag_dst, family);
	seen.port = ntohs(header->id.idiag_sport);
	seen.device = header->id.idiag_if;
	seen.is_connected = header->idiag_state == STATE_ESTABLISHED;
	seen.only_ipv6 = family == ADDR_IPV6 ? FLAG_UNKNOWN : FLAG_NO;
	mnl_attr_for_each(attribute, message, sizeof(*header))
		if (mnl_attr_get_type(attribute) == INET_DIAG_SOCKOPT)
			seen.transparent = is_transparent(attribute);
		else if (mnl_attr_get_type(attribute) == INET_DIAG_SKV6ONLY)
			seen.only_ipv6 = mnl_attr_get_u8(attribute) ? FLAG_YES : FLAG_NO;
	keep(sockets, &seen);
}

struct dump {
	struct socket_table *sockets;
	bool udp;
};

static void take(const struct nlmsghdr *message, void *user)
{
	const struct dump *dump = user;

	if (message->nlmsg_type == SOCK_DIAG_BY_FAMILY)
		socket_table_take(dump->sockets, dump->udp, message);
}

/* False: the kernel has no dump of these. */
static bool ask(struct netlink *diag, struct socket_table *sockets, bool udp, bool is_ipv6)
{
	struct dump dump = { sockets, udp };
	size_t before = sockets->count;
	struct netlink_error error = { 0 };
	char room[NETLINK_REQUEST];
	struct nlmsghdr *request = netlink_new(room, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
	struct inet_diag_req_v2 *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));

	header->sdiag_family = is_ipv6 ? AF_INET6 : AF_INET;
	header->sdiag_protocol = udp ? IPPROTO_UDP : IPPROTO_TCP;
	header->idiag_states = udp ? 1U << STATE_CLOSE | 1U << STATE_ESTABLISHED
				   : 1U << STATE_LISTEN;
	if (netlink_dump(diag, request, take, &dump, &sockets->count, &error))
		return true;
	sockets->count = before;
	return false;
}

/* ---- /proc/net ---- */

/* Words of 32 bits in the machine's order, each printed as one hexadecimal number (tcp4_seq_show
 * and tcp6_seq_show in the kernel). */
static bool read_address(const char *text, struct addr *out)
{
	size_t length = strlen(text);

	out->family = length == 32 ? ADDR_IPV6 : ADDR_IPV4;
	out->bits = wide(0);
	for (size_t i = 0; i < length; i += 8) {
		unsigned int word;

		if (sscanf(text + i, "%8X", &word) != 1)
			return false;
		out->bits = wide_or(wide_left(out->bits, 32), wide(ntohl(word)));
	}
	return length == 8 || length == 32;
}

/* "  0: 0100007F:3039 00000000:0000 0A ..." */
void socket_table_take_line(struct socket_table *sockets, bool udp, const char *line)
{
	struct socket_seen seen = { .udp = udp, .transparent = FLAG_UNKNOWN };
	char addr[33], peer[33];
	unsigned int state;

	if (sscanf(line, " %*u: %32[0-9A-F]:%X %32[0-9A-F]:%*X %X", addr, &seen.port, peer,
		   &state) != 4 ||
	    !read_address(addr, &seen.addr) || !read_address(peer, &seen.peer))
		return;
	seen.is_connected = state == STATE_ESTABLISHED;
	seen.only_ipv6 = seen.addr.family == ADDR_IPV6 ? FLAG_UNKNOWN : FLAG_NO;
	if (udp ? state == STATE_CLOSE || seen.is_connected : state == STATE_LISTEN)
		keep(sockets, &seen);
}

static void read_file(struct socket_table *sockets, bool udp, bool is_ipv6)
{
	const char *path = udp       ? is_ipv6 ? "/proc/net/udp6" : "/proc/net/udp"
			   : is_ipv6 ? "/proc/net/tcp6"
				     : "/proc/net/tcp";
	FILE *file = fopen(path, "re");
	char text[512];

	while (file && fgets(text, sizeof(text), file))
		socket_table_take_line(sockets, udp, text);
	if (file)
		fclose(file);
}

/* ---- addresses ---- */

const struct socket_link *socket_link(const struct socket_table *sockets, unsigned int device)
{
	for (size_t i = 0; i < sockets->link_count; i++)
		if (sockets->links[i].device == device)
			return &sockets->links[i];
	return NULL;
}

void socket_table_take_address(struct socket_table *sockets, unsigned int device,
			       struct addr address)
{
	size_t i = 0;

	while (i < sockets->link_count && sockets->links[i].device != device)
		i++;
	if (i == sockets->link_count)
		arena_append(sockets->arena, sockets->links, sockets->link_count)->device = device;
	if (sockets->links[i].has[address.family])
		return;
	sockets->links[i].has[address.family] = true;
	sockets->links[i].first[address.family] = address;
}

static void take_address(const struct addresses_seen *seen, void *user)
{
	if (!addresses_is_tentative(seen))
		socket_table_take_address(user, seen->index, seen->addr);
}

const char *socket_device(struct arena *arena, unsigned int device)
{
	char name[IF_NAMESIZE];

	return if_indextoname(device, name) ? arena_strdup(arena, name)
					    : arena_printf(arena, "interface %u", device);
}

static int by_port(const void *a, const void *b)
{
	const struct socket_seen *left = a, *right = b;

	return left->port < right->port ? -1 : left->port > right->port;
}

struct socket_table *socket_table_read(struct arena *arena, struct netlink *netlink)
{
	struct socket_table *sockets = socket_table_new(arena);
	struct netlink_error error;
	struct netlink diag;
	bool is_open = netlink_open(&diag, NETLINK_SOCK_DIAG, &error);

	for (int i = 0; i < 4; i++)
		if (!is_open || !ask(&diag, sockets, i / 2, i % 2))
			read_file(sockets, i / 2, i % 2);
	if (is_open)
		netlink_close(&diag);
	if (sockets->count)
		qsort(sockets->items, sockets->count, sizeof(*sockets->items), by_port);
	addresses_each(netlink, take_address, sockets, &sockets->link_count, &error);
	return sockets;
}
