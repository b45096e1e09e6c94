/*
 * observe: the part of the host that a policy has to do with, read without changing anything.
 *
 * Our nft table, every ip rule, the routes of the tables in question, and what other policies of
 * ours have taken. A rule or route is the policy's own when it carries the rtnetlink protocol
 * number of one of its claims and lies in that claim's numbers.
 */
#ifndef TPC_LIVE_OBSERVE_H
#define TPC_LIVE_OBSERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "live/netlink.h"
#include "live/record.h"
#include "live/routes.h"
#include "live/rules.h"
#include "live/ruleset.h"

struct arena;
struct folder;
struct report;

struct kernel {
	struct netlink route, nft;
};

struct observe_mark {
	uint32_t value, mask;
};

/* Another policy of ours on this host. */
struct observe_other {
	const char *name;
	struct record_claim claim;
	uint32_t mask;              /* all bits of marks that it writes */
	bool tells_marks;           /* not where a version before this one applied it */
	struct observe_mark *marks; /* of packets */
	size_t mark_count;
	uint32_t ct_mask;  /* of connections; 0: none */
	bool is_same_file; /* it was applied from the file that is to be applied now */
};

struct observed {
	struct ruleset_table table;
	const char *hosted_changed; /* hosted.h: since the last apply, or NULL */
	struct rules_list rules;
	struct routes_list routes;
	struct routes_list main_specific; /* what a claimed copy of main should hold: main_copy.h */
	struct observe_other *others;
	size_t other_count;
	struct record_claim *claims; /* ours */
	size_t claim_count;
};

/* Both sockets; netlink_error.code is EPERM where CAP_NET_ADMIN is missing. */
bool observe_open(struct kernel *kernel, struct netlink_error *error);
void observe_close(struct kernel *kernel);
/* Says why the kernel does not let itself be asked; always false. */
bool observe_refused(struct report *report, const struct netlink_error *error);
/* The names of the policies that this host has something of: an nft table, or a record. Sorted. */
bool observe_policies(struct arena *arena, struct kernel *kernel, const struct folder *folder,
		      const char ***names, size_t *count, struct netlink_error *error);

/*
 * Reads what there is of the policy with this nft table. Its claims are those that its table and
 * its record (may be NULL) tell of, and `wanted` (may be NULL): the numbers it is about to take.
 */
bool observe_host(struct arena *arena, struct kernel *kernel, const char *table,
		  const struct record *record, const struct record_claim *wanted,
		  struct observed *out, struct netlink_error *error);
/* The numbers that the table tells of itself; false when it tells nothing that can be understood.
 */
bool observe_claim(struct arena *arena, const struct ruleset_table *table,
		   struct record_claim *out);
bool observe_owns_rule(const struct observed *observed, const struct rules_seen *seen);
bool observe_owns_route(const struct observed *observed, const struct routes_seen *seen);
/* True, with a line in the report, when another version of tpc wrote the table: what it says cannot
 * be trusted to mean the same. */
bool observe_is_other_version(const struct observed *observed, struct report *report);
/* True, with a line in the report, when the table only has the name of one of ours: it says nothing
 * of itself, and there is no record. */
bool observe_is_strange_table(const struct observed *observed, const struct record *record,
			      struct report *report);
/* The other policy that has claimed the priority or the table, or NULL. */
const struct observe_other *observe_priority_owner(const struct observed *observed,
						   uint32_t priority);
const struct observe_other *observe_table_owner(const struct observed *observed, uint32_t table);
/* "tpc_work" is the table of the policy "work". */
const char *observe_table_name(struct arena *arena, const char *policy);

#endif
