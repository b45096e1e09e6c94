/*
 * flow_ops: what an apply has changed, and the connections that are on ways that are no more.
 */
#include "apply/apply_state.h"

#include <string.h>

#include "apply/flows_forget.h"
#include "base/arena.h"
#include "host/flows.h"

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

static void add_op(struct apply *apply, size_t count, enum op_state state)
{
	struct op *op;

	if (!count)
		return;
	op = op_add(apply->arena, &apply->ops, OP_FLOWS_FORGET, STAGE_FLOWS);
	op->state = state;
	op->count = count;
	op->why = "on a way that would be no more";
}

void apply_forget_flows(struct apply *apply)
{
	struct flows_job job = job_of(apply);

	if (!are_kept(apply))
		add_op(apply, flows_forget(&job), OP_DONE);
}

void apply_foresee_flows(struct apply *apply, bool has_changes)
{
	struct flows_job job = job_of(apply);

	/* What is applied already, the kernel has. */
	if (has_changes)
		job.ir = apply->ir;
	if (!are_kept(apply))
		add_op(apply, flows_find(&job).count, OP_PLANNED);
}
