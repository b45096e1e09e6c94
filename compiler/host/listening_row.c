/*
 * listening_row: has a listener a socket that takes anything of what it is sent (see
 * socket_table.h)? In go the sockets and the listener with its ways, out comes why not.
 */
#include "host/listening.h"

#include "ir/ir.h"
#include "kernel/socket_table.h"
#include "kernel/sysctl.h"

/* NULL: one takes it, or that is not known. */
static const char *why_not(struct arena *arena, const struct socket_table *sockets,
			   const struct socket_table_way *way)
{
	struct socket_table_verdict verdict = socket_table_judge(arena, sockets, way);

	return verdict.kind == SOCKET_TABLE_TAKEN || verdict.kind == SOCKET_TABLE_UNKNOWN
		       ? NULL
		       : verdict.text;
}

const char *listening_why_gone(struct arena *arena, const struct socket_table *sockets,
			       struct netlink *netlink, const struct ir_listener *listener)
{
	int families = sysctl_has_ipv6(arena) ? ADDR_FAMILIES : 1;
	const char *first = NULL;

	for (int bit = 0; bit < 2 * families * 2; bit++) {
		struct socket_table_way way = { .listener = listener,
						.is_local = bit & 1,
						.udp = bit & 2,
						.family = (enum addr_family)(bit / 4) };
		const char *why;

		if (!(listener->ways & ir_listener_way(way.is_local, way.family, way.udp)))
			continue;
		if (!socket_table_is_here(netlink, listener, way.family))
			return NULL;
		why = why_not(arena, sockets, &way);
		if (!why)
			return NULL;
		first = first ? first : why;
	}
	return first;
}
