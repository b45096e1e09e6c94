/*
 * explain_json: an answer as the members of a JSON object.
 *
 * What was said of a rule, and of a condition of it that failed, is kept: a batch says it again and
 * again.
 */
#include "base/arena.h"
#include "base/json.h"
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

static struct explain_text *text_of(struct explain *explain, const struct trace_rule *rule)
{
	struct explain_text **text = &explain->texts[rule - explain->trace->rules];
	struct span where = rule->author->origin;
	struct buf out = { 0 };
	struct json json = { .out = &out };

	if (*text)
		return *text;
	*text = arena_new_of(explain->arena, struct explain_text);
	json_text(&json, "file", where.source->name);
	json_number(&json, "line", source_place(where.source, where.begin).line);
	json_text(&json, "name", rule->author->name);
	(*text)->place = buf_keep(explain->arena, &out);
	return *text;
}

static const char *condition_of(struct explain *explain, const struct explain_answer *answer,
				struct explain_text *text, const struct trace_rule *rule)
{
	const struct ir_authored_condition *blamed = explain_blamed(explain, answer, rule);
	const struct ir_match *match = trace_came_to(explain->trace, rule) ? rule->failed : NULL;
	struct kept_condition *kept = text->conditions;
	struct buf out = { 0 };
	struct json json = { .out = &out };

	while (kept && (kept->match != match || kept->blamed != blamed))
		kept = kept->next;
	if (kept)
		return kept->text;
	kept = arena_new_of(explain->arena, struct kept_condition);
	json_text(&json, "condition", explain_condition(explain, answer, rule));
	*kept = (struct kept_condition){ match, blamed, buf_keep(explain->arena, &out),
					 text->conditions };
	text->conditions = kept;
	return kept->text;
}

/* ---- pieces ---- */

static void put_rule(struct explain *explain, const struct trace_rule *rule, struct json *out)
{
	if (!rule) {
		json_null(out, "rule");
		return;
	}
	json_object(out, "rule");
	json_raw(out, text_of(explain, rule)->place);
	json_end(out);
}

/* The rules before the one that took the packet: those it did not fit, or those it passed. */
static void put_rules(struct explain *explain, const struct explain_answer *answer, bool took,
		      struct json *out)
{
	const struct trace *trace = explain->trace;

	json_list(out, took ? "passed" : "failed");
	for (size_t i = 0; i < trace->rule_count; i++) {
		const struct trace_rule *rule = &trace->rules[i];
		struct explain_text *text;

		if (!explain_is_before(explain, answer, rule) ||
		    explain_passed(explain, rule) != took)
			continue;
		text = text_of(explain, rule);
		json_object(out, NULL);
		json_raw(out, text->place);
		if (!took)
			json_raw(out, condition_of(explain, answer, text, rule));
		json_end(out);
	}
	json_end(out);
}

static void put_mark(const struct explain_answer *answer, struct json *out)
{
	if (!answer->class) {
		json_null(out, "mark");
		return;
	}
	json_object(out, "mark");
	json_number(out, "value", answer->class->mark);
	json_number(out, "mask", answer->class->mask);
	if (answer->class->ct_mask)
		json_bool(out, "connection", true);
	json_end(out);
}

static void put_route(const struct explain *explain, const struct explain_answer *answer,
		      struct json *out)
{
	const struct ir_ip_rule *rule = answer->lookup.rule;
	struct buf route = { 0 };

	if (answer->lookup.route)
		ipbatch_put_route(answer->lookup.route, explain->ir->protocol, &route);
	else if (rule && rule->action != IR_RULE_LOOKUP)
		buf_puts(&route, ir_action_name(rule->action));
	json_text(out, "route", route.length ? buf_text(&route) : NULL);
	buf_free(&route);
}

static void put_routing(const struct explain *explain, const struct explain_answer *answer,
			struct json *out)
{
	const struct ir_ip_rule *rule = answer->lookup.rule;

	if (rule && rule->action == IR_RULE_LOOKUP) {
		json_object(out, "table");
		json_text(out, "name", rule->name);
		json_number(out, "id", rule->table);
		json_end(out);
	} else {
		json_null(out, "table");
	}
	if (rule)
		json_number(out, "ip_rule", rule->priority);
	else
		json_null(out, "ip_rule");
	put_route(explain, answer, out);
}

static void put_listener(const struct explain_answer *answer, struct json *out)
{
	const struct ir_listener *listener = answer->listener;
	char text[ADDR_TEXT];

	if (!listener) {
		json_null(out, "listener");
		return;
	}
	json_object(out, "listener");
	json_text(out, "mode", listener->mode);
	json_text(out, "address",
		  explain_has_address(answer)
			  ? addr_format(listener->addr[answer->packet->family], text)
			  : NULL);
	json_number(out, "port", listener->port);
	json_end(out);
}

static void put_balance(const struct explain_answer *answer, struct json *out)
{
	static const char *const by[] = { "connection", "source", "source-destination" };
	const struct explain_shares *shares = answer->shares;

	if (!shares) {
		json_null(out, "balance");
		return;
	}
	json_object(out, "balance");
	json_text(out, "by", by[shares->choice->by]);
	json_list(out, "shares");
	for (size_t i = 0; i < shares->count; i++) {
		json_object(out, NULL);
		json_text(out, shares->listener_count ? "listener" : "table",
			  shares->items[i].name);
		json_number(out, "share", shares->items[i].count);
		json_end(out);
	}
	json_end(out);
	json_end(out);
}

static void put_lists(const struct explain_answer *answer, struct json *out)
{
	struct buf element = { 0 };
	const char *key, *name;

	json_list(out, "lists");
	for (size_t i = 0; explain_list(answer, i, &key, &name, &element); i++) {
		json_object(out, NULL);
		json_text(out, "key", key);
		json_text(out, "name", name);
		json_text(out, "element", buf_text(&element));
		json_end(out);
		element.length = 0;
	}
	json_end(out);
	buf_free(&element);
}

/* Each key once, in the order of the language. */
static void put_not_given(struct explain *explain, const struct explain_answer *answer,
			  struct json *out)
{
	const struct explain_lack *lacks = explain_lacks(explain, answer);

	json_list(out, "not_given");
	for (size_t i = 0; i < match_key_count; i++)
		if (lacks[i].count)
			json_text(out, NULL, match_keys[i].key);
	json_end(out);
}

void explain_put_json(struct explain *explain, const struct explain_answer *answer,
		      unsigned int line, struct json *out)
{
	if (line)
		json_number(out, "line", line);
	json_text(out, "verdict", answer->verdict);
	json_text(out, "target", answer->target);
	put_rule(explain, answer->rule, out);
	json_text(out, "reason", answer->reason);
	put_mark(answer, out);
	put_routing(explain, answer, out);
	put_listener(answer, out);
	show_json_row(explain->arena, answer->row, out);
	put_balance(answer, out);
	json_text(out, "set", answer->set ? answer->set->base : NULL);
	json_text(out, "element", answer->element->length ? buf_text(answer->element) : NULL);
	put_lists(answer, out);
	put_rules(explain, answer, false, out);
	put_rules(explain, answer, true, out);
	put_not_given(explain, answer, out);
}
