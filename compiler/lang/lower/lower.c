/*
 * lower/lower: the order in which a checked policy becomes ir.
 */
#include "lang/lower/lower.h"

#include <string.h>

#include "base/arena.h"
#include "base/diag.h"

static struct ir *new_ir(struct arena *arena, const struct ast_policy *policy)
{
	struct ir *ir = arena_new_of(arena, struct ir);

	ir->name = policy->name;
	ir->table = strcmp(policy->name, "tpc") ? arena_printf(arena, "tpc_%s", policy->name)
						: "tpc";
	ir->protocol = (uint32_t)policy->settings.protocol;
	ir->keeps_connections = policy->settings.connections != 0;
	ir->sysctl_policy = (enum ir_sysctl_policy)policy->settings.sysctls;
	return ir;
}

struct ir *lower_policy(struct arena *arena, struct diag *diag, struct ast_policy *policy)
{
	struct lower lower = {
		.arena = arena, .diag = diag, .policy = policy, .ir = new_ir(arena, policy)
	};
	uint32_t next; /* priority that no ip rule has */

	lower_dynamic_sets(&lower);
	lower_words(&lower);
	lower_names(&lower);
	lower_numbers(&lower);
	lower_targets(&lower);
	lower_uplinks(&lower);
	lower_variants(&lower);
	lower_find_unmarked(&lower);
	lower_partial_uplinks(&lower);
	lower_members(&lower);
	lower_main_copy(&lower);
	lower_plan_state(&lower);
	lower_plan_related(&lower);
	lower_hooks(&lower);
	lower_use_members(&lower);
	lower_translated(&lower);
	lower_reply_families(&lower);
	next = lower_bound_rules(&lower, lower_ip_rules(&lower));
	lower_refuse_unmarked(&lower, next);
	lower_sort_ip_rules(&lower);
	lower_routes(&lower);
	lower_sysctls(&lower);
	lower_target_chains(&lower);
	lower_related(&lower);
	lower_translation(&lower);
	lower_locks(&lower);
	lower_sources(&lower);
	lower_sticky(&lower);
	lower_mark_unmarked(&lower);
	if (diag_error_count(diag))
		return NULL;
	lower_describe(&lower);
	lower_finish(&lower);
	lower.ir->digest = ir_digest(lower.ir);
	return lower.ir;
}
