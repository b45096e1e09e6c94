/*
 * steps: runs the ops of an apply, stage by stage, in the order that keeps packets from going
 * astray (op_stage in kernel/op.h). It is on top of the files that know how to run a stage's ops.
 */
#include "apply/apply_state.h"
#include "base/arena.h"
#include "base/report.h"
#include "ir/ir.h"
#include "kernel/netlink.h"

/* ---- ip rules ---- */

static bool add_rule(struct apply *apply, struct op *op)
{
	struct netlink_error error;

	if (apply_run(apply, op, &error))
		return true;
	if (apply_is_about_ipv6(op->rule->family, error.code))
		return apply_leave_out_ipv6(apply);
	report_add(apply->report, SEVERITY_ERROR, DIAG_kernel_refused,
		   "the kernel refuses `%s`: %s", op_command(apply->arena, op), error.text)
		->where = op->rule->origin;
	return false;
}

static bool take_unmarked(struct apply *apply, struct op *op)
{
	struct netlink_error error;
	bool done = apply_run(apply, op, &error);

	if (!done)
		report_add(apply->report, SEVERITY_ERROR, DIAG_kernel_refused, "%s: %s",
			   op_command(apply->arena, op), error.text);
	return done;
}

/* Without it the policy holds, as long as its nft table is there. */
static bool put_unmarked(struct apply *apply, struct op *op)
{
	struct netlink_error error;

	if (!apply_run(apply, op, &error) && !apply_is_about_ipv6(op->rule->family, error.code))
		report_add(apply->report, SEVERITY_WARNING, DIAG_kernel_refused,
			   "the kernel refuses `%s` (%s): only the nft table keeps packets from %s off their usual route",
			   op_command(apply->arena, op), error.text, op->rule->iif)
			->where = op->rule->origin;
	return true;
}

/* ---- what is old ---- */

static bool remove_old(struct apply *apply, struct op *op)
{
	struct netlink_error error;
	bool done = apply_run(apply, op, &error);

	if (!done)
		report_add(apply->report, SEVERITY_ERROR, DIAG_leftover,
			   "the new policy is in force, but something old could not be removed: %s",
			   error.text)
			->command = op_command(apply->arena, op);
	return done;
}

/* All of the stage at once, or each that can be. */
static bool drop(struct apply *apply, struct op *op)
{
	struct netlink_error error;

	return apply_remove_all(apply, op->stage, &error) || remove_old(apply, op);
}

/* ---- the stages ---- */

/* The rules; where they stay, sets that change in place of them. A chain goes with the rules. */
static bool commit(struct apply *apply, struct op *op)
{
	if (op->kind == OP_COMMIT)
		return apply_commit(apply, op);
	return op->kind != OP_SET_UPDATE || apply_update_sets(apply);
}

/* Each runs one op that is planned, and may run others of its stage with it. */
static bool (*const runners[])(struct apply *apply, struct op *op) = {
	[STAGE_SYSCTLS] = apply_write_sysctl,
	[STAGE_FREE_NAMES] = apply_free_names,
	[STAGE_SETS] = apply_fill_set,
	[STAGE_FENCES] = add_rule,
	[STAGE_ROUTES] = apply_put_route,
	[STAGE_RULES] = add_rule,
	[STAGE_GUARDED_RESTORE] = apply_restore_sysctl,
	[STAGE_OLD_UNMARKED] = take_unmarked,
	[STAGE_TOP_UP] = apply_top_up,
	[STAGE_FILLS] = apply_put_fill,
	[STAGE_COMMIT] = commit,
	[STAGE_NEW_UNMARKED] = put_unmarked,
	[STAGE_GUARDED_SYSCTLS] = apply_write_sysctl,
	[STAGE_LATE_ROUTES] = apply_put_late_route,
	[STAGE_MIGRATE] = apply_migrate_set,
	[STAGE_COMMIT_AGAIN] = apply_commit_again,
	[STAGE_OLD_RULES] = remove_old,
	[STAGE_OLD_ROUTES] = remove_old,
	[STAGE_UNFENCE] = remove_old,
	[STAGE_RESTORE] = apply_restore_sysctl,
	[STAGE_DROP_SETS] = drop,
	[STAGE_DROP_CHAINS] = drop,
	[STAGE_DROP_COUNTERS] = drop,
};

/* Ends at the first op that fails where all of them are to be taken back then. */
static bool run_stages(struct apply *apply, enum op_stage first, enum op_stage last)
{
	bool done = true;

	for (enum op_stage stage = first; stage <= last; stage++)
		for (struct op *op = apply->ops.first; op; op = op->next) {
			if (op->stage == stage && op->state == OP_PLANNED)
				done &= runners[stage](apply, op);
			if (!done && stage <= STAGE_COMMIT)
				return false;
		}
	return done;
}

bool apply_build(struct apply *apply)
{
	return run_stages(apply, STAGE_SYSCTLS, STAGE_COMMIT);
}

bool apply_clean(struct apply *apply)
{
	return run_stages(apply, STAGE_NEW_UNMARKED, STAGE_RESTORE);
}

bool apply_drop(struct apply *apply)
{
	return run_stages(apply, STAGE_DROP_SETS, STAGE_DROP_COUNTERS);
}

/* ---- only said ---- */

void apply_describe(struct apply *apply)
{
	for (enum op_stage stage = STAGE_SYSCTLS; stage < STAGE_CONFIRMED; stage++)
		for (const struct op *op = apply->ops.first; op; op = op->next) {
			const char *words = op_is_at(op, stage) ? op_words(apply->arena, op) : "";

			if (*words)
				report_step(apply->report, "%s", words);
		}
}

/* Elements, rules and connections. */
static void count_content(const struct op *op, struct apply_counts *counts)
{
	if (op->kind == OP_SET_FILL || op->kind == OP_SET_MIGRATE)
		counts->elements += op->count;
	if (op->kind == OP_SET_UPDATE) {
		counts->added += op->added->elements.count;
		counts->removed += op->removed->elements.count;
	}
	if (op->kind == OP_COMMIT)
		counts->nft_rules = op->count;
	if (op->kind == OP_FLOWS_FORGET)
		counts->forgotten += op->count;
}

void apply_count(const struct op_list *ops, struct apply_counts *counts)
{
	const struct op *commit = op_find(ops, OP_COMMIT);

	counts->sysctls = op_count(ops, OP_SYSCTL_SET) + op_count(ops, OP_SYSCTL_RESTORE);
	counts->new_routes = op_count(ops, OP_ROUTE_ADD) + op_count(ops, OP_ROUTE_APPEND) +
			     op_count(ops, OP_ROUTE_REPLACE);
	counts->old_routes = op_count(ops, OP_ROUTE_REMOVE);
	counts->new_rules = op_count(ops, OP_RULE_ADD);
	counts->old_rules = op_count(ops, OP_RULE_REMOVE);
	counts->new_sets = op_count(ops, OP_SET_FILL) + op_count(ops, OP_SET_MIGRATE);
	counts->updated_sets = op_count(ops, OP_SET_UPDATE);
	counts->old_sets = op_count(ops, OP_SET_REMOVE);
	counts->old_chains = op_count(ops, OP_CHAIN_REMOVE);
	counts->old_counters = op_count(ops, OP_COUNTER_REMOVE);
	counts->commit = commit ? commit->why : NULL;
	for (struct op *op = ops->first; op; op = op->next)
		if (op_is_change(op))
			count_content(op, counts);
}
