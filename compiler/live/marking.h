/*
 * marking: what an nft rule, whoever's it is, makes of a packet's or a connection's mark.
 *
 * Only what can be told from the rule alone: a constant, or the mark itself and constants. A mark
 * that comes from elsewhere (from the connection, from a map) is not told of.
 */
#ifndef TPC_LIVE_MARKING_H
#define TPC_LIVE_MARKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct nlattr;

struct marking {
	bool of_connection;
	uint32_t keep, flip; /* the new mark is the old one & keep ^ flip */
};

/* Appends what the rule's expressions (NFTA_RULE_EXPRESSIONS) write. */
void marking_read(struct arena *arena, const struct nlattr *expressions, struct marking **list,
		  size_t *count);
uint32_t marking_result(const struct marking *marking, uint32_t before);
/* "meta mark set mark or 0x100": as nft takes it. */
const char *marking_text(struct arena *arena, const struct marking *marking);

#endif
