/*
 * probe: does this host do with packets what their policy says? Reads only.
 *
 * A session is opened once, for one packet or for many: which policy is applied, whether its table
 * is as it was applied, the ip rules, and the foreign chains are read then. For each packet the
 * kernel is asked what the question leaves open (probe_begin: elements of sets that are filled at
 * run time, this host's addresses, interfaces), and, once the policy has given its verdict, which
 * route the packet gets and what foreign chains do with it (probe_finish).
 */
#ifndef TPC_HOST_PROBE_H
#define TPC_HOST_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/report.h"
#include "ir/lookup.h"

struct arena;

/* A policy's rules may be applied in so many ways that do the same. */
enum { PROBE_LEVELS = 2 };

struct probe_policy {
	struct ir *levels[PROBE_LEVELS]; /* as an apply would name them */
	int level;                       /* the one that is asked about */
	const char *file;                /* for the command that applies it; NULL: no file */
};

struct probe_question {
	const struct ir_packet *packet;
	const struct ir_chain *base;  /* the policy's chain that gave the verdict, or NULL */
	bool passes;                  /* neither dropped nor rejected */
	bool is_balanced;             /* the way depends on the connection */
	uint32_t mark, ct_mark;       /* that the packet has after the policy's chain */
	const struct ir_class *class; /* that the mark means, or NULL */
	struct lookup lookup;         /* what the policy's ip rules and routes say of that mark */
	const struct ir_listener *listener; /* or NULL */
	/* Those that share packets like it, where it is balanced among listeners. */
	const struct ir_listener *const *shares;
	size_t share_count;
};

struct probe_answer {
	bool is_applied;         /* this very policy; if not, nothing else was asked */
	int level;               /* and with which of the levels */
	const char *route;       /* that the kernel has for it, in ip's words, or NULL */
	const char *refusal;     /* why the kernel has none, or NULL */
	bool lacks_route;        /* and none is what the policy has no say in */
	struct report *asked;    /* steps: what was read, and the result */
	struct report *problems; /* warnings: where host and policy differ, and what repairs it */
	struct report *unknown;  /* steps: what may decide, and cannot be known */
};

struct probe;

/* False with a line in the report when the kernel cannot be asked; so it is with all of them. */
bool probe_open(struct arena *arena, struct report *report, const struct probe_policy *policy,
		struct probe **out);
void probe_close(struct probe *ask);
/* Puts what this host knows of it into the packet, for the walk through the policy's chains.
 * `arena` keeps the answer. */
bool probe_begin(struct probe *ask, struct arena *arena, struct report *report,
		 struct ir_packet *packet, struct probe_answer *out);
/* Of the packet that probe_begin was called with last. */
bool probe_finish(struct probe *ask, struct report *report, const struct probe_question *question,
		  struct probe_answer *out);

#endif
