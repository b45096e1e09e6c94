/*
 * retained_sets: spares the old policy's sets, and clears them (see retained_sets.h). What is to be
 * cleared is what the applied policy, as it was archived, has no use for.
 */
#include "apply/retained_sets.h"

#include <string.h>

#include "apply/apply_state.h"
#include "base/arena.h"
#include "base/report.h"
#include "ir/ir.h"
#include "kernel/nft_comment.h"
#include "state/archive.h"

static bool is_dropped(const struct op *op)
{
	return op->stage == STAGE_DROP_SETS || op->stage == STAGE_DROP_CHAINS ||
	       op->stage == STAGE_DROP_COUNTERS;
}

/* What a rollback makes use of again has its base's name, so what is left over only stays. */
static void spare(struct apply *apply, struct op *op)
{
	const struct about_line *line = NULL;

	if (op->kind == OP_SET_REMOVE && op->base) {
		line = nft_table_about_set(&apply->observed.table, NULL, op->name);
		if (!line)
			return;
		*arena_append(apply->arena, apply->ir->retained, apply->ir->retained_count) =
			(struct ir_retained){ line->base, line->name, line->digest };
	}
	op->stage = STAGE_CONFIRMED;
}

void retained_sets_spare(struct apply *apply)
{
	bool commits = op_find(&apply->ops, OP_COMMIT) != NULL;

	for (struct op *op = apply->ops.first; op; op = op->next) {
		bool is_left_over = op->kind == OP_SET_REMOVE && !op->base;

		if (is_dropped(op) && (commits || is_left_over))
			spare(apply, op);
	}
}

static bool remove_lines(struct netlink *netlink, const struct nft_table *table,
			 struct netlink_error *error)
{
	struct netlink_batch batch = { 0 };

	for (size_t i = 0; i < table->about_count; i++)
		if (table->about[i].kind == ABOUT_RETAINED || table->about[i].kind == ABOUT_WAITS)
			nft_comment_remove(&batch, table->name, table->about[i].handle);
	return netlink_batch_send(netlink, &batch, error);
}

/* All but sets that rules use. */
static bool clear(struct arena *arena, struct kernel *kernel, const struct nft_table *table,
		  struct op_list *ops, struct netlink_error *error)
{
	for (struct op *op = ops->first; op; op = op->next)
		if (op->kind == OP_SET_REMOVE && op->base)
			op->state = OP_LEFT_OUT;
	return remove_lines(&kernel->nft, table, error) &&
	       op_remove_all(arena, kernel, ops, STAGE_FREE_NAMES, error) &&
	       op_remove_all(arena, kernel, ops, STAGE_DROP_SETS, error) &&
	       op_remove_all(arena, kernel, ops, STAGE_DROP_CHAINS, error) &&
	       op_remove_all(arena, kernel, ops, STAGE_DROP_COUNTERS, error);
}

void retained_sets_clear(struct arena *arena, struct report *report, struct kernel *kernel,
			 const struct rundir *folder, const struct record *record)
{
	const struct archive *applied = archive_read(arena, folder, record->name, ARCHIVE_APPLIED);
	struct netlink_error error = { .text = "what was applied cannot be read" };
	struct observed observed;
	struct op_list ops;
	bool done = applied && host_observe(arena, kernel, host_table_name(arena, record->name),
					    record, NULL, &observed, &error);

	if (done && !nft_table_is_readable(&observed.table))
		return;
	if (done) {
		diff_make(arena, applied->ir, &observed, NULL, &ops);
		done = clear(arena, kernel, &observed.table, &ops, &error);
	}
	if (!done)
		report_add(report, SEVERITY_WARNING, DIAG_leftover,
			   "old sets remain in the nft table until the next apply: %s", error.text);
}
