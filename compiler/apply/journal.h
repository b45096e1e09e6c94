/*
 * journal: what is remembered of an apply, so that a cut at any point leaves files from which the
 * next apply, rollback or removal knows every number that may be ours.
 *
 * Before the first change the record says what both policies have taken, and that the apply has not
 * come to its end; then follow the archive, for rollbacks, and the record of what is in force.
 */
#ifndef TPC_APPLY_JOURNAL_H
#define TPC_APPLY_JOURNAL_H

#include <stdbool.h>

struct apply;
struct nft_table;

/* Records the options of this apply, and those that a rollback would use. */
void journal_remember_options(struct apply *apply);
/* Is it the policy that is applied already, and another program has damaged it? */
bool journal_is_repair(const struct apply *apply);
/* Is it the policy that is applied already, while the host has come to have other names? */
bool journal_is_same_written(const struct apply *apply);
/* Has an apply of this very policy that was cut off made the previous archive out of the applied
 * one already? */
bool journal_has_moved(struct apply *apply);
/* Before the first change; false with why. */
bool journal_open(struct apply *apply, const char **why);
/* Everything was taken back. */
void journal_take_back(struct apply *apply);
/* Everything is done: what was applied before is what a rollback goes back to. */
void journal_archive(struct apply *apply);
/* `table`: what there is of it now. */
void journal_close(struct apply *apply, const struct nft_table *table);

#endif
