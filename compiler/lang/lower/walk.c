/*
 * lower/walk: rows of rules: the author's, and the small ones that every row needs.
 *
 * A row is one chain in the making together with how it is gone through: see struct lower_walk.
 */
#include "addr/builtin.h"
#include "base/arena.h"
#include "lang/lower/lower.h"
#include "match/kinds.h"

static const struct span nowhere;

struct ir_rule *lower_guarantee(struct lower *lower, struct ir_chain *chain, const char *remark)
{
	return lower_rule(lower, chain, nowhere, remark);
}

void lower_end(struct lower *lower, struct ir_rule *rule, const char *chain)
{
	if (chain)
		lower_goto(lower, rule, chain);
	else
		lower_op(lower, rule, IR_ACCEPT);
}

/* Destinations that rules leave alone go to `chain`, where the rules that name them are, or are
 * accepted. */
void lower_leave_host(struct lower *lower, struct ir_chain *chain, const char *host)
{
	static const char *const prefixes[] = { "multicast", "link-local" };
	struct ir_rule *rule = lower_guarantee(lower, chain, "the host stays a host");

	lower_match(lower, rule, fib_match(FIB_HOST));
	lower_end(lower, rule, host);
	for (int family = 0; family < ADDR_FAMILIES; family++)
		for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
			struct addr_set set = { 0 };
			struct addr_prefix prefix = { 0 };

			if (family == ADDR_IPV6 && lower->policy->settings.ipv6 == IPV6_OFF)
				continue;
			builtin_find(lower->arena, prefixes[i], &set);
			addr_interval_is_prefix((enum addr_family)family,
						set.family[family].items[0], &prefix);
			rule = lower_guarantee(lower, chain, NULL);
			lower_match(lower, rule, address_match(lower->arena, ADDRESS_TO, prefix));
			lower_end(lower, rule, host);
		}
}

/* A connection straight to the listener's port, which would take it for one more to be proxied. */
void lower_refuse_straight(struct lower *lower, struct ir_chain *chain,
			   const struct ast_listener *listener, const char *remark)
{
	struct ir_rule *rule = lower_guarantee(lower, chain, remark);

	lower_match(lower, rule, lower_listener_protocols(lower, listener));
	lower_match(lower, rule, port_match(lower->arena, PORT_DESTINATION, listener->port));
	lower_match(lower, rule, fib_match(FIB_LOCAL));
	lower_goto(lower, rule, lower_refuse(lower));
}

/* Of kept connections too: what drops, what rejects, and what notes the data that packets carry. */
static bool meets_every_packet(const struct ast_rule *rule)
{
	enum ast_action action = rule->then->action;

	for (size_t i = 0; action == THEN_CONTINUE && i < rule->condition_count; i++)
		if (rule->conditions[i]->kind->reads_data)
			return true;
	return action == THEN_DROP || action == THEN_REJECT;
}

void lower_walk_rule(struct lower *lower, struct lower_walk *walk, const struct ast_rule *rule)
{
	walk->stateful |= walk->keeps && lower_changes(lower, rule);
	lower_author_rule(lower, walk, rule);
	if (walk->keeps && meets_every_packet(rule))
		lower_cut(lower, walk, rule);
}

struct ast_rule lower_default_rule(struct lower *lower, const struct ast_then *then,
				   enum ir_scope scope)
{
	struct ast_rule rule = ast_default_rule(lower->arena, lower->policy, then, scope);

	rule.id = "default";
	if (then->span.source)
		rule.title = arena_printf(lower->arena, "the default, %s",
					  lower_then_words(lower, then));
	return rule;
}
