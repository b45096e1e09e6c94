/*
 * static/rest: packets that a rule speaks of and does not take.
 *
 * In go the rules and defaults, out comes a warning where a part of a rule's packets goes past it
 * in silence, and past all other rules and the default, too: what its listener does not take of tcp
 * and udp, or of IPv4; and, where a rule refuses senders, what they send to this host. That part
 * becomes a rule of its own after all others, and static/shadow.c says whether a packet gets there.
 */
#include <string.h>

#include "addr/builtin.h"
#include "base/arena.h"
#include "base/diag.h"
#include "lang/static/static.h"
#include "lang/static/tunnel.h"
#include "match/kinds.h"

struct rest {
	void (*report)(struct diag *diag, const struct rest *rest);
	const struct ast_rule *of;
	struct ast_rule *rule;
	const struct ast_listener *listener; /* that does not take it; or NULL */
};

struct rests {
	struct checks *checks;
	struct rest *items;
	size_t count;
};

static struct ast_rule *add(struct rests *rests, const struct ast_rule *of,
			    void (*report)(struct diag *diag, const struct rest *rest))
{
	struct ast_rule *rule = arena_new_of(rests->checks->arena, struct ast_rule);

	*rule = *of;
	*arena_append(rests->checks->arena, rests->items, rests->count) =
		(struct rest){ report, of, rule, NULL };
	return rule;
}

/* ---- what a listener does not take ---- */

static const char *protocol_of(const struct interval_set *protocols)
{
	return interval_contains(protocols, wide(PROTOCOL_TCP)) ? "tcp" : "udp";
}

static void report_protocols(struct diag *diag, const struct rest *rest)
{
	const struct ast_then *then = rest->of->then;
	const struct ast_listener *listener = rest->listener;
	const char *split = protocol_of(&rest->rule->protocols);
	const char *taken = protocol_of(&rest->of->protocols);
	bool is_default = !rest->of->number;
	struct diag_record *record =
		diag_add(diag, DIAG_listener_narrows, then->name_span,
			 "the listener \"%s\" takes %s alone: %s goes past this %s", listener->name,
			 taken, split, is_default ? "default" : "rule");

	diag_also(record, listener->mode_span, "it is a %s listener",
		  ast_mode_name(listener->mode));
	if (is_default)
		diag_help(record,
			  "if that is meant, say it in a last rule: {proto: %s, then: direct}",
			  split);
	else
		diag_help(record, "if that is meant, write `proto: %s` in the rule", taken);
	if (listener->mode == MODE_REDIRECT)
		diag_help(record,
			  "if not, send %s to a tproxy listener, or refuse it, in a rule of its own; or "
			  "give this one `protocols: [tcp, udp]`, if its program takes both and can do "
			  "without the original destination of udp",
			  split);
	else
		diag_help(record,
			  "if not, give the listener `protocols: [tcp, udp]`, if its program takes "
			  "both; or send %s to another, or refuse it, in a rule of its own",
			  split);
}

static void report_ipv4(struct diag *diag, const struct rest *rest)
{
	const struct ast_then *then = rest->of->then;
	const struct ast_listener *listener = ast_without_family(then, ADDR_IPV4);
	struct diag_record *record =
		diag_add(diag, DIAG_ipv4_uncovered, then->name_span,
			 "the listener \"%s\" has no IPv4 address: IPv4 goes past this %s",
			 listener->name, rest->of->number ? "rule" : "default");

	diag_also(record, listener->mode_span, "it has an IPv6 address alone");
	diag_help(record, "give it one of each family, or write `family: ipv6` in the rules");
}

static void add_proxied(struct rests *rests, const struct ast_rule *rule,
			const struct interval_set *cut_protocols, bool cuts_ipv4)
{
	struct ast_rule *rest;

	if (cut_protocols->count) {
		add(rests, rule, report_protocols)->protocols = *cut_protocols;
		rests->items[rests->count - 1].listener =
			ast_without_protocols(rests->checks->arena, rule->then, cut_protocols);
	}
	if (!cuts_ipv4 || ast_condition(rule, "family"))
		return;
	rest = add(rests, rule, report_ipv4);
	rest->families[ADDR_IPV4] = true;
	rest->families[ADDR_IPV6] = false;
}

static void add_default(struct rests *rests, const struct ast_rule *rule)
{
	struct arena *arena = rests->checks->arena;
	struct interval_set both = { 0 };

	if (!rule || !ast_hands_over(rule->then))
		return;
	interval_add(arena, &both, wide(PROTOCOL_TCP), wide(PROTOCOL_TCP));
	interval_add(arena, &both, wide(PROTOCOL_UDP), wide(PROTOCOL_UDP));
	both = interval_subtract(arena, &both, &rule->protocols);
	add_proxied(rests, rule, &both, !rule->families[ADDR_IPV4]);
}

/* ---- senders that are refused ---- */

static void report_host(struct diag *diag, const struct rest *rest)
{
	const struct match_condition *to = ast_condition(rest->of, "to");
	struct diag_record *record =
		diag_add(diag, DIAG_host_left_open, rest->of->then->span,
			 "this refuses what passes through: to this host itself they may still send");

	if (to)
		diag_also(record, to->span, "this host's own addresses are not among these");
	diag_help(record,
		  "write `to: [any, local]` to refuse them here, too; or `scope: forward`, if only what "
		  "passes through is meant");
}

/* Does one of the sets hold a whole network of private addresses, such as 10.0.0.0/8? A host that
 * refuses these itself is none for its own network any more. */
static bool holds_own(struct rests *rests, const struct match_condition *condition,
		      enum addr_family family)
{
	const struct interval_set *set;
	struct addr_set own = { 0 };

	builtin_find(rests->checks->arena, "private", &own);
	for (size_t i = 0; (set = static_part(rests->checks, condition, family, i)); i++)
		for (size_t k = 0; k < own.family[family].count; k++) {
			struct interval_set network = { &own.family[family].items[k], 1 };

			if (interval_covers(set, &network))
				return true;
		}
	return false;
}

static bool is_filled_later(struct rests *rests, const struct match_condition *condition)
{
	for (size_t i = 0; i < condition->reference_count; i++) {
		const struct ast_set *set =
			ast_set_find(rests->checks->policy, condition->references[i].name);

		if (set && set->dynamic && addr_set_is_empty(&set->contents))
			return true;
	}
	return false;
}

/* Are they senders from outside, whoever they may be? A network of one's own that is kept from the
 * outside is another thing. */
static bool names_strangers(struct rests *rests, const struct ast_rule *rule)
{
	const struct match_condition *from = ast_condition(rule, "from");
	bool found = false;

	if (!from || from->negated)
		return false;
	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++) {
		if (!ast_condition(rule, "in") && holds_own(rests, from, family))
			return false;
		found |= static_names_public(rests->checks, from, family);
	}
	return found || is_filled_later(rests, from);
}

static bool is_any_destination(struct rests *rests, const struct match_condition *to)
{
	if (!to)
		return true;
	return !to->negated && !(to->specials & SPECIAL_LOCAL) &&
	       (static_is_wide(rests->checks, to, ADDR_IPV4) ||
		static_is_wide(rests->checks, to, ADDR_IPV6));
}

static bool leaves_host_open(struct rests *rests, const struct ast_rule *rule)
{
	enum ast_action action = rule->then->action;

	return (action == THEN_DROP || action == THEN_REJECT) && (rule->scopes & SCOPE_FORWARD) &&
	       rule->scope != SCOPE_FORWARD && !ast_condition(rule, "out") &&
	       is_any_destination(rests, ast_condition(rule, "to")) && names_strangers(rests, rule);
}

/* The same with `to: local`. */
static void add_host(struct rests *rests, const struct ast_rule *rule)
{
	struct arena *arena = rests->checks->arena;
	struct ast_rule *rest = add(rests, rule, report_host);

	rest->scopes = SCOPE_FORWARD;
	rest->specials = SPECIAL_LOCAL;
	rest->meant = (struct addr_set){ 0 };
	rest->means_own = false;
	rest->host = SCOPE_FORWARD;
	rest->conditions = NULL;
	rest->condition_count = 0;
	for (size_t i = 0; i < rule->condition_count; i++)
		if (strcmp(rule->conditions[i]->key, "to"))
			*arena_append(arena, rest->conditions, rest->condition_count) =
				rule->conditions[i];
}

/* ---- all of it ---- */

void static_rests(struct checks *checks)
{
	struct rests rests = { .checks = checks };
	struct ast_policy *policy = checks->policy;
	const struct ast_rule **rules;
	bool *passed;

	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct ast_rule *rule = &policy->rules[i];

		if (ast_hands_over(rule->then))
			add_proxied(&rests, rule, &rule->cut_protocols,
				    rule->cut_families[ADDR_IPV4]);
		else if (leaves_host_open(&rests, rule))
			add_host(&rests, rule);
	}
	for (size_t i = 0; i < 2; i++)
		add_default(&rests, policy->default_rules[i]);
	if (!rests.count)
		return;
	rules = arena_alloc(checks->arena, rests.count * sizeof(*rules));
	passed = arena_alloc(checks->arena, rests.count);
	for (size_t i = 0; i < rests.count; i++)
		rules[i] = rests.items[i].rule;
	static_passed(policy, rules, rests.count, passed);
	for (size_t i = 0; i < rests.count; i++)
		if (passed[i])
			rests.items[i].report(checks->diag, &rests.items[i]);
}
