/*
 * fingerprint: what an nft table was like right after an apply, so that a later look tells what
 * has changed of it since, without reading a set or comparing a rule.
 *
 * Of each chain it is a sum over its rules as the kernel lists them, which another rule has not; of
 * each set, since Linux 6.16, how many elements there are. The kernel gives a new rule a handle of
 * its own, always a greater one: where all are new, the whole policy was loaded by hand, and
 * nothing of this is compared.
 */
#ifndef TPC_STATE_FINGERPRINT_H
#define TPC_STATE_FINGERPRINT_H

struct arena;
struct record;
struct nft_table;

/* Into the record of the policy that the table holds. */
void fingerprint_take(struct arena *arena, struct record *record, const struct nft_table *table);
/* Marks the table's chains and sets that are others than in the record (which may be NULL). */
void fingerprint_compare(const struct record *record, struct nft_table *table);

#endif
