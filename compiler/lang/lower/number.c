/*
 * lower/number: the numbers that stand for targets: marks and ids of tables.
 *
 * Those the author gave are checked against each other. The others are drawn from the names of what
 * they stand for, so that a policy that is changed keeps its numbers: while one policy takes the
 * place of another, a number that meant two targets would let no packet through. Where two names
 * draw the same, the one that asks first has it.
 */
#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/hash.h"
#include "lang/ast/known.h"
#include "lang/lower/lower.h"
#include "match/kinds.h"

/* ---- masks ---- */

uint32_t lower_mask_value(uint32_t mask, uint32_t n)
{
	uint32_t value = 0;

	for (int bit = 0; bit < 32; bit++) {
		if (!(mask >> bit & 1))
			continue;
		value |= (n & 1) << bit;
		n >>= 1;
	}
	return n ? 0 : value;
}

uint32_t lower_mask_room(uint32_t mask)
{
	return (uint32_t)((1ull << __builtin_popcount(mask)) - 1);
}

/* ---- numbers that were given ---- */

/* An error where one of them has the number, too. */
static bool is_given(struct lower *lower, const struct lower_numbers *givens, const char *what,
		     const struct lower_number *given)
{
	for (size_t i = 0; i < givens->count; i++) {
		struct diag_record *record;

		if (!ir_marks_meet(given->value, given->mask, givens->items[i].value,
				   givens->items[i].mask))
			continue;
		record = diag_add(lower->diag, DIAG_number_conflict, given->span,
				  "%s of \"%s\" is the one of \"%s\" too", what, given->name,
				  givens->items[i].name);
		diag_also(record, givens->items[i].span, "given here");
		diag_help(record, "give one of them another number, or leave it out");
		return true;
	}
	return false;
}

static void add_given(struct lower *lower, struct lower_numbers *givens, const char *what,
		      const char *name, uint32_t value, uint32_t mask, struct span span)
{
	struct lower_number given = { name, value, mask, span };

	if (!is_given(lower, givens, what, &given))
		*arena_append(lower->arena, givens->items, givens->count) = given;
}

/* What programs set on their own packets: one program may have several listeners, but none may set
 * the mark of a target. */
static void add_senders_marks(struct lower *lower, struct lower_numbers *givens)
{
	const struct lower_numbers decisions = *givens;

	for (size_t i = 0; i < lower->policy->listener_count; i++) {
		const struct ast_listener *listener = &lower->policy->listeners[i];

		for (size_t k = 0; k < listener->runs_as.count; k++) {
			const struct match_condition *mark = listener->runs_as.items[k];
			struct lower_number given;

			if (mark->kind != &match_mark)
				continue;
			given = (struct lower_number){
				arena_printf(lower->arena, "%s's runs_as", listener->name),
				(uint32_t)mark->values.items[0].first.low, mark->mask, mark->span
			};
			if (!is_given(lower, &decisions, "the mark", &given))
				*arena_append(lower->arena, givens->items, givens->count) = given;
		}
	}
}

static struct lower_numbers given_marks(struct lower *lower)
{
	struct ast_policy *policy = lower->policy;
	struct lower_numbers givens = { 0 };

	for (size_t i = 0; i < policy->listener_count; i++) {
		struct ast_listener *listener = &policy->listeners[i];

		if (listener->mark.given)
			add_given(lower, &givens, "the mark", listener->name, listener->mark.value,
				  listener->mark.mask, listener->mark.span);
	}
	for (size_t i = 0; i < policy->table_count; i++) {
		struct ast_table *table = &policy->tables[i];

		if (table->mark.given)
			add_given(lower, &givens, "the mark", table->name, table->mark.value,
				  table->mark.mask, table->mark.span);
	}
	add_senders_marks(lower, &givens);
	return givens;
}

/* Foreign marks, as rules ask for them: none that is given out may be the same. */
static void add_asked_marks(struct lower *lower, struct lower_numbers *givens,
			    const struct match_condition *condition)
{
	enum { MOST = 256 }; /* of a range: who names more means no single mark */

	for (size_t i = 0; condition && i < condition->values.count; i++) {
		struct interval marks = condition->values.items[i];

		for (uint64_t mark = marks.first.low;
		     mark <= marks.last.low && mark - marks.first.low < MOST; mark++)
			*arena_append(lower->arena, givens->items, givens->count) =
				(struct lower_number){ "mark", (uint32_t)mark, condition->mask,
						       condition->span };
	}
}

/* A bare mark may be the one of a listener or table on purpose; but no mark that is given out may
 * be the same. */
static void add_bare_mark(struct lower *lower, struct lower_numbers *givens,
			  const struct ast_then *then)
{
	if (then && then->action == THEN_MARK)
		*arena_append(lower->arena, givens->items, givens->count) =
			(struct lower_number){ "mark", then->mark.value, then->mark.mask,
					       then->mark.span };
}

static struct lower_numbers given_tables(struct lower *lower)
{
	struct ast_policy *policy = lower->policy;
	struct lower_numbers givens = { 0 };

	for (size_t i = 0; i < policy->listener_count; i++)
		if (policy->listeners[i].table)
			add_given(lower, &givens, "the table", policy->listeners[i].name,
				  (uint32_t)policy->listeners[i].table, UINT32_MAX,
				  policy->listeners[i].table_span);
	for (size_t i = 0; i < policy->table_count; i++)
		if (policy->tables[i].id)
			add_given(lower, &givens, "the table", policy->tables[i].name,
				  (uint32_t)policy->tables[i].id, UINT32_MAX,
				  policy->tables[i].id_span);
	for (size_t i = 0; i < givens.count; i++) {
		if (givens.items[i].value < 253 || givens.items[i].value > 255)
			continue;
		diag_help(diag_add(lower->diag, DIAG_number_conflict, givens.items[i].span,
				   "table %u is one of the kernel's own", givens.items[i].value),
			  "253, 254 and 255 are default, main and local: take another number");
	}
	return givens;
}

void lower_numbers(struct lower *lower)
{
	struct ast_policy *policy = lower->policy;
	struct lower_numbers *marks = &lower->marks;

	*marks = given_marks(lower);
	for (size_t i = 0; i < policy->rule_count; i++)
		add_asked_marks(lower, marks, ast_condition(&policy->rules[i], "mark"));
	for (size_t i = 0; i < policy->rule_count; i++)
		add_bare_mark(lower, marks, policy->rules[i].then);
	add_bare_mark(lower, marks, policy->default_forward);
	add_bare_mark(lower, marks, policy->default_local);
	lower->tables = given_tables(lower);
}

/* ---- numbers that are given out ---- */

/* A program that looks for any of its bits leaves none that are better than others. */
static bool is_known_mark(uint32_t value, uint32_t mask)
{
	size_t count;
	const struct known_mark *marks = known_marks(&count);

	for (size_t i = 0; i < count; i++)
		if (marks[i].value && known_takes(&marks[i], value, mask))
			return true;
	return false;
}

static bool is_free(const struct lower_numbers *givens, uint32_t value, uint32_t mask)
{
	for (size_t i = 0; i < givens->count; i++)
		if (ir_marks_meet(value, mask, givens->items[i].value, givens->items[i].mask))
			return false;
	return true;
}

static uint32_t give_out(struct lower *lower, struct lower_numbers *givens, uint32_t value,
			 uint32_t mask)
{
	*arena_append(lower->arena, givens->items, givens->count) =
		(struct lower_number){ .value = value, .mask = mask };
	return value;
}

/* Policies of different names stand side by side: what they name alike gets other numbers. */
static uint32_t hash_policy(const struct lower *lower, uint32_t hash)
{
	const char *policy = lower->policy->name;

	return strcmp(policy, "tpc") ? hash_text(hash, policy) : hash;
}

/* Once there are no others, those are given out that other programs are known to use. */
uint32_t lower_draw_mark(struct lower *lower, const char *name, struct span span)
{
	uint32_t mask = lower_mark_mask(lower);
	uint32_t room = lower_mask_room(mask), value;
	uint32_t start = hash_policy(lower, hash_text(HASH_TEXT, name));

	for (int known = 0; known <= 1; known++)
		for (uint32_t i = 0; i < room; i++) {
			value = lower_mask_value(mask,
						 (uint32_t)((start + (uint64_t)i) % room + 1));
			if (is_free(&lower->marks, value, mask) &&
			    is_known_mark(value, mask) == known)
				return give_out(lower, &lower->marks, value, mask);
		}
	if (!diag_error_count(lower->diag))
		diag_help(diag_add(lower->diag, DIAG_out_of_numbers, span,
				   "there is no mark left in 0x%08x", mask),
			  "widen `settings: {mark_mask: ...}`; every listener and table needs a mark, and 0 is none");
	return mask;
}

uint32_t lower_draw_table(struct lower *lower, const char *name, struct span span)
{
	struct ast_settings *settings = &lower->policy->settings;
	uint32_t room = settings->table_last - settings->table_first + 1, id;
	uint32_t start = hash_policy(lower, hash_text(hash_text(HASH_TEXT, "table/"), name));

	for (int known = 0; known <= 1; known++)
		for (uint32_t i = 0; i < room; i++) {
			id = settings->table_first + (uint32_t)((start + (uint64_t)i) % room);
			if (is_free(&lower->tables, id, UINT32_MAX) &&
			    (known_table(id) != NULL) == known)
				return give_out(lower, &lower->tables, id, UINT32_MAX);
		}
	if (!diag_error_count(lower->diag))
		diag_help(diag_add(lower->diag, DIAG_out_of_numbers, span,
				   "there is no table id left in %u-%u", settings->table_first,
				   settings->table_last),
			  "widen `settings: {table_ids: ...}`");
	return settings->table_last;
}

bool lower_has_mark(const struct lower *lower)
{
	uint32_t mask = lower_mark_mask(lower);
	uint32_t room = lower_mask_room(mask);

	for (uint32_t i = 1; i <= room; i++)
		if (is_free(&lower->marks, lower_mask_value(mask, i), mask))
			return true;
	return false;
}

bool lower_has_tables(const struct lower *lower, size_t count)
{
	const struct ast_settings *settings = &lower->policy->settings;
	size_t left = 0;

	for (uint32_t id = settings->table_first; id <= settings->table_last; id++)
		left += is_free(&lower->tables, id, UINT32_MAX);
	return left >= count;
}
