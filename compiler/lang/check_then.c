/*
 * check_then: whether an action can do what its rule asks: what listeners take, the order of
 * tables, kinds of reject.
 */
#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "lang/check.h"
#include "match/kinds.h"
#include "yaml/decode.h"

/* ---- proxies ---- */

static bool unknown(struct arena *arena, struct diag *diag, struct span span, const char *what,
		    const char *name, const char *const *candidates, size_t count)
{
	struct decode decode = { .arena = arena, .diag = diag };

	decode_unknown(&decode, DIAG_unknown_name, span, what, name, candidates, count);
	return false;
}

static bool find_listener(struct arena *arena, struct diag *diag, struct ast_policy *policy,
			  struct ast_then *then)
{
	const char **candidates = NULL;
	size_t count = 0;

	then->listener = ast_listener_find(policy, then->listener_name);
	if (then->listener)
		return true;
	if (ast_table_find(policy, then->listener_name)) {
		diag_help(diag_add(diag, DIAG_unknown_name, then->name_span,
				   "\"%s\" is a table, and `proxy` takes a listener",
				   then->listener_name),
			  "write `then: {route: %s}`", then->listener_name);
		return false;
	}
	for (size_t i = 0; i < policy->listener_count; i++)
		*arena_append(arena, candidates, count) = policy->listeners[i].name;
	return unknown(arena, diag, then->name_span, "listener", then->listener_name, candidates,
		       count);
}

/* What the listener could be handed, and does not take, of what the rule is about. */
static struct interval_set cut_of(struct arena *arena, const struct ast_rule *rule,
				  const struct interval_set *takes)
{
	struct interval_set both = { 0 };

	interval_add(arena, &both, wide(PROTOCOL_TCP), wide(PROTOCOL_TCP));
	interval_add(arena, &both, wide(PROTOCOL_UDP), wide(PROTOCOL_UDP));
	both = interval_subtract(arena, &both, takes);
	return rule->protocols.count ? interval_intersect(arena, &rule->protocols, &both) : both;
}

/* Narrows the rule's protocols to what the listener takes; a protocol that the rule names and the
 * listener does not take is an error. */
static bool narrow_protocols(struct arena *arena, struct diag *diag, struct ast_rule *rule,
			     const struct ast_listener *listener)
{
	const struct match_condition *proto = ast_condition(rule, "proto");
	struct interval_set takes = ast_takes(arena, listener), rest;
	struct diag_record *record;
	const char *words = listener->protocols == TAKES_TCP   ? "tcp"
			    : listener->protocols == TAKES_UDP ? "udp"
							       : "tcp and udp";

	rest = rule->protocols.count ? interval_intersect(arena, &rule->protocols, &takes) : takes;
	if (rest.count && (!proto || proto->negated || interval_covers(&takes, &rule->protocols))) {
		rule->cut_protocols = cut_of(arena, rule, &takes);
		rule->protocols = rest;
		return true;
	}
	record = diag_add(diag, DIAG_wrong_protocol, proto ? proto->span : rule->span,
			  "the listener \"%s\" takes %s", listener->name, words);
	diag_also(record, listener->mode_span, "it is a %s listener",
		  ast_mode_name(listener->mode));
	if (rule->protocols.count && !interval_contains(&rule->protocols, wide(PROTOCOL_TCP)) &&
	    !interval_contains(&rule->protocols, wide(PROTOCOL_UDP)))
		diag_help(record,
			  "a proxy is handed tcp and udp and nothing else: send this protocol out by a table, leave it direct, or "
			  "refuse it");
	else if (listener->mode == MODE_REDIRECT && listener->protocols == TAKES_TCP)
		diag_help(record,
			  "give the listener `protocols: [tcp, udp]` if its program can do without the original destination "
			  "of UDP, or use tproxy");
	else
		diag_help(record, "narrow the rule to `proto: %s`",
			  listener->protocols == TAKES_UDP ? "udp" : "tcp");
	return false;
}

static bool narrow_families(struct diag *diag, struct ast_rule *rule,
			    const struct ast_listener *listener)
{
	for (int i = 0; i < ADDR_FAMILIES; i++) {
		rule->cut_families[i] = rule->families[i] && !listener->has[i];
		rule->families[i] &= listener->has[i];
	}
	if (rule->families[ADDR_IPV4] || rule->families[ADDR_IPV6])
		return true;
	return check_refuse(diag, rule->then->name_span,
			    "the listener has no address of this rule's family",
			    "give it an address of that family, or narrow the rule to the other one");
}

/* A mark does not turn back what this host sends to many at once: it leaves by its own interface.
 */
static bool comes_back(struct diag *diag, const struct ast_rule *rule,
		       const struct ast_listener *listener)
{
	if (listener->mode != MODE_TPROXY ||
	    !(rule->specials & (SPECIAL_BROADCAST | SPECIAL_MULTICAST)))
		return true;
	return check_refuse(diag, rule->then->span,
			    "what this host sends to many at once goes to no tproxy listener",
			    "take `broadcast` and `multicast` out of `to`, or say `scope: forward`");
}

/* What this host sends is looked up by its mark while it has its first destination, too: where the
 * table refuses that, it never gets as far as its translation. */
static bool check_local_via(struct diag *diag, const struct ast_rule *rule,
			    const struct ast_listener *listener)
{
	size_t count;
	const struct ast_route *routes = listener->via ? ast_table_routes(listener->via, &count)
						       : NULL;
	struct diag_record *record;

	if (!routes || listener->via->fallback == FALLBACK_MAIN)
		return true;
	for (int family = 0; family < ADDR_FAMILIES; family++) {
		bool found = !rule->families[family];

		for (size_t i = 0; i < count; i++)
			found |= routes[i].is_default &&
				 check_route_in(&routes[i], (enum addr_family)family);
		if (found)
			continue;
		record =
			diag_add(diag, DIAG_impossible, rule->then->span,
				 "what this host sends to the listener \"%s\" would be refused before it is translated",
				 listener->name);
		diag_also(record, listener->via->span,
			  "this table has no default route of its family, and a `fallback` that refuses");
		diag_help(record,
			  "give the table a default route, or write `scope: forward` in the rule");
		return false;
	}
	return true;
}

static bool check_local_proxy(struct diag *diag, const struct ast_rule *rule,
			      const struct ast_listener *listener)
{
	struct diag_record *record;

	if (!comes_back(diag, rule, listener) || !check_local_via(diag, rule, listener))
		return false;
	if (listener->on_failure == FAILURE_DIRECT)
		return check_refuse(diag, listener->on_failure_span,
				    "the host's own packets cannot be let go again when their listener is gone",
				    "leave `on_failure` at reject for a listener of local traffic");
	if (listener->runs_as.count)
		return true;
	record = diag_add(diag, DIAG_needs_runs_as, rule->then->span,
			  "the listener \"%s\" would be sent what it sends itself, round and round",
			  listener->name);
	diag_also(record, listener->span, "nothing here tells its own traffic from the rest");
	diag_help(record,
		  "add `runs_as: {user: U}`, {group: G}, {mark: M} or {cgroup: PATH} to the listener%s",
		  ast_stays_here(listener)
			  ? ""
			  : ", or, where it is on another host, {port: N-M} with the "
			    "source ports of its own connections");
	return false;
}

/* Does the rule say by which interfaces its packets come, each by its name? */
static bool names_interfaces(const struct ast_rule *rule)
{
	const struct match_condition *in = ast_condition(rule, "in");

	for (size_t i = 0; in && i < in->name_count; i++)
		if (strchr(in->names[i], '*'))
			return false;
	return in && !in->negated;
}

/* A listener on a loopback address: for IPv4 the kernel can be told, for an interface, to let it
 * have what comes in there. */
static bool check_forward_proxy(struct diag *diag, const struct ast_rule *rule,
				const struct ast_listener *listener)
{
	static const char text[] =
		"the kernel drops what comes by an interface and goes to a loopback address";

	if (listener->mode != MODE_DNAT)
		return true;
	if (listener->has[ADDR_IPV6] && rule->families[ADDR_IPV6] &&
	    addr_is_loopback(listener->addr[ADDR_IPV6]))
		return check_refuse(diag, listener->mode_span, text,
				    "IPv6 has no setting that lets it through: use {redirect: PORT}, or an address of this "
				    "host in the clients' network");
	if (listener->has[ADDR_IPV4] && rule->families[ADDR_IPV4] &&
	    addr_is_loopback(listener->addr[ADDR_IPV4]) && !names_interfaces(rule))
		return check_refuse(diag, rule->then->name_span, text,
				    "name the interface in the rule, such as `in: eth1` (no pattern), and it is let through "
				    "there; or use {redirect: PORT}");
	return true;
}

static bool check_proxy(struct arena *arena, struct diag *diag, struct ast_rule *rule)
{
	struct ast_then *then = rule->then;
	bool good;

	if (then->listener->broken)
		return true;
	then->listener->used_locally |= (rule->scopes & SCOPE_LOCAL) != 0;
	good = narrow_protocols(arena, diag, rule, then->listener);
	good &= narrow_families(diag, rule, then->listener);
	if (rule->scopes & SCOPE_LOCAL)
		good &= check_local_proxy(diag, rule, then->listener);
	if (rule->scopes & SCOPE_FORWARD)
		good &= check_forward_proxy(diag, rule, then->listener);
	return good;
}

/* ---- answers ---- */

void check_widen_echo(struct arena *arena, const struct ast_rule *rule)
{
	struct match_condition *proto = ast_condition(rule, "proto");

	if (!proto || proto->negated || rule->then->action != THEN_ANSWER ||
	    !interval_contains(&proto->values, wide(PROTOCOL_ICMP)))
		return;
	interval_add(arena, &proto->values, wide(PROTOCOL_ICMPV6), wide(PROTOCOL_ICMPV6));
	interval_normalise(&proto->values);
}

static bool refuse_answer(struct diag *diag, const struct ast_rule *rule,
			  const struct match_condition *proto)
{
	diag_help(diag_add(diag, DIAG_wrong_protocol, proto ? proto->span : rule->span,
			   "`answer` answers ping, and no other protocol"),
		  "write `proto: icmp`, which is ping in both families here, and a rule of its own for "
		  "other protocols: a listener takes tcp and udp, `reject` refuses");
	return false;
}

static bool check_answer(struct arena *arena, struct diag *diag, struct ast_rule *rule)
{
	const struct match_condition *proto = ast_condition(rule, "proto");
	struct interval_set icmp = icmp_match(arena).values;

	if (rule->specials & (SPECIAL_BROADCAST | SPECIAL_MULTICAST))
		return check_refuse(diag, rule->then->span,
				    "what is sent to many at once has no address to answer from",
				    "take `broadcast` and `multicast` out of `to`");
	if (rule->protocols.count && proto && !proto->negated &&
	    !interval_covers(&icmp, &rule->protocols))
		return refuse_answer(diag, rule, proto);
	if (rule->protocols.count)
		icmp = interval_intersect(arena, &icmp, &rule->protocols);
	if (!icmp.count)
		return refuse_answer(diag, rule, proto);
	rule->protocols = icmp;
	rule->families[ADDR_IPV4] &= interval_contains(&icmp, wide(PROTOCOL_ICMP));
	rule->families[ADDR_IPV6] &= interval_contains(&icmp, wide(PROTOCOL_ICMPV6));
	return true;
}

/* ---- routes ---- */

static bool unknown_table(struct arena *arena, struct diag *diag, struct ast_policy *policy,
			  const struct ast_target *target)
{
	const char **candidates = NULL;
	size_t count = 0;

	if (ast_listener_find(policy, target->name)) {
		diag_help(diag_add(diag, DIAG_unknown_name, target->span,
				   "\"%s\" is a listener, and a way by tables takes tables",
				   target->name),
			  target->weight
				  ? "write a rule of its own with `then: {proxy: %s}`; `balance` shares among tables alone"
				  : "write `then: {proxy: %s}`",
			  target->name);
		return false;
	}
	for (size_t i = 0; i < policy->table_count; i++)
		*arena_append(arena, candidates, count) = policy->tables[i].name;
	return unknown(arena, diag, target->span, "table", target->name, candidates, count);
}

bool check_via(struct arena *arena, struct diag *diag, struct ast_policy *policy,
	       struct ast_listener *listener)
{
	struct ast_target target = { .name = listener->via_name, .span = listener->via_span };

	if (!listener->via_name)
		return true;
	listener->via = ast_table_find(policy, listener->via_name);
	if (!listener->via && (ast_is_last_resort(listener->via_name) ||
			       ast_listener_find(policy, listener->via_name)))
		return check_refuse(diag, listener->via_span, "this is no table of the policy",
				    "name a table, or remove `via`: the main table leads to it then");
	if (!listener->via)
		return unknown_table(arena, diag, policy, &target);
	listener->via->used = true;
	return true;
}

static bool leaves_here(struct diag *diag, const struct ast_rule *rule)
{
	return rule->specials != SPECIAL_LOCAL ||
	       check_refuse(diag, rule->then->span,
			    "what goes to this host does not leave by a table",
			    "remove the rule, or `local` from its `to`");
}

/* What main has no route for goes on to the next table, but a strict table's second lock refuses
 * what main sends. */
static bool check_main(struct diag *diag, struct ast_policy *policy, const struct ast_then *then,
		       size_t at)
{
	for (size_t i = at + 1; i < then->target_count; i++) {
		const struct ast_table *table = ast_table_find(policy, then->targets[i].name);
		struct diag_record *record;

		if (!table || !table->strict)
			continue;
		record =
			diag_add(diag, DIAG_impossible, then->targets[at].span,
				 "the table \"%s\" is strict, and refuses what `main` sends before it",
				 table->name);
		diag_also(record, table->strict_span, "`strict` is given here");
		diag_help(record, "remove `strict`, or take `main` out of the list");
		return false;
	}
	return true;
}

static bool check_target(struct diag *diag, struct ast_policy *policy, const struct ast_then *then,
			 size_t at)
{
	const struct ast_target *target = &then->targets[at];
	bool is_last = at + 1 == then->target_count;

	if (ast_table_find(policy, target->name))
		return true;
	if (!is_last && !strcmp(target->name, "main"))
		return check_main(diag, policy, then, at);
	if (!is_last)
		return check_refuse(diag, target->span, "no table after this is ever tried",
				    "put it last");
	return at || !strcmp(target->name, "main") ||
	       check_refuse(diag, target->span, "this is no table",
			    "use `drop` or `reject`, or name a table before it");
}

static bool check_route(struct diag *diag, struct ast_policy *policy, struct ast_rule *rule)
{
	struct ast_then *then = rule->then;
	bool good = true;

	for (size_t i = 0; i < then->target_count; i++) {
		struct ast_target *target = &then->targets[i];

		good &= check_target(diag, policy, then, i);
		for (size_t k = 0; k < i; k++)
			if (!strcmp(then->targets[k].name, target->name))
				good = check_refuse(diag, target->span,
						    "the same table twice in a row of tables",
						    "remove one of them");
	}
	return good && leaves_here(diag, rule);
}

static bool check_balance(struct diag *diag, struct ast_policy *policy, struct ast_rule *rule)
{
	struct ast_then *then = rule->then;
	bool good = true;

	for (size_t i = 0; i < then->target_count; i++)
		if (!ast_table_find(policy, then->targets[i].name) &&
		    strcmp(then->targets[i].name, "main"))
			good = check_refuse(diag, then->targets[i].span, "this is no way out",
					    "balance between tables, or tables and `main`; what happens where a table has no route is "
					    "its `fallback`");
	if (then->target_count == 1)
		good = check_refuse(diag, then->name_span, "one table is no choice",
				    "name two or more, or write {route: TABLE}");
	return good && leaves_here(diag, rule);
}

/* ---- the others ---- */

static bool check_reject(struct diag *diag, const struct ast_rule *rule)
{
	const struct interval_set *protocols = &rule->protocols;

	if (rule->then->reject != REJECT_TCP_RESET ||
	    (protocols->count == 1 && interval_is_one(protocols->items[0]) &&
	     protocols->items[0].first.low == PROTOCOL_TCP))
		return true;
	return check_refuse(diag, rule->then->span, "only TCP can be reset",
			    "add `proto: tcp`, or write `reject`, which does what fits");
}

static bool check_continue(struct diag *diag, const struct ast_rule *rule)
{
	if (rule->log || rule->count)
		return true;
	return check_refuse(diag, rule->then->span,
			    "a rule that continues and leaves no trace does nothing",
			    "add `log` or `count`");
}

bool check_names(struct arena *arena, struct diag *diag, struct ast_policy *policy,
		 struct ast_then *then)
{
	bool good = true;

	if (then->action == THEN_PROXY) {
		good = find_listener(arena, diag, policy, then);
		if (good)
			then->listener->used = true;
	}
	for (size_t i = 0; i < then->target_count; i++) {
		struct ast_table *table = ast_table_find(policy, then->targets[i].name);

		if (table)
			table->used = true;
		else if (!ast_is_last_resort(then->targets[i].name))
			good = unknown_table(arena, diag, policy, &then->targets[i]);
	}
	return good;
}

static bool check_action(struct arena *arena, struct diag *diag, struct ast_policy *policy,
			 struct ast_rule *rule)
{
	switch (rule->then->action) {
	case THEN_DIRECT:
	case THEN_DROP:
		return true;
	case THEN_MARK:
		return check_then_mark(diag, policy, rule->then);
	case THEN_REJECT:
		return check_reject(diag, rule);
	case THEN_PROXY:
		return check_proxy(arena, diag, rule);
	case THEN_ROUTE:
		return check_route(diag, policy, rule);
	case THEN_BALANCE:
		return check_balance(diag, policy, rule);
	case THEN_ANSWER:
		return check_answer(arena, diag, rule);
	case THEN_CONTINUE:
		return check_continue(diag, rule);
	}
	return false;
}

bool check_then(struct arena *arena, struct diag *diag, struct ast_policy *policy,
		struct ast_rule *rule)
{
	return check_names(arena, diag, policy, rule->then) &&
	       check_action(arena, diag, policy, rule) && check_data(diag, rule);
}
