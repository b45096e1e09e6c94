/*
 * emit: the text back ends. In goes a finished ir, out comes the text of one output file; nothing
 * is read, nothing is written. The same ir gives the same bytes.
 */
#ifndef TPC_EMIT_EMIT_H
#define TPC_EMIT_EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct arena;
struct buf;
struct diag;
struct ir;
struct ir_chain;
struct ir_rule;

/* What an output may say of where it came from. */
struct emit_job {
	const struct ir *ir;
	const char *policy; /* the policy's file name without folders: "policy.yaml" */
	const char *stem; /* the same without its ending: outputs are STEM.nft, STEM.ip.batch ... */
	const char *const *set_names; /* in nft, one for each of the ir's sets; NULL: the bases */
};

struct emit_output {
	const char *kind;   /* --emit's word: "nft" */
	const char *suffix; /* ".nft" */
	const char *use;    /* for --help: "for `nft -f`" */
	mode_t mode;
	bool (*is_needed)(const struct ir *ir); /* NULL: always written */
	void (*put)(const struct emit_job *job, struct buf *out);
	/* Adds an error for what has no room in the output; NULL: all has. */
	void (*check)(struct arena *arena, struct diag *diag, const struct ir *ir);
};

/* The job of a policy that was read from this path ("-": standard input). */
struct emit_job emit_job_of(struct arena *arena, const struct ir *ir, const char *path);
/* All outputs, in the order they are written; *count receives how many. */
const struct emit_output *emit_outputs(size_t *count);
const struct emit_output *emit_find(const char *kind);
/* Can all outputs say what the policy asks for? If not, adds errors. */
void emit_check(struct arena *arena, struct diag *diag, const struct ir *ir);

/* Does a map among the wanted sets (NULL: all) lead to the chain? Then the chain is declared with
 * it. */
bool emit_nft_leads_to(const struct ir *ir, const bool *wanted, const char *chain);
/*
 * Pieces of the nft file, for the live engine.
 * declare: the table and the sets with i's bit set in `wanted` (NULL: all), created, empty; no
 * rules. commit: every chain declared, all rules flushed and rewritten, in one transaction; sets
 * must be there. first: the same where the table has no rules yet, and refused where it has; what
 * names a chain twice or flushes makes the kernel wait until no packet can be in the old rules.
 */
void emit_nft_declare(const struct emit_job *job, const bool *wanted, struct buf *out);
void emit_nft_commit(const struct emit_job *job, struct buf *out);
void emit_nft_first(const struct emit_job *job, struct buf *out);
/* One rule of the ir, indented by two tabs, without the comment above it. */
void emit_nft_put_rule(const struct emit_job *job, const struct ir_rule *rule, struct buf *out);
/* How many rules of nft a rule of the ir becomes: a jump ends one. */
size_t emit_nft_rule_count(const struct ir_rule *rule);
/* All rules of nft that a chain of the ir becomes. */
size_t emit_nft_chain_length(const struct ir_chain *chain);
/* The n-th of them, from 0: a line, or several where it holds a map. */
void emit_nft_put_nth(const struct emit_job *job, const struct ir_rule *rule, size_t n,
		      struct buf *out);

#endif
