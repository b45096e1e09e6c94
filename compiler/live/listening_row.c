/*
 * listening_row: has a listener a socket that takes anything of what it is sent (see sockets.h)? In
 * go the sockets and the listener with its ways, out comes why not.
 */
#include "live/listening.h"

#include "ir/ir.h"
#include "live/settings.h"
#include "live/sockets.h"

/* NULL: one takes it, or that is not known. */
static const char *why_not(struct arena *arena, const struct sockets *sockets,
			   const struct sockets_way *way)
{
	struct sockets_verdict verdict = sockets_judge(arena, sockets, way);

	return verdict.kind == SOCKETS_TAKEN || verdict.kind == SOCKETS_UNKNOWN ? NULL
										: verdict.text;
}

const char *listening_why_gone(struct arena *arena, const struct sockets *sockets,
			       struct netlink *netlink, const struct ir_listener *listener)
{
	int families = settings_has_ipv6(arena) ? ADDR_FAMILIES : 1;
	const char *first = NULL;

	for (int bit = 0; bit < 2 * families * 2; bit++) {
		struct sockets_way way = { .listener = listener,
					   .is_local = bit & 1,
					   .udp = bit & 2,
					   .family = (enum addr_family)(bit / 4) };
		const char *why;

		if (!(listener->ways & ir_listener_way(way.is_local, way.family, way.udp)))
			continue;
		if (!sockets_is_here(netlink, listener, way.family))
			return NULL;
		why = why_not(arena, sockets, &way);
		if (!why)
			return NULL;
		first = first ? first : why;
	}
	return first;
}
