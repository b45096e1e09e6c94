/*
 * apply_state: what the parts of an apply share, from the first look to the last step.
 */
#ifndef TPC_APPLY_APPLY_STATE_H
#define TPC_APPLY_APPLY_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "apply/apply.h"
#include "apply/undo.h"
#include "host/diff.h"
#include "host/host.h"
#include "kernel/nft_elements.h"
#include "kernel/nft_load.h"
#include "state/history.h"
#include "state/pending.h"
#include "state/record.h"
#include "state/rundir.h"

/* A set that goes, and how many elements that no policy lists go with it. */
struct apply_loss {
	const char *name;
	size_t count;
};

struct apply {
	const struct apply_job *job;
	struct arena *arena;
	struct report *report;
	struct ir *ir;
	uint64_t given_digest; /* the ir's, before the host was asked for names */
	bool lacks_cgroups;    /* this host has none, and the policy names some */
	struct kernel kernel;
	struct rundir folder;
	struct nft_load loader;
	struct record *before; /* of the last apply, or NULL */
	struct record *after;
	struct pending pending;        /* of the watchdog, once it is armed */
	const struct archive *applied; /* what the last apply left, where another policy is to be
					  applied; or NULL */
	struct observed observed;
	struct diff diff;
	unsigned int settled;   /* milliseconds that were waited for addresses */
	struct history history; /* of sets that get a timeout, or, going back, had none */
	struct apply_loss *losses;
	size_t loss_count;
	struct op_list undo; /* what takes back what was done */
	struct apply_counts *counts;
};

/* ---- apply_cover ---- */

/*
 * Marks that mean another way in the new policy than in the old one: while both are half there,
 * packets with such a mark are dropped, so that none leaves by the other's way. Adds the ops.
 */
void apply_find_covers(struct apply *apply);

/* ---- apply_route ---- */

bool apply_is_about_ipv6(enum addr_family family, int code);
/* Says that all of IPv6's routing is; false where that is no warning, but the end. */
bool apply_leave_out_ipv6(struct apply *apply);
/* Leaves out, with a warning, what cannot be put now: by a link that is down and, in a dry run,
 * what the kernel will refuse. */
void apply_sift_routes(struct apply *apply);
/* False, with why, when nothing can be done but to undo. One whose `src` is tentative may be put
 * off to STAGE_LATE_ROUTES. */
bool apply_put_route(struct apply *apply, struct op *op);
/* One that was put off. What the kernel refuses still is a warning. */
bool apply_put_late_route(struct apply *apply, struct op *op);

/* ---- apply_settings ---- */

/* Adds ops for sysctls that are to be written and given back; fills in the record's; warns of those
 * that are only to be checked, and of those of interfaces that are not there. */
void apply_find_settings(struct apply *apply);
/* What cannot be written is a warning. */
bool apply_write_setting(struct apply *apply, struct op *op);
bool apply_give_setting_back(struct apply *apply, struct op *op);

/* ---- apply_dynamic ---- */

/* Going back, what was in sets for ever is looked up; else it is to be remembered from here on. */
void apply_open_history(struct apply *apply);
/* Before the flip, for sets that are filled at run time: what a stand-in for the ir's set holds. */
bool apply_stand_in(struct apply *apply, struct diff_carry *carry, struct nft_elements *out);
/* Says that the set holds more than it may; false. */
bool apply_refuse_full(struct apply *apply, const struct ir_set *set);
/* In a dry run: will that do? Finds out what each of them is missing. */
bool apply_foresee_sets(struct apply *apply);
/* And what sets that stay as they are begin with, where they do not hold it. */
bool apply_top_up(struct apply *apply);
/* Behind the flip: the sets themselves instead of their stand-ins. On false the report has doubts.
 */
bool apply_settle_sets(struct apply *apply);

/* ---- apply_gateways ---- */

/* Which link addresses the sets of gateways lack, and hold too much; into the diff. Warns of
 * gateways that cannot be distinguished. */
void apply_find_gateways(struct apply *apply);
/* False, with why, when the kernel does not take them. */
bool apply_put_gateways(struct apply *apply);

/* ---- apply_host ---- */

/* Warns of what on this host keeps the policy from doing what it says. `foreign`: foreign nft rules
 * are read for it, too. */
void apply_tell_host(struct apply *apply, bool foreign);
/* What listens, and not so that the policy's packets come there; a plan says, too, where nothing
 * does: before an apply that is no news. */
void apply_tell_sockets(struct apply *apply);

/* ---- apply_flows ---- */

bool apply_was_changed(const struct apply_counts *counts);
/* Connections on ways that are no more, unless they are to be kept. */
void apply_forget_flows(struct apply *apply);
/* In a dry run: how many would be. */
void apply_foresee_flows(struct apply *apply, bool has_changes);
/* Into the new record: whose connections are kept now, so that a later apply finds them. */
void apply_note_kept_flows(struct apply *apply);

/* ---- apply_losses ---- */

/* Finds out what was added at run time to sets that go, and warns of it. */
void apply_find_losses(struct apply *apply);
/* That, of one set, in words; or NULL. */
const char *apply_loss_words(const struct apply *apply, const char *name);

/* ---- apply_text ---- */

enum apply_text {
	APPLY_TEXT_CHECK,   /* would the kernel take it? */
	APPLY_TEXT_DECLARE, /* the sets that are to be filled */
	APPLY_TEXT_FLIP,    /* the rules, and what the table says of itself */
};

/* Loads the text; what nft has against it is told by the policy's lines. */
struct buf;
bool apply_run_text(struct apply *apply, const struct buf *text, enum apply_text which);

/* ---- apply_steps ---- */

/* Runs an op, says so, and notes what takes it back; one that fails is left out. */
bool apply_run(struct apply *apply, struct op *op, struct netlink_error *error);
/* Adds what takes something back that no op has done. */
struct op *apply_note(struct apply *apply, enum op_kind inverse, const char *name);

/* Would the kernel take the rules? If not, the report says which one it refuses. */
bool apply_check_rules(struct apply *apply);
/* Writes the rules anew, with the sets' names in the ir. */
bool apply_flip(struct apply *apply);
/* Everything up to the flip, and the flip. On false the caller undoes. */
bool apply_build(struct apply *apply);
/* After the flip: what is old goes. On false the report has doubts. */
bool apply_clean(struct apply *apply);
/* What of the old table is left, and nothing uses: sets, chains and counters. A rollback needs what
 * they hold, so this is done when the apply has come to its end. On false the report has doubts. */
bool apply_drop(struct apply *apply);
/* The same as lines of the report and as counts, without doing it. */
void apply_describe(struct apply *apply);

#endif
