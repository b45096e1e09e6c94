/*
 * op: one change of the host, as data. A diff is a list of them: plan prints it, apply runs it, and
 * undo runs the inverses backwards. A table (op.c) gives each kind its words, its command, its
 * execution and its inverse.
 *
 * An op points into the ir, into what was observed and into records, and owns nothing.
 */
#ifndef TPC_KERNEL_OP_H
#define TPC_KERNEL_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ir/ir.h"

struct arena;
struct buf;
struct kernel;
struct netlink_error;
struct nft_set_change;

enum op_kind {
	OP_SYSCTL_SET,     /* key: before -> value */
	OP_SYSCTL_RESTORE, /* the same, to what it was before the policy */
	OP_ROUTE_ADD,
	OP_ROUTE_APPEND,  /* others may be in the same place (IPv6, by another interface) */
	OP_ROUTE_REPLACE, /* route_before, which is in the same place */
	OP_ROUTE_REMOVE,
	OP_RULE_ADD, /* an ip rule */
	OP_RULE_REMOVE,
	OP_SET_REMOVE,
	OP_CHAIN_REMOVE,
	OP_TABLE_REMOVE,
	OP_ELEMENTS_REMOVE, /* out of a set */
};

/*
 * When an op runs: the order in which a packet meets the old policy or the new one, and whatever it
 * is marked with, the way for that mark is there. Until the commit a failure takes everything back;
 * after it the policy is in force.
 */
enum op_stage {
	STAGE_SYSCTLS,
	STAGE_FENCES, /* sets may take seconds, so marks are fenced after them */
	STAGE_ROUTES,
	STAGE_RULES,
	STAGE_GUARDED_RESTORE, /* sysctls that only the old nft rules made safe */
	/* What is unmarked is refused for as long as the nft rules in force mark all that they
	 * leave alone. */
	STAGE_OLD_UNMARKED,
	STAGE_COMMIT, /* the nft rules, in one transaction */
	STAGE_NEW_UNMARKED,
	STAGE_GUARDED_SYSCTLS,
	STAGE_LATE_ROUTES, /* their `src` was tentative */
	STAGE_OLD_RULES,
	STAGE_OLD_ROUTES,
	STAGE_UNFENCE,
	STAGE_RESTORE,
};

enum op_state {
	OP_PLANNED,
	OP_DONE,
	OP_LEFT_OUT, /* it cannot be had now, or was refused */
};

struct op {
	enum op_kind kind;
	enum op_stage stage;
	enum op_state state;
	bool is_detail; /* of another op: nothing of it is left when all are done */

	const struct ir_ip_rule *rule;
	const struct ir_route *route, *route_before;
	uint32_t protocol, protocol_before; /* rtnetlink's, of the rule or route */
	const char *seen;                   /* what is to go, as `ip` lists it */

	const char *table, *name;              /* of the nft table, and of what is in it */
	const char *word;                      /* "set" or "map" */
	const struct nft_set_change *elements; /* those to be removed */

	const char *key, *value, *before; /* of a sysctl */
	const struct ir_sysctl *wish;     /* OP_SYSCTL_SET; NULL where that takes one back */
};

struct op_list {
	struct op **items; /* an op keeps its address while others are added */
	size_t count;
};

struct op *op_add(struct arena *arena, struct op_list *list, enum op_kind kind,
		  enum op_stage stage);
/* Is it neither left out nor a detail of another op? */
bool op_is_change(const struct op *op);
/* Is it of the stage, and not left out? */
bool op_is_at(const struct op *op, enum op_stage stage);

/* ---- by the table ---- */

/* The line that says that it was, or would be, done. */
const char *op_words(struct arena *arena, const struct op *op);
/* What does the same in a shell. */
const char *op_command(struct arena *arena, const struct op *op);
/* An op that is run already, or has nothing left to do, is no error. */
bool op_run(struct arena *arena, struct kernel *kernel, const struct op *op,
	    struct netlink_error *error);
struct op op_inverse(const struct op *op);

#endif
