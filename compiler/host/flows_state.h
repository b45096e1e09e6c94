/*
 * flows_state: what the files of flows share (see flows.h).
 */
#ifndef TPC_HOST_FLOWS_STATE_H
#define TPC_HOST_FLOWS_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr/addr.h"
#include "host/foreign_packet.h"
#include "kernel/addresses.h"
#include "kernel/neighbour.h"
#include "kernel/netlink.h"
#include "kernel/owner.h"

#include "ir/packet.h"

struct arena;
struct flows_job;
struct foreign_chains;
struct ir;
struct ir_walker;
struct kernel;

/* A connection of TCP's or UDP's, or a row of echo requests, as connection tracking has it. */
struct flow {
	unsigned int protocol;
	struct owner_end from, to;                 /* as its first packet was */
	struct owner_end answers_from, answers_to; /* as its replies are */
	uint32_t status, mark;                     /* bits of nf_conntrack_common.h */
};

/* False: it is of another protocol, or cannot be deleted by itself. `attributes`: CTA_ */
bool flows_read(const struct nlattr *const *attributes, struct flow *out);

/* With enough to delete just this one: its tuple as the kernel has it, its zone, its number. */
struct flows_entry {
	struct flow flow;
	uint8_t family;
	void *tuple;
	size_t length;
	bool has_zone;
	uint16_t zone;
	uint32_t id;
};

/* A message for connection tracking, in a room as netlink_new has it. */
struct nlmsghdr *flows_request(char *room, uint16_t type, uint16_t flags, uint8_t family);
/* The warning that flows may stay. */
void flows_refused(const struct flows_job *job, const char *what, const char *why);

/* ---- flows_packet.c: what this host knows of its ends ---- */

struct flows_hop;

/* What the flows of one dump share. */
struct flows_walks {
	struct arena *arena;
	struct kernel *kernel;
	const char *table;   /* the policy's, or NULL */
	const struct ir *ir; /* what is to be applied, for a plan; NULL: what the kernel has counts
			      */
	const struct ir_walker *walker;
	struct foreign_chains *chains;
	struct addresses addresses;
	struct neighbour_list neighbours;
	bool has_neighbours; /* they are read */
	struct netlink diag;
	struct flows_hop **hops; /* by their addresses' sums */
	bool is_any_sender;      /* what this host sends is root's, in the root of the cgroups */
	bool is_open, is_failed;
};

/* Reads the host's rules and addresses, once. False: it cannot. */
bool flows_walks_open(struct flows_walks *walks);
void flows_walks_close(struct flows_walks *walks);

/* Where the kernel's routes send the address. */
const struct link_fib *flows_fib(struct flows_walks *walks, struct addr to);
/* Is the address this host's own? */
bool flows_is_own(struct flows_walks *walks, struct addr addr);
enum owner_state flows_owner(struct flows_walks *walks, bool udp, struct owner_end here,
			     struct owner_end peer, struct owner *out);

/* A packet of it, as a question. */
struct flows_packet {
	struct ir_packet asked;
	struct foreign_sender sender; /* of what this host sends itself */
};

/* False: by which interface it comes, or who sends it, is not known. */
bool flows_packet(struct flows_walks *walks, const struct flow *flow, enum ir_state state,
		  struct flows_packet *out);

/* ---- flows_walk.c: where the kernel's rules, as they are now, send its packets ---- */

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
	struct wide given, last;
};
struct flows_source flows_leave(struct flows_walks *walks, const struct flow *flow, uint32_t mark,
				const char *device);

/* The interface by which its packets leave with the mark; `lo`: they stay here; NULL: by none. */
const char *flows_device(struct flows_walks *walks, const struct flow *flow, uint32_t mark);

/* ---- flows_foresee.c: the same by what is to be applied ---- */

struct flows_fate flows_foresee(struct flows_walks *walks, const struct flow *flow,
				enum ir_state state);
/* False: no table of the policy's gives the mark's packets a source. */
bool flows_foresee_source(const struct flows_walks *walks, const struct flow *flow, uint32_t mark,
			  struct flows_source *out);
/* False: its ip rules lead the mark's packets to none of its routes. */
bool flows_foresee_device(struct flows_walks *walks, const struct flow *flow, uint32_t mark,
			  const char **device);

#endif
