/*
 * apply_state: what the parts of an apply share, from the first look to the last step.
 */
#ifndef TPC_APPLY_APPLY_STATE_H
#define TPC_APPLY_APPLY_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "apply/apply.h"
#include "host/diff.h"
#include "host/host.h"
#include "kernel/nft_elements.h"
#include "kernel/nft_load.h"
#include "state/history.h"
#include "state/record.h"
#include "state/rundir.h"

struct apply {
	const struct apply_job *job;
	struct arena *arena;
	struct report *report;
	struct ir *ir;
	bool is_as_archived; /* going back to an archived policy: names of the host are as they were
			      */
	struct kernel kernel;
	struct rundir folder;
	struct nft_load loader;
	struct record *before; /* of the last apply, or NULL */
	struct record *after;
	const struct archive *applied; /* what the last apply left, where another policy is to be
					  applied; or NULL */
	struct observed observed;
	struct op_list ops;     /* what is to be done, and was */
	const char **set_names; /* what the ir's sets are called in nft (host/diff.h) */
	unsigned int settled;   /* milliseconds that were waited for addresses */
	struct history history; /* of sets that get a timeout, or, going back, had none */
	struct op_list undo;    /* what takes back what was done */
};

/* ---- undo ---- */

/* The op is done: says so. */
void apply_done(struct apply *apply, struct op *op);
/* Runs an op, says so, and notes what takes it back; one that fails is left out. */
bool apply_run(struct apply *apply, struct op *op, struct netlink_error *error);
/* Adds what takes something back that no op has done. */
struct op *apply_note(struct apply *apply, enum op_kind inverse, const char *name);
/* Takes what the ops of the stage name out of the nft table, in one transaction. */
bool apply_remove_all(struct apply *apply, enum op_stage stage, struct netlink_error *error);
/* Takes back what was done, last first; one that fails does not keep the others from it. True when
 * everything is as it was. What could not be taken back is in the report, with the command that
 * does it. */
bool apply_undo(struct apply *apply);

/* ---- mark_fence ---- */

/*
 * Marks that mean another way in the new policy than in the old one: while both are half there,
 * packets with such a mark are dropped, so that none leaves by the other's way. Adds the ops.
 */
void apply_find_fences(struct apply *apply);

/* ---- route_ops ---- */

bool apply_is_about_ipv6(enum addr_family family, int code);
/* Leaves out all IPv6 routing, with a warning; false where that ends the apply. */
bool apply_leave_out_ipv6(struct apply *apply);
/* Leaves out, with a warning, what cannot be put now: by a link that is down and, in a dry run,
 * what the kernel will refuse. */
void apply_sift_routes(struct apply *apply);
/* False, with why, when nothing can be done but to undo. One whose `src` is tentative may be put
 * off to STAGE_LATE_ROUTES. */
bool apply_put_route(struct apply *apply, struct op *op);
/* One that was put off. What the kernel refuses still is a warning. */
bool apply_put_late_route(struct apply *apply, struct op *op);

/* ---- sysctl_ops ---- */

/* Adds ops for sysctls that are to be written and given back; fills in the record's; warns of those
 * that are only to be checked, and of those of interfaces that are not there. */
void apply_find_sysctls(struct apply *apply);
/* What cannot be written is a warning. */
bool apply_write_sysctl(struct apply *apply, struct op *op);
bool apply_restore_sysctl(struct apply *apply, struct op *op);

/* ---- set_ops ---- */

bool apply_free_names(struct apply *apply, struct op *op);
bool apply_fill_set(struct apply *apply, struct op *op);
/* Updates all sets that change without a commit, and the comments of the chain `about`. */
bool apply_update_sets(struct apply *apply);

/* ---- fill_ops: sets that only the host knows the contents of ---- */

/* Adds ops for what they lack, and hold too much. Warns of gateways that cannot be distinguished,
 * and of interfaces without an address. */
void apply_find_fills(struct apply *apply);
bool apply_put_fill(struct apply *apply, struct op *op);

/* ---- dynamic_sets: those that are filled at run time ---- */

/* Going back, what was in sets for ever is looked up; else it is to be remembered from here on. */
void apply_open_history(struct apply *apply);
/* What the temporary set that the op fills holds. */
bool apply_temporary_set(struct apply *apply, struct op *fill, struct nft_elements *out);
/* Says that the set holds more than it may; false. */
bool apply_refuse_full(struct apply *apply, const struct ir_set *set);
/* In a dry run: will that do? Finds out what each of them is missing. */
bool apply_foresee_sets(struct apply *apply);
bool apply_top_up(struct apply *apply, struct op *op);
/* The set itself in place of the temporary one, and the rules once more. False: APPLY_IN_DOUBT. */
bool apply_migrate_set(struct apply *apply, struct op *op);
bool apply_commit_again(struct apply *apply, struct op *op);
/* Finds out what was added at run time to sets that go, says so in their ops, and warns of it. */
void apply_find_losses(struct apply *apply);

/* ---- host_checks ---- */

/* Warns of what on this host keeps the policy from doing what it says. `foreign`: foreign nft rules
 * are read for it, too. */
void apply_tell_host(struct apply *apply, bool foreign);
/* Warns of sockets that listen where the policy's packets do not arrive; a plan also names
 * listeners without a socket. */
void apply_tell_sockets(struct apply *apply);

/* ---- flows_forget ---- */

/* Connections on ways that are no more, unless they are to be kept; adds the op that was done. */
void apply_forget_flows(struct apply *apply);
/* In a dry run: adds the op that would be. */
void apply_foresee_flows(struct apply *apply, bool has_changes);
/* Into the new record: whose connections are kept now, so that a later apply finds them. */
void apply_note_kept_flows(struct apply *apply);

/* ---- nft_commit ---- */

/* Would the kernel take the rules? If not, the report says which one it refuses. */
bool apply_check_rules(struct apply *apply);
/* All that are to be filled, empty. */
bool apply_declare_sets(struct apply *apply);
/* Rewrites the rules. */
bool apply_commit(struct apply *apply, struct op *op);

/* ---- steps ---- */

/* Everything up to the commit. On false the caller undoes. */
bool apply_build(struct apply *apply);
/* After the commit: removes what is old. False: APPLY_IN_DOUBT. */
bool apply_clean(struct apply *apply);
/* Removes what nothing uses of the old table: sets, chains and counters. A rollback needs what they
 * hold, so this is the last step. False: APPLY_IN_DOUBT. */
bool apply_drop(struct apply *apply);
/* The ops as lines of the report. */
void apply_describe(struct apply *apply);
void apply_count(const struct op_list *ops, struct apply_counts *counts);

#endif
