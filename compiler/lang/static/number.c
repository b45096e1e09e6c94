/*
 * static/number: marks, routing tables and priorities of ip rules that other programs are known to
 * use, too.
 *
 * In go the numbers that the author gave, out come warnings that name the programs of known.def:
 * numbers that are given out are none of these where there are others. Numbers of this policy that
 * collide with each other are found where they are given out, in lower/number.c and
 * lower/ip_rule.c.
 */
#include "base/arena.h"
#include "base/diag.h"
#include "lang/ast/known.h"
#include "lang/static/static.h"
#include "match/kinds.h"

struct knowing {
	struct arena *arena;
	struct diag *diag;
};

/* ---- marks ---- */

/* "Tailscale (0x00ff0000), pbr (0x00ff0000)" */
static const char *add_program(struct knowing *knowing, const char *list,
			       const struct known_mark *known)
{
	return arena_printf(knowing->arena, "%s%s%s (0x%08x)", list, *list ? ", " : "",
			    known->program, known->mask == UINT32_MAX ? known->value : known->mask);
}

/* A mark under a mask of its own is written over all the bits of that mask. */
static bool is_hit(const struct ast_mark *mark, const struct known_mark *known)
{
	if (mark->mask != UINT32_MAX && known->mask != UINT32_MAX && (mark->mask & known->mask))
		return true;
	return known_takes(known, mark->value, mark->mask);
}

static void judge_mark(struct knowing *knowing, const char *name, const struct ast_mark *mark)
{
	const char *list = "", *last = NULL;
	struct diag_record *record;
	size_t count;
	const struct known_mark *marks = known_marks(&count);

	if (!mark->given)
		return;
	for (size_t i = 0; i < count; i++) {
		if (marks[i].program == last || !is_hit(mark, &marks[i]))
			continue;
		list = add_program(knowing, list, &marks[i]);
		last = marks[i].program;
	}
	if (!*list)
		return;
	if (mark->mask == UINT32_MAX)
		record = diag_add(knowing->diag, DIAG_known_number, mark->span,
				  "the mark 0x%08x of \"%s\" means something to other programs, "
				  "too: %s",
				  mark->value, name, list);
	else
		record = diag_add(knowing->diag, DIAG_known_number, mark->span,
				  "the mark of \"%s\" is written over the bits 0x%08x, which other "
				  "programs use, too: %s",
				  name, mark->mask, list);
	diag_help(record,
		  "leave `mark` out, and one is given out of bits that none of them uses (0x7f000000); where they never run, write # allow: known-number after it");
}

static void judge_mask(struct knowing *knowing, const struct ast_settings *settings)
{
	const char *list = "", *last = NULL;
	struct diag_record *record;
	size_t count;
	const struct known_mark *marks = known_marks(&count);

	if (!settings->mark_mask_span.source)
		return;
	for (size_t i = 0; i < count; i++) {
		if (marks[i].mask == UINT32_MAX || marks[i].program == last ||
		    !(marks[i].mask & (uint32_t)settings->mark_mask))
			continue;
		list = add_program(knowing, list, &marks[i]);
		last = marks[i].program;
	}
	if (!*list)
		return;
	record = diag_add(knowing->diag, DIAG_known_number, settings->mark_mask_span,
			  "other programs use bits of this mask, too: %s", list);
	diag_help(record,
		  "none of them uses 0x7f000000, the default; where they never run, write # allow: known-number after it");
}

/* ---- tables and priorities ---- */

/* What is given out is none of these, as long as there are others. */
static void judge_table(struct knowing *knowing, uint32_t id, const char *name, struct span span)
{
	const struct known_range *known = known_table(id);

	if (known && span.source)
		diag_help(diag_add(knowing->diag, DIAG_known_number, span,
				   "the routing table %u of \"%s\" is one that %s uses, too", id,
				   name, known->program),
			  "leave the number out, and one of 7100 to 7199 is given out (`table_ids` names other ones)");
}

/* Where the number comes from: a table's own, the settings', or the defaults. */
static struct span priority_span(const struct ast_policy *policy, const struct ir_ip_rule *rule)
{
	for (size_t i = 0; i < policy->table_count; i++)
		if (policy->tables[i].priority_span.source &&
		    policy->tables[i].span.begin == rule->origin.begin &&
		    policy->tables[i].span.source == rule->origin.source)
			return policy->tables[i].priority_span;
	return policy->settings.priority_span.source ? policy->settings.priority_span
						     : rule->origin;
}

static void judge_priorities(struct knowing *knowing, const struct ast_policy *policy,
			     const struct ir *ir)
{
	struct span last = { 0 };

	for (size_t i = 0; i < ir->ip_rule_count; i++) {
		uint32_t priority = ir->ip_rules[i].priority;
		const struct known_range *known = known_priority(priority);
		struct span span = priority_span(policy, &ir->ip_rules[i]);

		if (!known || (span.source == last.source && span.begin == last.begin))
			continue;
		last = span;
		diag_help(diag_add(knowing->diag, DIAG_known_number, span,
				   "%u is a priority that ip rules of %s have, too", priority,
				   known->program),
			  "begin elsewhere: no known program uses 10000, the default, to 29949");
	}
}

static bool is_known_by_marks(const struct ast_listener *listener)
{
	for (size_t i = 0; i < listener->runs_as.count; i++)
		if (listener->runs_as.items[i]->kind != &match_mark)
			return false;
	return true;
}

/* The kernel routes a socket's packets by the mark that its program has set before any rule sees
 * who sends. Which mark a program sets is not known here. */
static void judge_own_mark(struct knowing *knowing, const struct ast_listener *listener)
{
	struct diag_record *record;

	if (!listener->mark.given || !ast_has_identity(listener) || is_known_by_marks(listener))
		return;
	record =
		diag_add(knowing->diag, DIAG_own_mark, listener->mark.span,
			 "if the program of \"%s\" sets this mark on its own connections (SO_MARK), "
			 "they come back to it and fail",
			 listener->name);
	diag_also(record, listener->runs_as.span,
		  "this comes too late: the mark routes them first");
	diag_help(record,
		  "leave `mark` out, and one is given out that no program sets; or, if it sets 0x%x, "
		  "leave `mark` out and write `runs_as: {mark: 0x%x}`",
		  listener->mark.value, listener->mark.value);
	diag_help(record, "if it sets another mark or none, write # allow: own-mark in this line");
}

static void judge_listener(struct knowing *knowing, const struct ast_listener *listener)
{
	judge_own_mark(knowing, listener);
	judge_mark(knowing, listener->name, &listener->mark);
	judge_table(knowing, (uint32_t)listener->table, listener->name, listener->table_span);
}

void static_numbers(struct arena *arena, struct diag *diag, struct ast_policy *policy,
		    const struct ir *ir)
{
	struct knowing knowing = { arena, diag };

	judge_mask(&knowing, &policy->settings);
	for (size_t i = 0; i < policy->listener_count; i++)
		judge_listener(&knowing, &policy->listeners[i]);
	for (size_t i = 0; i < policy->table_count; i++) {
		const struct ast_table *table = &policy->tables[i];

		judge_mark(&knowing, table->name, &table->mark);
		if (!table->from_table)
			judge_table(&knowing, (uint32_t)table->id, table->name, table->id_span);
	}
	judge_priorities(&knowing, policy, ir);
}
