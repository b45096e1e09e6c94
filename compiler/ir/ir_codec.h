/*
 * ir_codec: what the things of an ir consist of, for the codec: one function a thing, one line a
 * field, for both directions.
 *
 * The files of the run directory hold these bytes, and the digest is taken over them. Places are
 * left out. Whoever changes what a function writes raises SNAPSHOT_FORMAT (state/snapshot.h).
 */
#ifndef TPC_IR_IR_CODEC_H
#define TPC_IR_IR_CODEC_H

#include "base/codec.h"
#include "ir/ir.h"

void ir_codec_target(struct codec *codec, struct ir_target *item);
void ir_codec_set(struct codec *codec, struct ir_set *item);
/* Without its rules. */
void ir_codec_chain(struct codec *codec, struct ir_chain *item);
/* Without the key and the map of a lookup. */
void ir_codec_statement(struct codec *codec, struct ir_statement *item);
void ir_codec_ip_rule(struct codec *codec, struct ir_ip_rule *item);
void ir_codec_nexthop(struct codec *codec, struct ir_nexthop *item);
void ir_codec_route(struct codec *codec, struct ir_route *item);
void ir_codec_fill(struct codec *codec, struct ir_fill *item);
void ir_codec_sysctl(struct codec *codec, struct ir_sysctl *item);
void ir_codec_key(struct codec *codec, const char **key);
/* The name of a sysctl, which becomes a path with '/' for '.' and '.' for '/': it stays below
 * /proc/sys/net. */
bool ir_codec_is_key(const char *key);
void ir_codec_listener(struct codec *codec, struct ir_listener *item);
/* The ir's own numbers, but for its digest. */
void ir_codec_head(struct codec *codec, struct ir *ir);
/* What it asks of routing and of the host: all but sets, chains and counters. */
void ir_codec_routing(struct codec *codec, struct ir *ir);

#endif
