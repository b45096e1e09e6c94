/*
 * check/proxy: whether listeners can take what a rule hands them: protocols, families, modes, and
 * what they send themselves. A rule with several listeners is about what all of them take.
 */
#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "lang/check/check.h"
#include "match/kinds.h"

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
		struct interval_set cut = cut_of(arena, rule, &takes);

		rule->cut_protocols = interval_union(arena, &rule->cut_protocols, &cut);
		rule->protocols = rest;
		return true;
	}
	if (!rest.count && !proto && rule->then->hand_count > 1)
		return diag_refuse(diag, DIAG_impossible, rule->then->name_span,
				   "there is no protocol that all of these listeners take",
				   "name listeners that take the same");
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
		rule->cut_families[i] |= rule->families[i] && !listener->has[i];
		rule->families[i] &= listener->has[i];
	}
	if (rule->families[ADDR_IPV4] || rule->families[ADDR_IPV6])
		return true;
	return diag_refuse(diag, DIAG_impossible, rule->then->name_span,
			   rule->then->hand_count > 1
				   ? "there is no family of this rule's that all of these listeners have"
				   : "the listener has no address of this rule's family",
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
	return diag_refuse(diag, DIAG_impossible, rule->then->span,
			   "multicast and broadcast of this host go to no tproxy listener",
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
	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++) {
		bool found = !rule->families[family];

		for (size_t i = 0; i < count; i++)
			found |= routes[i].is_default && check_route_in(&routes[i], family);
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
		return diag_refuse(diag, DIAG_impossible, listener->on_failure_span,
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

/* A listener on a loopback address: for IPv4 a sysctl of the interface can let it have what comes
 * in there. */
static bool check_forward_proxy(struct diag *diag, const struct ast_rule *rule,
				const struct ast_listener *listener)
{
	static const char text[] =
		"the kernel drops what comes by an interface and goes to a loopback address";

	if (listener->mode != MODE_DNAT)
		return true;
	if (listener->has[ADDR_IPV6] && rule->families[ADDR_IPV6] &&
	    addr_is_loopback(listener->addr[ADDR_IPV6]))
		return diag_refuse(diag, DIAG_impossible, listener->mode_span, text,
				   "IPv6 has no setting that lets it through: use {redirect: PORT}, or an address of this "
				   "host in the clients' network");
	if (listener->has[ADDR_IPV4] && rule->families[ADDR_IPV4] &&
	    addr_is_loopback(listener->addr[ADDR_IPV4]) && !names_interfaces(rule))
		return diag_refuse(diag, DIAG_impossible, rule->then->name_span, text,
				   "name the interface in the rule, such as `in: eth1` (no pattern), and it is let through "
				   "there; or use {redirect: PORT}");
	return true;
}

static bool check_hand(struct arena *arena, struct diag *diag, struct ast_rule *rule,
		       struct ast_listener *listener)
{
	bool good;

	if (listener->broken)
		return true;
	listener->used_locally |= (rule->scopes & SCOPE_LOCAL) != 0;
	good = narrow_protocols(arena, diag, rule, listener);
	good &= narrow_families(diag, rule, listener);
	if (rule->scopes & SCOPE_LOCAL)
		good &= check_local_proxy(diag, rule, listener);
	if (rule->scopes & SCOPE_FORWARD)
		good &= check_forward_proxy(diag, rule, listener);
	return good;
}

/* A rule with several listeners is about what all of them take. */
bool check_proxy(struct arena *arena, struct diag *diag, struct ast_rule *rule)
{
	const struct ast_target *hands = rule->then->hands;
	bool good = true;

	for (size_t i = 0; i < rule->then->hand_count; i++)
		for (size_t k = 0; k < i; k++)
			if (hands[i].listener == hands[k].listener)
				return diag_refuse(diag, DIAG_impossible, hands[i].span,
						   "the same listener twice in a row of listeners",
						   "remove one of them");
	for (size_t i = 0; i < rule->then->hand_count && good; i++)
		good = check_hand(arena, diag, rule, rule->then->hands[i].listener);
	return good;
}

/* ---- shares of listeners ---- */

static bool has_one_mode(struct diag *diag, const struct ast_then *then)
{
	const struct ast_target *first = &then->hands[0];

	for (size_t i = 1; i < then->hand_count; i++) {
		const struct ast_target *other = &then->hands[i];
		struct diag_record *record;

		if (other->listener->mode == first->listener->mode || other->listener->broken ||
		    first->listener->broken)
			continue;
		record = diag_add(diag, DIAG_impossible, other->span,
				  "\"%s\" is a %s listener, and \"%s\" a %s listener", first->name,
				  ast_mode_name(first->listener->mode), other->name,
				  ast_mode_name(other->listener->mode));
		diag_also(record, first->listener->mode_span, "the one");
		diag_also(record, other->listener->mode_span, "the other");
		diag_help(record,
			  "share among listeners of one mode; what goes to another one is a rule of its own");
		return false;
	}
	return true;
}

bool check_spread(struct arena *arena, struct diag *diag, struct ast_rule *rule)
{
	const struct ast_then *then = rule->then;

	if (then->hand_count == 1)
		return diag_refuse(diag, DIAG_impossible, then->name_span,
				   "one listener is no choice",
				   "name two or more, or write {proxy: LISTENER}");
	return has_one_mode(diag, then) && check_proxy(arena, diag, rule);
}
