/*
 * json: the .json output: what was allocated, for other programs.
 */
#ifndef TPC_EMIT_JSON_H
#define TPC_EMIT_JSON_H

struct buf;
struct emit_job;

void emit_json_put(const struct emit_job *job, struct buf *out);

#endif
