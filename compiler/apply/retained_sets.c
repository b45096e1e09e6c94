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
#include "kernel/nft_set.h"
#include "state/archive.h"

/* The line by which the table tells of a set that its rules use, or NULL. */
static const struct about_line *find_line(const struct nft_table *table, const char *name)
{
	for (size_t i = 0; i < table->about_count; i++)
		if (table->about[i].kind == ABOUT_SET && strcmp(table->about[i].name, name) == 0)
			return &table->about[i];
	return NULL;
}

void retained_sets_spare(struct apply *apply)
{
	struct diff *diff = &apply->diff;
	size_t left = 0;

	diff->idle_set_count = 0; /* what a rollback makes use of again has its base's name */
	if (!diff->flip)
		return;
	for (size_t i = 0; i < diff->old_set_count; i++) {
		const struct about_line *line =
			find_line(&apply->observed.table, diff->old_sets[i]);

		if (!line) {
			diff->old_sets[left++] = diff->old_sets[i];
			continue;
		}
		*arena_append(apply->arena, apply->ir->kept, apply->ir->kept_count) =
			(struct ir_kept){ line->base, line->name, line->digest };
	}
	diff->old_set_count = left;
	diff->old_counter_count = 0;
	diff->idle_chain_count = 0;
}

static bool remove_lines(struct netlink *netlink, const struct nft_table *table,
			 struct netlink_error *error)
{
	struct netlink_batch batch = { 0 };
	bool done;

	for (size_t i = 0; i < table->about_count; i++)
		if (table->about[i].kind == ABOUT_KEPT || table->about[i].kind == ABOUT_WAITS)
			nft_comment_remove(&batch, table->name, table->about[i].handle);
	done = netlink_batch_commit(netlink, &batch, error);
	netlink_batch_free(&batch);
	return done;
}

static bool clear(struct netlink *netlink, const struct nft_table *table, const struct diff *diff,
		  struct netlink_error *error)
{
	return remove_lines(netlink, table, error) &&
	       nft_set_remove(netlink, table->name, diff->stale_sets, diff->stale_set_count,
			      error) &&
	       nft_set_remove(netlink, table->name, diff->idle_sets, diff->idle_set_count, error) &&
	       nft_set_remove_chains(netlink, table->name, diff->idle_chains,
				     diff->idle_chain_count, error) &&
	       nft_set_remove_counters(netlink, table->name, diff->old_counters,
				       diff->old_counter_count, error);
}

void retained_sets_clear(struct arena *arena, struct report *report, struct kernel *kernel,
			 const struct rundir *folder, const struct record *record)
{
	const char *file = archive_file(arena, record->name, ARCHIVE_APPLIED);
	const struct archive *applied = archive_read(arena, folder, file);
	struct netlink_error error = { .text = "what was applied cannot be read" };
	struct observed observed;
	struct diff diff;
	bool done = applied && host_observe(arena, kernel, host_table_name(arena, record->name),
					    record, NULL, &observed, &error);

	if (done && !nft_table_is_readable(&observed.table))
		return;
	if (done) {
		diff_make(arena, applied->ir, &observed, NULL, &diff);
		done = clear(&kernel->nft, &observed.table, &diff, &error);
	}
	if (!done)
		report_add(report, SEVERITY_WARNING, DIAG_leftover,
			   "old sets stay in the nft table until the next apply: %s", error.text);
}
