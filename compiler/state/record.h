/*
 * record: what we remember of an applied policy, in a file of the run directory named after it.
 *
 * It is small and written several times in an apply; what sets and chains hold is in an archive
 * (archive.h). It holds what the kernel cannot tell (which file, since when, what sysctls
 * were before) and what should be there (ip rules, routes, listeners), so that status can say what
 * is missing and remove needs no policy.
 */
#ifndef TPC_STATE_RECORD_H
#define TPC_STATE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ir/ir.h"

struct arena;
struct rundir;

/* Numbers of the host that a policy has taken: what carries them is its own. */
struct record_claim {
	uint32_t protocol;
	uint32_t priority_first, priority_last;
	uint32_t *tables;
	size_t table_count;
	uint32_t main_copy; /* one of the tables: ir.h; 0: none */
};

struct record_sysctl {
	const char *key;
	const char *value; /* what the policy asks for */
	const char *old;   /* what was there before we wrote it; NULL when we did not */
};

/* Of the nft table, as it was when the policy was loaded (fingerprint.h). */
struct record_set {
	const char *set;
	uint32_t count; /* of elements, as the kernel counts them */
};

struct record_chain {
	const char *name;
	uint64_t sum; /* nft_table_chain.sum */
};

/* A setting that the kernel changes when another one is given back, and that is to stay. */
struct record_companion {
	const char *with; /* the key of the other */
	const char *key;
};

/* A user, a group or a cgroup that rules name. */
struct record_hosted {
	enum ir_hosted_kind kind;
	const char *name;
	bool is_missing; /* when the policy was loaded; else `number` is the one it had then */
	uint64_t number;
};

struct record {
	const char *name;
	const char *policy;  /* the policy's file, an absolute path or "<stdin>" */
	const char *options; /* that apply was run with and that change what it does, or NULL */
	const char *options_before; /* the same of what was applied before */
	int64_t since;              /* seconds of the epoch */
	uint64_t digest;
	size_t nft_rules;                   /* how many, in all chains */
	uint64_t table_handle, last_handle; /* of the nft table, and the greatest of its rules when
					       it was loaded; 0: not known */
	struct record_chain *chains;        /* as they were then */
	size_t chain_count;
	struct record_set *sets; /* what was in them then */
	size_t set_count;
	bool is_complete;   /* false: the apply that wrote it did not come to its end */
	const char *ticket; /* of the watchdog that takes it back unless it is confirmed, or
			       NULL */
	int64_t returned;   /* a rollback led here: when, seconds of the epoch; 0: none did */
	bool by_watchdog;   /* by itself: no confirmation came */
	struct record_claim *claims; /* several while an apply is under way: the old one and the new
					one */
	size_t claim_count;
	struct record_sysctl *sysctls;
	size_t sysctl_count;
	struct record_companion *companions;
	size_t companion_count;
	unsigned int newest_link; /* interfaces with a greater number came after forwarding was
				     switched on; 0: it was not */
	struct ir_listener *left; /* of policies before, whose connections were kept */
	size_t left_count;
	struct record_hosted *hosted;
	size_t hosted_count;
	/* What the policy asks of routing and of the host: no sets, no chains; no sysctls where it
	 * leaves them alone. Rows are as they were when the policy was loaded. */
	struct ir ir;
};

/* The record of a policy, or NULL when there is none that can be used. */
struct record *record_read(struct arena *arena, const struct rundir *folder, const char *name);
bool record_write(struct arena *arena, const struct rundir *folder, const struct record *record,
		  const char **why);
/* Gone afterwards, whether it was there or not. */
void record_remove(struct arena *arena, const struct rundir *folder, const char *name);
/* What an ir will have taken once it is applied; which sysctls it changes is not known here. */
struct record *record_of(struct arena *arena, const struct ir *ir, const char *policy);
struct record_sysctl *record_find_sysctl(const struct record *record, const char *key);
bool record_claims_table(const struct record_claim *claim, uint32_t table);
/* The way that a packet's mark means, of which no two can be meant; NULL: none, or just a mark. The
 * record may be NULL. */
const struct ir_class *record_way(const struct record *record, uint32_t mark);
/* The `tpc apply` that makes what is recorded once more, or NULL where no file of the policy is
 * known. */
const char *record_command(struct arena *arena, const struct record *record);
/* `tpc apply OPTIONS POLICY`, ready for a shell; no options: NULL. */
const char *record_apply_command(struct arena *arena, const char *options, const char *policy);

#endif
