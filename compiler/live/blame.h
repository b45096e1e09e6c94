/*
 * blame: from nft's refusal back to the policy.
 */
#ifndef TPC_LIVE_BLAME_H
#define TPC_LIVE_BLAME_H

struct arena;
struct buf;
struct ir;
struct loader_error;
struct report;

/* Says in the report which rule of the policy the refused text came from, and which feature the
 * kernel lacks if that is why. */
void blame_text(struct arena *arena, struct report *report, const struct ir *ir,
		const struct buf *text, const struct loader_error *error);

#endif
