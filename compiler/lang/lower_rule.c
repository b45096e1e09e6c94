/*
 * lower_rule: one rule of the author's as nft rules.
 *
 * Every condition gives alternatives for a family; the rule is their product, one nft rule for each
 * combination. Where both families come out alike and nothing in them is about addresses, one nft
 * rule serves both.
 */
#include <string.h>

#include "addr/builtin.h"
#include "base/arena.h"
#include "base/diag.h"
#include "lang/lower.h"
#include "match/kinds.h"

/* More nft rules than this from one rule is a policy that should be written with sets. */
enum { RULES_MOST = 1000 };

struct lowering {
	struct match_context context;
	struct lower *lower;
	const struct ast_rule *rule;
	bool empty;    /* a set without an address was asked for */
	bool too_many; /* more combinations than a rule may have */
};

/* ---- what the matches ask for ---- */

static enum match_extent extent_of(const struct interval_set *set, enum addr_family family)
{
	if (!set->count)
		return EXTENT_EMPTY;
	return !set->items[0].first && set->items[0].last == addr_last(family) ? EXTENT_ALL
									       : EXTENT_SOME;
}

static enum match_extent named_set(struct match_context *context, const char *name,
				   const struct ir_set **out)
{
	struct lowering *lowering = context->user;
	struct lower *lower = lowering->lower;
	struct ast_set *set = ast_set_find(lower->policy, name);
	struct addr_set built_in = { 0 };
	const struct interval_set *contents;
	enum match_extent extent;

	if (!set)
		builtin_find(lower->arena, name, &built_in);
	contents = set ? &set->contents.family[context->family] : &built_in.family[context->family];
	extent = extent_of(contents, context->family);
	lowering->empty |= set && addr_set_is_empty(&set->contents);
	if (extent == EXTENT_SOME)
		*out = lower_set(lower,
				 arena_printf(lower->arena, "%s_%s", name,
					      context->family == ADDR_IPV4 ? "v4" : "v6"),
				 context->family == ADDR_IPV4 ? IR_SET_IPV4 : IR_SET_IPV6, contents,
				 set ? set->span : (struct span){ 0 });
	return extent;
}

static const struct ir_set *make_set(struct match_context *context, const char *base,
				     enum ir_set_type type, const struct interval_set *elements)
{
	struct lowering *lowering = context->user;

	return lower_set(lowering->lower, base, type, elements, lowering->rule->span);
}

/* ---- products ---- */

static void copy_matches(struct match_context *context, struct match_alternative *into,
			 const struct match_alternative *from)
{
	for (size_t i = 0; i < from->count; i++)
		*arena_append(context->arena, into->items, into->count) = from->items[i];
}

static struct match_alternatives multiply(struct lowering *lowering,
					  const struct match_alternatives *a,
					  const struct match_alternatives *b)
{
	struct match_context *context = &lowering->context;
	struct match_alternatives product = { 0 };

	lowering->too_many |= a->count * b->count > RULES_MOST;
	for (size_t i = 0; i < a->count && !lowering->too_many; i++)
		for (size_t k = 0; k < b->count; k++) {
			struct match_alternative *both = match_alternative(context, &product);

			copy_matches(context, both, &a->items[i]);
			copy_matches(context, both, &b->items[k]);
		}
	return product;
}

/* The rule's protocols as a match, unless a port says the one protocol already, or the rule is
 * about all. */
static void lower_protocols(struct lowering *lowering, struct match_alternatives *out)
{
	const struct match_condition *written = ast_condition(lowering->rule, "proto");
	const struct interval_set *protocols = &lowering->rule->protocols;
	struct match_condition condition = { .kind = &match_protocol, .values = *protocols };
	bool one = protocols->count == 1 && protocols->items[0].first == protocols->items[0].last;
	bool has_port = ast_condition(lowering->rule, "port") ||
			ast_condition(lowering->rule, "sport");

	if (written && written->negated && !has_port && lowering->rule->then->action != THEN_PROXY)
		condition = *written;
	if (!protocols->count ||
	    (one && has_port && protocol_name((unsigned int)protocols->items[0].first)))
		match_alternative(&lowering->context, out);
	else
		match_lower_values(&condition, &lowering->context, protocol_match(protocols).ops,
				   out);
}

/* In the order of match.def, whatever order the author wrote the keys in. */
static struct match_alternatives lower_conditions(struct lowering *lowering)
{
	struct match_context *context = &lowering->context;
	struct match_alternatives product = { 0 };

	match_alternative(context, &product);
	for (size_t i = 0; i < match_key_count; i++) {
		struct match_condition *condition =
			ast_condition(lowering->rule, match_keys[i].key);
		struct match_alternatives alternatives = { 0 };

		if (match_keys[i].kind == &match_protocol)
			lower_protocols(lowering, &alternatives);
		else if (condition)
			condition->kind->lower(condition, context, &alternatives);
		else
			continue;
		product = multiply(lowering, &product, &alternatives);
	}
	return product;
}

static bool is_by_family(const struct match_alternative *alternative)
{
	for (size_t i = 0; i < alternative->count; i++)
		if (alternative->items[i].ops->by_family)
			return true;
	return false;
}

/* Same matches in both families, none of them about addresses: one set of nft rules serves both. */
static bool are_alike(const struct match_alternatives *a, const struct match_alternatives *b)
{
	if (a->count != b->count || !a->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (is_by_family(&a->items[i]) || is_by_family(&b->items[i]) ||
		    a->items[i].count != b->items[i].count)
			return false;
	return true;
}

static void pin_family(struct lowering *lowering, struct match_alternatives *alternatives,
		       enum addr_family family)
{
	for (size_t i = 0; i < alternatives->count; i++) {
		struct match_alternative pinned = { 0 };

		if (is_by_family(&alternatives->items[i]))
			continue;
		*arena_append(lowering->lower->arena, pinned.items, pinned.count) =
			family_match(lowering->lower->arena, family);
		copy_matches(&lowering->context, &pinned, &alternatives->items[i]);
		alternatives->items[i] = pinned;
	}
}

/* ---- what the rule does ---- */

static const char *counter_name(struct lower *lower, const struct ast_rule *rule)
{
	const char *name = arena_printf(lower->arena, "rule%zu", rule->number);
	struct ir *ir = lower->ir;

	for (size_t i = 0; i < ir->counter_count; i++)
		if (!strcmp(ir->counters[i], name))
			return ir->counters[i];
	*arena_append(lower->arena, ir->counters, ir->counter_count) = name;
	return name;
}

/* Where packets of a kept connection are counted too, the counter stands before the way, in a chain
 * of its own. */
static const char *counted(struct lower *lower, const struct lower_walk *walk,
			   const struct ast_rule *rule, const char *target)
{
	const char *name = arena_printf(lower->arena, "count_rule%zu%s", rule->number,
					walk->scope == SCOPE_LOCAL ? "_local" : "");
	struct ir_chain *chain = lower_find_chain(lower, name);
	struct ir_rule *count;

	if (chain)
		return chain->name;
	chain = lower_chain(lower, name, NULL);
	count = lower_rule(lower, chain, rule->span, rule->name);
	lower_do(lower, count,
		 (struct ir_statement){ .op = IR_COUNT, .name = counter_name(lower, rule) });
	if (target)
		lower_goto(lower, count, target);
	else
		lower_op(lower, count, IR_ACCEPT);
	return name;
}

/* Does the rule meet what comes in by an uplink without naming the interface? */
static bool takes_uplinks(const struct lower_walk *walk, const struct ast_rule *rule,
			  const struct lower_class *way)
{
	const struct match_condition *in = ast_condition(rule, "in");

	return walk->scope == SCOPE_FORWARD && way->inbound && (!in || in->negated);
}

/*
 * A rule about some protocols does not meet the ICMP errors about its connections, and they would
 * leave by the main table: they follow the connection's mark.
 */
static bool leaves_errors(const struct ast_rule *rule)
{
	const struct ast_then *then = rule->then;

	return rule->protocols.count &&
	       (then->action == THEN_ROUTE || then->action == THEN_MARK ||
		(then->action == THEN_PROXY && then->listener->mode == MODE_TPROXY));
}

static const char *target_of(struct lower *lower, const struct lower_walk *walk,
			     const struct ast_rule *rule)
{
	struct lower_class *way;

	if (rule->then->action == THEN_DIRECT)
		return NULL;
	way = lower_class_of(lower, rule->then);
	if (takes_uplinks(walk, rule, way))
		return way->open_chain;
	return walk->scope == SCOPE_LOCAL ? way->local_chain : way->chain;
}

static void decide(struct lower *lower, struct lower_walk *walk, const struct ast_rule *rule,
		   struct ir_rule *out)
{
	const char *target = target_of(lower, walk, rule), *first;

	if (rule->count && (!walk->stateful || ast_lets_go(rule->then)))
		lower_do(lower, out,
			 (struct ir_statement){ .op = IR_COUNT,
						.name = counter_name(lower, rule) });
	if (!walk->stateful && leaves_errors(rule))
		target = lower_decide(lower, walk, target, target);
	if (walk->stateful) {
		first = ast_lets_go(rule->then)
				? lower_try(lower, walk, lower_class_of(lower, rule->then))
				: NULL;
		if (rule->count)
			target = counted(lower, walk, rule, target);
		target = lower_decide(lower, walk, target, first ? first : target);
	}
	if (target)
		lower_goto(lower, out, target);
	else
		lower_op(lower, out, IR_ACCEPT);
}

static void act(struct lower *lower, struct lower_walk *walk, const struct ast_rule *rule,
		struct ir_rule *out)
{
	enum ast_action action = rule->then->action;

	out->decides = action != THEN_CONTINUE;
	if (ast_chooses_way(rule->then)) {
		decide(lower, walk, rule, out);
		return;
	}
	if (rule->log)
		lower_do(lower, out, (struct ir_statement){ .op = IR_LOG, .name = rule->log });
	if (rule->count)
		lower_do(lower, out,
			 (struct ir_statement){ .op = IR_COUNT,
						.name = counter_name(lower, rule) });
	if (action == THEN_DROP)
		lower_op(lower, out, IR_DROP);
	else if (action == THEN_REJECT && rule->then->reject == REJECT_DEFAULT)
		lower_goto(lower, out, lower_refuse(lower));
	else if (action == THEN_REJECT)
		lower_do(lower, out,
			 (struct ir_statement){ .op = IR_REJECT, .reject = rule->then->reject });
}

/* ---- nft rules ---- */

static void put_rule(struct lowering *lowering, struct lower_walk *walk,
		     const struct match_alternative *alternative)
{
	struct lower *lower = lowering->lower;
	const struct ast_rule *rule = lowering->rule;
	struct ir_rule *out;

	if (rule->log && ast_chooses_way(rule->then)) {
		out = lower_rule(lower, walk->chain, rule->span, rule->name);
		for (size_t i = 0; i < alternative->count; i++)
			lower_match(lower, out, alternative->items[i]);
		if (!ast_condition(rule, "state"))
			lower_match(lower, out, state_match(lower->arena, STATE_NEW));
		lower_do(lower, out, (struct ir_statement){ .op = IR_LOG, .name = rule->log });
	}
	out = lower_rule(lower, walk->chain, rule->span, rule->name);
	for (size_t i = 0; i < alternative->count; i++)
		lower_match(lower, out, alternative->items[i]);
	act(lower, walk, rule, out);
}

static void note_use(struct lower *lower, const struct lower_walk *walk,
		     const struct ast_rule *rule, enum addr_family family)
{
	struct lower_class *way;

	if (rule->then->action == THEN_DIRECT || rule->then->action == THEN_CONTINUE)
		return;
	if (!lower->first_capture.source)
		lower->first_capture = rule->span;
	lower->captures[family] = true;
	if (!ast_chooses_way(rule->then))
		return;
	way = lower_class_of(lower, rule->then);
	way->families[family] = true;
	way->forward |= walk->scope == SCOPE_FORWARD;
	way->local |= walk->scope == SCOPE_LOCAL;
	way->tcp |= !rule->protocols.count || interval_contains(&rule->protocols, PROTOCOL_TCP);
	way->udp |= !rule->protocols.count || interval_contains(&rule->protocols, PROTOCOL_UDP);
	if (takes_uplinks(walk, rule, way)) {
		way->inbound->families[family] = true;
		way->inbound->forward = true;
	}
}

static void put_rules(struct lowering *lowering, struct lower_walk *walk,
		      const struct match_alternatives *alternatives)
{
	for (size_t i = 0; i < alternatives->count; i++)
		put_rule(lowering, walk, &alternatives->items[i]);
}

static void warn_of_nothing(struct lowering *lowering)
{
	const struct ast_rule *rule = lowering->rule;

	if (lowering->empty)
		diag_help(diag_add(lowering->lower->diag, DIAG_empty_set, rule->span,
				   "this rule matches nothing: its set has no address"),
			  "fill the set, or remove the rule");
	else
		diag_help(diag_add(lowering->lower->diag, DIAG_never_matches, rule->span,
				   "no packet can fit this rule"),
			  "its conditions exclude each other: look at the families and destinations they name");
}

void lower_author_rule(struct lower *lower, struct lower_walk *walk, const struct ast_rule *rule)
{
	struct lowering lowering = { .lower = lower, .rule = rule };
	struct match_alternatives each[ADDR_FAMILIES] = { 0 };
	size_t total = 0;

	lowering.context = (struct match_context){
		.arena = lower->arena,
		.scope = walk->scope,
		.protocols = &rule->protocols,
		.rule = arena_printf(lower->arena, "rule%zu", rule->number),
		.specials = walk->specials ? rule->specials : 0,
		.named_set = named_set,
		.make_set = make_set,
		.user = &lowering,
	};
	for (int family = 0; family < ADDR_FAMILIES; family++) {
		lowering.context.family = (enum addr_family)family;
		if (rule->families[family])
			each[family] = lower_conditions(&lowering);
		total += each[family].count;
		if (each[family].count)
			note_use(lower, walk, rule, (enum addr_family)family);
	}
	if (total > RULES_MOST || lowering.too_many) {
		lower->failed = true;
		diag_help(diag_add(lower->diag, DIAG_too_complex, rule->span,
				   "this rule would become more than %d nft rules", RULES_MOST),
			  "put addresses into sets, and interfaces that belong together into one pattern");
		return;
	}
	if (!total && !walk->specials && !rule->specials)
		warn_of_nothing(&lowering);
	if (are_alike(&each[ADDR_IPV4], &each[ADDR_IPV6])) {
		put_rules(&lowering, walk, &each[ADDR_IPV4]);
		return;
	}
	for (int family = 0; family < ADDR_FAMILIES; family++) {
		pin_family(&lowering, &each[family], (enum addr_family)family);
		put_rules(&lowering, walk, &each[family]);
	}
}
