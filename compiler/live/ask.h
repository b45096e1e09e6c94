/*
 * ask: does this host do with one packet what its policy says? Reads only.
 *
 * The kernel is asked which policy is applied, whether the ip rule is there that the packet's mark
 * leads to, which route the packet gets with that mark, and whether somebody waits where it is
 * handed to.
 */
#ifndef TPC_LIVE_ASK_H
#define TPC_LIVE_ASK_H

#include <stdint.h>

#include "ir/lookup.h"
#include "live/report.h"

struct arena;

/* A policy's rules may be applied in so many ways that do the same. */
enum { ASK_LEVELS = 2 };

struct ask_question {
	const struct ir *ir;
	uint64_t digests[ASK_LEVELS]; /* that an apply of it leaves in the kernel, by level */
	const char *policy;           /* its file, for the command that applies it; NULL: no file */
	const struct ir_packet *packet;
	uint32_t mark;        /* that the packet has when it is routed */
	bool is_routed;       /* it is: neither dropped nor translated, and by one way only */
	struct lookup lookup; /* what the policy's own ip rules and routes say of that mark */
	const struct ir_listener *listener; /* or NULL */
};

struct ask_answer {
	bool is_applied;         /* this very policy; if not, nothing else was asked */
	int level;               /* and with which of the levels */
	const char *route;       /* that the kernel has for it, in ip's words, or NULL */
	const char *refusal;     /* why the kernel has none, or NULL */
	bool lacks_route;        /* and none is what the policy has no say in */
	struct report *problems; /* warnings: where host and policy differ, and what mends it */
};

/* False with a line in the report when the kernel cannot be asked. */
bool ask_host(struct arena *arena, struct report *report, const struct ask_question *question,
	      struct ask_answer *out);

#endif
