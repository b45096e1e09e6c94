/*
 * static/static: the checks one after the other; see static/static.h.
 */
#include "lang/static/static.h"

#include "ir/evaluate.h"
#include "lang/static/tunnel.h"

/* Tunnels and gateways whose own packets would be sent back to them. */
static void static_returns(struct arena *arena, struct diag *diag, struct ast_policy *policy,
			   const struct ir *ir)
{
	struct tunnels tunnels = { .arena = arena, .diag = diag, .policy = policy, .ir = ir };

	tunnels.walker = ir_walker(arena, ir);
	static_tunnels(&tunnels);
	static_endpoints(&tunnels);
	static_gateways(&tunnels);
}

void static_policy(struct arena *arena, struct diag *diag, struct ast_policy *policy,
		   const struct ir *ir)
{
	static_shadowed(diag, policy);
	static_rests(arena, diag, policy);
	static_families(arena, diag, policy);
	static_sources(arena, diag, policy);
	static_lans(arena, diag, policy);
	static_onwards(arena, diag, policy);
	static_returns(arena, diag, policy, ir);
	static_numbers(arena, diag, policy, ir);
}
