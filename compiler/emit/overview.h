/*
 * overview: what a policy takes of a host's numbers, as comment lines for the head of an output.
 */
#ifndef TPC_EMIT_OVERVIEW_H
#define TPC_EMIT_OVERVIEW_H

struct buf;
struct emit_job;
struct ir;

/* "# STEM.SUFFIX: written by tpc from POLICY; change that and compile again, not this file." */
void overview_put_origin(const struct emit_job *job, const char *suffix, struct buf *out);
/* The table of marks, ip rules and routing tables. */
void overview_put(const struct ir *ir, struct buf *out);
/* Where packets of a class go: "tproxy :12345", "table vpn". */
struct ir_class;
void overview_put_class(const struct ir_class *class, struct buf *out);

#endif
