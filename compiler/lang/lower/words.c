/*
 * lower/words: the author's rules in words and in their order, for whoever shows or explains the
 * policy.
 *
 * In go the checked rules with the values as they stand in the file, out comes ir->authored, but
 * for where a rule sends packets (lower/describe.c). Of each text only the beginning is kept, so
 * that a rule with a million addresses stays one line.
 */
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/utf8.h"
#include "lang/lower/lower.h"

/* ---- conditions ---- */

/* How much of a text is shown: whole characters. */
static size_t shown_length(const char *text, size_t length)
{
	if (length <= IR_AUTHORED_BYTES)
		return length;
	for (length = IR_AUTHORED_BYTES; length && !utf8_begins(text[length]);)
		length--;
	return length;
}

/* Quoted where a reader could not tell where it ends. */
static void put_scalar(const struct node *node, struct buf *out)
{
	static const char unclear[] = " ,;()\"\\'";
	size_t length = shown_length(node->text, node->length);
	bool is_plain = length > 0;

	for (size_t i = 0; i < length; i++)
		is_plain &= (unsigned char)node->text[i] >= ' ' && !strchr(unclear, node->text[i]);
	if (is_plain)
		buf_add(out, node->text, length);
	else
		json_put_string(out, node->text, length);
	if (length < node->length)
		buf_puts(out, "...");
}

static void put_value(const struct node *node, struct buf *out);

static void put_list(const struct node *node, struct buf *out)
{
	size_t shown = node->count > IR_AUTHORED_VALUES ? IR_AUTHORED_VALUES : node->count;

	for (size_t i = 0; i < shown; i++) {
		buf_puts(out, i ? " or " : "");
		put_value(&node->items[i], out);
	}
	if (shown < node->count)
		buf_printf(out, " or %zu more", node->count - shown);
}

/* Its keys are what a value of several parts is: (contains secret, within 24). */
static void put_map(const struct node *node, struct buf *out)
{
	buf_putc(out, '(');
	for (size_t i = 0; i < node->count; i++) {
		buf_printf(out, "%s%s ", i ? ", " : "", node->entries[i].key);
		put_value(&node->entries[i].value, out);
	}
	buf_putc(out, ')');
}

static void put_value(const struct node *node, struct buf *out)
{
	switch (node->kind) {
	case NODE_SCALAR:
		put_scalar(node, out);
		return;
	case NODE_LIST:
		put_list(node, out);
		return;
	case NODE_MAP:
		put_map(node, out);
		return;
	}
}

/* Words that say by themselves what they are about. */
static bool speaks_for_itself(const char *key)
{
	return !strcmp(key, "proto") || !strcmp(key, "family");
}

static void add_written_names(struct lower *lower, const struct node *value,
			      struct ir_authored_condition *out)
{
	const struct node *items = value->kind == NODE_LIST ? value->items : value;
	size_t count = value->kind == NODE_LIST ? value->count : 1;

	for (size_t i = 0; i < count; i++)
		if (items[i].kind == NODE_SCALAR)
			*arena_append(lower->arena, out->names, out->name_count) = items[i].text;
}

static void add_lists(struct lower *lower, const struct match_condition *condition,
		      struct ir_authored_condition *out)
{
	for (size_t i = 0; condition->kind->lists && i < condition->reference_count; i++) {
		const struct ast_list *list = ast_list_find(lower->policy, condition->kind,
							    condition->references[i].name);

		*arena_append(lower->arena, out->lists, out->list_count) =
			(struct ir_list){ list->name, list->values };
	}
}

static struct ir_authored_condition describe_condition(struct lower *lower,
						       const struct match_condition *condition,
						       const struct node *value)
{
	struct ir_authored_condition out = { .key = condition->key,
					     .negated = condition->negated,
					     .origin = condition->span };
	struct buf text = { 0 };

	if (condition->negated)
		value = &node_find(value, "not")->value;
	buf_puts(&text, condition->negated ? "not " : "");
	if (!speaks_for_itself(condition->key))
		buf_printf(&text, "%s ", condition->key);
	put_value(value, &text);
	if (condition->kind->names_interfaces)
		add_written_names(lower, value, &out);
	add_lists(lower, condition, &out);
	out.text = buf_keep(lower->arena, &text);
	return out;
}

static void describe_conditions(struct lower *lower, const struct ast_rule *rule,
				struct ir_authored *out)
{
	struct buf text = { 0 };

	for (size_t i = 0; i < rule->condition_count; i++) {
		struct ir_authored_condition one =
			describe_condition(lower, rule->conditions[i], rule->written[i]);

		*arena_append(lower->arena, out->conditions, out->condition_count) = one;
		buf_printf(&text, "%s%s", i ? ", " : "", one.text);
	}
	out->text = buf_keep(lower->arena, &text);
}

/* ---- what then ---- */

static void put_reject(enum ir_reject reject, struct buf *out)
{
	static const char *const kinds[] = { "", " with tcp-reset", " with port-unreachable",
					     " with admin-prohibited", " with no-route" };

	buf_printf(out, "reject%s", kinds[reject]);
}

static void put_balance(const struct ast_then *then, struct buf *out)
{
	static const char *const by[] = { "connection", "source", "source-destination" };

	size_t count;
	const struct ast_target *shares = ast_shares(then, &count);

	buf_puts(out, "balance ");
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "%s%s %lld", i ? " : " : "", shares[i].name,
			   (long long)shares[i].weight);
	buf_printf(out, " by %s", by[then->by]);
}

static void put_proxy(const struct ast_then *then, struct buf *out)
{
	for (size_t i = 0; i < then->hand_count; i++)
		buf_printf(out, "%s%s", i ? ", else " : "proxy ", then->hands[i].name);
}

static void put_route(const struct ast_then *then, struct buf *out)
{
	for (size_t i = 0; i < then->target_count; i++)
		buf_printf(out, "%s%s", i ? ", else " : "route ", then->targets[i].name);
	if (then->sticky != STICKY_TCP)
		buf_printf(out, ", sticky: %s", then->sticky == STICKY_ALL ? "true" : "false");
}

static void put_mark(const struct ast_mark *mark, struct buf *out)
{
	buf_printf(out, "mark 0x%x", mark->value);
	if (mark->mask != UINT32_MAX)
		buf_printf(out, "/0x%x", mark->mask);
}

static void put_then(const struct ast_then *then, struct buf *out)
{
	switch (then->action) {
	case THEN_DIRECT:
		buf_puts(out, "direct");
		return;
	case THEN_DROP:
		buf_puts(out, "drop");
		return;
	case THEN_REJECT:
		put_reject(then->reject, out);
		return;
	case THEN_PROXY:
		put_proxy(then, out);
		return;
	case THEN_ROUTE:
		put_route(then, out);
		return;
	case THEN_BALANCE:
	case THEN_SPREAD:
		put_balance(then, out);
		return;
	case THEN_MARK:
		put_mark(&then->mark, out);
		buf_puts(out, then->connection ? " of the connection" : "");
		return;
	case THEN_ANSWER:
		buf_puts(out, "answer");
		return;
	case THEN_CONTINUE:
		buf_puts(out, "continue");
		return;
	}
}

const char *lower_then_words(struct lower *lower, const struct ast_then *then)
{
	struct buf text = { 0 };

	put_then(then, &text);
	return buf_keep(lower->arena, &text);
}

/* ---- rules ---- */

static enum ir_authored_then then_of(enum ast_action action)
{
	static const enum ir_authored_then thens[] = {
		[THEN_DIRECT] = IR_THEN_DIRECT,  [THEN_DROP] = IR_THEN_DROP,
		[THEN_REJECT] = IR_THEN_REJECT,  [THEN_PROXY] = IR_THEN_PROXY,
		[THEN_ROUTE] = IR_THEN_ROUTE,    [THEN_BALANCE] = IR_THEN_BALANCE,
		[THEN_SPREAD] = IR_THEN_BALANCE, [THEN_MARK] = IR_THEN_MARK,
		[THEN_ANSWER] = IR_THEN_ANSWER,  [THEN_CONTINUE] = IR_THEN_CONTINUE,
	};

	return thens[action];
}

static void describe_rule(struct lower *lower, const struct ast_rule *rule)
{
	struct ir_authored *out =
		arena_append(lower->arena, lower->ir->authored, lower->ir->authored_count);

	*out = (struct ir_authored){ .number = rule->number,
				     .origin = rule->span,
				     .name = rule->name,
				     .scopes = rule->scopes,
				     .log = rule->log,
				     .count = rule->count,
				     .then = then_of(rule->then->action),
				     .then_text = lower_then_words(lower, rule->then) };
	if (rule->limit.rate)
		out->limit =
			arena_printf(lower->arena, "%u/%s", rule->limit.rate, rule->limit.unit);
	describe_conditions(lower, rule, out);
}

static struct ir_authored describe_default(struct lower *lower, const struct ast_then *then,
					   enum ir_scope scope)
{
	struct ir_authored out = { .scopes = scope, .text = "", .then_text = "direct" };

	if (then) {
		out.origin = then->span;
		out.then = then_of(then->action);
		out.then_text = lower_then_words(lower, then);
	}
	return out;
}

void lower_words(struct lower *lower)
{
	for (size_t i = 0; i < lower->policy->rule_count; i++)
		describe_rule(lower, &lower->policy->rules[i]);
	lower->ir->default_forward =
		describe_default(lower, lower->policy->default_forward, SCOPE_FORWARD);
	lower->ir->default_local =
		describe_default(lower, lower->policy->default_local, SCOPE_LOCAL);
}
