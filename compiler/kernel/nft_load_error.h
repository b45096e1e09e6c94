/*
 * nft_load_error: from nft's refusal back to the policy.
 */
#ifndef TPC_KERNEL_NFT_LOAD_ERROR_H
#define TPC_KERNEL_NFT_LOAD_ERROR_H

struct arena;
struct buf;
struct ir;
struct nft_load_error;
struct report;

/* Says in the report which rule of the policy the refused text came from, and which feature the
 * kernel lacks if that is why. */
void nft_load_error_text(struct arena *arena, struct report *report, const struct ir *ir,
			 const struct buf *text, const struct nft_load_error *error);

#endif
