/*
 * plan: lists a diff's parts; see plan.h. Contents of sets are compared with what the last apply
 * left, never with a dump of the kernel's.
 */
#include "apply/plan.h"

#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "apply/apply_state.h"
#include "base/arena.h"
#include "base/buf.h"
#include "emit/emit.h"
#include "ir/ir.h"
#include "kernel/delta.h"
#include "state/archive.h"

struct planning {
	const struct apply *apply;
	const struct archive *applied; /* or NULL */
	struct plan *out;
};

static struct plan_item *add(struct planning *planning, enum plan_section section,
			     enum plan_sign sign, const char *text)
{
	struct plan *plan = planning->out;
	struct plan_item *item = arena_append(planning->apply->arena, plan->items, plan->count);

	item->section = section;
	item->sign = sign;
	item->text = text;
	return item;
}

/* ---- sets ---- */

static const struct ir_set *applied_set(const struct planning *planning, const char *base)
{
	const struct archive *applied = planning->applied;

	for (size_t i = 0; applied && i < applied->ir->set_count; i++)
		if (strcmp(applied->ir->sets[i].base, base) == 0)
			return &applied->ir->sets[i];
	return NULL;
}

static const char *set_words(const struct planning *planning, const struct ir_set *set)
{
	return arena_printf(planning->apply->arena, "%s %s", set->targets ? "map" : "set",
			    set->base);
}

static const struct ir_set *copy(const struct planning *planning, const struct ir_set *set)
{
	struct ir_set *out = arena_new_of(planning->apply->arena, struct ir_set);

	*out = *set;
	return set->elements.count ? out : NULL;
}

static void change_set(struct planning *planning, const struct ir_set *set, const char *why,
		       const struct delta *delta)
{
	struct plan_item *item = add(planning, PLAN_SETS, PLAN_CHANGE, set_words(planning, set));

	item->why = why;
	item->added = copy(planning, &delta->added);
	item->removed = copy(planning, &delta->removed);
}

static const struct diff_carry *carry_of(const struct planning *planning, size_t set)
{
	const struct diff *diff = &planning->apply->diff;

	for (size_t i = 0; i < diff->carry_count; i++)
		if (diff->carries[i].set == set)
			return &diff->carries[i];
	return NULL;
}

/* What it holds goes over into a new one; only what is missing is added. */
static void carry_set(struct planning *planning, const struct ir_set *set,
		      const struct diff_carry *carry)
{
	struct plan_item *item = add(planning, PLAN_SETS, PLAN_CHANGE, set_words(planning, set));
	struct ir_set missing = *set;

	missing.elements = carry->missing;
	item->added = copy(planning, &missing);
	item->why = carry->has_history
			    ? arena_printf(planning->apply->arena,
					   "made anew with what it holds: %s", carry->why)
			    : carry->why;
}

static const char *why_filled(const struct planning *planning, const struct ir_set *set,
			      const struct delta *delta)
{
	if (delta->added.elements.count || delta->removed.elements.count)
		return "filled anew, with the rules";
	return arena_printf(planning->apply->arena,
			    "somebody else has changed it: filled anew with its %zu elements, with the rules",
			    set->elements.count);
}

static void fill_set(struct planning *planning, size_t index)
{
	const struct ir_set *set = &planning->apply->ir->sets[index];
	const struct ir_set *before = applied_set(planning, set->base);
	const struct diff_carry *carry = carry_of(planning, index);
	struct delta delta;
	struct plan_item *item;

	if (carry) {
		carry_set(planning, set, carry);
		return;
	}
	if (before && !set->dynamic &&
	    delta_make(planning->apply->arena, before, set, SIZE_MAX, &delta)) {
		change_set(planning, set, why_filled(planning, set, &delta), &delta);
		return;
	}
	item = add(planning, PLAN_SETS, before ? PLAN_CHANGE : PLAN_ADD, set_words(planning, set));
	item->added = copy(planning, set);
	if (before && !set->dynamic)
		item->removed = copy(planning, before);
}

/* What the last apply put into the set under this name in nft, or NULL. */
static const struct ir_set *applied_contents(const struct planning *planning, const char *name)
{
	const struct nft_table *table = &planning->apply->observed.table;
	const struct ir_set *set = applied_set(planning, name);

	for (size_t i = 0; i < table->about_count && !set; i++)
		if (table->about[i].kind == ABOUT_SET && !strcmp(table->about[i].name, name))
			set = applied_set(planning, table->about[i].base);
	return set ? copy(planning, set) : NULL;
}

/* The set that the one under this name in nft was, if another takes its place. */
static bool is_replaced(const struct planning *planning, const char *name)
{
	const struct nft_table *table = &planning->apply->observed.table;
	const struct ir *ir = planning->apply->ir;

	for (size_t i = 0; i < table->about_count; i++)
		for (size_t k = 0; k < ir->set_count; k++)
			if (table->about[i].kind == ABOUT_SET &&
			    strcmp(table->about[i].name, name) == 0 &&
			    strcmp(table->about[i].base, ir->sets[k].base) == 0)
				return true;
	return false;
}

static const char *or_word(const char *words, const char *otherwise)
{
	return words ? words : otherwise;
}

static void remove_set(struct planning *planning, const char *name, const char *why)
{
	const struct apply *apply = planning->apply;
	const char *word = nft_table_set_word(nft_table_set_find(&apply->observed.table, name));
	struct plan_item *item = add(planning, PLAN_SETS, PLAN_REMOVE,
				     arena_printf(apply->arena, "%s %s", word, name));

	item->why = or_word(apply_loss_words(apply, name), why);
	/* What is left over is in no use. */
	if (!why)
		item->removed = applied_contents(planning, name);
}

static void remove_sets(struct planning *planning, const char **names, size_t count,
			const char *why)
{
	for (size_t i = 0; i < count; i++)
		if (!is_replaced(planning, names[i]))
			remove_set(planning, names[i], why);
}

static void plan_sets(struct planning *planning)
{
	const struct apply *apply = planning->apply;
	const struct diff *diff = &apply->diff;

	for (size_t i = 0; i < apply->ir->set_count; i++)
		if (diff->fill[i])
			fill_set(planning, i);
	for (size_t i = 0; i < diff->update_count; i++)
		change_set(planning, &apply->ir->sets[diff->updates[i].set], "in place",
			   &diff->updates[i]);
	for (size_t i = 0; i < diff->link_count; i++)
		change_set(planning, &apply->ir->sets[diff->links[i].set],
			   "link addresses of gateways", &diff->links[i]);
	remove_sets(planning, diff->old_sets, diff->old_set_count, NULL);
	remove_sets(planning, diff->stale_sets, diff->stale_set_count, "left over");
	remove_sets(planning, diff->idle_sets, diff->idle_set_count, "left over");
}

/* ---- rules ---- */

/* Sets under their own names, so that a stand-in's is no difference. */
static const char *rules_text(const struct planning *planning, const struct ir *ir)
{
	struct buf out = { 0 };
	const char *text;
	const char **names =
		arena_alloc(planning->apply->arena, (ir->set_count + 1) * sizeof(char *));

	for (size_t i = 0; i < ir->set_count; i++) {
		names[i] = ir->sets[i].name;
		ir->sets[i].name = ir->sets[i].base;
	}
	for (size_t i = 0; i < ir->chain_count; i++) {
		buf_printf(&out, "\tchain %s {\n", ir->chains[i].name);
		for (size_t k = 0; k < ir->chains[i].rule_count; k++)
			emit_nft_put_rule(&ir->chains[i].rules[k], &out);
		buf_puts(&out, "\t}\n");
	}
	for (size_t i = 0; i < ir->set_count; i++)
		ir->sets[i].name = names[i];
	text = arena_strdup(planning->apply->arena, buf_text(&out));
	buf_free(&out);
	return text;
}

static void plan_rules(struct planning *planning)
{
	const struct apply *apply = planning->apply;
	const struct diff *diff = &apply->diff;
	struct plan_item *item;

	if (diff->flip) {
		item = add(planning, PLAN_NFT,
			   apply->observed.table.exists ? PLAN_CHANGE : PLAN_ADD,
			   arena_printf(apply->arena, "table inet %s: %zu rules", apply->ir->table,
					apply->after->nft_rules));
		item->why = diff->flip;
		planning->out->new_rules = rules_text(planning, apply->ir);
		if (planning->applied)
			planning->out->old_rules = rules_text(planning, planning->applied->ir);
	}
	/* Written anew, the rules say which chains go. */
	for (size_t i = 0; i < diff->idle_chain_count && !diff->flip; i++)
		add(planning, PLAN_NFT, PLAN_REMOVE,
		    arena_printf(apply->arena, "chain %s", diff->idle_chains[i]));
	for (size_t i = 0; i < diff->old_counter_count; i++)
		add(planning, PLAN_NFT, PLAN_REMOVE,
		    arena_printf(apply->arena, "counter %s", diff->old_counters[i]));
}

/* ---- routing and sysctls ---- */

static void plan_ops(struct planning *planning, enum plan_section section)
{
	static const struct {
		enum plan_section section;
		enum plan_sign sign;
	} kinds[] = {
		[OP_SYSCTL_SET] = { PLAN_SETTINGS, PLAN_CHANGE },
		[OP_SYSCTL_RESTORE] = { PLAN_SETTINGS, PLAN_CHANGE },
		[OP_ROUTE_ADD] = { PLAN_ROUTES, PLAN_ADD },
		[OP_ROUTE_APPEND] = { PLAN_ROUTES, PLAN_ADD },
		[OP_ROUTE_REPLACE] = { PLAN_ROUTES, PLAN_CHANGE },
		[OP_ROUTE_REMOVE] = { PLAN_ROUTES, PLAN_REMOVE },
		[OP_RULE_ADD] = { PLAN_IP_RULES, PLAN_ADD },
		[OP_RULE_REMOVE] = { PLAN_IP_RULES, PLAN_REMOVE },
	};
	const struct apply *apply = planning->apply;

	for (size_t i = 0; i < apply->diff.ops.count; i++) {
		const struct op *op = apply->diff.ops.items[i];

		if (!op_is_change(op) || kinds[op->kind].section != section)
			continue;
		if (section == PLAN_SETTINGS)
			add(planning, section, kinds[op->kind].sign,
			    arena_printf(apply->arena, "%s: %s -> %s", op->key, op->before,
					 op->value))
				->why = op->wish ? op->wish->why : "as it was before";
		else
			add(planning, section, kinds[op->kind].sign, op_command(apply->arena, op));
	}
}

static void plan_flows(struct planning *planning)
{
	const struct apply *apply = planning->apply;
	size_t count = apply->counts->forgotten;

	if (count)
		add(planning, PLAN_FLOWS, PLAN_REMOVE,
		    arena_printf(apply->arena, "%zu connection%s", count, count == 1 ? "" : "s"))
			->why = "on a way that would be no more";
}

void plan_make(const struct apply *apply, struct plan *out)
{
	struct planning planning = { .apply = apply, .out = out };

	planning.applied =
		archive_read(apply->arena, &apply->folder,
			     archive_file(apply->arena, apply->ir->name, ARCHIVE_APPLIED));
	plan_sets(&planning);
	plan_rules(&planning);
	plan_ops(&planning, PLAN_IP_RULES);
	plan_ops(&planning, PLAN_ROUTES);
	plan_ops(&planning, PLAN_SETTINGS);
	plan_flows(&planning);
}
