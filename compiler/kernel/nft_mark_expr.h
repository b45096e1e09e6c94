/*
 * nft_mark_expr: what an nft rule, whoever's it is, makes of a packet's or a connection's mark.
 *
 * Only what can be told from the rule alone: a constant, or the mark itself and constants. A mark
 * that comes from elsewhere (from the connection, from a map) is not told of.
 */
#ifndef TPC_KERNEL_NFT_MARK_EXPR_H
#define TPC_KERNEL_NFT_MARK_EXPR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct nlattr;

struct nft_mark_expr {
	bool of_connection;
	uint32_t mask, xor; /* the new mark is the old one & mask ^ xor */
};

/* Appends what the rule's expressions (NFTA_RULE_EXPRESSIONS) write. */
void nft_mark_expr_read(struct arena *arena, const struct nlattr *expressions,
			struct nft_mark_expr **list, size_t *count);
uint32_t nft_mark_expr_result(const struct nft_mark_expr *marking, uint32_t before);
/* "meta mark set mark or 0x100": as nft takes it. */
const char *nft_mark_expr_text(struct arena *arena, const struct nft_mark_expr *marking);

#endif
