/*
 * opt: passes from ir to ir, which change the cost of packets and never their verdict.
 *
 * Level 0 leaves one nft rule for each of the policy's, for a reader. Level 1 makes runs of rules
 * that look up the same field into one verdict map (see flatten.c) and drops the sets that no
 * rule asks for any more.
 */
#ifndef TPC_OPT_OPT_H
#define TPC_OPT_OPT_H

struct arena;
struct ir;

enum { OPT_NONE, OPT_FLAT, OPT_DEFAULT = OPT_FLAT };

/* A new ir, of the arena, that shares with the old one what did not change. */
struct ir *opt_run(struct arena *arena, const struct ir *ir, int level);

#endif
