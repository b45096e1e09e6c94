/*
 * static/tunnel: what checks about tables share that look at rules one by one: whether a rule names
 * senders, what its `to` holds, and which interfaces are called like tunnels.
 *
 * Tunnels whose ends are not known are static/tunnel.c's, those with an `endpoint`
 * static/endpoint.c's.
 */
#ifndef TPC_LANG_STATIC_TUNNEL_H
#define TPC_LANG_STATIC_TUNNEL_H

#include "lang/ast/ast.h"

struct ir_walker;

struct checks {
	struct arena *arena;
	struct diag *diag;
	struct ast_policy *policy;
	const struct ir *ir;
	const struct ir_walker *walker;
};

/* What the nth part of a condition names of a family, and begins with; NULL after the last. */
const struct interval_set *static_part(struct checks *checks,
				       const struct match_condition *condition,
				       enum addr_family family, size_t nth);
/* Is what the condition holds for a good part of all addresses, a 64th, as a prefix of this length?
 * A tunnel's end, or any host, may be there. */
enum { STATIC_WIDE_LENGTH = 6 };
bool static_is_wide(struct checks *checks, const struct match_condition *condition,
		    enum addr_family family);
/* static/family.c: may a packet of the family be one of the rule's? */
bool static_is_about(struct checks *checks, const struct ast_rule *rule, enum addr_family family);
/* Does the condition name addresses of the world outside? */
bool static_names_public(struct checks *checks, const struct match_condition *condition,
			 enum addr_family family);
/* Is an interface of this name (NULL: none) usually a tunnel over IP? */
bool static_is_tunnel(const char *dev);
bool static_names_address(struct checks *checks, const struct match_condition *condition,
			  struct addr addr);
/* Tables that are called like a tunnel and name no end of it. */
void static_tunnels(struct checks *checks);
/* static/endpoint.c: the tables that name the ends of their tunnels. */
void static_endpoints(struct checks *checks);
/* static/gateway.c: gateways whose own packets would be sent back to them. */
void static_gateways(struct checks *checks);

#endif
