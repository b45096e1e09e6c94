/*
 * static/static: the checks one after the other; see static/static.h.
 */
#include "lang/static/static.h"

#include "ir/evaluate.h"
#include "lang/static/tunnel.h"

void static_policy(struct arena *arena, struct diag *diag, struct ast_policy *policy,
		   const struct ir *ir)
{
	struct checks checks = { arena, diag, policy, ir, ir_walker(arena, ir) };

	static_shadowed(diag, policy);
	static_rests(&checks);
	static_families(&checks);
	static_sources(&checks);
	static_lans(&checks);
	static_onwards(&checks);
	static_tunnels(&checks);
	static_endpoints(&checks);
	static_gateways(&checks);
	static_numbers(arena, diag, policy, ir);
}
