/*
 * flows_walk: a connection's packets in the kernel's rules as they are now, the policy's own among
 * them, and in its routes (see flows_state.h).
 *
 * All is asked of the kernel, so it does not matter who has loaded the rules, and a set that is
 * filled at run time counts with what it holds. What a rule asks beside the connection's addresses,
 * ports, marks and sender leaves it unknown.
 */
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "base/arena.h"
#include "base/hash.h"
#include "host/flows_state.h"
#include "host/foreign_chain.h"
#include "host/host.h"
#include "ir/packet.h"
#include "kernel/cgroup.h"
#include "kernel/link.h"

static unsigned char type_of(const struct link_fib *fib)
{
	if (fib->is_local)
		return RTN_LOCAL;
	if (fib->is_broadcast)
		return RTN_BROADCAST;
	return fib->is_anycast ? RTN_ANYCAST : RTN_UNICAST;
}

static uint64_t nanoseconds(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The same for rules of the kernel. */
static bool make(struct flows_walks *walks, const struct flow *flow, enum ir_state state,
		 struct flows_packet *packet, struct foreign_packet *out)
{
	const struct ir_packet *asked = &packet->asked;
	bool is_own;

	if (!flows_walks_open(walks) || !flows_packet(walks, flow, state, packet))
		return false;
	is_own = asked->scope == SCOPE_LOCAL;
	*out = (struct foreign_packet){ .packet = asked,
					.hook = is_own ? IR_HOOK_OUTPUT : IR_HOOK_PREROUTING,
					.in = asked->in,
					.out = asked->out,
					.has_from = true,
					.has_to = true,
					.from = asked->from,
					.to = asked->to,
					.port = asked->port,
					.type = type_of(flows_fib(walks, flow->to.addr)),
					.source_type = type_of(flows_fib(walks, flow->from.addr)),
					.sender = is_own ? &packet->sender : NULL,
					.now = nanoseconds(),
					.mark = asked->mark,
					.ct_mark = asked->ct_mark,
					.is_tracked = true,
					.status = flow->status & IPS_EXPECTED };
	return true;
}

/* ---- in the rules ---- */

static bool is_own_table(const struct flows_walks *walks, const struct nft_foreign_table *table)
{
	return walks->table && table->family == NFPROTO_INET && !strcmp(table->name, walks->table);
}

/* What is translated to its own destination is kept from other translations. */
static bool leads_elsewhere(const struct foreign_effect *effect, const struct flow *flow)
{
	return effect->is_redirect || !effect->has_to ||
	       !wide_equal(effect->to, flow->to.addr.bits) ||
	       (effect->port && effect->port != flow->to.port);
}

/* The first that is not known ends what is; a packet that may be dropped goes on. */
static enum flows_end judge(const struct flows_walks *walks, const struct flow *flow,
			    const struct foreign_effects *effects, struct flows_fate *fate)
{
	for (size_t i = 0; i < effects->count; i++) {
		const struct foreign_effect *effect = &effects->items[i];

		switch (effect->verdict) {
		case FOREIGN_TAKE:
			return effect->is_offered ? FLOWS_TAKEN : FLOWS_UNKNOWN;
		case FOREIGN_QUEUE:
			return FLOWS_UNKNOWN;
		case FOREIGN_TRANSLATE:
		case FOREIGN_NEXT:
			if (effect->doubt)
				return FLOWS_UNKNOWN;
			fate->is_translated |= effect->verdict == FOREIGN_TRANSLATE &&
					       is_own_table(walks, &effect->table) &&
					       leads_elsewhere(effect, flow);
			break;
		case FOREIGN_DROP:
		case FOREIGN_REJECT:
		case FOREIGN_ACCEPT:
		case FOREIGN_JUMP:
		case FOREIGN_GOTO:
		case FOREIGN_RETURN:
			break;
		}
	}
	return FLOWS_PASSED;
}

static struct flows_fate walk(struct flows_walks *walks, const struct flow *flow,
			      struct foreign_packet *packet)
{
	struct arena *arena = arena_new();
	struct foreign_effects effects = { 0 };
	struct flows_fate fate = { 0 };
	bool has_chosen = false, passes;

	packet->choosing = walks->table;
	packet->has_chosen = &has_chosen;
	passes = foreign_chains_walk(walks->chains, arena, packet, INT_MIN, INT_MAX, &effects);
	fate.end = judge(walks, flow, &effects, &fate);
	if (fate.end == FLOWS_PASSED && !passes)
		fate.end = FLOWS_ENDED;
	/* Shares of listeners are of one kind: where one is translated, all are. */
	if (has_chosen && !fate.is_translated)
		fate.end = FLOWS_UNKNOWN;
	packet->choosing = NULL;
	fate.mark = packet->mark;
	arena_free(arena);
	return fate;
}

struct flows_fate flows_begin(struct flows_walks *walks, const struct flow *flow)
{
	struct flows_packet packet;
	struct foreign_packet now;

	if (walks->ir)
		return flows_foresee(walks, flow, STATE_NEW);
	if (!make(walks, flow, STATE_NEW, &packet, &now))
		return (struct flows_fate){ 0 };
	return walk(walks, flow, &now);
}

/* Chains of type nat meet first packets alone. */
struct flows_fate flows_go_on(struct flows_walks *walks, const struct flow *flow)
{
	enum ir_state state = flow->status & IPS_SEEN_REPLY ? STATE_ESTABLISHED : STATE_NEW;
	struct flows_packet packet;
	struct foreign_packet now;

	if (walks->ir)
		return flows_foresee(walks, flow, state);
	if (!make(walks, flow, state, &packet, &now))
		return (struct flows_fate){ 0 };
	now.status = flow->status;
	now.is_translated = flow->status & IPS_DST_NAT;
	now.is_pinned = true;
	return walk(walks, flow, &now);
}

/* NF_IP_PRI_NAT_SRC, and the places around it (foreign_chain.h). */
enum { SOURCES_FIRST = 94, SOURCES_LAST = 100 };

struct flows_source flows_leave(struct flows_walks *walks, const struct flow *flow, uint32_t mark,
				const char *device)
{
	struct flows_source source = { .kind = FOREIGN_SOURCE_UNKNOWN };
	struct foreign_effects effects = { 0 };
	struct flows_packet packet;
	struct foreign_packet now;
	struct arena *arena;

	if (walks->ir && flows_foresee_source(walks, flow, mark, &source))
		return source;
	if (!make(walks, flow, STATE_NEW, &packet, &now))
		return source;
	now.hook = IR_HOOK_POSTROUTING;
	now.in = "";
	now.out = device;
	now.mark = mark;
	now.to = flow->answers_from.addr.bits;
	now.port = flow->answers_from.port;
	now.is_translated = flow->status & IPS_DST_NAT;
	arena = arena_new();
	if (foreign_chains_walk(walks->chains, arena, &now, SOURCES_FIRST, SOURCES_LAST, &effects))
		source = (struct flows_source){ now.source, now.given, now.given_last };
	arena_free(arena);
	return source;
}

const char *flows_device(struct flows_walks *walks, const struct flow *flow, uint32_t mark)
{
	const struct link_fib *from = flows_fib(walks, flow->from.addr);
	struct link_packet packet = { .from = flow->from.addr,
				      .to = flow->answers_from.addr,
				      .in = from->is_local ? NULL : from->device,
				      .mark = mark };
	const char *device;

	if (walks->ir && flows_foresee_device(walks, flow, mark, &device))
		return device;
	if (!from->is_local && !from->device)
		return NULL;
	return link_leads(walks->arena, &walks->kernel->route, &packet);
}
