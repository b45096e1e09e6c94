/*
 * ask_state: what the files of a session share (see ask.h).
 */
#ifndef TPC_LIVE_ASK_STATE_H
#define TPC_LIVE_ASK_STATE_H

#include "live/ask.h"
#include "live/foreign_chain.h"
#include "live/foreign_packet.h"
#include "live/observe.h"

/* An answer about one element of a set. */
struct ask_member {
	const struct ir_set *set;
	struct wide value;
	bool is_there;
	struct interval element;
	uint64_t left; /* milliseconds; 0: for ever */
};

struct ask {
	struct ir_held held; /* for the packets' walks */
	struct arena *arena;
	struct ask_policy policy;
	const struct ir *ir; /* what is applied */
	struct kernel kernel;
	struct observed observed;
	struct foreign_chains *foreign;
	struct sockets *sockets;    /* NULL: no packet has come to a listener yet */
	struct ask_answer shared;   /* what is so for every packet */
	struct netlink_error error; /* code: 0 or why something could not be asked */
	/* ---- of the packet that is asked about ---- */
	struct arena *packet_arena;
	struct ask_answer *out;
	const struct ask_question *question;
	struct foreign_packet now; /* on its way */
	struct ask_member *members;
	size_t member_count;
	bool chose_source; /* `from` is the kernel's choice, not the question's */
	bool is_stopped;   /* a foreign chain has surely ended its way */
};

struct report_line *ask_differ(struct ask *ask, const char *text);
void ask_note(struct ask *ask, const char *text);
void ask_doubt(struct ask *ask, const char *text);

/* ---- ask_link.c: interfaces and addresses ---- */

/* Interfaces that the question names, and what kind of destination it has. */
void ask_surroundings(struct ask *ask, struct ir_packet *packet);
/* The latter alone. */
void ask_destination(struct ask *ask, struct ir_packet *packet);
/* Says so where the interface is missing, down or without carrier. */
void ask_interface(struct ask *ask, const char *name, const char *does);
/* A forwarded packet: may this host forward it? */
void ask_forwarding(struct ask *ask);
/* The reverse-path filter that drops the packet, in words, or NULL. */
const char *ask_reverse_filter(struct ask *ask);

/* ---- ask_route.c ---- */

struct ask_way {
	bool is_known, is_local;
	const char *device; /* by which it leaves, or NULL */
};

/* ip rule, route, and how both compare with the policy's; false with ask->error set. */
bool ask_route(struct ask *ask, struct ask_way *way);

/* ---- ask_path.c ---- */

/* The foreign chains before the policy's: `base` is its chain. */
void ask_path_before(struct ask *ask, const struct ir_packet *packet, const struct ir_chain *base);
/* From the policy's chain to the packet's end; false with ask->error set. */
bool ask_path_after(struct ask *ask);

#endif
