/*
 * explain_json: an answer as one JSON object in a line.
 *
 * What was said of a rule, and of a condition of it that failed, is kept: a batch says it again and
 * again.
 */
#include <string.h>

#include "base/arena.h"
#include "cmd/explain_answer.h"
#include "cmd/show.h"
#include "emit/ipbatch.h"
#include "match/match.h"

struct kept_condition {
	const struct ir_match *match;
	const struct ir_authored_condition *blamed;
	const char *text;
	struct kept_condition *next;
};

struct explain_text {
	const char *place; /* "file":...,"line":...,"name":... */
	struct kept_condition *conditions;
};

static const char *keep(struct arena *arena, struct buf *text)
{
	const char *kept = arena_strndup(arena, buf_text(text), text->length);

	buf_free(text);
	return kept;
}

static struct explain_text *text_of(struct explain *explain, const struct trace_rule *rule)
{
	struct explain_text **text = &explain->texts[rule - explain->trace->rules];
	struct span where = rule->author->origin;
	struct buf out = { 0 };

	if (*text)
		return *text;
	*text = arena_new_of(explain->arena, struct explain_text);
	show_json_text(&out, "file", where.source->name);
	buf_printf(&out, ",\"line\":%u,", source_place(where.source, where.begin).line);
	show_json_text(&out, "name", rule->author->name);
	(*text)->place = keep(explain->arena, &out);
	return *text;
}

static const char *condition_of(struct explain *explain, const struct explain_answer *answer,
				struct explain_text *text, const struct trace_rule *rule)
{
	const struct ir_authored_condition *blamed = explain_blamed(explain, answer, rule);
	const struct ir_match *match = trace_came_to(explain->trace, rule) ? rule->failed : NULL;
	struct kept_condition *kept = text->conditions;
	struct buf out = { 0 };

	while (kept && (kept->match != match || kept->blamed != blamed))
		kept = kept->next;
	if (kept)
		return kept->text;
	kept = arena_new_of(explain->arena, struct kept_condition);
	show_json_text(&out, "condition", explain_condition(explain, answer, rule));
	*kept = (struct kept_condition){ match, blamed, keep(explain->arena, &out),
					 text->conditions };
	text->conditions = kept;
	return kept->text;
}

/* ---- pieces ---- */

/* What stands in every answer goes without a format: a batch has many. */
static void put_number(const char *key, uint32_t number, struct buf *out)
{
	char text[12], *at = text + sizeof(text);

	buf_puts(out, key);
	do
		*--at = (char)('0' + number % 10);
	while (number /= 10);
	buf_add(out, at, (size_t)(text + sizeof(text) - at));
}

/* The key with its quotes and colon. */
static void put_text(const char *key, const char *text, struct buf *out)
{
	buf_puts(out, key);
	if (text)
		buf_json_string(out, text, strlen(text));
	else
		buf_puts(out, "null");
}

static void put_rule(struct explain *explain, const struct trace_rule *rule, struct buf *out)
{
	buf_puts(out, ",\"rule\":");
	if (!rule) {
		buf_puts(out, "null");
		return;
	}
	buf_putc(out, '{');
	buf_puts(out, text_of(explain, rule)->place);
	buf_putc(out, '}');
}

/* The rules before the one that took the packet: those it did not fit, or those it passed. */
static void put_rules(struct explain *explain, const struct explain_answer *answer, bool took,
		      const char *key, struct buf *out)
{
	const struct trace *trace = explain->trace;
	const char *gap = "";

	buf_puts(out, key);
	for (size_t i = 0; i < trace->rule_count; i++) {
		const struct trace_rule *rule = &trace->rules[i];
		struct explain_text *text;

		if (!explain_is_before(explain, answer, rule) ||
		    explain_passed(explain, rule) != took)
			continue;
		text = text_of(explain, rule);
		buf_puts(out, gap);
		buf_putc(out, '{');
		buf_puts(out, text->place);
		if (!took) {
			buf_putc(out, ',');
			buf_puts(out, condition_of(explain, answer, text, rule));
		}
		buf_putc(out, '}');
		gap = ",";
	}
	buf_putc(out, ']');
}

static void put_mark(const struct explain_answer *answer, struct buf *out)
{
	if (!answer->way) {
		buf_puts(out, ",\"mark\":null");
		return;
	}
	put_number(",\"mark\":{\"value\":", answer->way->mark, out);
	put_number(",\"mask\":", answer->way->mask, out);
	buf_puts(out, answer->way->ct_mask ? ",\"connection\":true}" : "}");
}

static void put_routing(const struct explain *explain, const struct explain_answer *answer,
			struct buf *out)
{
	const struct ir_ip_rule *rule = answer->lookup.rule;

	if (!rule) {
		buf_puts(out, ",\"table\":null,\"ip_rule\":null,\"route\":null");
		return;
	}
	buf_puts(out, ",\"table\":");
	if (rule->action == IR_RULE_LOOKUP) {
		buf_putc(out, '{');
		put_text("\"name\":", rule->name, out);
		put_number(",\"id\":", rule->table, out);
		buf_putc(out, '}');
	} else {
		buf_puts(out, "null");
	}
	put_number(",\"ip_rule\":", rule->priority, out);
	buf_puts(out, ",\"route\":");
	if (answer->lookup.route) {
		struct buf route = { 0 };

		ipbatch_put_route(answer->lookup.route, explain->ir->protocol, &route);
		buf_json_string(out, buf_text(&route), route.length);
		buf_free(&route);
	} else if (rule->action != IR_RULE_LOOKUP) {
		buf_printf(out, "\"%s\"", ir_action_name(rule->action));
	} else {
		buf_puts(out, "null");
	}
}

static void put_listener(const struct explain_answer *answer, struct buf *out)
{
	const struct ir_listener *listener = answer->listener;
	char text[ADDR_TEXT];

	buf_puts(out, ",\"listener\":");
	if (!listener) {
		buf_puts(out, "null");
		return;
	}
	buf_putc(out, '{');
	put_text("\"mode\":", listener->mode, out);
	buf_putc(out, ',');
	put_text("\"address\":",
		 explain_has_address(answer)
			 ? addr_format(listener->addr[answer->packet->family], text)
			 : NULL,
		 out);
	put_number(",\"port\":", listener->port, out);
	buf_putc(out, '}');
}

static void put_balance(const struct explain_answer *answer, struct buf *out)
{
	static const char *const by[] = { "connection", "source", "source-destination" };
	const struct explain_shares *shares = answer->shares;

	if (!shares) {
		buf_puts(out, ",\"balance\":null");
		return;
	}
	buf_printf(out, ",\"balance\":{\"by\":\"%s\",\"shares\":[", by[shares->choice->by]);
	for (size_t i = 0; i < shares->count; i++) {
		buf_puts(out, i ? ",{" : "{");
		put_text(shares->listener_count ? "\"listener\":" : "\"table\":",
			 shares->items[i].name, out);
		buf_printf(out, ",\"share\":%zu}", shares->items[i].count);
	}
	buf_puts(out, "]}");
}

static void put_lists(const struct explain_answer *answer, struct buf *out)
{
	struct buf element = { 0 };
	const char *key, *name;

	buf_puts(out, ",\"lists\":[");
	for (size_t i = 0; explain_list(answer, i, &key, &name, &element); i++) {
		buf_printf(out, "%s{\"key\":\"%s\",", i ? "," : "", key);
		put_text("\"name\":", name, out);
		buf_printf(out, ",\"element\":\"%s\"}", buf_text(&element));
		element.length = 0;
	}
	buf_putc(out, ']');
	buf_free(&element);
}

/* Each key once, in the order of the language. */
static void put_not_given(struct explain *explain, const struct explain_answer *answer,
			  struct buf *out)
{
	const struct explain_lack *lacks = explain_lacks(explain, answer);
	const char *gap = "";

	buf_puts(out, ",\"not_given\":[");
	for (size_t i = 0; i < match_key_count; i++) {
		if (!lacks[i].count)
			continue;
		buf_printf(out, "%s\"%s\"", gap, match_keys[i].key);
		gap = ",";
	}
	buf_putc(out, ']');
}

void explain_put_json(struct explain *explain, const struct explain_answer *answer,
		      unsigned int line, const char *extra, struct buf *out)
{
	buf_putc(out, '{');
	if (line) {
		put_number("\"line\":", line, out);
		buf_putc(out, ',');
	}
	put_text("\"verdict\":", answer->verdict, out);
	buf_putc(out, ',');
	put_text("\"target\":", answer->target, out);
	put_rule(explain, answer->rule, out);
	buf_putc(out, ',');
	put_text("\"reason\":", answer->reason, out);
	put_mark(answer, out);
	put_routing(explain, answer, out);
	put_listener(answer, out);
	show_json_row(explain->arena, answer->row, out);
	put_balance(answer, out);
	buf_putc(out, ',');
	put_text("\"set\":", answer->set ? answer->set->base : NULL, out);
	buf_putc(out, ',');
	put_text("\"element\":", answer->element->length ? buf_text(answer->element) : NULL, out);
	put_lists(answer, out);
	put_rules(explain, answer, false, ",\"failed\":[", out);
	put_rules(explain, answer, true, ",\"passed\":[", out);
	put_not_given(explain, answer, out);
	if (extra)
		buf_puts(out, extra);
	buf_putc(out, '}');
}
