/*
 * sysctl: the .sysctl.conf output, for sysctl -p and for a folder like /etc/sysctl.d.
 */
#ifndef TPC_EMIT_SYSCTL_H
#define TPC_EMIT_SYSCTL_H

#include <stdbool.h>

struct buf;
struct emit_job;
struct ir;

void emit_sysctl_put(const struct emit_job *job, struct buf *out);
bool emit_sysctl_is_needed(const struct ir *ir);

#endif
