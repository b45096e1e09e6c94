/*
 * host: the part of the host that a policy has to do with, read without changing anything.
 *
 * Our nft table, every ip rule, the routes of the tables in question, and what other policies of
 * ours have taken. A rule or route is the policy's own when it carries the rtnetlink protocol
 * number of one of its claims and lies in that claim's numbers.
 */
#ifndef TPC_HOST_HOST_H
#define TPC_HOST_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/ip_rule.h"
#include "kernel/netlink.h"
#include "kernel/nft_table.h"
#include "kernel/route.h"
#include "state/record.h"

struct arena;
struct rundir;
struct report;

struct host_mark {
	uint32_t value, mask;
};

/* Another policy of ours on this host. */
struct host_other {
	const char *name;
	struct record_claim claim;
	uint32_t mask;           /* all bits of marks that it writes */
	bool tells_marks;        /* not where a version before this one applied it */
	struct host_mark *marks; /* of packets */
	size_t mark_count;
	uint32_t ct_mask;  /* of connections; 0: none */
	bool is_same_file; /* it was applied from the file that is to be applied now */
};

struct observed {
	struct nft_table table;
	const char *hosted_changed; /* hosted.h: since the last apply, or NULL */
	struct ip_rule_list rules;
	struct route_list routes;
	struct route_list main_specific; /* what a claimed copy of main should hold: main_copy.h */
	struct host_other *others;
	size_t other_count;
	struct record_claim *claims; /* ours */
	size_t claim_count;
};

/* Both sockets; netlink_error.code is EPERM where CAP_NET_ADMIN is missing. */
bool host_open(struct kernel *kernel, struct netlink_error *error);
void host_close(struct kernel *kernel);
/* Says why the kernel does not let itself be asked; always false. */
bool host_refused(struct report *report, const struct netlink_error *error);
/* The names of the policies that this host has something of: an nft table, or a record. Sorted. */
bool host_policies(struct arena *arena, struct kernel *kernel, const struct rundir *folder,
		   const char ***names, size_t *count, struct netlink_error *error);

/*
 * Reads what there is of the policy with this nft table. Its claims are those that its table and
 * its record (may be NULL) list, and `wanted` (may be NULL): the numbers that it will take.
 */
bool host_observe(struct arena *arena, struct kernel *kernel, const char *table,
		  const struct record *record, const struct record_claim *wanted,
		  struct observed *out, struct netlink_error *error);
/* The numbers in the table's metadata; false when it has none that can be read.
 */
bool host_claim(struct arena *arena, const struct nft_table *table, struct record_claim *out);
bool host_owns_rule(const struct observed *observed, const struct ip_rule_seen *seen);
bool host_owns_route(const struct observed *observed, const struct route_seen *seen);
/* True, with a line in the report, when another version of tpc wrote the table: what it says cannot
 * be trusted to mean the same. */
bool host_is_other_version(const struct observed *observed, struct report *report);
/* True, with a line in the report, when the table only has the name of one of ours: it says nothing
 * of itself, and there is no record. */
bool host_is_strange_table(const struct observed *observed, const struct record *record,
			   struct report *report);
/* The other policy that has claimed the priority or the table, or NULL. */
const struct host_other *host_priority_owner(const struct observed *observed, uint32_t priority);
const struct host_other *host_table_owner(const struct observed *observed, uint32_t table);
/* "tpc_work" is the table of the policy "work". */
const char *host_table_name(struct arena *arena, const char *policy);

#endif
