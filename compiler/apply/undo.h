/*
 * undo: what an apply has changed so far, so that it can be taken back, last first.
 */
#ifndef TPC_APPLY_UNDO_H
#define TPC_APPLY_UNDO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct ir_ip_rule;
struct ir_route;
struct kernel;
struct report;
struct nft_set_change;

enum undo_kind {
	UNDO_SETTING,       /* key had value */
	UNDO_NEW_ROUTE,     /* route was added */
	UNDO_CHANGED_ROUTE, /* route took the place of before */
	UNDO_NEW_RULE,      /* rule was added */
	UNDO_OLD_RULE,      /* rule was removed */
	UNDO_NEW_TABLE,     /* the nft table was made */
	UNDO_NEW_CHAIN,     /* key: a chain of the nft table, without rules */
	UNDO_NEW_SET,       /* key: a set of the nft table; value: "set" or "map" */
	UNDO_ELEMENTS,      /* elements were added to a set: what takes them out */
};

struct undo_step {
	enum undo_kind kind;
	const char *key, *value;
	const struct ir_route *route, *before;
	const struct ir_ip_rule *rule;
	const struct nft_set_change *elements;
	uint32_t protocol, protocol_before;
};

struct undo {
	struct arena *arena;
	const char *table; /* the nft table */
	struct undo_step *steps;
	size_t count;
};

struct undo_step *undo_add(struct undo *undo, enum undo_kind kind);
/* True when everything is as it was. What could not be taken back is in the report as doubt, with
 * the command that does it. */
bool undo_run(struct undo *undo, struct kernel *kernel, struct report *report);

#endif
