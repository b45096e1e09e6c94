/*
 * explain_answer: from the walk of a packet to what a person asks of it.
 */
#include "cmd/explain_answer.h"

#include <string.h>

#include "base/arena.h"
#include "match/match.h"

struct explain explain_new(struct arena *arena, const struct ir *plain, const struct ir *optimised)
{
	struct explain explain = { .arena = arena, .ir = optimised };

	explain.trace = trace_new(arena, plain);
	explain.walker = ir_walker(arena, optimised);
	explain.texts =
		arena_alloc(arena, (explain.trace->rule_count + 1) * sizeof(*explain.texts));
	explain.lacks = arena_alloc(arena, match_key_count * sizeof(*explain.lacks));
	return explain;
}

/* ---- verdicts ---- */

static const char *verdict_of(const struct ir_outcome *outcome)
{
	switch (outcome->verdict) {
	case VERDICT_DROP:
		return "drop";
	case VERDICT_REJECT:
		return "reject";
	case VERDICT_ACCEPT:
		if (outcome->choice)
			return "balance";
		return outcome->class ? ir_class_then(outcome->class->kind) : "direct";
	}
	return "";
}

static const struct ir_listener *listener_of(const struct ir *ir, const struct ir_class *class)
{
	for (size_t i = 0; class->kind == IR_CLASS_PROXY && i < ir->listener_count; i++)
		if (!strcmp(ir->listeners[i].name, class->name))
			return &ir->listeners[i];
	return NULL;
}

/* `class`: NULL for the main table. */
static void add_share(struct explain *explain, struct explain_shares *shares,
		      const struct ir_class *class)
{
	const char *name = class ? class->name : "main";
	const struct ir_listener *listener = class ? listener_of(explain->ir, class) : NULL;

	for (size_t i = 0; i < shares->count; i++)
		if (!strcmp(shares->items[i].name, name)) {
			shares->items[i].count++;
			return;
		}
	*arena_append(explain->arena, shares->items, shares->count) =
		(struct explain_share){ name, 1 };
	if (listener)
		*arena_append(explain->arena, shares->listeners, shares->listener_count) = listener;
}

static const struct explain_shares *shares_of(struct explain *explain,
					      const struct explain_answer *answer)
{
	const struct ir_statement *choice = answer->outcome.choice;
	struct explain_shares *shares = explain->shares;

	while (shares && shares->choice != choice)
		shares = shares->next;
	if (shares)
		return shares;
	shares = arena_new_of(explain->arena, struct explain_shares);
	*shares = (struct explain_shares){ .choice = choice, .next = explain->shares };
	for (size_t i = 0; i < choice->case_count; i++)
		add_share(explain, shares,
			  ir_walk_case(explain->walker, answer->packet, choice, i));
	explain->shares = shares;
	return shares;
}

/* A listener on another host is where the packet is routed to once it is translated. */
static struct wide destination_of(const struct explain_answer *answer)
{
	const struct ir_listener *listener = answer->listener;

	return listener && !strcmp(listener->mode, "dnat")
		       ? listener->addr[answer->packet->family].bits
		       : answer->packet->to;
}

static void find_way(struct explain *explain, struct explain_answer *answer)
{
	const struct ir_outcome *outcome = &answer->outcome;

	if (outcome->verdict == VERDICT_ACCEPT && outcome->choice)
		answer->shares = shares_of(explain, answer);
	if (outcome->verdict != VERDICT_ACCEPT || outcome->choice || !outcome->class)
		return;
	answer->class = outcome->class;
	if (answer->class->kind != IR_CLASS_MARK && answer->class->kind != IR_CLASS_ANSWER)
		answer->target = answer->class->name;
	answer->listener = listener_of(explain->ir, answer->class);
	answer->lookup = lookup_route(explain->ir, answer->packet->family, outcome->mark,
				      destination_of(answer));
}

/* ---- reasons ---- */

static void find_rule(const struct explain *explain, struct explain_answer *answer)
{
	const struct trace_rule *decided = explain->trace->decided;

	if (decided && !decided->is_default) {
		answer->rule = decided;
		return;
	}
	answer->otherwise = decided;
	answer->reason = trace_guarantee(explain->trace);
	if (!explain->trace->outcome.base)
		answer->reason = answer->packet->scope == SCOPE_LOCAL
					 ? "the policy has no rules for local packets"
					 : "the policy has no rules for forwarded packets";
	else if (!answer->reason)
		answer->reason = "no rule takes it: the default";
}

static void find_row(struct explain_answer *answer)
{
	const struct trace_rule *rule = answer->rule ? answer->rule : answer->otherwise;

	answer->row = answer->listener && rule ? rule->author->row : NULL;
}

static void find_element(const struct explain *explain, struct explain_answer *answer)
{
	const struct trace *trace = explain->trace;

	answer->element->length = 0;
	for (size_t i = trace->step_count; answer->rule && i; i--) {
		const struct ir_rule *rule = trace->steps[i - 1].rule;

		if (trace->steps[i - 1].of != answer->rule)
			continue;
		/* Sources come before destinations, and ports before both. */
		for (size_t k = rule->match_count; k; k--) {
			const struct ir_match *match = &rule->matches[k - 1];

			if (!match_put_element(match, answer->packet, answer->element))
				continue;
			answer->set = match->set;
			answer->found_by = match->key ? match->key : "";
			return;
		}
	}
}

struct explain_answer explain_packet(struct explain *explain, const struct ir_packet *packet,
				     struct buf *element)
{
	struct explain_answer answer = { .packet = packet, .element = element };

	trace_packet(explain->trace, packet);
	answer.outcome = ir_walk(explain->walker, packet, NULL);
	answer.verdict = verdict_of(&answer.outcome);
	find_way(explain, &answer);
	find_rule(explain, &answer);
	find_row(&answer);
	find_element(explain, &answer);
	return answer;
}

/* ---- words ---- */

bool explain_has_address(const struct explain_answer *answer)
{
	enum addr_family family = answer->packet->family;

	return answer->listener->has[family] && !wide_is_zero(answer->listener->addr[family].bits);
}

bool explain_is_before(const struct explain *explain, const struct explain_answer *answer,
		       const struct trace_rule *rule)
{
	if (rule->is_default || rule == answer->rule)
		return false;
	if (answer->rule && rule > answer->rule)
		return false;
	if (trace_came_to(explain->trace, rule))
		return true;
	/* What a guarantee ends is asked of no rule, or of those alone that name what it is. */
	return !trace_guarantee(explain->trace) &&
	       (!rule->lowered || !(rule->author->scopes & answer->packet->scope));
}

bool explain_passed(const struct explain *explain, const struct trace_rule *rule)
{
	return trace_came_to(explain->trace, rule) && rule->took;
}

/* Blanks and line ends become one space; what is long is cut. */
static void put_source(struct span where, struct buf *out)
{
	enum { MOST = 120 };
	const char *text = where.source->text;
	bool blank = false;

	for (uint32_t at = where.begin; at < where.end; at++) {
		if (strchr(" \t\r\n", text[at])) {
			blank = true;
			continue;
		}
		if (out->length >= MOST && ((unsigned char)text[at] & 0xc0) != 0x80) {
			buf_puts(out, " ...");
			return;
		}
		if (blank)
			buf_putc(out, ' ');
		blank = false;
		buf_putc(out, text[at]);
	}
}

const struct ir_authored_condition *explain_blamed(const struct explain *explain,
						   const struct explain_answer *answer,
						   const struct trace_rule *rule)
{
	const struct ir_match *match = trace_came_to(explain->trace, rule) ? rule->failed : NULL;
	const char *key = match && match->key ? match_blamed_key(match, answer->packet) : NULL;

	for (size_t i = 0; key && i < rule->author->condition_count; i++)
		if (!strcmp(rule->author->conditions[i].key, key))
			return &rule->author->conditions[i];
	return NULL;
}

/* What the packet has of a condition whose values stand in lists; 0: not known. */
static uint64_t listed_value(const struct ir_packet *packet, const char *key)
{
	size_t number = match_number_find(key);

	return number < MATCH_NUMBERS ? match_number_get(number, packet) : 0;
}

static void put_list_element(const char *key, const struct interval *element, struct buf *out)
{
	for (size_t i = 0; i < match_key_count; i++)
		if (!strcmp(match_keys[i].key, key))
			match_put_interval(match_keys[i].kind, *element, out);
}

bool explain_list(const struct explain_answer *answer, size_t nth, const char **key,
		  const char **name, struct buf *out)
{
	const struct ir_authored *author = answer->rule ? answer->rule->author : NULL;

	for (size_t i = 0; author && i < author->condition_count; i++) {
		const struct ir_authored_condition *condition = &author->conditions[i];

		for (size_t k = 0; !condition->negated && k < condition->list_count; k++) {
			uint64_t value = listed_value(answer->packet, condition->key);
			const struct interval *element =
				interval_find(&condition->lists[k].values, wide(value));

			if (!value || !element || nth--)
				continue;
			*key = condition->key;
			*name = condition->lists[k].name;
			put_list_element(*key, element, out);
			return true;
		}
	}
	return false;
}

static bool lacks(const struct ir_packet *packet, const char *key)
{
	size_t number = match_number_find(key);
	const struct {
		const char *key;
		bool is_given;
	} parts[] = { { "in", *packet->in },         { "out", *packet->out },
		      { "proto", packet->protocol }, { "from", packet->has_from },
		      { "to", packet->has_to },      { "user", packet->user },
		      { "group", packet->group },    { "cgroup", packet->cgroup },
		      { "time", packet->time },      { "app", packet->payload },
		      { "payload", packet->payload } };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!strcmp(parts[i].key, key))
			return !parts[i].is_given;
	return number < MATCH_NUMBERS && match_number(number)->zero_is_unknown &&
	       !match_number_get(number, packet);
}

static struct explain_lack *lack_of(struct explain *explain, const char *key)
{
	size_t i = 0;

	while (strcmp(match_keys[i].key, key))
		i++;
	return &explain->lacks[i];
}

const struct explain_lack *explain_lacks(struct explain *explain,
					 const struct explain_answer *answer)
{
	const struct trace *trace = explain->trace;

	memset(explain->lacks, 0, match_key_count * sizeof(*explain->lacks));
	for (size_t i = 0; i < trace->rule_count; i++) {
		const struct trace_rule *rule = &trace->rules[i];
		const struct ir_authored_condition *blamed;
		struct explain_lack *lack;

		if (!explain_is_before(explain, answer, rule) || explain_passed(explain, rule))
			continue;
		blamed = explain_blamed(explain, answer, rule);
		if (!blamed || !lacks(answer->packet, blamed->key))
			continue;
		lack = lack_of(explain, blamed->key);
		if (!lack->count++)
			lack->first = rule;
	}
	return explain->lacks;
}

const char *explain_condition(const struct explain *explain, const struct explain_answer *answer,
			      const struct trace_rule *rule)
{
	const struct ir_authored_condition *blamed = explain_blamed(explain, answer, rule);
	struct buf text = { 0 };

	if (!trace_came_to(explain->trace, rule)) {
		if (!rule->lowered)
			return NULL;
		return rule->author->scopes == SCOPE_LOCAL ? "scope: local" : "scope: forward";
	}
	if (!rule->failed)
		return NULL;
	if (rule->failed->unless)
		return rule->failed->unless;
	if (blamed) {
		buf_printf(&text, "%s: ", blamed->key);
		put_source(blamed->origin, &text);
	} else {
		ir_match_put(rule->failed, NULL, &text);
	}
	return buf_keep(explain->arena, &text);
}
