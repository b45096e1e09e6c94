/*
 * dynamic_sets: sets that are filled at run time, whose contents survive.
 *
 * The kernel cannot alter a set, nor fill one in the same instant as rules begin to use it. A set
 * that is declared otherwise than before is therefore replaced in steps, each of which leaves
 * packets a set to look into: a temporary set gets its contents; the rules are committed with the
 * temporary set; the set itself, which no rule uses now, is re-created; the rules are committed
 * again. Others may write to the set all the while: it is read and re-created within one generation
 * of the ruleset, or again. What is lost with a set that goes is counted before.
 */
#include <errno.h>
#include <string.h>

#include "apply/apply_state.h"
#include "apply/journal.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/report.h"
#include "kernel/nft_set.h"
#include "state/archive.h"

enum { ATTEMPTS = 100 };

/* What a cut-off apply has remembered is still so: its sets may have their times already. */
void apply_open_history(struct apply *apply)
{
	enum archive_kind kind = journal_has_moved(apply) ? ARCHIVE_PREVIOUS : ARCHIVE_APPLIED;
	const struct record *before = apply->before;
	const char *name = apply->ir->name;
	uint64_t digest;

	history_read(apply->arena, &apply->folder, name, &apply->history);
	if (apply->job->back) {
		if (apply->history.digest != apply->ir->digest)
			apply->history = (struct history){ 0 };
		return;
	}
	archive_look(apply->arena, &apply->folder, name, kind, &digest);
	if (before && !before->is_complete && digest && apply->history.digest == digest)
		return;
	history_remove(apply->arena, &apply->folder, name);
	apply->history = (struct history){ .digest = digest };
}

static void remember(struct apply *apply, const struct ir_set *set, const struct nft_elements *held)
{
	const char *why;

	if (!history_keep(apply->arena, &apply->folder, apply->ir->name, &apply->history, set->base,
			  held, &why))
		report_add(apply->report, SEVERITY_WARNING, DIAG_state_write,
			   "the permanent elements of set %s get a timeout, and cannot be saved for a rollback: %s",
			   set->base, why);
}

/* The set gives no time, so what was there for ever before, and what the policy lists, has none. */
static void forget_times(struct apply *apply, const struct ir_set *set, struct nft_elements *held)
{
	struct interval_set before = history_find(&apply->history, set->base);

	if (apply->job->back)
		*held = nft_elements_keep(apply->arena, held, &before);
	*held = nft_elements_keep(apply->arena, held, &set->elements);
}

/* What a set holds, as the set of the ir is to hold it; `now` says as of which generation. */
static bool read_history(struct apply *apply, struct op *op, struct nft_elements *out,
			 uint32_t *now, struct netlink_error *error)
{
	const struct ir_set *set = op->set;
	struct ir_set *missing = arena_new_of(apply->arena, struct ir_set);
	struct nft_elements held = { 0 };

	*now = 0;
	if (op->has_history &&
	    !nft_elements_read(apply->arena, &apply->kernel.nft, apply->ir->table, set->base,
			       set->type, &held, now, error))
		return false;
	if (!set->timeout)
		forget_times(apply, set, &held);
	else if (!apply->job->back && !apply->job->dry_run)
		remember(apply, set, &held);
	*missing = *set;
	missing->elements = nft_elements_missing(apply->arena, &held, &set->elements);
	op->added = missing;
	*out = nft_elements_migrate(apply->arena, &held, &missing->elements,
				    (uint64_t)set->timeout * 1000);
	return true;
}

/* What has come since is no reason not to go back: how much is left out then. */
static size_t fit(const struct apply *apply, const struct ir_set *set,
		  struct nft_elements *contents)
{
	size_t count = contents->ranges.count;

	if (!apply->job->back || !set->size || count <= set->size)
		return 0;
	contents->ranges.count = set->size;
	return count - set->size;
}

bool apply_refuse_full(struct apply *apply, const struct ir_set *set)
{
	struct diag_record *line =
		report_add(apply->report, SEVERITY_ERROR, DIAG_set_full,
			   "the set %s cannot be filled: it holds more elements than its new `size`",
			   set->base);

	line->where = set->origin;
	diag_help(line, "write a greater `size`, or take elements out: nft list set inet %s %s",
		  apply->ir->table, set->base);
	return false;
}

/* The op that re-creates the same set. */
static struct op *migration_of(const struct apply *apply, const struct op *fill)
{
	for (struct op *op = apply->ops.first; op; op = op->next)
		if (op->kind == OP_SET_MIGRATE && op->set == fill->set)
			return op;
	return NULL;
}

bool apply_temporary_set(struct apply *apply, struct op *fill, struct nft_elements *out)
{
	struct op *migration = migration_of(apply, fill);
	const struct ir_set *set = fill->set;
	struct netlink_error error;
	uint32_t now;
	size_t excess;

	if (!read_history(apply, migration, out, &now, &error)) {
		report_add(apply->report, SEVERITY_ERROR, DIAG_kernel_unreadable,
			   "the set %s cannot be read: %s", set->base, error.text)
			->where = set->origin;
		return false;
	}
	excess = fit(apply, set, out);
	fill->count = migration->count = out->ranges.count;
	if (excess)
		report_add(apply->report, SEVERITY_WARNING, DIAG_set_full,
			   "the set %s is limited to %u elements again: %zu of its elements are left out",
			   set->base, (unsigned int)set->size, excess);
	return !set->size || out->ranges.count <= set->size || apply_refuse_full(apply, set);
}

bool apply_foresee_sets(struct apply *apply)
{
	struct nft_elements contents = { 0 };
	bool good = true;

	for (struct op *op = apply->ops.first; op; op = op->next)
		if (op->kind == OP_SET_FILL && op->is_detail)
			good &= apply_temporary_set(apply, op, &contents);
	return good;
}

/* ---- sets that stay ---- */

/* Adds what is missing, as a change that undo can take back. */
static bool add_missing(struct apply *apply, const struct ir_set *set,
			struct nft_set_change *change, struct netlink_error *error)
{
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		struct nft_elements held;

		if (!nft_elements_read(apply->arena, &apply->kernel.nft, change->table,
				       change->name, change->type, &held, &change->generation,
				       error))
			return false;
		change->contents.ranges = nft_elements_missing(apply->arena, &held, &set->elements);
		change->is_first = !held.ranges.count;
		if (!change->contents.ranges.count ||
		    nft_set_change(&apply->kernel.nft, change, error))
			return true;
		if (error->code != ERESTART)
			return false;
	}
	return false;
}

bool apply_top_up(struct apply *apply, struct op *op)
{
	struct nft_set_change *change = arena_new_of(apply->arena, struct nft_set_change);
	const struct ir_set *set = op->set;
	struct netlink_error error;

	*change =
		(struct nft_set_change){ .table = op->table, .name = op->name, .type = set->type };
	if (!add_missing(apply, set, change, &error)) {
		report_add(apply->report, SEVERITY_ERROR, DIAG_kernel_refused,
			   "the set %s does not accept its initial elements: %s", set->base,
			   error.code == ENFILE ? "it is full" : error.text)
			->where = set->origin;
		return false;
	}
	op->count = change->contents.ranges.count;
	if (!op->count) {
		op->state = OP_LEFT_OUT;
		return true;
	}
	change->is_first = false;
	change->is_removal = true;
	change->generation = 0;
	apply_note(apply, OP_ELEMENTS_REMOVE, op->name)->elements = change;
	apply_done(apply, op);
	return true;
}

/* ---- sets that are re-created ---- */

static bool make_anew(struct apply *apply, struct op *op, struct netlink_error *error)
{
	const struct ir_set *set = op->set;
	struct nft_set_change change = {
		.table = op->table, .name = set->base, .type = set->type, .is_first = true
	};

	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		if (!read_history(apply, op, &change.contents, &change.generation, error))
			return false;
		fit(apply, set, &change.contents);
		if (nft_set_replace(&apply->kernel.nft, &change, op->name, error)) {
			op->count = change.contents.ranges.count;
			apply_done(apply, op);
			return true;
		}
		if (error->code != ERESTART)
			return false;
	}
	return false;
}

/* The rules use the temporary sets, so they stay. */
static bool doubt(struct apply *apply, const char *what, const char *why)
{
	for (struct op *op = apply->ops.first; op; op = op->next)
		if (op->stage == STAGE_MIGRATE || op->stage == STAGE_COMMIT_AGAIN ||
		    (op->kind == OP_SET_REMOVE && op->is_detail))
			op->state = OP_LEFT_OUT;
	report_add(apply->report, SEVERITY_ERROR, DIAG_leftover,
		   "the new policy is in force, but %s: %s; its rules use a copy of the set until the next apply",
		   what, why)
		->command = record_command(apply->arena, apply->after);
	return false;
}

bool apply_migrate_set(struct apply *apply, struct op *op)
{
	struct netlink_error error;

	return make_anew(apply, op, &error) ||
	       doubt(apply,
		     arena_printf(apply->arena, "the set %s is still the old one", op->set->base),
		     error.text);
}

bool apply_commit_again(struct apply *apply, struct op *op)
{
	for (struct op *other = apply->ops.first; other; other = other->next)
		if (other->stage == STAGE_MIGRATE)
			apply->set_names[other->set - apply->ir->sets] = other->set->base;
	return apply_commit(apply, op) ||
	       doubt(apply, "its sets were re-created and the rules could not be rewritten",
		     "see above");
}

/* ---- what was added at run time to sets that go, or that have gone ---- */

/* How many elements the set holds beside those that its policy lists. */
static size_t count_added(struct apply *apply, const struct nft_table_set *set)
{
	const struct ir_set *before = apply->applied ? ir_set_find(apply->applied->ir, set->name)
						     : NULL;
	enum ir_set_type type = set->bits == 32 ? IR_SET_IPV4 : IR_SET_IPV6;
	struct netlink_error error;
	struct nft_elements held;
	uint32_t generation;
	size_t count = 0;

	if (!nft_elements_read(apply->arena, &apply->kernel.nft, apply->ir->table, set->name, type,
			       &held, &generation, &error))
		return 0;
	for (size_t i = 0; i < held.ranges.count; i++) {
		struct interval_set one = { &held.ranges.items[i], 1 };

		if (!before || !interval_covers(&before->elements, &one))
			count++;
	}
	return count;
}

static bool is_learned(const struct nft_table *table, const struct op *op)
{
	return op->kind == OP_SET_REMOVE && op->stage == STAGE_DROP_SETS && !op->is_detail &&
	       nft_table_is_learned(nft_table_set_find(table, op->name));
}

static void find_loss(struct apply *apply, struct op *op)
{
	size_t count = count_added(apply, nft_table_set_find(&apply->observed.table, op->name));

	if (!count)
		return;
	op->why = arena_printf(apply->arena, "with %zu element%s added at run time", count,
			       count == 1 ? " that was" : "s that were");
	if (!apply->job->plan)
		report_add(apply->report, SEVERITY_WARNING, DIAG_elements_lost,
			   "the set %s goes%s, %s", op->name,
			   apply->job->watchdog ? " when the policy is confirmed" : "", op->why);
}

/* Sets that were re-created, and elements that are lost with the old ones. */
static void warn_of_new(struct apply *apply)
{
	struct buf names = { 0 };

	for (size_t i = 0; i < apply->ir->set_count; i++)
		if (ir_set_is_learned(&apply->ir->sets[i]) &&
		    op_fills(&apply->ops, &apply->ir->sets[i]) &&
		    !nft_table_set_find(&apply->observed.table, apply->ir->sets[i].base))
			buf_printf(&names, "%s%s", names.length ? ", " : "",
				   apply->ir->sets[i].base);
	if (names.length)
		report_add(apply->report, SEVERITY_WARNING, DIAG_elements_lost,
			   "sets re-created with their configured elements; elements added at run time are lost: %s",
			   buf_text(&names));
	buf_free(&names);
}

void apply_find_losses(struct apply *apply)
{
	for (struct op *op = apply->ops.first; op; op = op->next)
		if (is_learned(&apply->observed.table, op))
			find_loss(apply, op);
	if (apply->job->back)
		warn_of_new(apply);
}
