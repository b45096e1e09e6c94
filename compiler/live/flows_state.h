/*
 * flows_state: what the files of flows share (see flows.h).
 */
#ifndef TPC_LIVE_FLOWS_STATE_H
#define TPC_LIVE_FLOWS_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr/addr.h"
#include "live/addresses.h"
#include "live/foreign_packet.h"
#include "live/netlink.h"
#include "live/owner.h"

struct arena;
struct foreign_chains;
struct kernel;

/* A connection of TCP's or UDP's, as connection tracking has it. */
struct flow {
	unsigned int protocol;
	struct owner_end from, to;                 /* as its first packet was */
	struct owner_end answers_from, answers_to; /* as its answers are */
	uint32_t status, mark;                     /* bits of nf_conntrack_common.h */
};

/* False: it is of another protocol, or cannot be deleted by itself. `attributes`: CTA_ */
bool flows_read(const struct nlattr *const *attributes, struct flow *out);

/* ---- flows_walk.c: where the kernel's rules, as they are now, send its packets ---- */

struct flows_hop;

/* What the flows of one dump share. */
struct flows_walks {
	struct arena *arena;
	struct kernel *kernel;
	const char *table; /* the policy's, or NULL */
	struct foreign_chains *chains;
	struct addresses addresses;
	struct netlink diag;
	struct flows_hop **hops; /* by their addresses' sums */
	bool is_open, is_failed;
};

void flows_walks_close(struct flows_walks *walks);

enum flows_end {
	FLOWS_UNKNOWN, /* it depends on what only a packet tells */
	FLOWS_PASSED,
	FLOWS_ENDED, /* dropped or rejected */
	FLOWS_TAKEN, /* a transparent listener's, if its socket is there */
};

struct flows_fate {
	enum flows_end end;
	uint32_t mark;
	bool is_translated; /* by the policy, to a listener */
};

/* As if it began now, or as its next packet goes on. */
struct flows_fate flows_begin(struct flows_walks *walks, const struct flow *flow);
struct flows_fate flows_go_on(struct flows_walks *walks, const struct flow *flow);

/* With which source its packets would leave, if it began now, by that interface. */
struct flows_source {
	enum foreign_source kind;
	struct addr given;
};
struct flows_source flows_leave(struct flows_walks *walks, const struct flow *flow, uint32_t mark,
				const char *device);

/* Is the address this host's own? */
bool flows_is_own(struct flows_walks *walks, struct addr addr);
/* The interface by which its packets leave with the mark; `lo`: they stay here; NULL: by none. */
const char *flows_device(struct flows_walks *walks, const struct flow *flow, uint32_t mark);
enum owner_state flows_owner(struct flows_walks *walks, bool udp, struct owner_end here,
			     struct owner_end peer, struct owner *out);

#endif
