/*
 * prove_number: marks, routing tables and priorities of ip rules that other programs are known to
 * use, too.
 *
 * In go the numbers that the author gave and those that were given out, out come warnings that name
 * the programs of known.def. Numbers of this policy that collide with each other are found where
 * they are given out, in lower_class.c and lower_route.c.
 */
#include "base/arena.h"
#include "base/diag.h"
#include "lang/prove.h"

struct known_mark {
	const char *program;
	uint32_t value, mask;
};

struct known_range {
	const char *program;
	uint32_t first, last;
};

#define KNOWN_MARK(program, value, mask)
#define KNOWN_TABLE(program, first, last)
#define KNOWN_PRIORITY(program, first, last)

#undef KNOWN_MARK
#define KNOWN_MARK(program, value, mask) { program, value, mask },
static const struct known_mark marks[] = {
#include "lang/known.def"
};
#undef KNOWN_MARK
#define KNOWN_MARK(program, value, mask)

#undef KNOWN_TABLE
#define KNOWN_TABLE(program, first, last) { program, first, last },
static const struct known_range tables[] = {
#include "lang/known.def"
};
#undef KNOWN_TABLE
#define KNOWN_TABLE(program, first, last)

#undef KNOWN_PRIORITY
#define KNOWN_PRIORITY(program, first, last) { program, first, last },
static const struct known_range priorities[] = {
#include "lang/known.def"
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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

/* Would the program take a packet with this mark for one of its own? */
static bool is_taken(uint32_t value, uint32_t mask, const struct known_mark *known)
{
	if (known->mask & ~mask)
		return false;
	return known->value ? (value & known->mask) == known->value : (value & known->mask) != 0;
}

static void judge_mark(struct knowing *knowing, const char *name, const struct ast_mark *mark)
{
	const char *list = "", *last = NULL;
	struct diag_record *record;

	if (!mark->given)
		return;
	for (size_t i = 0; i < COUNT(marks); i++) {
		if (marks[i].program == last || !is_taken(mark->value, mark->mask, &marks[i]))
			continue;
		list = add_program(knowing, list, &marks[i]);
		last = marks[i].program;
	}
	if (!*list)
		return;
	record = diag_add(knowing->diag, DIAG_known_number, mark->span,
			  "the mark 0x%08x of \"%s\" means something to other programs, too: %s",
			  mark->value, name, list);
	diag_help(record,
		  "leave `mark` out, and one is given out of bits that none of them uses (0x7f000000); where they never "
		  "run, write # allow: known-number behind it");
}

static void judge_mask(struct knowing *knowing, const struct ast_settings *settings)
{
	const char *list = "", *last = NULL;
	struct diag_record *record;

	if (!settings->mark_mask_span.source)
		return;
	for (size_t i = 0; i < COUNT(marks); i++) {
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
		  "none of them uses 0x7f000000, the default; where they never run, write # allow: known-number "
		  "behind it");
}

/* ---- tables and priorities ---- */

static const char *program_of(const struct known_range *ranges, size_t count, uint32_t number)
{
	for (size_t i = 0; i < count; i++)
		if (number >= ranges[i].first && number <= ranges[i].last)
			return ranges[i].program;
	return NULL;
}

static void judge_table(struct knowing *knowing, uint32_t id, const char *name, struct span span)
{
	const char *program = program_of(tables, COUNT(tables), id);

	if (program)
		diag_help(diag_add(knowing->diag, DIAG_known_number, span,
				   "the routing table %u of \"%s\" is one that %s uses, too", id,
				   name, program),
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
		const char *program = program_of(priorities, COUNT(priorities), priority);
		struct span span = priority_span(policy, &ir->ip_rules[i]);

		if (!program || (span.source == last.source && span.begin == last.begin))
			continue;
		last = span;
		diag_help(diag_add(knowing->diag, DIAG_known_number, span,
				   "%u is a priority that ip rules of %s have, too", priority,
				   program),
			  "begin elsewhere: from 10000, the default, on nobody is known up to 29949");
	}
}

/* A listener's own table, whether its author gave it a number or not. */
static void judge_listener(struct knowing *knowing, const struct ast_listener *listener,
			   const struct ir *ir)
{
	judge_mark(knowing, listener->name, &listener->mark);
	for (size_t i = 0; i < ir->class_count; i++)
		if (ir->classes[i].kind == IR_CLASS_PROXY && ir->classes[i].name == listener->name)
			judge_table(knowing, ir->classes[i].table, listener->name,
				    listener->table_span.source ? listener->table_span
								: listener->span);
}

void prove_numbers(struct arena *arena, struct diag *diag, struct ast_policy *policy,
		   const struct ir *ir)
{
	struct knowing knowing = { arena, diag };

	judge_mask(&knowing, &policy->settings);
	for (size_t i = 0; i < policy->listener_count; i++)
		judge_listener(&knowing, &policy->listeners[i], ir);
	for (size_t i = 0; i < policy->table_count; i++) {
		const struct ast_table *table = &policy->tables[i];

		judge_mark(&knowing, table->name, &table->mark);
		judge_table(&knowing, (uint32_t)table->id, table->name,
			    table->id_span.source ? table->id_span : table->span);
	}
	judge_priorities(&knowing, policy, ir);
}
