/*
 * set_ops: sets of the nft table, by netlink: new ones filled before the commit, others changed in
 * place of it, and old ones removed after it.
 */
#include <errno.h>
#include <string.h>

#include "apply/apply_state.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/report.h"
#include "emit/about.h"
#include "emit/emit.h"
#include "ir/ir.h"
#include "kernel/nft_comment.h"
#include "kernel/nft_set.h"

bool apply_free_names(struct apply *apply, struct op *op)
{
	struct netlink_error error;

	if (apply_remove_all(apply, op->stage, &error))
		return true;
	report_add(apply->report, SEVERITY_ERROR, DIAG_kernel_refused,
		   "sets that no rule uses cannot be removed: %s", error.text);
	return false;
}

/* ---- new sets ---- */

/* A map that is filled before the commit leads to chains, which are declared with it, empty. */
static void note_new_chains(struct apply *apply)
{
	const bool *filled = op_filled(apply->arena, &apply->ops, apply->ir);

	for (size_t i = 0; i < apply->ir->chain_count; i++) {
		const char *name = apply->ir->chains[i].name;

		if (!nft_table_chain_find(&apply->observed.table, name) &&
		    emit_nft_leads_to(apply->ir, filled, name))
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
	for (const struct op *op = apply->ops.first; op; op = op->next)
		if (op->kind == OP_SET_FILL)
			apply_note(apply, OP_SET_REMOVE, op->name)->word = op->set->targets ? "map"
											    : "set";
}

static bool is_first_fill(const struct apply *apply, const struct op *op)
{
	return op_find(&apply->ops, OP_SET_FILL) == op;
}

bool apply_fill_set(struct apply *apply, struct op *op)
{
	const struct ir_set *set = op->set;
	struct nft_set_change change = op_elements(op, set, false);
	struct netlink_error error;

	change.is_first = true;
	if (is_first_fill(apply, op)) {
		note_declarations(apply);
		if (!apply_declare_sets(apply))
			return false;
	}
	if (op->is_detail && !apply_temporary_set(apply, op, &change.contents))
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
	op->count = change.contents.ranges.count;
	apply_done(apply, op);
	return true;
}

/* ---- sets in place ---- */

static bool is_update(const struct op *op)
{
	return op->kind == OP_SET_UPDATE && op->stage == STAGE_COMMIT;
}

/* What the table says of itself goes with the sets. */
static void put_comments(struct apply *apply, struct netlink_batch *batch)
{
	const struct nft_table *table = &apply->observed.table;
	struct buf text = { 0 };

	about_put_policy(apply->ir, &text);
	nft_comment_replace(batch, table->name, nft_table_about(table, ABOUT_POLICY)->handle,
			    buf_text(&text));
	for (const struct op *op = apply->ops.first; op; op = op->next) {
		const struct about_line *line =
			is_update(op) ? nft_table_about_set(table, op->set->base, NULL) : NULL;

		if (!line)
			continue;
		text.length = 0;
		about_put_set(op->set, op->name, &text);
		nft_comment_replace(batch, table->name, line->handle, buf_text(&text));
	}
	for (size_t i = 0; i < table->about_count; i++)
		if (table->about[i].kind == ABOUT_WAITS)
			nft_comment_remove(batch, table->name, table->about[i].handle);
	if (apply->ir->waits)
		nft_comment_add(batch, table->name, apply->ir->waits);
	buf_free(&text);
}

bool apply_update_sets(struct apply *apply)
{
	struct netlink_batch batch = { 0 };
	struct netlink_error error;
	bool done;

	for (const struct op *op = apply->ops.first; op; op = op->next) {
		struct nft_set_change change;

		if (!is_update(op))
			continue;
		change = op_elements(op, op->removed, true);
		nft_set_put(&batch, &change);
		change = op_elements(op, op->added, false);
		nft_set_put(&batch, &change);
	}
	put_comments(apply, &batch);
	netlink_batch_limit(&apply->kernel.nft);
	done = netlink_batch_send(&apply->kernel.nft, &batch, &error);
	for (struct op *other = apply->ops.first; other && done; other = other->next)
		if (is_update(other))
			apply_done(apply, other);
	if (!done)
		report_add(apply->report, SEVERITY_ERROR, DIAG_kernel_refused,
			   "sets cannot be changed in place: %s", error.text);
	return done;
}
