/*
 * dnsmasq: the .dnsmasq.conf output, for dnsmasq's --conf-file.
 */
#ifndef TPC_EMIT_DNSMASQ_H
#define TPC_EMIT_DNSMASQ_H

#include <stdbool.h>

struct arena;
struct buf;
struct diag;
struct emit_job;
struct ir;

/* The longest line that dnsmasq reads whole, the end of the line not counted: MAXDNAME, 1025, in
 * its src/dns-protocol.h is the room it reads a line into. */
enum { DNSMASQ_LINE = 1023 };

/* An error for the first domain that is in more sets than a line has room for. */
void emit_dnsmasq_check(struct arena *arena, struct diag *diag, const struct ir *ir);
void emit_dnsmasq_put(const struct emit_job *job, struct buf *out);
bool emit_dnsmasq_is_needed(const struct ir *ir);

#endif
