/*
 * flows_packet: a connection's first packet as a question, with what this host knows of its ends
 * (see flows_state.h). What is read of the host is read once, when it is first asked for.
 */
#include <netinet/in.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "host/flows_state.h"
#include "host/foreign_chain.h"
#include "ir/ir.h"
#include "ir/packet.h"
#include "kernel/cgroup.h"
#include "kernel/link.h"

/* Where the kernel sends what goes to the address. */
struct flows_hop {
	struct flows_hop *next; /* in the same bucket */
	struct addr to;
	struct link_fib fib;
};

enum { BUCKETS = 4096 };

bool flows_walks_open(struct flows_walks *walks)
{
	struct netlink_error error;

	if (walks->is_open)
		return !walks->is_failed;
	walks->is_open = true;
	walks->chains = foreign_chains_read(walks->arena, &walks->kernel->nft,
					    walks->ir ? walks->ir->table : "", &error);
	walks->addresses = addresses_read(walks->arena, &walks->kernel->route);
	walks->is_failed = !walks->chains;
	if (walks->chains)
		foreign_chains_remember(walks->chains);
	return !walks->is_failed;
}

void flows_walks_close(struct flows_walks *walks)
{
	netlink_close(&walks->diag);
}

const struct link_fib *flows_fib(struct flows_walks *walks, struct addr to)
{
	struct flows_hop **bucket, *hop;

	if (!walks->hops) {
		walks->hops = arena_alloc(walks->arena, BUCKETS * sizeof(*walks->hops));
		memset(walks->hops, 0, BUCKETS * sizeof(*walks->hops));
	}
	bucket = &walks->hops[hash_words(to.family, &to.bits, sizeof(to.bits)) % BUCKETS];
	for (hop = *bucket; hop; hop = hop->next)
		if (addr_equal(hop->to, to))
			return &hop->fib;
	hop = arena_new_of(walks->arena, struct flows_hop);
	hop->to = to;
	hop->fib = link_fib(walks->arena, &walks->kernel->route, to);
	hop->next = *bucket;
	*bucket = hop;
	return &hop->fib;
}

bool flows_is_own(struct flows_walks *walks, struct addr addr)
{
	return flows_fib(walks, addr)->is_local;
}

enum owner_state flows_owner(struct flows_walks *walks, bool udp, struct owner_end here,
			     struct owner_end peer, struct owner *out)
{
	struct netlink_error error;

	if (!walks->diag.socket && !netlink_open(&walks->diag, NETLINK_SOCK_DIAG, &error))
		return OWNER_UNKNOWN;
	return owner_find(&walks->diag, udp, here, peer, out);
}

/* Without its socket nothing more is sent, or by an unknown sender. */
static bool find_sender(struct flows_walks *walks, const struct flow *flow,
			struct flows_packet *packet)
{
	struct owner owner;

	if (walks->is_any_sender) {
		packet->sender = (struct foreign_sender){ 0, cgroup_number("") };
		return true;
	}
	if (flows_owner(walks, flow->protocol == IPPROTO_UDP, flow->from, flow->to, &owner) !=
	    OWNER_THERE)
		return false;
	packet->sender = (struct foreign_sender){ owner.user, owner.cgroup };
	packet->asked.mark = owner.mark;
	return true;
}

/* What a router hands over has the router's: not known here. */
static uint64_t link_of(struct flows_walks *walks, struct addr from, const char *device)
{
	if (!walks->has_neighbours)
		walks->neighbours = neighbour_read(walks->arena, &walks->kernel->route);
	walks->has_neighbours = true;
	return neighbour_link(&walks->neighbours, device, from);
}

bool flows_packet(struct flows_walks *walks, const struct flow *flow, enum ir_state state,
		  struct flows_packet *out)
{
	const struct link_fib *from = flows_fib(walks, flow->from.addr);
	const struct link_fib *to = flows_fib(walks, flow->to.addr);
	bool is_own = from->is_local;

	*out = (struct flows_packet){ .asked = { .scope = is_own ? SCOPE_LOCAL : SCOPE_FORWARD,
						 .in = is_own || !from->device ? "" : from->device,
						 .out = is_own && to->device ? to->device : "",
						 .family = flow->from.addr.family,
						 .from = flow->from.addr.bits,
						 .to = flow->to.addr.bits,
						 .has_from = true,
						 .has_to = true,
						 .to_local = to->is_local,
						 .to_broadcast = to->is_broadcast,
						 .protocol = flow->protocol,
						 .source_port = flow->from.port,
						 .port = flow->to.port,
						 .ct_mark = flow->mark,
						 .state = state } };
	if (is_own)
		return find_sender(walks, flow, out);
	if (from->device)
		out->asked.mac = link_of(walks, flow->from.addr, from->device);
	return from->device != NULL;
}
