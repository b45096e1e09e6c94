/*
 * ask: does this host do with packets what their policy says? Reads only.
 *
 * A session is opened once, for one packet or for many: which policy is applied, whether its table
 * is as it was applied, the ip rules, and the foreign chains are read then. For each packet the
 * kernel is asked what the question leaves open (ask_begin: elements of sets that are filled at run
 * time, this host's addresses, interfaces), and, once the policy has given its verdict, which route
 * the packet gets and what foreign chains do with it (ask_finish).
 */
#ifndef TPC_LIVE_ASK_H
#define TPC_LIVE_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "ir/lookup.h"
#include "live/report.h"

struct arena;

/* A policy's rules may be applied in so many ways that do the same. */
enum { ASK_LEVELS = 2 };

struct ask_policy {
	struct ir *levels[ASK_LEVELS]; /* as an apply would name them */
	int level;                     /* the one that is asked about */
	const char *file;              /* for the command that applies it; NULL: no file */
};

struct ask_question {
	const struct ir_packet *packet;
	const struct ir_chain *base; /* the policy's chain that gave the verdict, or NULL */
	bool passes;                 /* neither dropped nor rejected */
	bool is_balanced;            /* the way depends on the connection */
	uint32_t mark, ct_mark;      /* that the packet has after the policy's chain */
	const struct ir_class *way;  /* that the mark means, or NULL */
	struct lookup lookup;        /* what the policy's ip rules and routes say of that mark */
	const struct ir_listener *listener; /* or NULL */
	/* Those that share packets like it, where it is balanced among listeners. */
	const struct ir_listener *const *shares;
	size_t share_count;
};

struct ask_answer {
	bool is_applied;         /* this very policy; if not, nothing else was asked */
	int level;               /* and with which of the levels */
	const char *route;       /* that the kernel has for it, in ip's words, or NULL */
	const char *refusal;     /* why the kernel has none, or NULL */
	bool lacks_route;        /* and none is what the policy has no say in */
	struct report *asked;    /* steps: what was asked, and the answer */
	struct report *problems; /* warnings: where host and policy differ, and what repairs it */
	struct report *unknown;  /* steps: what may decide, and cannot be known */
};

struct ask;

/* False with a line in the report when the kernel cannot be asked; so it is with all of them. */
bool ask_open(struct arena *arena, struct report *report, const struct ask_policy *policy,
	      struct ask **out);
void ask_close(struct ask *ask);
/* Puts what this host knows of it into the packet, for the walk through the policy's chains.
 * `arena` keeps the answer. */
bool ask_begin(struct ask *ask, struct arena *arena, struct report *report,
	       struct ir_packet *packet, struct ask_answer *out);
/* Of the packet that ask_begin was called with last. */
bool ask_finish(struct ask *ask, struct report *report, const struct ask_question *question,
		struct ask_answer *out);

#endif
