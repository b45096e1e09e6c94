/*
 * nft_comment: rules that do nothing but carry a comment, by netlink: what our table says of itself
 * (emit/about.h) can change in the same transaction as its sets.
 */
#ifndef TPC_KERNEL_NFT_COMMENT_H
#define TPC_KERNEL_NFT_COMMENT_H

#include <stdint.h>

struct netlink_batch;

/* The rule of this handle in the chain ABOUT_CHAIN, with another text (shorter than 128 bytes). */
void nft_comment_replace(struct netlink_batch *batch, const char *table, uint64_t handle,
			 const char *text);
/* One more, after the others. */
void nft_comment_add(struct netlink_batch *batch, const char *table, const char *text);
/* The rule of this handle goes. */
void nft_comment_remove(struct netlink_batch *batch, const char *table, uint64_t handle);

#endif
