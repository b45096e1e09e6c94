/*
 * lower/hook: the base chains prerouting (what arrives) and output (what this host sends), where
 * the guarantees stand around the author's rules. The order in each is the order of the guarantees:
 * replies first, then connections that have their way, then what is left alone, then the rules,
 * then the default.
 */
#include <string.h>

#include "base/arena.h"
#include "lang/lower/lower.h"
#include "match/kinds.h"

/* The author's rules of one scope: lowered first, put into the base chain when its head is there.
 */
struct body {
	struct lower_walk rules, host;
	struct lower_walk errors; /* the rules that keep no state, as ICMP errors meet them */
	const struct ast_then *otherwise;
	bool needed;
};

/* ---- small rules ---- */

static void leave_ipv6(struct lower *lower, struct ir_chain *chain)
{
	struct ir_rule *rule;

	if (lower->policy->settings.ipv6 != IPV6_OFF)
		return;
	rule = lower_guarantee(lower, chain, "IPv6 is left alone");
	lower_match(lower, rule, family_match(lower->arena, ADDR_IPV6));
	lower_op(lower, rule, IR_ACCEPT);
}

/* Whether a rule hands it anything or not: the clients may come to it by themselves. */
static bool spoofs(const struct lower_class *way)
{
	return way->listener && way->listener->spoofs_client;
}

static const struct lower_class *first_spoofing(const struct lower *lower)
{
	for (size_t i = 0; i < lower->class_count; i++)
		if (spoofs(lower->classes[i]))
			return lower->classes[i];
	return NULL;
}

/* Do some replies go another way than the main table says? */
static bool has_origins(const struct lower *lower)
{
	bool is_marked = false;

	for (size_t i = 0; i < lower->class_count; i++)
		is_marked |= lower->classes[i]->ct_mask != 0;
	return lower->uplink_count || is_marked || first_spoofing(lower);
}

static void mark_replies(struct lower *lower, struct ir_chain *chain)
{
	for (size_t i = 0; i < lower->class_count; i++) {
		const struct lower_class *way = lower->classes[i];
		struct ir_rule *rule;

		if (!way->ct_mask)
			continue;
		rule = lower_guarantee(lower, chain, "replies carry their connection's mark");
		lower_match(lower, rule,
			    mark_match(lower->arena, MARK_CONNECTION, way->mark, way->ct_mask));
		lower_set_mark(lower, rule, way->mark, way->mask);
	}
}

static void replies(struct lower *lower, struct ir_chain *chain)
{
	struct ir_rule *rule = lower_guarantee(lower, chain, "replies never meet the rules");
	struct ir_chain *back = lower_find_chain(lower, "replies");

	lower_match(lower, rule, direction_match());
	lower_end(lower, rule, has_origins(lower) ? "replies" : NULL);
	if (!has_origins(lower) || back)
		return;
	back = lower_chain(lower, "replies", NULL);
	mark_replies(lower, back);
	lower_fill_replies(lower, back);
	lower_op(lower, lower_guarantee(lower, back, NULL), IR_ACCEPT);
}

static void leave_discovery(struct lower *lower, struct ir_chain *chain)
{
	struct ir_rule *rule;

	if (lower->policy->settings.ipv6 == IPV6_OFF)
		return;
	rule = lower_guarantee(lower, chain, "neighbour discovery goes to unicast addresses too");
	lower_match(lower, rule, discovery_match());
	lower_op(lower, rule, IR_ACCEPT);
}

/* ---- the author's rules ---- */

/* IPv6 that a policy about IPv4 would let go: refused, unless the default does something with it.
 */
static void block_ipv6(struct lower *lower, const struct body *body)
{
	struct ir_rule *rule;

	if (lower->policy->settings.ipv6 != IPV6_BLOCK || body->otherwise->action != THEN_DIRECT)
		return;
	rule = lower_guarantee(lower, body->rules.chain, "IPv6 that no rule has taken is refused");
	lower_match(lower, rule, family_match(lower->arena, ADDR_IPV6));
	lower_goto(lower, rule, lower_refuse(lower));
}

/* Does one of the rules that keep no state leave ICMP errors behind? */
static bool leaves_errors(struct lower *lower, const struct body *body)
{
	struct ast_rule otherwise = lower_default_rule(lower, body->otherwise, body->rules.scope);
	const struct ast_policy *policy = lower->policy;

	for (size_t i = 0; i < policy->rule_count; i++) {
		if (!(policy->rules[i].scopes & body->rules.scope))
			continue;
		if (lower_changes(lower, &policy->rules[i]))
			return false;
		if (lower_leaves_errors(&policy->rules[i]))
			return true;
	}
	return lower_leaves_errors(&otherwise);
}

/* Rules that keep no state are asked for ICMP errors as for the packets that the errors are about.
 */
static void begin_errors(struct lower *lower, struct body *body)
{
	if (body->rules.stateful || !leaves_errors(lower, body))
		return;
	body->errors = lower_new_walk(lower, body->rules.scope,
				      arena_printf(lower->arena, "errors_%s", body->rules.name));
	body->errors.errors = true;
	body->errors.chain =
		lower_chain(lower, body->errors.name, "ICMP errors go where their connection goes");
	lower->errors = true;
}

static void walk_errors(struct lower *lower, struct body *body, const struct ast_rule *rule)
{
	if (body->errors.chain && !body->rules.stateful && rule->then->action != THEN_CONTINUE)
		lower_author_rule(lower, &body->errors, rule);
}

static void follow_errors(struct lower *lower, struct ir_chain *chain, const struct body *body)
{
	struct ir_rule *rule;

	if (!body->errors.chain)
		return;
	rule = lower_guarantee(lower, chain, "errors about a connection follow it");
	lower_match(lower, rule, icmp_match(lower->arena));
	lower_match(lower, rule, state_match(lower->arena, STATE_RELATED));
	lower_goto(lower, rule, body->errors.chain->name);
}

static void walk_default(struct lower *lower, struct body *body)
{
	struct ast_rule rule = lower_default_rule(lower, body->otherwise, body->rules.scope);
	static const struct ast_then direct = { .action = THEN_DIRECT };
	bool is_direct = body->otherwise->action == THEN_DIRECT;

	block_ipv6(lower, body);
	body->rules.stateful |= lower_changes(lower, &rule);
	if (!is_direct)
		lower_author_rule(lower, &body->rules, &rule);
	if (!is_direct)
		walk_errors(lower, body, &rule);
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

static struct body lower_body(struct lower *lower, enum ir_scope scope)
{
	static const struct ast_then direct = { .action = THEN_DIRECT };
	struct ast_policy *policy = lower->policy;
	const struct ast_then *given = scope == SCOPE_LOCAL ? policy->default_local
							    : policy->default_forward;
	const char *name = scope == SCOPE_LOCAL ? "local" : "forward";
	struct body body = { .otherwise = given ? given : &direct };

	body.rules = lower_new_walk(lower, scope, name);
	body.host = lower_new_walk(lower, scope, arena_printf(lower->arena, "host_%s", name));
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
		lower_walk_rule(lower, &body.rules, rule);
		walk_errors(lower, &body, rule);
		if (rule->host & scope)
			lower_walk_rule(lower, &body.host, rule);
	}
	if (body.needed)
		walk_default(lower, &body);
	if (body.host.chain)
		lower_op(lower, lower_guarantee(lower, body.host.chain, NULL), IR_ACCEPT);
	return body;
}

static void put_body(struct lower *lower, struct ir_chain *chain, const struct body *body)
{
	if (!body->needed)
		return;
	lower_leave_host(lower, chain, body->host.chain ? body->host.chain->name : NULL);
	follow_errors(lower, chain, body);
	for (size_t i = 0; i < body->rules.chain->rule_count; i++)
		*arena_append(lower->arena, chain->rules, chain->rule_count) =
			body->rules.chain->rules[i];
}

/* ---- prerouting ---- */

/* What this host sends by the way comes in again by `lo`. */
static void take_own(struct lower *lower, struct ir_chain *chain, const struct lower_class *way,
		     const char *target, const char *remark)
{
	struct ir_rule *rule = lower_guarantee(lower, chain, remark);

	lower_match(lower, rule, loopback_match(INTERFACE_IN, false));
	lower_match_class(lower, rule, way);
	lower_goto(lower, rule, target);
}

static void take_back(struct lower *lower, struct ir_chain *chain)
{
	const char *remark = "what this host sends to a proxy comes back here by the mark's route";

	for (size_t i = 0; i < lower->class_count; i++) {
		const struct lower_class *way = lower->classes[i];

		if (!way->local || !way->listener || way->listener->mode != MODE_TPROXY)
			continue;
		take_own(lower, chain, way, way->chain, remark);
		remark = NULL;
	}
}

/* A TCP connection of this host's own whose way has no route is reset at once. */
static void reset_own(struct lower *lower, struct ir_chain *chain)
{
	const char *remark = "what this host sends by a table that has no route comes back here";

	for (size_t i = 0; i < lower->class_count; i++) {
		const struct lower_class *way = lower->classes[i];

		if (way->kind != IR_CLASS_SYN || !lower_is_used(way))
			continue;
		take_own(lower, chain, way, lower_refuse(lower), remark);
		remark = NULL;
	}
}

static bool resets_own(const struct lower *lower)
{
	for (size_t i = 0; i < lower->class_count; i++)
		if (lower->classes[i]->kind == IR_CLASS_SYN && lower_is_used(lower->classes[i]))
			return true;
	return false;
}

/* TCP and UDP as the listeners take them, and the ICMP errors about that. */
static struct interval_set spoofed_protocols(const struct lower *lower)
{
	struct interval_set protocols = { 0 };

	for (size_t i = 0; i < lower->class_count; i++) {
		struct interval_set takes = { 0 };

		if (spoofs(lower->classes[i]))
			takes = ast_takes(lower->arena, lower->classes[i]->listener);
		for (size_t k = 0; k < takes.count; k++)
			interval_add(lower->arena, &protocols, takes.items[k].first,
				     takes.items[k].last);
	}
	interval_add(lower->arena, &protocols, wide(PROTOCOL_ICMP), wide(PROTOCOL_ICMP));
	interval_add(lower->arena, &protocols, wide(PROTOCOL_ICMPV6), wide(PROTOCOL_ICMPV6));
	interval_normalise(&protocols);
	return protocols;
}

/* Both legs of a proxy that connects with its client's address: a transparent socket here is the
 * end of what comes for it. One listener's mark leads here as well as another's. */
static void take_spoofed(struct lower *lower, struct ir_chain *chain)
{
	const struct lower_class *way = first_spoofing(lower);
	struct interval_set protocols = spoofed_protocols(lower);
	struct ir_rule *rule;

	if (!way)
		return;
	rule = lower_guarantee(lower, chain, "replies to a client's address that a proxy spoofs");
	lower_match(lower, rule, protocol_match(&protocols));
	lower_match(lower, rule, socket_match());
	lower_set_mark(lower, rule, way->mark, way->mask);
	lower_op(lower, rule, IR_ACCEPT);
}

const char lower_spoofed[] = "spoofed";

/* A server on this host that such a proxy connects to: no socket tells its answers, which this host
 * sends itself, from those to the client's own connections; that the request came by `lo` does. */
static void note_spoofing(struct lower *lower, struct ir_chain *chain)
{
	const struct lower_class *way = first_spoofing(lower);
	uint32_t mask = lower_mark_mask(lower);
	struct ir_chain *back;
	struct ir_rule *rule;

	if (!way)
		return;
	rule = lower_guarantee(lower, chain, "a proxy on this host asks this host as its client");
	lower_match(lower, rule, loopback_match(INTERFACE_IN, false));
	lower_match(lower, rule, mark_match(lower->arena, MARK_CONNECTION, 0, mask));
	lower_match(lower, rule, spoofed_match());
	lower_set_ct_mark(lower, rule, lower_spoofed_value(lower), mask);
	back = lower_chain(lower, lower_spoofed, NULL);
	rule = lower_guarantee(lower, back, NULL);
	lower_set_mark(lower, rule, way->mark, way->mask);
	lower_op(lower, rule, IR_ACCEPT);
}

static void refuse_loops(struct lower *lower, struct ir_chain *chain)
{
	const char *remark = "a connection straight to a listener would loop";

	for (size_t i = 0; i < lower->policy->listener_count; i++) {
		const struct ast_listener *listener = &lower->policy->listeners[i];

		if (!listener->used || listener->mode != MODE_TPROXY)
			continue;
		lower_refuse_straight(lower, chain, listener, remark);
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
 * itself, maybe by way of another host, where nothing tells its traffic from other traffic.
 */
static bool is_guarded(const struct lower *lower, const struct ast_listener *listener)
{
	return listener->used && listener->mode == MODE_REDIRECT && !is_asked_for(lower, listener);
}

static bool has_guarded(const struct lower *lower)
{
	for (size_t i = 0; i < lower->policy->listener_count; i++)
		if (is_guarded(lower, &lower->policy->listeners[i]))
			return true;
	return false;
}

static void refuse_straight(struct lower *lower, struct ir_chain *chain)
{
	const char *remark = "nothing that was not redirected goes to a listener's port";

	for (size_t i = 0; i < lower->policy->listener_count; i++) {
		const struct ast_listener *listener = &lower->policy->listeners[i];

		if (!is_guarded(lower, listener))
			continue;
		lower_refuse_straight(lower, chain, listener, remark);
		remark = NULL;
	}
}

static void note_uplinks(struct lower *lower, struct ir_chain *chain)
{
	struct ir_chain *uplinks;
	struct ir_rule *rule;

	if (!lower->uplink_count)
		return;
	uplinks = lower_chain(lower, "uplinks", "by which uplink a connection came in");
	lower_origin(lower, uplinks, 0);
	lower_relate_inbound(lower, chain, uplinks->name);
	rule = lower_guarantee(lower, chain, uplinks->remark);
	lower_match(lower, rule,
		    mark_match(lower->arena, MARK_CONNECTION, 0, lower_mark_mask(lower)));
	lower_jump(lower, rule, uplinks->name);
}

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
static void leave_remote_listeners(struct lower *lower, struct ir_chain *chain)
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

static void leave_loopback(struct lower *lower, struct ir_chain *chain)
{
	struct ir_rule *rule = lower_guarantee(lower, chain, "what this host sends to itself");

	lower_match(lower, rule, loopback_match(INTERFACE_IN, false));
	lower_op(lower, rule, IR_ACCEPT);
}

/*
 * Where a listener waits on a loopback address the kernel lets such addresses in by the interface
 * (route_localnet). What is translated to them comes with another one and is not met here; all that
 * asks for them by itself would reach what is for this host alone (CVE-2020-8558).
 */
static void guard_loopback(struct lower *lower, struct ir_chain *chain)
{
	static const struct addr_prefix prefix = { { ADDR_IPV4, { 0, 127u << 24 } }, 8 };
	size_t count;
	const char **devs = lower_loopback_devs(lower, &count);

	for (unsigned int selector = ADDRESS_FROM; count && selector <= ADDRESS_TO; selector++) {
		struct ir_rule *rule =
			lower_guarantee(lower, chain,
					selector == ADDRESS_FROM
						? "loopback addresses are this host's own"
						: NULL);

		lower_match(lower, rule, interface_match(INTERFACE_IN, devs, count, false));
		lower_match(lower, rule, address_match(lower->arena, selector, prefix));
		lower_op(lower, rule, IR_DROP);
	}
}

static void prerouting(struct lower *lower, const struct body *body)
{
	struct ir_chain *chain =
		lower_base_chain(lower, "prerouting", IR_CHAIN_FILTER, IR_HOOK_PREROUTING,
				 (int)lower->policy->settings.hook_priority, "what arrives");

	guard_loopback(lower, chain);
	leave_ipv6(lower, chain);
	take_back(lower, chain);
	reset_own(lower, chain);
	take_spoofed(lower, chain);
	replies(lower, chain);
	lower_ended(lower, chain);
	refuse_loops(lower, chain);
	note_spoofing(lower, chain);
	leave_loopback(lower, chain);
	refuse_straight(lower, chain);
	note_uplinks(lower, chain);
	leave_remote_listeners(lower, chain);
	lower_fill_keep(lower, chain, SCOPE_FORWARD);
	lower_recall(lower, chain, SCOPE_FORWARD);
	put_body(lower, chain, body);
}

/* ---- output ---- */

static void output(struct lower *lower, const struct body *body)
{
	struct ir_chain *chain = lower_base_chain(lower, "output", IR_CHAIN_ROUTE, IR_HOOK_OUTPUT,
						  (int)lower->policy->settings.hook_priority,
						  "what this host sends");

	leave_ipv6(lower, chain);
	replies(lower, chain);
	lower_ended(lower, chain);
	lower_fill_keep(lower, chain, SCOPE_LOCAL);
	lower_recall(lower, chain, SCOPE_LOCAL);
	if (body->needed)
		leave_discovery(lower, chain);
	lower_leave_own(lower, chain);
	leave_remote_listeners(lower, chain);
	put_body(lower, chain, body);
}

/* Does what the host sends to a listener come in again? */
static bool takes_back(const struct lower *lower)
{
	for (size_t i = 0; i < lower->class_count; i++)
		if ((lower->classes[i]->local && lower->classes[i]->listener &&
		     lower->classes[i]->listener->mode == MODE_TPROXY))
			return true;
	return false;
}

static void note_spoofed(struct lower *lower)
{
	for (size_t i = 0; i < lower->class_count; i++) {
		struct lower_class *way = lower->classes[i];

		if (spoofs(way))
			memcpy(way->families, way->listener->has, sizeof(way->families));
	}
}

void lower_hooks(struct lower *lower)
{
	struct body forward, local;
	bool sends;

	for (size_t i = 0; i < lower->uplink_count; i++)
		lower_value(lower, i + 1, 0);
	if (first_spoofing(lower))
		lower_spoofed_value(lower);
	forward = lower_body(lower, SCOPE_FORWARD);
	local = lower_body(lower, SCOPE_LOCAL);
	lower_plan_sticky(lower);
	sends = local.needed || has_origins(lower) || lower_has_own(lower);
	if (sends)
		lower_own_chains(lower);
	note_spoofed(lower);
	if (forward.needed || has_origins(lower) || takes_back(lower) || has_guarded(lower) ||
	    resets_own(lower))
		prerouting(lower, &forward);
	if (sends)
		output(lower, &local);
}
