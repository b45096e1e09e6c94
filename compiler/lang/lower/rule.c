/*
 * lower/rule: one rule of the author's as nft rules.
 *
 * Every condition gives alternatives for a family; the rule is their product, one nft rule for each
 * combination. Where both families come out alike and nothing in them is about addresses, one nft
 * rule serves both.
 */
#include <string.h>

#include "addr/builtin.h"
#include "base/arena.h"
#include "base/diag.h"
#include "lang/lower/lower.h"
#include "lang/static/onward.h"
#include "match/kinds.h"

const char lower_runs_as[] = "runs_as";

/* More nft rules than this from one rule is a policy that should be written with sets. */
enum { RULES_MOST = 1000 };

struct apart {
	const char *key;
	struct match_alternatives alternatives;
};

struct lowering {
	struct match_context context;
	struct lower *lower;
	const struct ast_rule *rule;
	struct apart *aparts; /* the same in both families */
	size_t apart_count;
	struct ast_set *empty; /* a set without an address was asked for */
	bool too_many;         /* more combinations than a rule may have */
};

/* ---- what the matches ask for ---- */

static enum match_extent extent_of(const struct interval_set *set, enum addr_family family)
{
	if (!set->count)
		return EXTENT_EMPTY;
	return addr_is_whole(family, set->items[0]) ? EXTENT_ALL : EXTENT_SOME;
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
	extent = set && set->dynamic ? EXTENT_SOME : extent_of(contents, context->family);
	if (set && !set->dynamic && addr_set_is_empty(&set->contents))
		lowering->empty = set;
	if (extent == EXTENT_SOME)
		*out = lower_set(lower, lower_set_base(lower, name, set, context->family),
				 context->family == ADDR_IPV4 ? IR_SET_IPV4 : IR_SET_IPV6, contents,
				 set ? set->span : (struct span){ 0 });
	return extent;
}

static const struct ir_set *make_set(struct match_context *context, const char *base,
				     enum ir_set_type type, const struct interval_set *elements)
{
	struct lowering *lowering = context->user;
	struct lower *lower = lowering->lower;

	/* Windows of time are many, and the same for many rules. */
	for (size_t i = 0; type == IR_SET_TIME && i < lower->set_count; i++)
		if (lower->sets[i]->type == type &&
		    interval_covers(&lower->sets[i]->elements, elements) &&
		    interval_covers(elements, &lower->sets[i]->elements))
			return lower->sets[i];
	if (type == IR_SET_TIME)
		base = lower_time_name(lower, lowering->rule);
	return lower_set(lower, base, type, elements, lowering->rule->span);
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

/* Is the rule about less than its `proto` says? */
static bool is_narrowed(const struct ast_rule *rule)
{
	for (size_t i = 0; i < rule->condition_count; i++)
		if (rule->conditions[i]->kind->protocols)
			return true;
	return ast_hands_over(rule->then);
}

/* The rule's protocols as a match, unless a port says the one protocol already, or the rule is
 * about all. */
static void lower_protocols(struct lowering *lowering, struct match_alternatives *out)
{
	const struct match_condition *written = ast_condition(lowering->rule, "proto");
	const struct interval_set *protocols = &lowering->rule->protocols;
	struct match_condition condition = { .kind = &match_protocol, .values = *protocols };
	bool one = protocols->count == 1 && interval_is_one(protocols->items[0]);
	bool has_port = ast_condition(lowering->rule, "port") ||
			ast_condition(lowering->rule, "sport");

	if (lowering->context.tracked)
		has_port = false;
	if (lowering->rule->then->action == THEN_ANSWER && !lowering->context.tracked) {
		*match_append(&lowering->context, match_alternative(&lowering->context, out),
			      NULL) = echo_match(lowering->context.family);
		return;
	}
	if (written && written->negated && !is_narrowed(lowering->rule))
		condition = *written;
	if (!protocols->count ||
	    (one && has_port && protocol_name((unsigned int)protocols->items[0].first.low)))
		match_alternative(&lowering->context, out);
	else
		match_lower_values(&condition, &lowering->context, protocol_match(protocols).ops,
				   out);
	for (size_t i = 0; i < out->count; i++)
		for (size_t k = 0; k < out->items[i].count; k++)
			out->items[i].items[k].tracked = lowering->context.tracked;
}

/* True: the condition is not multiplied with the others. */
static bool set_apart(struct lowering *lowering, const struct match_condition *condition,
		      const struct match_alternatives *alternatives)
{
	if (!alternatives->none_of &&
	    (alternatives->count < MATCH_APART_LEAST || !condition || condition->kind->by_family))
		return false;
	lowering->too_many |= alternatives->count > RULES_MOST;
	*arena_append(lowering->lower->arena, lowering->aparts, lowering->apart_count) =
		(struct apart){ condition->key, *alternatives };
	return true;
}

static void add_to_all(struct lowering *lowering, struct match_alternatives *product,
		       struct ir_match match)
{
	for (size_t i = 0; i < product->count; i++)
		*arena_append(lowering->lower->arena, product->items[i].items,
			      product->items[i].count) = match;
}

static void note_origin(const struct match_condition *condition, struct match_alternatives *out)
{
	for (size_t i = 0; i < out->count; i++)
		for (size_t k = 0; k < out->items[i].count; k++) {
			out->items[i].items[k].origin = condition->span;
			out->items[i].items[k].key = condition->key;
		}
	if (out->extra) {
		out->extra->origin = condition->span;
		out->extra->key = condition->key;
	}
}

/* What a listener on another host sends itself would come back to it: the rule leaves it to the
 * next ones. Who sends on this host is known otherwise. */
static void except_listeners(struct lowering *lowering, struct match_alternatives *product)
{
	const struct match_context *context = &lowering->context;
	size_t count = 0;
	const struct onward *from = NULL;
	char text[ADDR_TEXT];

	if (context->scope == SCOPE_FORWARD)
		from = onward_excepted(context->arena, lowering->lower->policy, lowering->rule,
				       context->family, &count);
	for (size_t i = 0; i < count; i++) {
		struct addr_prefix prefix = { from[i].addr, addr_width(context->family) };
		struct ir_match match = address_match(context->arena, ADDRESS_FROM, prefix);

		match.negated = true;
		match.tracked = context->tracked;
		match.unless = arena_printf(context->arena, "from: %s is the listener %s itself",
					    addr_format(from[i].addr, text),
					    from[i].listener->name);
		add_to_all(lowering, product, match);
	}
}

static bool has_tproxy(const struct ast_policy *policy)
{
	for (size_t i = 0; i < policy->listener_count; i++)
		if (policy->listeners[i].mode == MODE_TPROXY)
			return true;
	return false;
}

/* A transparent proxy answers its client from the address that the client has asked, or from any
 * other (full-cone UDP), and connection tracking does not know it as a reply. */
static void except_answers(struct lowering *lowering, struct match_alternatives *product)
{
	if (lowering->context.scope == SCOPE_LOCAL && !lowering->context.tracked &&
	    ast_hands_over(lowering->rule->then) && has_tproxy(lowering->lower->policy))
		add_to_all(lowering, product, own_source_match());
}

/* `condition`: NULL where the rule only has the protocols of its listener. */
static void lower_condition(struct lowering *lowering, const struct match_kind *kind,
			    const struct match_condition *condition,
			    struct match_alternatives *product)
{
	struct match_alternatives alternatives = { 0 };

	if (kind == &match_protocol)
		lower_protocols(lowering, &alternatives);
	else
		kind->lower(condition, &lowering->context, &alternatives);
	if (condition)
		note_origin(condition, &alternatives);
	if (!set_apart(lowering, condition, &alternatives))
		*product = multiply(lowering, product, &alternatives);
	else if (alternatives.extra)
		add_to_all(lowering, product, *alternatives.extra);
}

/* In the order of match.def, whatever order the author wrote the keys in. */
static struct match_alternatives lower_conditions(struct lowering *lowering)
{
	struct match_alternatives product = { 0 };

	lowering->aparts = NULL;
	lowering->apart_count = 0;
	match_alternative(&lowering->context, &product);
	for (size_t i = 0; i < match_key_count; i++) {
		struct match_condition *condition =
			ast_condition(lowering->rule, match_keys[i].key);

		if (match_keys[i].kind == &match_protocol || condition)
			lower_condition(lowering, match_keys[i].kind, condition, &product);
	}
	for (size_t i = 0; i < lowering->rule->condition_count; i++)
		if (!strcmp(lowering->rule->conditions[i]->key, lower_runs_as))
			lower_condition(lowering, lowering->rule->conditions[i]->kind,
					lowering->rule->conditions[i], &product);
	except_listeners(lowering, &product);
	except_answers(lowering, &product);
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

/* ---- nft rules ---- */

static struct ir_rule *add_rule(struct lowering *lowering, struct ir_chain *chain,
				const struct match_alternative *alternative)
{
	const struct ast_rule *rule = lowering->rule;
	struct ir_rule *out = lower_rule(lowering->lower, chain, rule->span, rule->title);

	for (size_t i = 0; alternative && i < alternative->count; i++)
		lower_match(lowering->lower, out, alternative->items[i]);
	return out;
}

/* What the rule does, for packets that fit the alternative (NULL: all that come so far). */
static void put_action(struct lowering *lowering, struct lower_block *block, struct ir_chain *chain,
		       const struct match_alternative *alternative)
{
	struct lower *lower = lowering->lower;
	const struct ast_rule *rule = lowering->rule;

	if (rule->log && ast_chooses_target(rule->then) && !block->errors) {
		struct ir_rule *log = add_rule(lowering, chain, alternative);

		if (!ast_condition(rule, "state"))
			lower_match(lower, log, state_match(lower->arena, STATE_NEW));
		lower_do(lower, log, (struct ir_statement){ .op = IR_LOG, .name = rule->log });
	}
	lower_act(lower, block, rule, add_rule(lowering, chain, alternative));
}

/*
 * Where a rule counts its packets, or has a condition with many alternatives, what it does stands
 * in a chain of its own: one limit for all, and what exceeds it goes on with the next rule.
 */
static const char *then_chain(struct lowering *lowering, struct lower_block *block)
{
	struct lower *lower = lowering->lower;
	const struct ast_limit *limit = &lowering->rule->limit;
	bool sends = ast_chooses_target(lowering->rule->then);
	const char *name = arena_printf(lower->arena, "then_%s%s%s", lowering->context.rule,
					sends ? "_" : "", sends ? block->name : "");
	struct ir_chain *chain = lower_find_chain(lower, name);

	if (chain)
		return chain->name;
	chain = lower_chain(lower, name, NULL);
	if (limit->rate) {
		struct ir_rule *over = add_rule(lowering, chain, NULL);

		lower_do(lower, over,
			 (struct ir_statement){
				 .op = IR_OVER, .value = limit->rate, .name = limit->unit });
		lower_op(lower, over, IR_RETURN);
	}
	put_action(lowering, block, chain, NULL);
	return name;
}

/*
 * Alternatives that look further and further into a packet: short ones, such as TCP's bare
 * acknowledgements, leave them by their length. IPv4's header has 20 bytes at least (RFC 791),
 * TCP's 20 (RFC 9293), UDP's 8 (RFC 768).
 */
enum { GATE_EVERY = 16, IP_LEAST = 20, TCP_LEAST = 20, UDP_LEAST = 8 };

static void put_gate(struct lowering *lowering, struct ir_chain *chain, const char *next,
		     const struct match_alternatives *all, size_t from, unsigned int *passed)
{
	unsigned int header = interval_contains(&lowering->rule->protocols, wide(PROTOCOL_UDP))
				      ? UDP_LEAST
				      : TCP_LEAST;
	unsigned int least = all->items[from].least;
	struct ir_rule *out;

	for (size_t i = from; i < all->count; i++)
		if (all->items[i].least < least)
			least = all->items[i].least;
	if (least <= *passed)
		return;
	*passed = least;
	out = add_rule(lowering, chain, NULL);
	lower_match(lowering->lower, out,
		    shorter_match(lowering->lower->arena, IP_LEAST + header + least));
	if (all->none_of)
		lower_goto(lowering->lower, out, next);
	else
		lower_op(lowering->lower, out, IR_RETURN);
}

/* Packets that fit the condition go on to `next`, the others back to where they came from. */
static const char *apart_chain(struct lowering *lowering, const struct lower_block *block,
			       const struct apart *apart, const char *next)
{
	struct lower *lower = lowering->lower;
	const struct match_alternatives *all = &apart->alternatives;
	const char *name = arena_printf(lower->arena, "%s.%s_%s", lowering->context.rule,
					apart->key, block->name);
	struct ir_chain *chain = lower_find_chain(lower, name);
	unsigned int passed = 0;

	if (chain)
		return chain->name;
	chain = lower_chain(lower, name, NULL);
	for (size_t i = 0; i < all->count; i++) {
		struct ir_rule *rule;

		if (i % GATE_EVERY == 0)
			put_gate(lowering, chain, next, all, i, &passed);
		rule = add_rule(lowering, chain, &all->items[i]);
		if (all->none_of)
			lower_op(lower, rule, IR_RETURN);
		else
			lower_goto(lower, rule, next);
	}
	if (all->none_of)
		lower_goto(lower, add_rule(lowering, chain, NULL), next);
	return name;
}

/* The chain after the rule's plain conditions; NULL where they are all there is. */
static const char *chain_after(struct lowering *lowering, struct lower_block *block)
{
	const char *chain = NULL;

	if (lowering->rule->limit.rate || lowering->apart_count)
		chain = then_chain(lowering, block);
	for (size_t i = lowering->apart_count; i; i--)
		chain = apart_chain(lowering, block, &lowering->aparts[i - 1], chain);
	return chain;
}

/*
 * A rule that goes on may have alternatives that fit the same packet, and means it once: its
 * alternatives stand in a chain of their own, and the first that fits leaves it.
 */
static struct ir_chain *once_chain(struct lowering *lowering, const struct lower_block *block)
{
	struct lower *lower = lowering->lower;
	const char *name =
		arena_printf(lower->arena, "once_%s_%s", lowering->context.rule, block->name);

	if (lower_find_chain(lower, name)) /* the other family's */
		name = arena_printf(lower->arena, "%s.v6", name);
	lower_jump(lower, add_rule(lowering, block->chain, NULL), name);
	return lower_chain(lower, name, NULL);
}

static void put_rules(struct lowering *lowering, struct lower_block *block,
		      const struct match_alternatives *alternatives)
{
	bool once = lowering->rule->then->action == THEN_CONTINUE && alternatives->count > 1;
	struct ir_chain *chain = once ? once_chain(lowering, block) : block->chain;
	const char *after = alternatives->count ? chain_after(lowering, block) : NULL;

	if (once && !after)
		after = then_chain(lowering, block);
	for (size_t i = 0; i < alternatives->count; i++) {
		if (!after) {
			put_action(lowering, block, chain, &alternatives->items[i]);
			continue;
		}
		lower_do(lowering->lower, add_rule(lowering, chain, &alternatives->items[i]),
			 (struct ir_statement){ .op = once ? IR_GOTO : IR_JUMP, .chain = after });
	}
}

static void warn_of_nothing(struct lowering *lowering)
{
	const struct ast_rule *rule = lowering->rule;
	struct diag_record *record;

	if (lowering->empty) {
		lowering->empty->is_reported = true;
		record = diag_add(lowering->lower->diag, DIAG_empty_set, rule->span,
				  "this rule matches nothing: its set has no address");
		diag_also(record, lowering->empty->span,
			  lowering->empty->expression.without_count ? "nothing is left of this one"
								    : "this one is empty");
		diag_help(record, "fill the set, or remove the rule");
	} else {
		diag_help(diag_add(lowering->lower->diag, DIAG_never_matches, rule->span,
				   "no packet can fit this rule"),
			  "its conditions exclude each other, or one of them all there is: check the families and destinations that they name, and what follows `not`");
	}
}

void lower_author_rule(struct lower *lower, struct lower_block *block, const struct ast_rule *rule)
{
	struct lowering lowering = { .lower = lower, .rule = rule };
	struct match_alternatives each[ADDR_FAMILIES] = { 0 };
	size_t total = 0;

	lower->rule = rule->span;
	lowering.context = (struct match_context){
		.arena = lower->arena,
		.scope = block->scope,
		.protocols = &rule->protocols,
		.rule = rule->id,
		.host = block->specials && !rule->excepts,
		.specials = rule->specials,
		.meant = &rule->meant,
		.means_own = rule->means_own,
		.tracked = block->errors,
		.named_set = named_set,
		.make_set = make_set,
		.user = &lowering,
	};
	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++) {
		lowering.context.family = family;
		if (rule->families[family])
			each[family] = lower_conditions(&lowering);
		total += each[family].count;
		if (each[family].count)
			lower_note_use(lower, block, rule, family);
	}
	if (total > RULES_MOST || lowering.too_many) {
		diag_help(diag_add(lower->diag, DIAG_too_complex, rule->span,
				   "this rule would become more than %d nft rules", RULES_MOST),
			  ast_condition(rule, "payload")
				  ? "every place where a text may stand is one: narrow `within`, or give the texts "
				    "rules of their own"
				  : "put addresses into sets, and interfaces that belong together into one pattern");
		return;
	}
	if (!total && !block->specials && !block->errors && !rule->specials)
		warn_of_nothing(&lowering);
	if (block->errors && (lowering.apart_count || rule->limit.rate))
		return;
	if (are_alike(&each[ADDR_IPV4], &each[ADDR_IPV6])) {
		put_rules(&lowering, block, &each[ADDR_IPV4]);
		return;
	}
	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++) {
		pin_family(&lowering, &each[family], family);
		put_rules(&lowering, block, &each[family]);
	}
}
