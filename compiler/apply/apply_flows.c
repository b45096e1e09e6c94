/*
 * apply_flows: what an apply has changed, and the connections that are on ways that are no more.
 */
#include "apply/apply_state.h"

#include <string.h>

#include "apply/flows_forget.h"
#include "base/arena.h"
#include "base/report.h"
#include "host/flows.h"

bool apply_was_changed(const struct apply_counts *counts)
{
	return counts->sysctls || counts->new_routes || counts->old_routes || counts->new_rules ||
	       counts->old_rules || counts->new_sets || counts->old_sets || counts->updated_sets ||
	       counts->old_chains || counts->old_counters || counts->flip;
}

static bool are_kept(const struct apply *apply)
{
	return apply->job->keep_connections || apply->after->ir.keeps_connections;
}

static bool has_listener(const struct ir_listener *listeners, size_t count,
			 const struct ir_listener *wanted)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(listeners[i].name, wanted->name) &&
		    !strcmp(listeners[i].mode, wanted->mode) && listeners[i].port == wanted->port)
			return true;
	return false;
}

static void note_left(struct apply *apply, const struct ir_listener *listeners, size_t count)
{
	struct record *after = apply->after;

	for (size_t i = 0; i < count; i++)
		if (!has_listener(after->ir.listeners, after->ir.listener_count, &listeners[i]) &&
		    !has_listener(after->left, after->left_count, &listeners[i]))
			*arena_append(apply->arena, after->left, after->left_count) = listeners[i];
}

void apply_note_kept_flows(struct apply *apply)
{
	const struct record *before = apply->before;

	if (!before || !are_kept(apply))
		return;
	note_left(apply, before->left, before->left_count);
	note_left(apply, before->ir.listeners, before->ir.listener_count);
}

static struct flows_job job_of(struct apply *apply)
{
	return (struct flows_job){ .arena = apply->arena,
				   .report = apply->report,
				   .kernel = &apply->kernel,
				   .before = apply->before,
				   .after = apply->after };
}

void apply_forget_flows(struct apply *apply)
{
	struct flows_job job = job_of(apply);

	if (!are_kept(apply))
		apply->counts->forgotten = flows_forget(&job);
}

void apply_foresee_flows(struct apply *apply, bool has_changes)
{
	struct flows_job job = job_of(apply);

	/* What is applied already, the kernel has. */
	if (has_changes)
		job.ir = apply->ir;
	if (!are_kept(apply))
		apply->counts->forgotten = flows_find(&job).count;
	if (apply->counts->forgotten)
		report_step(apply->report, "connections: %zu on a way that would be no more",
			    apply->counts->forgotten);
}
