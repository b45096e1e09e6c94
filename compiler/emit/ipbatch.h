/*
 * ipbatch: routes and ip rules in iproute2's words.
 */
#ifndef TPC_EMIT_IPBATCH_H
#define TPC_EMIT_IPBATCH_H

#include <stdbool.h>

#include "addr/addr.h"

struct buf;
struct emit_job;
struct ir;
struct ir_ip_rule;
struct ir_route;

void ipbatch_put_ipv4(const struct emit_job *job, struct buf *out);
void ipbatch_put_ipv6(const struct emit_job *job, struct buf *out);
bool ipbatch_needs_ipv6(const struct ir *ir);

/*
 * One route after `ip route VERB`, one rule after `ip rule add` or `ip rule del`; quoted as a
 * shell needs it, too. With protocol 0 the route comes without its table and protocol, for a
 * person.
 */
void ipbatch_put_route(const struct ir_route *route, uint32_t protocol, struct buf *out);
void ipbatch_put_rule(const struct ir_ip_rule *rule, uint32_t protocol, struct buf *out);
/* What only the host knows of IPv4 routes of tables that masquerade, as a comment; or nothing. */
void ipbatch_put_bare(const struct ir *ir, struct buf *out);

#endif
