/*
 * apply_flows: what an apply has changed, and the connections that were on ways that it took away.
 */
#include "live/apply_state.h"
#include "live/flows.h"

bool apply_was_changed(const struct apply_counts *counts)
{
	return counts->sysctls || counts->new_routes || counts->old_routes || counts->new_rules ||
	       counts->old_rules || counts->new_sets || counts->old_sets || counts->updated_sets ||
	       counts->old_chains || counts->old_counters || counts->flip;
}

void apply_forget_flows(struct apply *apply)
{
	struct flows_job job = { .arena = apply->arena,
				 .report = apply->report,
				 .kernel = &apply->kernel,
				 .before = apply->before,
				 .after = apply->after };

	if (!apply->job->keep_connections && !apply->after->keeps_connections)
		apply->counts->forgotten = flows_forget(&job);
}
