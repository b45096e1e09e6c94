/*
 * diff: what has to be done so that the kernel holds a policy, and nothing more.
 *
 * Nothing is changed here but ir_set.name: a set whose contents are in the kernel already takes the
 * name it has there, and one whose contents are new takes a name that is free, its base if that is.
 */
#ifndef TPC_HOST_DIFF_H
#define TPC_HOST_DIFF_H

#include <stdbool.h>
#include <stddef.h>

#include "ir/ir.h"
#include "kernel/op.h"

struct archive;
struct arena;
struct delta;
struct netlink;
struct observed;
struct route_seen;

/*
 * A set that is filled at run time and was declared otherwise: under its name in the ir a stand-in
 * is filled before the flip, and afterwards the set is made anew under its base.
 */
struct diff_carry {
	size_t set;       /* index in the ir */
	bool has_history; /* what it holds is kept */
	const char *why;  /* what is declared otherwise */
	/* Of what it begins with, what it does not hold; found by a dry run. */
	struct interval_set missing;
};

struct diff {
	struct op_list ops; /* a route by an interface that is not there is left out */
	bool *fill;         /* by the set's index in the ir */
	size_t fill_count, element_count;
	struct delta *updates; /* sets that change in place, and nothing else of the table does */
	size_t update_count;
	struct delta *links; /* sets of link addresses, whose contents are the host's */
	size_t link_count;
	struct diff_carry *carries; /* for some of `fill` */
	size_t carry_count;
	const char **stale_sets; /* in use by nobody: removed first, so that their names are free */
	size_t stale_set_count;
	/* In use by nothing, too, but filled at run time: an apply that was cut off left them, and
	 * its rollback needs what they hold. Removed last. */
	const char **idle_sets;
	size_t idle_set_count;
	const char **old_sets; /* in use until the rules are flipped */
	size_t old_set_count;
	const char **old_chains; /* with hooks: removed when the rules are flipped, or made anew
				    there with another hook */
	size_t old_chain_count;
	const char **idle_chains; /* without: removed behind the flip and behind old sets, since old
				     maps lead to them */
	size_t idle_chain_count;
	const char *busy_chain; /* one of those that holds rules, or NULL */
	const char **old_counters;
	size_t old_counter_count;
	const char *flip; /* why the rules are written anew, or NULL */
};

/* `applied`: what the last apply left, or NULL. */
void diff_make(struct arena *arena, struct ir *ir, const struct observed *observed,
	       const struct archive *applied, struct diff *out);
/* Its part about ip rules and routes: of the ir no more than those are asked, and its protocol
 * number. */
void diff_routing(struct arena *arena, const struct ir *ir, const struct observed *observed,
		  struct op_list *ops);
void diff_remove_route(struct arena *arena, struct op_list *ops, const struct route_seen *seen);
struct op *diff_add_route(struct arena *arena, struct op_list *ops, enum op_kind kind,
			  const struct ir_route *route, uint32_t protocol);
bool diff_is_empty(const struct diff *diff);
/* The interface that the route goes by and that is down, or NULL. `netlink` is rtnetlink's. */
const char *diff_down_device(struct netlink *netlink, const struct ir_route *route);
/* The interface that the route goes by and that is not there, or NULL. */
const char *diff_lost_device(const struct ir_route *route);
/* That, for a person; NULL where it is there. */
const char *diff_lost_words(struct arena *arena, const struct ir_route *route);

#endif
