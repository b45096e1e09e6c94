/*
 * sh: the .sh output: `up`, `down` and `status` for hosts that have only sh, ip, nft and sysctl.
 */
#ifndef TPC_EMIT_SH_H
#define TPC_EMIT_SH_H

struct buf;
struct emit_job;

void emit_sh_put(const struct emit_job *job, struct buf *out);

#endif
