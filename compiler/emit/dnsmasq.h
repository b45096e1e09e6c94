/*
 * dnsmasq: the .dnsmasq.conf output, for dnsmasq's --conf-file.
 */
#ifndef TPC_EMIT_DNSMASQ_H
#define TPC_EMIT_DNSMASQ_H

#include <stdbool.h>

struct buf;
struct emit_job;
struct ir;

void emit_dnsmasq_put(const struct emit_job *job, struct buf *out);
bool emit_dnsmasq_is_needed(const struct ir *ir);

#endif
