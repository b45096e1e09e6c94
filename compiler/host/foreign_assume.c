/*
 * foreign_assume: a packet that stands for many becomes those of them that a rule asks for (see
 * foreign_packet.h).
 */
#include <net/if.h>
#include <string.h>

#include <linux/netfilter/xt_tcpudp.h>

#include "base/arena.h"
#include "host/foreign_packet.h"

enum { WIDEST = 16 };

static size_t width_of(const struct foreign_packet *packet, enum foreign_field field)
{
	if (field == FOREIGN_PORT)
		return 2;
	return packet->packet->family == ADDR_IPV6 ? 16 : 4;
}

bool foreign_is_field(const struct foreign_packet *packet,
		      const struct foreign_registers *registers, size_t at, size_t length)
{
	enum foreign_field field = registers->fields[at / 4];

	if (field == FOREIGN_IN)
		return length == IFNAMSIZ;
	return field != FOREIGN_NONE && length == width_of(packet, field);
}

/* What one value is left for is known. */
static void know(struct foreign_packet *packet, enum foreign_field field, struct wide value)
{
	if (field == FOREIGN_FROM) {
		packet->has_from = true;
		packet->from = value;
	} else if (field == FOREIGN_TO) {
		packet->has_to = true;
		packet->to = value;
	} else if (field == FOREIGN_PORT) {
		packet->port = (unsigned int)value.low;
	}
}

static enum foreign_assumed narrow(struct foreign_packet *packet, enum foreign_field field,
				   struct wide least, struct wide most)
{
	struct foreign_bounds *bounds = &packet->bounds[field];

	if (bounds->has) {
		least = wide_most(bounds->least, least);
		most = wide_least(bounds->most, most);
	}
	if (wide_less(most, least))
		return FOREIGN_IMPOSSIBLE;
	*bounds = (struct foreign_bounds){ true, least, most };
	if (wide_equal(least, most))
		know(packet, field, least);
	return FOREIGN_ASSUMED;
}

/* A whole name; a pattern is the beginning of one. */
static enum foreign_assumed assume_name(struct arena *arena, struct foreign_packet *packet,
					const uint8_t *name, size_t length)
{
	if (!memchr(name, 0, length))
		return FOREIGN_LOOSELY;
	packet->in = arena_strdup(arena, (const char *)name);
	return FOREIGN_ASSUMED;
}

enum foreign_assumed foreign_assume(struct arena *arena, struct foreign_packet *packet,
				    const struct foreign_registers *registers, size_t at,
				    size_t length, const uint8_t *least, const uint8_t *most)
{
	enum foreign_field field = registers->fields[at / 4];
	uint8_t low[WIDEST] = { 0 }, high[WIDEST];
	size_t width = width_of(packet, field);

	if (field == FOREIGN_NONE || at % 4)
		return FOREIGN_UNDECIDED;
	if (!least)
		return FOREIGN_LOOSELY;
	if (field == FOREIGN_IN)
		return least == most ? assume_name(arena, packet, least, length) : FOREIGN_LOOSELY;
	if (length > width)
		return FOREIGN_UNDECIDED;
	/* What a mask has taken away, or was not loaded, may be anything. */
	memset(high, 0xff, sizeof(high));
	for (size_t i = 0; i < length; i++) {
		low[i] = least[i];
		high[i] = most[i] | registers->known[at + i];
	}
	return narrow(packet, field, wide_get(low, width), wide_get(high, width));
}

enum foreign_assumed foreign_assume_ports(struct foreign_packet *packet, const char *name,
					  const void *info, size_t length)
{
	const struct xt_tcp *tcp = info;
	const struct xt_udp *udp = info;
	bool is_tcp = !strcmp(name, "tcp");
	const uint16_t *from = is_tcp ? tcp->spts : udp->spts, *to = is_tcp ? tcp->dpts : udp->dpts;

	if (length < (is_tcp ? sizeof(*tcp) : sizeof(*udp)))
		return FOREIGN_UNDECIDED;
	if (from[0] || from[1] != UINT16_MAX || (is_tcp ? tcp->invflags : udp->invflags) ||
	    (is_tcp && (tcp->flg_mask || tcp->option)))
		return FOREIGN_LOOSELY;
	return narrow(packet, FOREIGN_PORT, wide(to[0]), wide(to[1]));
}

bool foreign_covers(const struct foreign_packet *one, const struct foreign_packet *other)
{
	if (one->in && (!other->in || strcmp(one->in, other->in) != 0))
		return false;
	for (int i = 0; i < FOREIGN_FIELDS; i++) {
		const struct foreign_bounds *a = &one->bounds[i], *b = &other->bounds[i];

		if (a->has &&
		    (!b->has || wide_less(b->least, a->least) || wide_less(a->most, b->most)))
			return false;
	}
	return true;
}
