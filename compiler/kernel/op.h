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

/* What it does. In the order in which a plan lists them; enum op_stage below is the order of an
 * apply. */
enum op_kind {
	OP_NONE,        /* the inverse of what has none */
	OP_SET_FILL,    /* a set that is not there, or a temporary one */
	OP_SET_MIGRATE, /* one that is filled at run time and was declared otherwise: it is made
			   anew with what it holds, while the rules use a temporary set */
	OP_SET_UPDATE,  /* elements come and go in place */
	OP_SET_TOP_UP,  /* what a set that is filled at run time begins with, where it is missing */
	OP_SET_REMOVE,
	OP_ELEMENTS_REMOVE, /* those that a top-up has added */
	OP_COMMIT,          /* all nft rules, in one transaction */
	OP_CHAIN_REMOVE,
	OP_COUNTER_REMOVE,
	OP_TABLE_REMOVE,
	OP_RULE_ADD, /* an ip rule */
	OP_RULE_REMOVE,
	OP_ROUTE_ADD,
	OP_ROUTE_APPEND,  /* others may be in the same place (IPv6, by another interface) */
	OP_ROUTE_REPLACE, /* route_before, which is in the same place */
	OP_ROUTE_REMOVE,
	OP_SYSCTL_SET,     /* key: before -> value */
	OP_SYSCTL_RESTORE, /* the same, to what it was before the policy */
	OP_FLOWS_FORGET    /* connections on a way that is no more */
};

/*
 * When an op runs: the order in which a packet meets the old policy or the new one, and whatever it
 * is marked with, the way for that mark is there. Up to the commit a failure takes everything back;
 * after it the policy is in force.
 */
enum op_stage {
	STAGE_SYSCTLS,
	STAGE_FREE_NAMES, /* sets that no rule uses, and whose names are needed */
	STAGE_SETS,
	STAGE_FENCES, /* sets may take seconds, so marks are fenced after them */
	STAGE_ROUTES,
	STAGE_RULES,
	STAGE_GUARDED_RESTORE, /* sysctls that only the old nft rules made safe */
	/* What is unmarked is refused for as long as the nft rules in force mark all that they
	 * leave alone. */
	STAGE_OLD_UNMARKED,
	STAGE_TOP_UP,
	STAGE_FILLS, /* what only this host knows */
	STAGE_COMMIT,
	STAGE_NEW_UNMARKED,
	STAGE_GUARDED_SYSCTLS,
	STAGE_LATE_ROUTES, /* their `src` was tentative */
	STAGE_MIGRATE,
	STAGE_COMMIT_AGAIN, /* from temporary sets to the sets themselves */
	STAGE_OLD_RULES,
	STAGE_OLD_ROUTES,
	STAGE_UNFENCE,
	STAGE_RESTORE,
	/* Once the run directory says what is in force: a rollback needs what these hold. */
	STAGE_DROP_SETS,
	STAGE_DROP_CHAINS, /* old maps lead to them */
	STAGE_DROP_COUNTERS,
	STAGE_FLOWS,
	STAGE_CONFIRMED, /* not by this apply, but when it is confirmed */
};

enum op_state {
	OP_PLANNED,
	OP_DONE,
	OP_LEFT_OUT, /* it cannot be had now, or was refused, or there is nothing to do */
};

enum op_section { OP_SETS, OP_NFT, OP_IP_RULES, OP_ROUTES, OP_SYSCTLS, OP_FLOWS, OP_SECTIONS };
enum op_sign { OP_ADD, OP_CHANGE, OP_REMOVE, OP_SIGNS };

struct op {
	struct op *next, *previous;
	enum op_kind kind;
	enum op_stage stage;
	enum op_state state;
	bool is_detail;   /* of another op, which stands for both in a plan and in counts */
	bool is_anew;     /* what it adds takes the place of something */
	bool is_replaced; /* what it removes: another op adds the like */
	const char *why;  /* or NULL */
	size_t count;     /* elements to fill, rules, connections */

	const char *table, *name; /* of the nft table, and of what is in it and comes or goes */
	const char *word;         /* "set" or "map" */
	const char *base;         /* of a set that rules use and that goes; NULL: none does */
	const struct ir_set *set; /* that is filled or changed */
	const struct ir_set *added, *removed;  /* its elements that come and go, where known */
	bool has_history;                      /* OP_SET_MIGRATE: what it holds is kept */
	const struct nft_set_change *elements; /* OP_ELEMENTS_REMOVE */

	const struct ir_ip_rule *rule;
	const struct ir_route *route, *route_before;
	uint32_t protocol, protocol_before; /* rtnetlink's, of the rule or route */
	const char *seen;                   /* what goes, as `ip` lists it */

	const char *key, *value, *before; /* of a sysctl */
	const struct ir_sysctl *wanted;   /* OP_SYSCTL_SET; NULL where that takes one back */
};

/* In the order in which they were added. An op keeps its address. */
struct op_list {
	struct op *first, *last;
};

struct op *op_add(struct arena *arena, struct op_list *list, enum op_kind kind,
		  enum op_stage stage);
struct op *op_add_copy(struct arena *arena, struct op_list *list, const struct op *op);
/* Takes out what was added after `last`; NULL: all. */
void op_cut(struct op_list *list, struct op *last);
/* The route comes, or goes (OP_ROUTE_REMOVE). */
struct op *op_add_route(struct arena *arena, struct op_list *list, enum op_kind kind,
			const struct ir_route *route, uint32_t protocol);
/* Is it neither left out nor a detail of another op? */
bool op_is_change(const struct op *op);
bool op_list_has_changes(const struct op_list *list);
/* Is it of the stage, and not left out? */
bool op_is_at(const struct op *op, enum op_stage stage);
/* The first of the kind that is not left out, or NULL. */
struct op *op_find(const struct op_list *list, enum op_kind kind);
/* How many of the kind are changes, by this apply. */
size_t op_count(const struct op_list *list, enum op_kind kind);
bool op_fills(const struct op_list *list, const struct ir_set *set);
/* Which sets are filled, by their index in the ir, as the emitter asks it. */
const bool *op_filled(struct arena *arena, const struct op_list *list, const struct ir *ir);

/* ---- by the table ---- */

enum op_section op_section(const struct op *op);
enum op_sign op_sign(const struct op *op);
/* What a plan says of it: "set foreign_v4", or the command. */
const char *op_what(struct arena *arena, const struct op *op);
/* The line that says that it was, or would be, done; empty: another op's line does. */
const char *op_words(struct arena *arena, const struct op *op);
/* What does the same in a shell; empty: nothing does. */
const char *op_command(struct arena *arena, const struct op *op);
/* What takes something away that is gone already is no error. */
bool op_run(struct kernel *kernel, const struct op *op, struct netlink_error *error);
/* Sets, chains or counters of a stage in one transaction: all or none of those that are planned. */
bool op_remove_all(struct arena *arena, struct kernel *kernel, const struct op_list *list,
		   enum op_stage stage, struct netlink_error *error);
struct op op_inverse(const struct op *op);
/* A part of what a set's op adds or removes, as netlink takes it. */
struct nft_set_change op_elements(const struct op *op, const struct ir_set *part, bool is_removal);

#endif
