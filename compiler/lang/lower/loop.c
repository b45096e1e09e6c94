/*
 * lower/loop: no loops. What the listeners themselves send meets only rules that name an identity,
 * in a chain of its own for each identity, whether a rule hands the listener anything or not. What
 * comes straight to a listener's port is refused.
 */
#include <string.h>

#include "base/arena.h"
#include "lang/lower/lower.h"
#include "match/kinds.h"

/* ---- straight to a listener ---- */

/* A connection straight to the listener's port, which would take it for one more to be proxied. */
static void refuse_straight(struct lower *lower, struct ir_chain *chain,
			    const struct ast_listener *listener, const char *remark)
{
	struct ir_rule *rule = lower_guarantee(lower, chain, remark);

	lower_match(lower, rule, lower_listener_protocols(lower, listener));
	lower_match(lower, rule, port_match(lower->arena, PORT_DESTINATION, listener->port));
	lower_match(lower, rule, fib_match(FIB_LOCAL));
	lower_goto(lower, rule, lower_refuse(lower));
}

void lower_refuse_loops(struct lower *lower, struct ir_chain *chain)
{
	const char *remark = "a connection straight to a listener would loop";

	for (size_t i = 0; i < lower->policy->listener_count; i++) {
		const struct ast_listener *listener = &lower->policy->listeners[i];

		if (!listener->used || listener->mode != MODE_TPROXY)
			continue;
		refuse_straight(lower, chain, listener, remark);
		remark = NULL;
	}
}

/* Is the listener's own port one that a rule is about, so that whoever asks there may mean it? */
static bool is_asked_for(const struct lower *lower, const struct ast_listener *listener)
{
	for (size_t i = 0; i < lower->policy->rule_count; i++) {
		const struct ast_rule *rule = &lower->policy->rules[i];
		const struct match_condition *port = ast_condition(rule, "port");
		bool names = port && !port->negated &&
			     interval_contains(&port->values, wide(listener->port));

		if ((rule->specials & SPECIAL_LOCAL) && (!port || names))
			return true;
		if (names && ast_hands_to(rule->then, listener))
			return true;
	}
	return false;
}

/*
 * What comes by an interface and goes straight to a redirect listener would have it connect to
 * itself, maybe through another host, where nothing distinguishes its traffic from other traffic.
 */
static bool is_guarded(const struct lower *lower, const struct ast_listener *listener)
{
	return listener->used && listener->mode == MODE_REDIRECT && !is_asked_for(lower, listener);
}

bool lower_has_guarded(const struct lower *lower)
{
	for (size_t i = 0; i < lower->policy->listener_count; i++)
		if (is_guarded(lower, &lower->policy->listeners[i]))
			return true;
	return false;
}

void lower_refuse_unredirected(struct lower *lower, struct ir_chain *chain)
{
	const char *remark = "nothing that was not redirected goes to a listener's port";

	for (size_t i = 0; i < lower->policy->listener_count; i++) {
		const struct ast_listener *listener = &lower->policy->listeners[i];

		if (!is_guarded(lower, listener))
			continue;
		refuse_straight(lower, chain, listener, remark);
		remark = NULL;
	}
}

/* ---- identities ---- */

/* As it is written: a name and a number may be the same account all the same. */
static bool is_same(const struct match_condition *a, const struct match_condition *b)
{
	if (a->kind != b->kind || a->selector != b->selector || a->mask != b->mask ||
	    a->hosted_count != b->hosted_count || a->values.count != b->values.count)
		return false;
	return (!a->hosted_count || !strcmp(a->hosted[0].name, b->hosted[0].name)) &&
	       (!a->values.count || wide_equal(a->values.items[0].first, b->values.items[0].first));
}

/* Can no packet fit both? */
static bool are_disjoint(const struct match_condition *a, const struct match_condition *b)
{
	uint32_t shared = a->mask & b->mask;

	if (a->kind != b->kind || a->selector != b->selector || !a->values.count ||
	    !b->values.count)
		return false;
	if (a->kind == &match_mark)
		return (a->values.items[0].first.low ^ b->values.items[0].first.low) & shared;
	return !wide_equal(a->values.items[0].first, b->values.items[0].first);
}

static bool runs_as(const struct ast_listener *listener, const struct match_condition *identity)
{
	for (size_t i = 0; i < listener->runs_as.count; i++)
		if (is_same(listener->runs_as.items[i], identity))
			return true;
	return false;
}

/* Do the same listeners run as both? */
static bool is_of_same(const struct ast_policy *policy, const struct match_condition *a,
		       const struct match_condition *b)
{
	for (size_t i = 0; i < policy->listener_count; i++)
		if (runs_as(&policy->listeners[i], a) != runs_as(&policy->listeners[i], b))
			return false;
	return true;
}

struct own {
	const struct match_condition *identity;
	const char *chain; /* of all identities that the same listeners run as */
	bool is_first;     /* of its chain */
};

static bool is_known(const struct own *owns, size_t count, const struct match_condition *identity)
{
	for (size_t i = 0; i < count; i++)
		if (is_same(owns[i].identity, identity))
			return true;
	return false;
}

/* The listener's identities that no listener before it has. */
static void add_owns(struct lower *lower, const struct ast_listener *listener, struct own **owns,
		     size_t *count)
{
	size_t first = *count, chains = 0;

	for (size_t i = 0; i < listener->runs_as.count; i++) {
		struct own own = { .identity = listener->runs_as.items[i] };

		if (ast_is_source_port(own.identity) || is_known(*owns, *count, own.identity))
			continue;
		for (size_t k = first; k < *count && !own.chain; k++)
			if (is_of_same(lower->policy, (*owns)[k].identity, own.identity))
				own.chain = (*owns)[k].chain;
		own.is_first = !own.chain;
		if (own.is_first && chains++)
			own.chain =
				arena_printf(lower->arena, "own_%s_%zu", listener->name, chains);
		else if (own.is_first)
			own.chain = arena_printf(lower->arena, "own_%s", listener->name);
		*arena_append(lower->arena, *owns, *count) = own;
	}
}

static struct own *find_owns(struct lower *lower, size_t *count)
{
	struct own *owns = NULL;

	*count = 0;
	for (size_t i = 0; i < lower->policy->listener_count; i++)
		add_owns(lower, &lower->policy->listeners[i], &owns, count);
	return owns;
}

/* ---- their chains ---- */

/* The condition that a packet has none of the listener's identities of this key. Marks under
 * different masks stand apart. */
static struct match_condition *exception(struct lower *lower, struct ast_rule *rule,
					 const struct match_condition *identity)
{
	struct match_condition *last;

	for (size_t i = 0; i < rule->condition_count; i++) {
		last = rule->conditions[i];
		if (last->key == lower_runs_as && last->kind == identity->kind &&
		    last->selector == identity->selector && last->kind != &match_mark)
			return last;
	}
	last = arena_new_of(lower->arena, struct match_condition);
	*last = (struct match_condition){ .kind = identity->kind,
					  .key = lower_runs_as,
					  .span = identity->span,
					  .selector = identity->selector,
					  .mask = identity->mask,
					  .negated = true };
	*arena_append(lower->arena, rule->conditions, rule->condition_count) = last;
	return last;
}

static void except(struct lower *lower, struct ast_rule *rule,
		   const struct match_condition *identity)
{
	struct match_condition *out = exception(lower, rule, identity);

	for (size_t i = 0; i < identity->values.count; i++)
		interval_add(lower->arena, &out->values, identity->values.items[i].first,
			     identity->values.items[i].last);
	interval_normalise(&out->values);
	for (size_t i = 0; i < identity->name_count; i++)
		*arena_append(lower->arena, out->names, out->name_count) = identity->names[i];
	for (size_t i = 0; i < identity->hosted_count; i++)
		*arena_append(lower->arena, out->hosted, out->hosted_count) = identity->hosted[i];
}

/* A rule that hands to listeners takes nothing that has another of their identities, too. */
static struct ast_rule without_own(struct lower *lower, const struct ast_rule *rule,
				   const struct match_condition *identity)
{
	struct ast_rule out = *rule;
	const struct ast_then *then = rule->then;

	out.conditions = NULL;
	out.condition_count = 0;
	for (size_t i = 0; i < rule->condition_count; i++)
		*arena_append(lower->arena, out.conditions, out.condition_count) =
			rule->conditions[i];
	for (size_t h = 0; h < then->hand_count; h++) {
		const struct ast_identity *own = &then->hands[h].listener->runs_as;

		for (size_t i = 0; i < own->count; i++)
			if (!ast_is_source_port(own->items[i]) &&
			    !are_disjoint(own->items[i], identity))
				except(lower, &out, own->items[i]);
	}
	return out;
}

/* Rules that name who sends, but for those that hand to the listener what it sends itself, or to
 * one that it shares with others. */
static void add_own_rule(struct lower *lower, struct lower_block *block,
			 const struct ast_rule *rule, const struct match_condition *identity)
{
	struct ast_rule narrowed;

	if (!(rule->scopes & SCOPE_LOCAL) || !ast_names_identity(rule))
		return;
	if (!ast_hands_over(rule->then)) {
		lower_block_rule(lower, block, rule);
		return;
	}
	for (size_t i = 0; i < rule->then->hand_count; i++)
		if (runs_as(rule->then->hands[i].listener, identity))
			return;
	narrowed = without_own(lower, rule, identity);
	lower_block_rule(lower, block, &narrowed);
}

static void own_chain(struct lower *lower, const struct match_condition *identity, const char *name)
{
	struct lower_block block = lower_new_block(lower, SCOPE_LOCAL, name);
	static const struct ast_then direct = { .action = THEN_DIRECT };
	struct ast_rule rest = lower_default_rule(lower, &direct, SCOPE_LOCAL);

	block.chain =
		lower_chain(lower, name, "only rules that name an identity, so that nothing loops");
	for (size_t i = 0; i < lower->policy->listener_count; i++) {
		const struct ast_listener *listener = &lower->policy->listeners[i];

		if (listener->used && runs_as(listener, identity))
			refuse_straight(lower, block.chain, listener, NULL);
	}
	lower_leave_host(lower, block.chain, NULL);
	for (size_t i = 0; i < lower->policy->rule_count; i++)
		add_own_rule(lower, &block, &lower->policy->rules[i], identity);
	lower_author_rule(lower, &block, &rest);
}

void lower_own_chains(struct lower *lower)
{
	size_t count;
	const struct own *owns = find_owns(lower, &count);

	for (size_t i = 0; i < count; i++)
		if (owns[i].is_first)
			own_chain(lower, owns[i].identity, owns[i].chain);
}

/* ---- what goes there ---- */

static void leave_sender(struct lower *lower, struct ir_chain *chain, const char *remark,
			 const struct match_condition *identity, const char *to)
{
	struct match_context context = { .arena = lower->arena, .scope = SCOPE_LOCAL };
	struct match_alternatives fits = { 0 };
	struct ir_rule *rule = lower_guarantee(lower, chain, remark);

	identity->kind->lower(identity, &context, &fits);
	for (size_t i = 0; i < fits.items[0].count; i++)
		lower_match(lower, rule, fits.items[0].items[i]);
	lower_goto(lower, rule, to);
}

void lower_leave_own(struct lower *lower, struct ir_chain *chain)
{
	size_t count;
	const struct own *owns = find_owns(lower, &count);

	for (size_t i = 0; i < count; i++)
		leave_sender(lower, chain, i ? NULL : "what the listeners themselves send",
			     owns[i].identity, owns[i].chain);
}

bool lower_has_own(const struct lower *lower)
{
	for (size_t i = 0; i < lower->policy->listener_count; i++)
		if (lower->policy->listeners[i].used &&
		    ast_has_identity(&lower->policy->listeners[i]))
			return true;
	return false;
}

/* ---- listeners on other hosts ---- */

/* ICMP errors about such a connection go where it goes. */
static void leave_onward(struct lower *lower, struct ir_chain *chain,
			 const struct ast_listener *listener, const struct match_condition *ports,
			 struct match_context context, const char *remark)
{
	struct addr addr = listener->addr[context.family];
	struct ir_match from = address_match(lower->arena, ADDRESS_FROM,
					     (struct addr_prefix){ addr, addr_width(addr.family) });
	struct match_alternatives sends = { 0 };
	struct ir_rule *rule = lower_guarantee(lower, chain, remark);

	from.tracked = context.tracked;
	if (context.tracked)
		lower_match(lower, rule, icmp_match(lower->arena));
	else
		lower_match(lower, rule, protocol_match(context.protocols));
	if (context.tracked)
		lower_match(lower, rule, state_match(lower->arena, STATE_RELATED));
	lower_match(lower, rule, from);
	match_port.lower(ports, &context, &sends);
	for (size_t i = 0; i < sends.items[0].count; i++)
		lower_match(lower, rule, sends.items[0].items[i]);
	lower_op(lower, rule, IR_ACCEPT);
}

/* What a proxy on another host sends itself is known by its source port; all else that its host
 * sends meets the rules. Whether the address is this host's own is not known here. */
void lower_leave_remote(struct lower *lower, struct ir_chain *chain)
{
	const char *remark = "what a listener known by its address and ports sends itself";
	struct interval_set protocols = { 0 };

	interval_add(lower->arena, &protocols, wide(PROTOCOL_TCP), wide(PROTOCOL_TCP));
	interval_add(lower->arena, &protocols, wide(PROTOCOL_UDP), wide(PROTOCOL_UDP));
	for (size_t i = 0; i < lower->policy->listener_count; i++) {
		const struct ast_listener *listener = &lower->policy->listeners[i];

		for (size_t k = 0; k < listener->runs_as.count * ADDR_FAMILIES; k++) {
			const struct match_condition *ports =
				listener->runs_as.items[k / ADDR_FAMILIES];
			struct match_context context = { .arena = lower->arena,
							 .family = k % ADDR_FAMILIES,
							 .protocols = &protocols };

			if (!ast_is_source_port(ports) || !ast_is_away(listener, context.family))
				continue;
			leave_onward(lower, chain, listener, ports, context, remark);
			context.tracked = true;
			leave_onward(lower, chain, listener, ports, context, NULL);
			remark = NULL;
		}
	}
}
