/*
 * static/prove: the proofs one after the other; see static/prove.h.
 */
#include "lang/static/prove.h"

void prove_policy(struct arena *arena, struct diag *diag, struct ast_policy *policy,
		  const struct ir *ir)
{
	prove_cover(diag, policy);
	prove_rests(arena, diag, policy);
	prove_families(arena, diag, policy);
	prove_sources(arena, diag, policy);
	prove_lans(arena, diag, policy);
	prove_onwards(arena, diag, policy);
	prove_tunnels(arena, diag, policy, ir);
	prove_numbers(arena, diag, policy, ir);
}
