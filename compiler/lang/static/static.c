/*
 * static/prove: the proofs one after the other; see static/prove.h.
 */
#include "lang/static/prove.h"

#include "ir/evaluate.h"
#include "lang/static/tunnel.h"

/* Tunnels and gateways whose own packets would be sent back to them. */
static void prove_returns(struct arena *arena, struct diag *diag, struct ast_policy *policy,
			  const struct ir *ir)
{
	struct tunnels tunnels = { .arena = arena, .diag = diag, .policy = policy, .ir = ir };

	tunnels.walker = ir_walker(arena, ir);
	prove_tunnels(&tunnels);
	prove_endpoints(&tunnels);
	prove_gateways(&tunnels);
}

void prove_policy(struct arena *arena, struct diag *diag, struct ast_policy *policy,
		  const struct ir *ir)
{
	prove_cover(diag, policy);
	prove_rests(arena, diag, policy);
	prove_families(arena, diag, policy);
	prove_sources(arena, diag, policy);
	prove_lans(arena, diag, policy);
	prove_onwards(arena, diag, policy);
	prove_returns(arena, diag, policy, ir);
	prove_numbers(arena, diag, policy, ir);
}
