/*
 * apply: makes the kernel hold a policy.
 *
 * The difference is a list of ops (kernel/op.h), which run in the order of their stages: new
 * sysctls and sets, routes and ip rules, then all nft rules are committed in one transaction, and
 * only then does what is old go. A failure up to the commit takes everything back.
 */
#ifndef TPC_APPLY_APPLY_H
#define TPC_APPLY_APPLY_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct diag;
struct rundir;
struct ir;
struct plan;
struct report;
struct watchdog;

/* The policy and its sets are read from an archive. */
struct apply_return {
	bool from_previous; /* from the archive of what was applied before, not of what was applied
			     */
	bool by_watchdog;
	bool is_repair; /* what was applied is put back: no rollback */
};

struct apply_job {
	struct arena *arena;
	struct diag *diag;     /* what is wrong at a place in the policy */
	struct report *report; /* everything else, and what was done */
	struct ir *ir;         /* names of sets may change */
	const char *policy;    /* the policy's path, for the record */
	const char *options; /* that change what it does, as on a command line, for the next apply;
				or NULL */
	bool strict;         /* warnings found before the first change, and refused routes, end the
				apply */
	struct plan *plan;   /* what a dry run would change, thing by thing; or NULL */
	bool dry_run;        /* find out what would be done, change nothing */
	bool keep_connections;       /* none is deleted, whatever way it holds */
	bool allow_foreign;          /* foreign ip rules and routes may stand among the policy's */
	const struct rundir *folder; /* open and locked; NULL: it is opened here */
	const struct apply_return *back; /* for a rollback; else NULL */
	struct watchdog *watchdog;       /* asleep, armed before the first change; NULL: nothing is
					    to be confirmed */
};

enum apply_outcome {
	APPLY_UNCHANGED, /* everything was there */
	APPLY_DONE,      /* or, in a dry run, something is to be done */
	APPLY_REFUSED,   /* nothing has changed */
	APPLY_IN_DOUBT,  /* the report says what to run */
};

/* How much was done, or would be. */
struct apply_counts {
	size_t sysctls;
	size_t new_routes, old_routes;
	size_t new_rules, old_rules; /* ip rules */
	size_t new_sets, elements, old_sets;
	size_t updated_sets, added, removed; /* sets in place, and their elements */
	size_t old_chains, old_counters;     /* where the rules stay */
	const char *commit;                  /* why the nft rules were rewritten, or NULL */
	size_t nft_rules;                    /* how many they are */
	size_t forgotten;                    /* connections on ways that are no more */
	unsigned int waits;                  /* seconds, for a confirmation; 0: for none */
};

enum apply_outcome apply_policy(const struct apply_job *job, struct apply_counts *counts);

#endif
