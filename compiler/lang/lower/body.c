/*
 * lower/body: the author's rules of one scope, with the default at their end. They are lowered
 * before the base chain that they go into: its head says what they have decided.
 */
#include "base/arena.h"
#include "lang/lower/lower.h"
#include "match/kinds.h"

/* ---- ICMP errors ---- */

static bool rule_leaves_errors(const struct ast_rule *rule)
{
	const struct ast_then *then = rule->then;

	return rule->protocols.count &&
	       (then->action == THEN_ROUTE || then->action == THEN_MARK ||
		(ast_hands_over(then) && then->listener->mode == MODE_TPROXY));
}

/* Does one of the rules that keep no state not take the ICMP errors about what it takes? */
static bool leaves_errors(struct lower *lower, const struct lower_body *body)
{
	struct ast_rule otherwise = lower_default_rule(lower, body->otherwise, body->rules.scope);
	const struct ast_policy *policy = lower->policy;

	for (size_t i = 0; i < policy->rule_count; i++) {
		if (!(policy->rules[i].scopes & body->rules.scope))
			continue;
		if (lower_changes(lower, &policy->rules[i]))
			return false;
		if (rule_leaves_errors(&policy->rules[i]))
			return true;
	}
	return rule_leaves_errors(&otherwise);
}

/* Rules that keep no state are asked for ICMP errors as for the packets that the errors are about.
 */
static void begin_errors(struct lower *lower, struct lower_body *body)
{
	if (body->rules.stateful || !leaves_errors(lower, body))
		return;
	body->errors = lower_new_block(lower, body->rules.scope,
				       arena_printf(lower->arena, "errors_%s", body->rules.name));
	body->errors.errors = true;
	body->errors.chain =
		lower_chain(lower, body->errors.name, "ICMP errors go where their connection goes");
	lower->errors = true;
}

static void add_errors(struct lower *lower, struct lower_body *body, const struct ast_rule *rule)
{
	if (body->errors.chain && !body->rules.stateful && rule->then->action != THEN_CONTINUE)
		lower_author_rule(lower, &body->errors, rule);
}

static void follow_errors(struct lower *lower, struct ir_chain *chain,
			  const struct lower_body *body)
{
	struct ir_rule *rule;

	if (!body->errors.chain)
		return;
	rule = lower_guarantee(lower, chain, "errors about a connection follow it");
	lower_match(lower, rule, icmp_match(lower->arena));
	lower_match(lower, rule, state_match(lower->arena, STATE_RELATED));
	lower_goto(lower, rule, body->errors.chain->name);
}

/* ---- the rules ---- */

/* IPv6 that a policy about IPv4 would let go: refused, unless the default does something with it.
 */
static void block_ipv6(struct lower *lower, const struct lower_body *body)
{
	struct ir_rule *rule;

	if (lower->policy->settings.ipv6 != IPV6_BLOCK || body->otherwise->action != THEN_DIRECT)
		return;
	rule = lower_guarantee(lower, body->rules.chain, "IPv6 that no rule has taken is refused");
	lower_match(lower, rule, family_match(lower->arena, ADDR_IPV6));
	lower_goto(lower, rule, lower_refuse(lower));
}

static void add_default(struct lower *lower, struct lower_body *body)
{
	struct ast_rule rule = lower_default_rule(lower, body->otherwise, body->rules.scope);
	static const struct ast_then direct = { .action = THEN_DIRECT };
	bool is_direct = body->otherwise->action == THEN_DIRECT;

	block_ipv6(lower, body);
	body->rules.stateful |= lower_changes(lower, &rule);
	if (!is_direct)
		lower_author_rule(lower, &body->rules, &rule);
	if (!is_direct)
		add_errors(lower, body, &rule);
	if (!body->rules.stateful)
		return;
	rule = lower_default_rule(lower, &direct, body->rules.scope);
	lower_author_rule(lower, &body->rules, &rule);
}

static bool has_specials(const struct lower *lower, enum ir_scope scope)
{
	for (size_t i = 0; i < lower->policy->rule_count; i++)
		if (lower->policy->rules[i].host & scope)
			return true;
	return false;
}

struct lower_body lower_body(struct lower *lower, enum ir_scope scope)
{
	static const struct ast_then direct = { .action = THEN_DIRECT };
	struct ast_policy *policy = lower->policy;
	const struct ast_then *given = scope == SCOPE_LOCAL ? policy->default_local
							    : policy->default_forward;
	const char *name = scope == SCOPE_LOCAL ? "local" : "forward";
	struct lower_body body = { .otherwise = given ? given : &direct };

	body.rules = lower_new_block(lower, scope, name);
	body.host = lower_new_block(lower, scope, arena_printf(lower->arena, "host_%s", name));
	body.host.specials = true;
	body.rules.chain = arena_new_of(lower->arena, struct ir_chain);
	if (has_specials(lower, scope))
		body.host.chain = lower_chain(lower, body.host.name,
					      "only rules that name these destinations");
	body.needed = given && given->action != THEN_DIRECT;
	begin_errors(lower, &body);
	for (size_t i = 0; i < policy->rule_count; i++) {
		struct ast_rule *rule = &policy->rules[i];

		if (!(rule->scopes & scope))
			continue;
		body.needed = true;
		lower_block_rule(lower, &body.rules, rule);
		add_errors(lower, &body, rule);
		if (rule->host & scope)
			lower_block_rule(lower, &body.host, rule);
	}
	if (body.needed)
		add_default(lower, &body);
	if (body.host.chain)
		lower_op(lower, lower_guarantee(lower, body.host.chain, NULL), IR_ACCEPT);
	return body;
}

void lower_put_body(struct lower *lower, struct ir_chain *chain, const struct lower_body *body)
{
	if (!body->needed)
		return;
	lower_leave_host(lower, chain, body->host.chain ? body->host.chain->name : NULL);
	follow_errors(lower, chain, body);
	lower_copy_rules(lower, chain, body->rules.chain);
}
