/*
 * nft: the .nft output, and where its two halves meet.
 */
#ifndef TPC_EMIT_NFT_H
#define TPC_EMIT_NFT_H

struct buf;
struct emit_job;

void emit_nft_put(const struct emit_job *job, struct buf *out);

#endif
