/*
 * diff: compares an ir with what was observed, part by part. What is ours and not wanted any
 * more is old, what is wanted and not there is new; what is foreign is in neither.
 */
#include "host/diff.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "emit/about.h"
#include "emit/emit.h"
#include "host/host.h"
#include "kernel/cgroup.h"
#include "kernel/delta.h"
#include "kernel/nft_elements.h"
#include "state/archive.h"

struct diff {
	struct arena *arena;
	const struct ir *ir;
	const struct observed *observed;
	const struct nft_table *table; /* the observed one */
	const struct archive *applied;
	struct op_list *ops;
	const char **names; /* in nft, one for each of the ir's sets */
};

/* An op of something in the nft table. */
static struct op *add(const struct diff *diff, enum op_kind kind, enum op_stage stage,
		      const char *name)
{
	struct op *op = op_add(diff->arena, diff->ops, kind, stage);

	op->table = diff->ir->table;
	op->name = name;
	return op;
}

static struct op *add_set(const struct diff *diff, enum op_kind kind, enum op_stage stage,
			  const struct ir_set *set, const char *name)
{
	struct op *op = add(diff, kind, stage, name);

	op->set = set;
	return op;
}

/* ---- sets ---- */

/*
 * Is the number of elements the kernel tells of that of the set? It keeps both ends of an interval
 * (but none after the highest value) and, from some ways of loading, an end at zero; what it tells
 * is half of that, as userspace would count, or all.
 */
static bool is_count_right(const struct ir_set *set, uint32_t count)
{
	struct wide highest = wide_ones(nft_elements_bits(set->type));
	size_t items = set->elements.count, kept = 2 * items;

	if (items && wide_equal(set->elements.items[items - 1].last, highest))
		kept--;
	return count == items || count == kept || count == kept + 1 || count == kept / 2 ||
	       count == (kept + 1) / 2;
}

/* Does the kernel hold the set's elements under the name that the table tells of, in use or kept?
 */
static const struct nft_table_set *find_held(const struct nft_table *table,
					     const struct ir_set *set)
{
	for (size_t i = 0; i < table->about_count; i++) {
		const struct about_line *line = &table->about[i];
		const struct nft_table_set *held;

		if ((line->kind != ABOUT_SET && line->kind != ABOUT_RETAINED) ||
		    line->digest != set->contents || strcmp(line->base, set->base) != 0)
			continue;
		held = nft_table_set_find(table, line->name);
		if (held && !held->is_dynamic && !held->is_edited &&
		    (!held->has_count || is_count_right(set, held->count)))
			return held;
	}
	return NULL;
}

/* ---- sets that change in place ---- */

/* One transaction holds so many intervals on any socket that may be widened; more is refilled.
 */
enum { UPDATE_MOST = 1 << 16 };

/* The kernel's set under the name that the table tells of, where it still holds what was applied.
 */
static const struct nft_table_set *find_applied(const struct diff *diff, const struct ir_set *set)
{
	const struct ir_set *before = ir_set_find(diff->applied->ir, set->base);

	return before && !before->dynamic ? find_held(diff->table, before) : NULL;
}

static bool add_update(const struct diff *diff, const struct ir_set *set)
{
	const struct nft_table_set *held = find_applied(diff, set);
	struct delta *delta = arena_new_of(diff->arena, struct delta);
	struct op *op;

	if (!held || !delta_make(diff->arena, ir_set_find(diff->applied->ir, set->base), set,
				 UPDATE_MOST, delta))
		return false;
	op = add_set(diff, OP_SET_UPDATE, STAGE_COMMIT, set, held->name);
	op->added = &delta->added;
	op->removed = &delta->removed;
	op->why = "in place";
	return true;
}

/* Where only contents differ from what was applied, and little of them, no set is re-created. */
static void find_updates(const struct diff *diff)
{
	const struct archive *applied = diff->applied;
	struct op *before = diff->ops->last;
	bool good = applied && nft_table_is_readable(diff->table) &&
		    nft_table_about(diff->table, ABOUT_POLICY)->digest == applied->ir->digest &&
		    applied->shape == ir_shape(diff->ir);

	for (size_t i = 0; i < diff->ir->set_count && good; i++) {
		const struct ir_set *set = &diff->ir->sets[i];

		if (!set->dynamic && !find_held(diff->table, set))
			good = add_update(diff, set);
	}
	if (!good)
		op_cut(diff->ops, before);
}

static bool is_updated(const struct op_list *ops, const struct ir_set *set)
{
	for (struct op *op = ops->first; op; op = op->next)
		if (op->kind == OP_SET_UPDATE && op->set == set)
			return true;
	return false;
}

/* ---- sets that are filled ---- */

static bool is_name_taken(const struct diff *diff, size_t index, const char *name)
{
	for (size_t i = 0; i < diff->ir->set_count; i++)
		if (i != index && (strcmp(diff->ir->sets[i].base, name) == 0 ||
				   strcmp(diff->names[i], name) == 0))
			return true;
	for (struct op *op = diff->ops->first; op; op = op->next)
		if (op->stage == STAGE_FREE_NAMES && strcmp(op->name, name) == 0)
			return false;
	return nft_table_set_find(diff->table, name) != NULL;
}

static const char *free_name(const struct diff *diff, size_t index)
{
	const char *base = diff->ir->sets[index].base, *name = base;

	for (unsigned int i = 2; is_name_taken(diff, index, name); i++)
		name = arena_printf(diff->arena, "%s.%u", base, i);
	return name;
}

/* Is it known which sets are in use: does the table say, or has it no rules at all? */
static bool knows_uses(const struct nft_table *table)
{
	if (nft_table_is_readable(table))
		return true;
	for (size_t i = 0; i < table->chain_count; i++)
		if (table->chains[i].rule_count)
			return false;
	return true;
}

static const char *or_none(struct arena *arena, uint64_t number, const char *unit)
{
	return number ? arena_printf(arena, "%" PRIu64 "%s", number, unit) : "none";
}

static const char *why_migrated(struct arena *arena, const struct ir_set *set,
				const struct nft_table_set *held)
{
	if (!held->is_dynamic || held->bits != nft_elements_bits(set->type))
		return "its type changes";
	if (held->timeout != (uint64_t)set->timeout * 1000)
		return arena_printf(arena, "its `timeout` changes: %s -> %s",
				    or_none(arena, held->timeout / 1000, " s"),
				    or_none(arena, set->timeout, " s"));
	return arena_printf(arena, "its `size` changes: %s -> %s", or_none(arena, held->size, ""),
			    or_none(arena, set->size, ""));
}

/* A set that is filled at run time keeps its name and what it holds, unless it was declared
 * otherwise. */
static bool is_declared_so(const struct nft_table_set *held, const struct ir_set *set)
{
	return held->is_dynamic && held->bits == nft_elements_bits(set->type) &&
	       held->timeout == (uint64_t)set->timeout * 1000 && held->size == set->size;
}

/* The kernel's set that stays, or NULL. */
static const struct nft_table_set *find_lasting(const struct diff *diff, const struct ir_set *set)
{
	const struct nft_table_set *held;

	if (set->dynamic) {
		held = nft_table_set_find(diff->table, set->base);
		return held && is_declared_so(held, set) ? held : NULL;
	}
	held = find_held(diff->table, set);
	return !held && is_updated(diff->ops, set) ? find_applied(diff, set) : held;
}

/*
 * What no rule uses goes first, so that its name is free. Not what was filled at run time: an apply
 * that was cut off left it, and its rollback needs what it holds.
 */
static void remove_set(const struct diff *diff, const struct nft_table_set *set)
{
	const struct about_line *line = nft_table_about_set(diff->table, NULL, set->name);
	bool is_unused = knows_uses(diff->table) && !line;
	struct op *op =
		add(diff, OP_SET_REMOVE,
		    is_unused && !nft_table_is_learned(set) ? STAGE_FREE_NAMES : STAGE_DROP_SETS,
		    set->name);

	op->word = nft_table_set_word(set);
	op->base = is_unused ? NULL : line ? line->base : set->name;
	op->is_replaced = line && ir_set_find(diff->ir, line->base);
	op->why = is_unused ? "left over" : NULL;
}

/* Under the name that it was given a temporary set is filled before the commit, and afterwards the
 * set itself is re-created. */
static void migrate_set(const struct diff *diff, const struct ir_set *set, const char *name,
			const struct nft_table_set *held)
{
	struct arena *arena = diff->arena;
	struct op *op = add_set(diff, OP_SET_MIGRATE, STAGE_MIGRATE, set, name), *old;

	op->has_history = held->is_dynamic && !held->holds_flows &&
			  held->bits == nft_elements_bits(set->type);
	op->why = why_migrated(arena, set, held);
	if (op->has_history)
		op->why = arena_printf(arena, "re-created with its elements: %s", op->why);
	old = add(diff, OP_SET_REMOVE, STAGE_DROP_SETS, name);
	old->word = "set";
	old->base = set->base;
	old->is_detail = true;
}

static void fill_set(const struct diff *diff, size_t index)
{
	const struct ir_set *set = &diff->ir->sets[index];
	const struct nft_table_set *held = set->dynamic ? nft_table_set_find(diff->table, set->base)
							: NULL;
	struct op *op;

	diff->names[index] = free_name(diff, index);
	op = add_set(diff, OP_SET_FILL, STAGE_SETS, set, diff->names[index]);
	op->count = set->elements.count;
	op->is_detail = held != NULL;
	if (held)
		migrate_set(diff, set, op->name, held);
}

static void diff_sets(const struct diff *diff)
{
	const struct ir *ir = diff->ir;
	const struct nft_table *table = diff->table;
	bool *stays = arena_alloc(diff->arena, (table->set_count + 1) * sizeof(*stays)),
	     *is_held = arena_alloc(diff->arena, (ir->set_count + 1) * sizeof(*is_held));

	for (size_t i = 0; i < ir->set_count; i++) {
		const struct ir_set *set = &ir->sets[i];
		const struct nft_table_set *held = find_lasting(diff, set);

		diff->names[i] = held ? held->name : set->base;
		is_held[i] = held != NULL;
		/* One that is re-created is no set too many. */
		if (!held && set->dynamic)
			held = nft_table_set_find(table, set->base);
		if (held)
			stays[held - table->sets] = true;
	}
	for (size_t i = 0; i < table->set_count; i++)
		if (!stays[i])
			remove_set(diff, &table->sets[i]);
	for (size_t i = 0; i < ir->set_count; i++)
		if (!is_held[i])
			fill_set(diff, i);
}

/* ---- chains ---- */

static bool is_like(const struct nft_table_chain *held, const struct ir_chain *chain)
{
	if (held->is_other || held->hook != chain->hook)
		return false;
	return chain->hook == IR_HOOK_NONE ||
	       (held->type == chain->type && held->priority == chain->priority);
}

/*
 * Those with hooks go with the commit, or are re-created there with another hook; those without
 * after old sets, since old maps lead to them.
 */
static void diff_chains(const struct diff *diff)
{
	for (size_t i = 0; i < diff->table->chain_count; i++) {
		const struct nft_table_chain *held = &diff->table->chains[i];
		const struct ir_chain *chain = ir_chain_find(diff->ir, held->name);
		bool is_plain = held->hook == IR_HOOK_NONE && !held->is_other;

		if ((strcmp(held->name, ABOUT_CHAIN) == 0 && is_plain) ||
		    (chain && is_like(held, chain)))
			continue;
		add(diff, OP_CHAIN_REMOVE, !chain && is_plain ? STAGE_DROP_CHAINS : STAGE_COMMIT,
		    held->name);
	}
}

/* One that has a hook, or holds rules, and should not; or NULL. */
static const char *find_chain_in_use(const struct nft_table *table, const struct op_list *ops)
{
	const char *found = NULL;

	for (const struct op *op = ops->first; op; op = op->next)
		if (op->kind == OP_CHAIN_REMOVE &&
		    (op->stage == STAGE_COMMIT ||
		     nft_table_chain_find(table, op->name)->rule_count))
			found = op->name;
	return found;
}

static bool is_counter_wanted(const struct ir *ir, const char *name)
{
	for (size_t i = 0; i < ir->counter_count; i++)
		if (strcmp(ir->counters[i], name) == 0)
			return true;
	return false;
}

static bool has_counter(const struct nft_table *table, const char *name)
{
	for (size_t i = 0; i < table->counter_count; i++)
		if (strcmp(table->counters[i].name, name) == 0)
			return true;
	return false;
}

/* The first chain that does not hold the rules that it should, in words, or NULL. */
static const char *wrong_chain(struct arena *arena, const struct ir *ir,
			       const struct nft_table *table)
{
	for (size_t i = 0; i < ir->chain_count; i++) {
		const struct ir_chain *chain = &ir->chains[i];
		const struct nft_table_chain *held = nft_table_chain_find(table, chain->name);

		if (!held)
			return arena_printf(arena, "the chain %s is missing", chain->name);
		if (held->rule_count != emit_nft_chain_length(chain))
			return arena_printf(arena, "the chain %s holds %zu rules instead of %zu",
					    chain->name, held->rule_count,
					    emit_nft_chain_length(chain));
		if (held->is_edited)
			return arena_printf(arena, "a rule of the chain %s was replaced",
					    chain->name);
	}
	return NULL;
}

/* A set that the rules know under another name than it has now: an apply was cut off. */
static const struct ir_set *misnamed_set(const struct diff *diff)
{
	for (size_t i = 0; i < diff->ir->set_count; i++)
		if (!nft_table_about_set(diff->table, diff->ir->sets[i].base, diff->names[i]))
			return &diff->ir->sets[i];
	return NULL;
}

/* Why the rules have to be rewritten, or NULL. */
static const char *why_commit(const struct diff *diff)
{
	struct arena *arena = diff->arena;
	const struct ir *ir = diff->ir;
	const struct op_list *ops = diff->ops;
	const struct nft_table *table = diff->table;
	const char *in_use = find_chain_in_use(table, ops);
	const struct about_line *policy = nft_table_about(table, ABOUT_POLICY);
	const char *cgroup = cgroup_changed(ir, table->cgroups, table->cgroup_count);
	const struct ir_set *misnamed = misnamed_set(diff);

	if (!table->exists)
		return arena_printf(arena, "there is no table inet %s", ir->table);
	if (!nft_table_is_readable(table))
		return arena_printf(arena, "the table inet %s has no metadata", ir->table);
	if (policy->digest != ir->digest && !op_find(ops, OP_SET_UPDATE))
		return "another policy is loaded";
	if (table->is_asleep)
		return arena_printf(arena, "the table inet %s is dormant", ir->table);
	if (op_find(ops, OP_SET_FILL))
		return "a set is missing or was changed";
	if (diff->observed->hosted_changed)
		return diff->observed->hosted_changed;
	if (cgroup)
		return arena_printf(arena, "the cgroup %s was re-created", cgroup);
	if (misnamed)
		return arena_printf(arena, "the rules use a temporary copy of the set %s",
				    misnamed->base);
	if (in_use)
		return arena_printf(arena, "the chain %s was changed", in_use);
	for (size_t i = 0; i < ir->counter_count; i++)
		if (!has_counter(table, ir->counters[i]))
			return arena_printf(arena, "the counter %s is missing", ir->counters[i]);
	return wrong_chain(arena, ir, table);
}

static struct op *add_commit(const struct diff *diff, enum op_stage stage, const char *why)
{
	struct op *op = add(diff, OP_COMMIT, stage, NULL);

	op->why = why;
	op->is_anew = diff->table->exists;
	for (size_t i = 0; i < diff->ir->chain_count; i++)
		op->count += emit_nft_chain_length(&diff->ir->chains[i]);
	return op;
}

/* What sets that stay begin with, too, and once more where rules use temporary sets meanwhile. */
static void diff_commit(const struct diff *diff, const char *why)
{
	const struct ir *ir = diff->ir;
	struct op_list *ops = diff->ops;

	add_commit(diff, STAGE_COMMIT, why);
	if (op_find(ops, OP_SET_MIGRATE))
		add_commit(diff, STAGE_COMMIT_AGAIN, why)->is_detail = true;
	for (struct op *op = ops->first; op; op = op->next)
		op->is_detail |= op->kind == OP_CHAIN_REMOVE;
	for (size_t i = 0; i < ir->set_count; i++) {
		const struct ir_set *set = &ir->sets[i];

		if (set->dynamic && set->elements.count && !op_fills(ops, set))
			add_set(diff, OP_SET_TOP_UP, STAGE_TOP_UP, set, set->base)->is_detail =
				true;
	}
}

static const char **diff_with(struct arena *arena, const struct ir *ir,
			      const struct observed *observed, const struct archive *applied,
			      struct op_list *ops)
{
	const struct nft_table *table = &observed->table;
	const char **names = arena_alloc(arena, (ir->set_count + 1) * sizeof(*names)), *why;
	const struct diff diff = { arena, ir, observed, table, applied, ops, names };

	*ops = (struct op_list){ 0 };
	diff_routing(arena, ir, observed, ops);
	find_updates(&diff);
	diff_sets(&diff);
	diff_chains(&diff);
	for (size_t i = 0; i < table->counter_count; i++)
		if (!is_counter_wanted(ir, table->counters[i].name))
			add(&diff, OP_COUNTER_REMOVE, STAGE_DROP_COUNTERS, table->counters[i].name);
	why = why_commit(&diff);
	if (why)
		diff_commit(&diff, why);
	return names;
}

/* Rules that have to be written anyway would not change in the same instant as sets in place. */
const char **diff_make(struct arena *arena, const struct ir *ir, const struct observed *observed,
		       const struct archive *applied, struct op_list *out)
{
	const char **names = diff_with(arena, ir, observed, applied, out);

	if (op_find(out, OP_SET_UPDATE) && op_find(out, OP_COMMIT))
		names = diff_with(arena, ir, observed, NULL, out);
	return names;
}
