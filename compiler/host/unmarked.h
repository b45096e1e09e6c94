/*
 * unmarked: ip rules that refuse what comes in by an interface without a mark, which is all of it
 * once the nft table is lost.
 *
 * In IPv4 a reverse-path filter asks the same rules for the way back to the sender of what is to
 * be forwarded out by that interface, and without a mark: it would drop replies. So those rules
 * are left out where any interface has such a filter.
 */
#ifndef TPC_HOST_UNMARKED_H
#define TPC_HOST_UNMARKED_H

#include "ir/ir.h"

struct arena;
struct observed;
struct record;

/* Takes out of the ir what this host cannot have. */
void unmarked_sift(struct arena *arena, struct ir *ir);
/* What is refused so at the moment, in words; NULL where the policy has nothing to refuse. */
const char *unmarked_words(struct arena *arena, const struct record *record,
			   const struct observed *observed);
/* The sysctl of this host that makes such IPv4 rules drop replies, in words; NULL: none, or
 * there are none. */
const char *unmarked_harm(struct arena *arena, const struct record *record,
			  const struct observed *observed);

#endif
