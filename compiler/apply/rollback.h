/*
 * rollback: takes the last apply of a policy back, or confirms it. Neither needs the policy's file.
 *
 * Going back means the policy that was applied before, as its archive has it, or none, where there
 * was none. It goes one step: a second rollback, or one after the watchdog's, is refused, since it
 * would restore the policy that was just rolled back.
 */
#ifndef TPC_APPLY_ROLLBACK_H
#define TPC_APPLY_ROLLBACK_H

#include <stdbool.h>

#include "apply/apply.h"
#include "kernel/nft_table.h"
#include "state/rundir.h"

struct pending;
struct record;

struct rollback {
	struct arena *arena;
	struct report *report;
	const char *policy;            /* its name */
	const struct pending *overdue; /* a watchdog's own; NULL: a person asked for it */
	bool keep_connections;

	struct diag *diag; /* what stands against the policy before */
	const char *file;  /* of the policy that is in force again; NULL: none is */
	struct apply_counts counts;

	struct rundir folder;
	struct record *record;
	struct pending *pending;
	bool is_lost, is_rebuilt; /* the record was set aside; there is another one */
	struct nft_table table;   /* ours, as the kernel has it, where it was read */
	bool is_superseded;       /* another policy is loaded: nothing is taken back */
};

/* Fills the fields from `diag` on. APPLY_UNCHANGED: the apply had not changed anything. */
enum apply_outcome rollback_run(struct rollback *rollback);
/* A watchdog_overdue: rolls back, says so to syslog, and tries again where it cannot. */
void rollback_overdue(const char *policy, const struct pending *self);
/* What is applied stays. */
enum apply_outcome rollback_confirm(struct arena *arena, struct report *report, const char *policy);
/* Reports what waits for a confirmation and was applied from elsewhere, with who may give it, or
 * why that cannot be known; false: nothing is reported. */
bool rollback_find_foreign(struct arena *arena, struct report *report);
/* The names of the policies that wait for a confirmation, sorted. */
const char **rollback_pending(struct arena *arena, size_t *count);

#endif
