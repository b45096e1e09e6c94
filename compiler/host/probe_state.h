/*
 * probe_state: what the files of a session share (see probe.h).
 */
#ifndef TPC_HOST_PROBE_STATE_H
#define TPC_HOST_PROBE_STATE_H

#include "host/foreign_chain.h"
#include "host/foreign_packet.h"
#include "host/host.h"
#include "host/probe.h"

/* The result of looking up one element of a set. */
struct probe_member {
	const struct ir_set *set;
	struct wide value;
	bool is_there;
	struct interval element;
	uint64_t left; /* milliseconds; 0: for ever */
};

struct probe {
	struct ir_held held; /* for the packets' walks */
	struct arena *arena;
	struct probe_policy policy;
	const struct ir *ir; /* what is applied */
	struct kernel kernel;
	struct observed observed;
	struct foreign_chains *foreign;
	struct socket_table *sockets; /* NULL: no packet has come to a listener yet */
	struct probe_answer shared;   /* what is so for every packet */
	struct netlink_error error;   /* code: 0 or why something could not be asked */
	/* ---- of the packet that is asked about ---- */
	struct arena *packet_arena;
	struct probe_answer *out;
	const struct probe_question *question;
	struct foreign_packet now; /* on its way */
	struct probe_member *members;
	size_t member_count;
	bool chose_source; /* `from` is the kernel's choice, not the question's */
	bool is_stopped;   /* a foreign chain has surely ended its way */
};

/* ---- probe_link.c: interfaces and addresses ---- */

/* What the kernel has that the policy does not say, what was asked, and what cannot be known: each
 * with a format and its arguments. */
#define probe_differ(ask, ...) \
	report_add((ask)->out->problems, SEVERITY_WARNING, DIAG_live_difference, __VA_ARGS__)
#define probe_note(ask, ...) report_step((ask)->out->asked, __VA_ARGS__)
#define probe_doubt(ask, ...) report_step((ask)->out->unknown, __VA_ARGS__)
/* Interfaces that the question names, and what kind of destination it has. */
void probe_surroundings(struct probe *ask, struct ir_packet *packet);
/* The latter alone. */
void probe_destination(struct probe *ask, struct ir_packet *packet);
/* Says so where the interface is missing, down or without carrier. */
void probe_interface(struct probe *ask, const char *name, const char *does);
/* A forwarded packet: may this host forward it? */
void probe_forwarding(struct probe *ask);
/* The reverse-path filter that drops the packet, in words, or NULL. */
const char *probe_reverse_filter(struct probe *ask);

/* ---- probe_route.c ---- */

struct probe_way {
	bool is_known, is_local;
	const char *device; /* by which it leaves, or NULL */
};

/* ip rule, route, and how both compare with the policy's; false with ask->error set. */
bool probe_route(struct probe *ask, struct probe_way *way);

/* ---- probe_path.c ---- */

/* The foreign chains before the policy's: `base` is its chain. */
void probe_path_before(struct probe *ask, const struct ir_packet *packet,
		       const struct ir_chain *base);
/* From the policy's chain to the packet's end; false with ask->error set. */
bool probe_path_after(struct probe *ask);

#endif
