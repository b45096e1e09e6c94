/*
 * explain_words: a result as text: the verdict of the packet, by which rule, and why no rule
 * before it.
 */
#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "cmd/explain_answer.h"
#include "emit/ipbatch.h"
#include "host/lives.h"
#include "match/kinds.h"
#include "match/match.h"

static void put_shares(const struct explain_shares *shares, struct buf *out)
{
	buf_puts(out, "{balance: {");
	for (size_t i = 0; i < shares->count; i++)
		buf_printf(out, "%s%s: %zu", i ? ", " : "", shares->items[i].name,
			   shares->items[i].count);
	buf_puts(out, "}}");
}

/* Several tables are joined by dots, which no name has. */
static void put_target(const char *target, struct buf *out)
{
	bool several = strchr(target, '.') != NULL;

	buf_puts(out, several ? "[" : "");
	for (; *target; target++)
		buf_puts(out, *target == '.' ? ", " : (char[]){ *target, '\0' });
	buf_puts(out, several ? "]" : "");
}

static void put_mark(const struct ir_class *class, struct buf *out)
{
	if (class->mask == UINT32_MAX)
		buf_printf(out, "{mark: 0x%" PRIx32, class->mark);
	else
		buf_printf(out, "{mark: {value: 0x%" PRIx32 ", mask: 0x%" PRIx32 "}", class->mark,
			   class->mask);
	buf_puts(out, class->ct_mask ? ", connection: true}" : "}");
}

/* As the policy's language has it: {proxy: p}. */
static void put_verdict(const struct explain_answer *answer, struct buf *out)
{
	if (answer->shares)
		put_shares(answer->shares, out);
	else if (!answer->class || answer->class->kind == IR_CLASS_ANSWER)
		buf_puts(out, answer->verdict);
	else if (!answer->target)
		put_mark(answer->class, out);
	else {
		buf_printf(out, "{%s: ", answer->verdict);
		put_target(answer->target, out);
		buf_putc(out, '}');
	}
}

static void put_place(const struct trace_rule *rule, struct buf *out)
{
	struct span where = rule->author->origin;

	buf_printf(out, "%s:%u", where.source->name, source_place(where.source, where.begin).line);
	if (rule->author->name)
		buf_printf(out, " \"%s\"", rule->author->name);
}

static void put_reason(const struct explain_answer *answer, struct buf *out)
{
	if (answer->rule) {
		put_place(answer->rule, out);
		return;
	}
	buf_puts(out, answer->reason);
	if (!answer->otherwise)
		return;
	buf_puts(out, ", ");
	put_place(answer->otherwise, out);
}

/* ---- where it goes ---- */

static void put_routing(const struct explain *explain, const struct explain_answer *answer,
			struct buf *out)
{
	const struct lookup *lookup = &answer->lookup;
	const struct ir_ip_rule *rule = lookup->rule;

	if (lookup->after_main)
		buf_printf(out,
			   "  first     the main table's routes%s, which only the host knows\n",
			   lookup->after_default ? "" : " but its default");
	if (!rule) {
		buf_puts(out, "  table     what the host's own ip rules say\n");
		return;
	}
	buf_printf(out, "  ip rule   %" PRIu32 ", %s\n", rule->priority,
		   ir_action_name(rule->action));
	if (rule->action == IR_RULE_LOOKUP && !lookup->route)
		buf_printf(out, "  table     %s%s, whose routes only the host knows\n", rule->name,
			   ir_table_is_foreign(explain->ir, rule->table)
				   ? arena_printf(explain->arena, " (%" PRIu32 ")", rule->table)
				   : "");
	if (!lookup->route)
		return;
	buf_printf(out, "  table     %s (%" PRIu32 ")\n  route     ", rule->name, rule->table);
	ipbatch_put_route(lookup->route, explain->ir->protocol, out);
	buf_puts(out, ir_route_is_open(lookup->route) ? " (the gateway is learnt)\n" : "\n");
}

static void put_listener(const struct explain_answer *answer, struct buf *out)
{
	const struct ir_listener *listener = answer->listener;
	enum addr_family family = answer->packet->family;
	char text[ADDR_TEXT];

	buf_printf(out, "  listener  %s, ", listener->mode);
	if (explain_has_address(answer))
		buf_printf(out, family == ADDR_IPV6 ? "[%s]:" : "%s:",
			   addr_format(listener->addr[family], text));
	else
		buf_puts(out, "port ");
	buf_printf(out, "%u\n", listener->port);
}

static void put_row(const struct explain *explain, const struct ir_row *row, struct buf *out)
{
	if (row->is_asked)
		buf_printf(out, "  in a row  %s\n", lives_choice_words(explain->arena, row));
	else
		buf_printf(out,
			   "  in a row  %s: only the host knows which has a socket (see --live)\n",
			   lives_row_words(explain->arena, row));
}

static void put_way(const struct explain *explain, const struct explain_answer *answer,
		    struct buf *out)
{
	const struct ir_class *class = answer->class;

	buf_printf(out, "  mark      0x%08" PRIx32 "/0x%08" PRIx32 "\n", class->mark, class->mask);
	if (class->priority)
		put_routing(explain, answer, out);
	if (answer->listener)
		put_listener(answer, out);
	if (answer->row)
		put_row(explain, answer->row, out);
}

/* ---- why ---- */

static void put_element(const struct explain_answer *answer, struct buf *out)
{
	if (!answer->element->length)
		return;
	if (answer->set)
		buf_printf(out, "  set       %s, by its element %s\n", answer->set->base,
			   buf_text(answer->element));
	else
		buf_printf(out, "  found in  %s %s\n", answer->found_by, buf_text(answer->element));
}

static void put_lists(const struct explain_answer *answer, struct buf *out)
{
	struct buf element = { 0 };
	const char *key, *name;

	for (size_t i = 0; explain_list(answer, i, &key, &name, &element); i++) {
		buf_printf(out, "  list      %s of %s, by its element %s\n", name, key,
			   buf_text(&element));
		element.length = 0;
	}
	buf_free(&element);
}

/* Asked for a set that only the host could fill, and not looked up there? */
static bool is_of_host(const struct explain *explain, const struct explain_answer *answer,
		       const struct ir_match *failed)
{
	return failed->set && !answer->packet->held && ir_fill_of(explain->ir, failed->set->base);
}

static void put_failed(const struct explain *explain, const struct explain_answer *answer,
		       const struct trace_rule *rule, struct buf *out)
{
	bool passed = explain_passed(explain, rule);
	const char *condition = passed ? "matches, and continues"
				       : explain_condition(explain, answer, rule);

	buf_puts(out, "  ");
	put_place(rule, out);
	buf_printf(out, "  %s", condition ? condition : "no packet can match it");
	if (condition && !passed && rule->failed && identity_is_guess(rule->failed, answer->packet))
		buf_puts(out, "  (whose number a name is, only the host knows)");
	if (condition && !passed && rule->failed && is_of_host(explain, answer, rule->failed))
		buf_puts(out, "  (which addresses it has, only the host knows)");
	buf_putc(out, '\n');
}

static void put_before(struct explain *explain, const struct explain_answer *answer,
		       struct buf *out)
{
	const struct trace *trace = explain->trace;
	const char *head = answer->rule ? "earlier rules, and their first failed condition:\n"
					: "rules, and their first failed condition:\n";

	for (size_t i = 0; i < trace->rule_count; i++) {
		const struct trace_rule *rule = &trace->rules[i];

		if (!explain_is_before(explain, answer, rule))
			continue;
		buf_puts(out, head);
		head = "";
		put_failed(explain, answer, rule, out);
	}
}

/* "not given proto, which policy.yaml:7 and 2 more rules ask for" */
static void put_not_given(struct explain *explain, const struct explain_answer *answer,
			  struct buf *out)
{
	const struct explain_lack *lacks = explain_lacks(explain, answer);

	for (size_t i = 0; i < match_key_count; i++) {
		size_t count = lacks[i].count;

		if (!count)
			continue;
		buf_printf(out, "  not given %s, which ", match_keys[i].key);
		put_place(lacks[i].first, out);
		if (count > 1)
			buf_printf(out, " and %zu more rule%s ask for\n", count - 1,
				   count > 2 ? "s" : "");
		else
			buf_puts(out, " asks for\n");
	}
}

void explain_put_words(struct explain *explain, const struct explain_answer *answer,
		       struct buf *out)
{
	put_verdict(answer, out);
	buf_puts(out, answer->rule ? "\n  rule      " : "\n  because   ");
	put_reason(answer, out);
	buf_putc(out, '\n');
	put_element(answer, out);
	put_lists(answer, out);
	if (answer->class)
		put_way(explain, answer, out);
	put_not_given(explain, answer, out);
	put_before(explain, answer, out);
}

void explain_put_line(struct explain *explain, const struct explain_answer *answer,
		      unsigned int line, struct buf *out)
{
	(void)explain;
	buf_printf(out, "%u: ", line);
	put_verdict(answer, out);
	buf_puts(out, "  ");
	put_reason(answer, out);
	buf_putc(out, '\n');
}
