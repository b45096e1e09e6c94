/*
 * apply_steps: the changes themselves, in the order that keeps packets from going astray (see
 * apply.h). Every change before the flip is noted for undo first.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "apply/apply_state.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/report.h"
#include "emit/about.h"
#include "emit/emit.h"
#include "ir/ir.h"
#include "kernel/delta.h"
#include "kernel/nft_comment.h"
#include "kernel/nft_set.h"

bool apply_run(struct apply *apply, struct op *op, struct netlink_error *error)
{
	struct op inverse = op_inverse(op);

	if (!op_run(apply->arena, &apply->kernel, op, error)) {
		op->state = OP_LEFT_OUT;
		return false;
	}
	op->state = OP_DONE;
	*op_add(apply->arena, &apply->undo, inverse.kind, inverse.stage) = inverse;
	report_step(apply->report, "%s", op_words(apply->arena, op));
	return true;
}

struct op *apply_note(struct apply *apply, enum op_kind inverse, const char *name)
{
	struct op *op = op_add(apply->arena, &apply->undo, inverse, STAGE_SYSCTLS);

	op->table = apply->ir->table;
	op->name = name;
	return op;
}

/* ---- texts ---- */

/* The new sets without their elements, which go by netlink. */
static void put_declarations(struct apply *apply, struct buf *out)
{
	struct ir shadow = *apply->ir;

	shadow.sets = arena_alloc(apply->arena, (shadow.set_count + 1) * sizeof(*shadow.sets));
	for (size_t i = 0; i < shadow.set_count; i++) {
		shadow.sets[i] = apply->ir->sets[i];
		shadow.sets[i].elements = (struct interval_set){ 0 };
	}
	emit_nft_fill(&shadow, apply->diff.fill, out);
}

static void put_flip(struct apply *apply, struct buf *out)
{
	struct emit_job job = { .ir = apply->ir };
	const char *table = apply->ir->table;

	if (apply->diff.old_chain_count)
		buf_printf(out, "flush table inet %s\n", table);
	for (size_t i = 0; i < apply->diff.old_chain_count; i++)
		buf_printf(out, "delete chain inet %s %s\n", table, apply->diff.old_chains[i]);
	if (apply->observed.table.exists)
		emit_nft_flip(&job, out);
	else
		emit_nft_first(&job, out);
}

static const char *word_of(const struct apply *apply, const char *set)
{
	return nft_table_set_word(nft_table_set_find(&apply->observed.table, set));
}

bool apply_check_rules(struct apply *apply)
{
	struct buf text = { 0 };
	bool good = true;

	if (apply->diff.flip) {
		for (size_t i = 0; i < apply->diff.stale_set_count; i++)
			buf_printf(&text, "delete %s inet %s %s\n",
				   word_of(apply, apply->diff.stale_sets[i]), apply->ir->table,
				   apply->diff.stale_sets[i]);
		put_declarations(apply, &text);
		put_flip(apply, &text);
		good = apply_run_text(apply, &text, APPLY_TEXT_CHECK);
	}
	buf_free(&text);
	return good;
}

/* ---- before the flip ---- */

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

static const char *update_words(struct apply *apply, const struct delta *delta)
{
	return arena_printf(apply->arena, "set %s: +%zu -%zu elements",
			    apply->ir->sets[delta->set].name, delta->added.elements.count,
			    delta->removed.elements.count);
}

static void count_updates(struct apply *apply)
{
	struct apply_counts *counts = apply->counts;

	counts->updated_sets = apply->diff.update_count;
	for (size_t i = 0; i < apply->diff.update_count; i++) {
		counts->added += apply->diff.updates[i].added.elements.count;
		counts->removed += apply->diff.updates[i].removed.elements.count;
	}
}

static bool refuse(struct apply *apply, const char *what, const char *why)
{
	report_add(apply->report, SEVERITY_ERROR, DIAG_kernel_refused, "%s: %s", what, why);
	return false;
}

/* A map that is filled before the flip leads to chains, which are declared with it, empty. */
static void note_new_chains(struct apply *apply)
{
	for (size_t i = 0; i < apply->ir->chain_count; i++) {
		const char *name = apply->ir->chains[i].name;

		if (!nft_table_chain_find(&apply->observed.table, name) &&
		    emit_nft_leads_to(apply->ir, apply->diff.fill, name))
			apply_note(apply, OP_CHAIN_REMOVE, name);
	}
}

/* Before they are made: it may be that they are, and no answer says so. */
static void note_declarations(struct apply *apply)
{
	if (!apply->observed.table.exists) {
		apply_note(apply, OP_TABLE_REMOVE, NULL);
		return;
	}
	note_new_chains(apply);
	for (size_t i = 0; i < apply->ir->set_count; i++)
		if (apply->diff.fill[i])
			apply_note(apply, OP_SET_REMOVE, apply->ir->sets[i].name)->word =
				apply->ir->sets[i].targets ? "map" : "set";
}

static bool declare_sets(struct apply *apply)
{
	struct buf text = { 0 };
	bool done;

	note_declarations(apply);
	put_declarations(apply, &text);
	done = apply_run_text(apply, &text, APPLY_TEXT_DECLARE);
	buf_free(&text);
	return done;
}

static struct diff_carry *carry_of(const struct apply *apply, size_t set)
{
	for (size_t i = 0; i < apply->diff.carry_count; i++)
		if (apply->diff.carries[i].set == set)
			return &apply->diff.carries[i];
	return NULL;
}

static bool fill_set(struct apply *apply, size_t index)
{
	const struct ir_set *set = &apply->ir->sets[index];
	struct diff_carry *carry = carry_of(apply, index);
	struct nft_set_change change = { .table = apply->ir->table,
					 .name = set->name,
					 .type = set->type,
					 .contents.ranges = set->elements,
					 .map = set->targets ? set : NULL,
					 .is_first = true };
	struct netlink_error error;

	if (carry && !apply_stand_in(apply, carry, &change.contents))
		return false;
	if (!nft_set_change(&apply->kernel.nft, &change, &error)) {
		/* The kernel's word for a set that is full speaks of files. */
		if (error.code == ENFILE)
			return apply_refuse_full(apply, set);
		report_add(apply->report, SEVERITY_ERROR, DIAG_kernel_refused,
			   "the set %s cannot be filled: %s", set->base, error.text)
			->where = set->origin;
		return false;
	}
	report_step(apply->report, "set %s: %zu elements", set->name, change.contents.ranges.count);
	apply->counts->new_sets++;
	apply->counts->elements += change.contents.ranges.count;
	return true;
}

static bool fill_sets(struct apply *apply)
{
	struct netlink_error error;

	if (!nft_set_remove(&apply->kernel.nft, apply->ir->table, apply->diff.stale_sets,
			    apply->diff.stale_set_count, &error))
		return refuse(apply, "sets that no rule uses cannot be removed", error.text);
	if (!apply->diff.fill_count)
		return true;
	if (!declare_sets(apply))
		return false;
	for (size_t i = 0; i < apply->ir->set_count; i++)
		if (apply->diff.fill[i] && !fill_set(apply, i))
			return false;
	return true;
}

bool apply_flip(struct apply *apply)
{
	struct buf text = { 0 };
	bool done;

	put_flip(apply, &text);
	done = apply_run_text(apply, &text, APPLY_TEXT_FLIP);
	buf_free(&text);
	if (!done)
		return false;
	apply->counts->flip = apply->diff.flip;
	apply->counts->nft_rules = apply->after->nft_rules;
	report_step(apply->report, "table inet %s: %zu rules (%s)", apply->ir->table,
		    apply->counts->nft_rules, apply->diff.flip);
	return true;
}

/* ---- sets in place ---- */

static struct nft_set_change change_of(const struct apply *apply, const struct delta *delta,
				       const struct ir_set *part, bool is_removal)
{
	const struct ir_set *set = &apply->ir->sets[delta->set];

	return (struct nft_set_change){ .table = apply->ir->table,
					.name = set->name,
					.type = set->type,
					.contents.ranges = part->elements,
					.map = part->targets && !is_removal ? part : NULL,
					.is_removal = is_removal };
}

/* What the table says of itself goes with the sets. */
static void put_comments(struct apply *apply, struct netlink_batch *batch)
{
	const struct nft_table *table = &apply->observed.table;
	struct buf text = { 0 };

	about_put_policy(apply->ir, &text);
	nft_comment_replace(batch, table->name, nft_table_about(table, ABOUT_POLICY)->handle,
			    buf_text(&text));
	for (size_t i = 0; i < table->about_count; i++)
		for (size_t k = 0; k < apply->diff.update_count; k++) {
			const struct ir_set *set = &apply->ir->sets[apply->diff.updates[k].set];

			if (table->about[i].kind != ABOUT_SET ||
			    strcmp(table->about[i].base, set->base) != 0)
				continue;
			text.length = 0;
			about_put_set(set, &text);
			nft_comment_replace(batch, table->name, table->about[i].handle,
					    buf_text(&text));
		}
	for (size_t i = 0; i < table->about_count; i++)
		if (table->about[i].kind == ABOUT_WAITS)
			nft_comment_remove(batch, table->name, table->about[i].handle);
	if (apply->ir->waits)
		nft_comment_add(batch, table->name, apply->ir->waits);
	buf_free(&text);
}

static bool update_sets(struct apply *apply)
{
	struct netlink_batch batch = { 0 };
	struct netlink_error error;
	bool done;

	for (size_t i = 0; i < apply->diff.update_count; i++) {
		const struct delta *delta = &apply->diff.updates[i];
		struct nft_set_change less = change_of(apply, delta, &delta->removed, true),
				      more = change_of(apply, delta, &delta->added, false);

		nft_set_put(&batch, &less);
		nft_set_put(&batch, &more);
	}
	if (apply->diff.update_count)
		put_comments(apply, &batch);
	netlink_batch_limit(&apply->kernel.nft);
	done = netlink_batch_commit(&apply->kernel.nft, &batch, &error);
	netlink_batch_free(&batch);
	if (!done)
		return refuse(apply, "sets cannot be changed in place", error.text);
	for (size_t i = 0; i < apply->diff.update_count; i++)
		report_step(apply->report, "%s", update_words(apply, &apply->diff.updates[i]));
	count_updates(apply);
	return true;
}

static bool take_unmarked(struct apply *apply, struct op *op)
{
	struct netlink_error error;

	return apply_run(apply, op, &error) ||
	       refuse(apply, op_command(apply->arena, op), error.text);
}

/* After the flip all is done but this: without it the policy holds, as long as its nft table is
 * there. */
static bool put_unmarked(struct apply *apply, struct op *op)
{
	struct netlink_error error;

	if (!apply_run(apply, op, &error) && !apply_is_about_ipv6(op->rule->family, error.code))
		report_add(apply->report, SEVERITY_WARNING, DIAG_kernel_refused,
			   "the kernel refuses `%s` (%s): what comes in by %s is kept from "
			   "the clear by the nft table alone",
			   op_command(apply->arena, op), error.text, op->rule->iif)
			->where = op->rule->origin;
	return true;
}

static bool remove_old(struct apply *apply, struct op *op);

static bool (*const runners[])(struct apply *apply, struct op *op) = {
	[STAGE_SYSCTLS] = apply_write_setting,
	[STAGE_FENCES] = add_rule,
	[STAGE_ROUTES] = apply_put_route,
	[STAGE_RULES] = add_rule,
	[STAGE_GUARDED_RESTORE] = apply_give_setting_back,
	[STAGE_OLD_UNMARKED] = take_unmarked,
	[STAGE_NEW_UNMARKED] = put_unmarked,
	[STAGE_GUARDED_SYSCTLS] = apply_write_setting,
	[STAGE_LATE_ROUTES] = apply_put_late_route,
	[STAGE_OLD_RULES] = remove_old,
	[STAGE_OLD_ROUTES] = remove_old,
	[STAGE_UNFENCE] = remove_old,
	[STAGE_RESTORE] = apply_give_setting_back,
};

/* Ends at the first op that fails where all of them are to be taken back then. */
static bool run_stages(struct apply *apply, enum op_stage first, enum op_stage last)
{
	bool done = true;

	for (enum op_stage stage = first; stage <= last; stage++)
		for (size_t i = 0; i < apply->diff.ops.count; i++) {
			struct op *op = apply->diff.ops.items[i];

			if (op_is_at(op, stage) && op->state == OP_PLANNED)
				done &= runners[stage](apply, op);
			if (!done && stage < STAGE_NEW_UNMARKED)
				return false;
		}
	return done;
}

bool apply_build(struct apply *apply)
{
	if (!run_stages(apply, STAGE_SYSCTLS, STAGE_SYSCTLS) || !fill_sets(apply) ||
	    !run_stages(apply, STAGE_FENCES, STAGE_OLD_UNMARKED))
		return false;
	if (apply->diff.flip && !(apply_top_up(apply) && apply_flip(apply)))
		return false;
	if (!update_sets(apply) || !apply_put_gateways(apply))
		return false;
	run_stages(apply, STAGE_NEW_UNMARKED, STAGE_LATE_ROUTES);
	return true;
}

/* ---- behind the flip ---- */

static void doubt(struct apply *apply, const char *command, const char *why)
{
	report_add(apply->report, SEVERITY_ERROR, DIAG_leftover,
		   "the new policy is in force, but something old could not be removed: %s", why)
		->command = command;
}

static bool remove_old(struct apply *apply, struct op *op)
{
	struct netlink_error error;
	bool done = apply_run(apply, op, &error);

	if (!done)
		doubt(apply, op_command(apply->arena, op), error.text);
	return done;
}

/* What of the table goes: without a flip it is no change of the policy's. */
static void tell_rest(struct apply *apply)
{
	const struct diff *diff = &apply->diff;

	apply->counts->old_sets =
		diff->old_set_count + diff->stale_set_count + diff->idle_set_count;
	if (diff->flip)
		return;
	for (size_t i = 0; i < diff->idle_chain_count; i++)
		report_step(apply->report, "chain %s: removed", diff->idle_chains[i]);
	for (size_t i = 0; i < diff->old_counter_count; i++)
		report_step(apply->report, "counter %s: removed", diff->old_counters[i]);
	apply->counts->old_chains = diff->idle_chain_count;
	apply->counts->old_counters = diff->old_counter_count;
}

static bool remove_sets(struct apply *apply, const char *const *names, size_t count)
{
	struct netlink_error error;
	const char *table = apply->ir->table;

	if (nft_set_remove(&apply->kernel.nft, table, names, count, &error))
		return true;
	doubt(apply,
	      arena_printf(apply->arena, "nft delete %s inet %s %s", word_of(apply, names[0]),
			   table, names[0]),
	      error.text);
	return false;
}

bool apply_drop(struct apply *apply)
{
	const struct diff *diff = &apply->diff;
	struct netlink_error error;
	const char *table = apply->ir->table;
	bool done = remove_sets(apply, diff->old_sets, diff->old_set_count);

	done &= remove_sets(apply, diff->idle_sets, diff->idle_set_count);
	if (!nft_set_remove_chains(&apply->kernel.nft, table, apply->diff.idle_chains,
				   apply->diff.idle_chain_count, &error)) {
		doubt(apply,
		      arena_printf(apply->arena, "nft delete chain inet %s %s", table,
				   apply->diff.idle_chains[0]),
		      error.text);
		done = false;
	}
	if (!nft_set_remove_counters(&apply->kernel.nft, table, apply->diff.old_counters,
				     apply->diff.old_counter_count, &error)) {
		doubt(apply,
		      arena_printf(apply->arena, "nft delete counter inet %s %s", table,
				   apply->diff.old_counters[0]),
		      error.text);
		done = false;
	}
	return done;
}

static void count_ops(struct apply *apply)
{
	struct apply_counts *counts = apply->counts;

	for (size_t i = 0; i < apply->diff.ops.count; i++) {
		const struct op *op = apply->diff.ops.items[i];
		size_t *const places[] = {
			[OP_SYSCTL_SET] = &counts->sysctls,
			[OP_SYSCTL_RESTORE] = &counts->sysctls,
			[OP_ROUTE_ADD] = &counts->new_routes,
			[OP_ROUTE_APPEND] = &counts->new_routes,
			[OP_ROUTE_REPLACE] = &counts->new_routes,
			[OP_ROUTE_REMOVE] = &counts->old_routes,
			[OP_RULE_ADD] = &counts->new_rules,
			[OP_RULE_REMOVE] = &counts->old_rules,
		};

		if (op_is_change(op))
			(*places[op->kind])++;
	}
}

bool apply_clean(struct apply *apply)
{
	bool done = apply_settle_sets(apply);

	tell_rest(apply);
	done &= run_stages(apply, STAGE_OLD_RULES, STAGE_RESTORE);
	count_ops(apply);
	return done;
}

/* ---- only said ---- */

void apply_describe(struct apply *apply)
{
	const struct diff *diff = &apply->diff;
	struct apply_counts *counts = apply->counts;

	for (enum op_stage stage = STAGE_SYSCTLS; stage <= STAGE_RESTORE; stage++)
		for (size_t i = 0; i < diff->ops.count; i++)
			if (op_is_at(diff->ops.items[i], stage))
				report_step(apply->report, "%s",
					    op_words(apply->arena, diff->ops.items[i]));
	for (size_t i = 0; i < apply->ir->set_count; i++)
		if (carry_of(apply, i))
			report_step(apply->report, "set %s: made anew with what it holds",
				    apply->ir->sets[i].base);
		else if (diff->fill[i])
			report_step(apply->report, "set %s: %zu elements", apply->ir->sets[i].name,
				    apply->ir->sets[i].elements.count);
	for (size_t i = 0; i < diff->update_count; i++)
		report_step(apply->report, "%s", update_words(apply, &diff->updates[i]));
	count_updates(apply);
	if (diff->flip)
		report_step(apply->report, "table inet %s: %zu rules (%s)", apply->ir->table,
			    apply->after->nft_rules, diff->flip);
	tell_rest(apply);
	count_ops(apply);
	counts->new_sets = diff->fill_count;
	counts->elements = diff->element_count;
	counts->flip = diff->flip;
	counts->nft_rules = diff->flip ? apply->after->nft_rules : 0;
}
