/*
 * lower/flow: connections that the kernel forgets.
 *
 * When a link goes, or an address of it, the kernel deletes the conntrack entries of what was
 * masqueraded by it (nf_nat_masquerade.c), and with an entry the mark that says where the
 * connection goes. A later packet opens a new entry and meets the rules, which may say something
 * else by then: an element of a set has expired, the process has ended. So the flows with a
 * masqueraded target are remembered in sets of ours, for as long as the kernel would keep their
 * entries, and what has no entry of its own but is remembered goes on as it went.
 */
#include "base/arena.h"
#include "base/hash.h"
#include "lang/lower/lower.h"
#include "match/kinds.h"

/*
 * Seconds. A segment renews the first; the kernel keeps an established connection for five days
 * (nf_conntrack_tcp_timeout_established), but no TCP keepalive is rarer than two hours (RFC 1122,
 * 4.2.3.6). What a closed socket sends again comes within two minutes or so. A UDP flow is
 * remembered as long as the kernel keeps it (nf_conntrack_udp_timeout, and _stream where both have
 * sent).
 */
enum { TCP_KEPT = 86400, TCP_ENDING = 120, UDP_KEPT = 30, UDP_ANSWERED = 120 };
/* Flows of one decision and family. With all its elements such a set takes 8 MiB in IPv4, 10 in
 * IPv6. */
enum { FLOWS_MOST = 65536 };

static bool is_masqueraded(const struct lower_target *target)
{
	for (size_t i = 0; target && i < target->table_count; i++)
		if (ast_masquerades(target->tables[i]))
			return true;
	return false;
}

/* The comment about a set has no room for the decision's name, which may be long. */
static const struct ir_set *flow_set(struct lower *lower, const struct lower_decision *decision,
				     const char *name, enum addr_family family)
{
	bool is_ipv4 = family == ADDR_IPV4;

	return lower_add_set(lower,
			     (struct ir_set){
				     .base = arena_printf(lower->arena, "flows.%.20s.%08x_%s",
							  decision->chain,
							  hash_text(HASH_TEXT, name),
							  is_ipv4 ? "v4" : "v6"),
				     .type = is_ipv4 ? IR_SET_FLOW_IPV4 : IR_SET_FLOW_IPV6,
				     .dynamic = true,
				     .timeout = TCP_KEPT,
				     .size = FLOWS_MOST,
			     });
}

static void remember(struct lower *lower, struct ir_chain *chain,
		     const struct lower_decision *decision, struct ir_match which, uint32_t seconds)
{
	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++) {
		struct ir_rule *rule;

		if (!decision->flows[family])
			continue;
		rule = lower_guarantee(lower, chain, NULL);
		lower_match(lower, rule, family_match(lower->arena, family));
		lower_match(lower, rule, which);
		lower_do(lower, rule,
			 (struct ir_statement){ .op = IR_REMEMBER,
						.addr.family = family,
						.value = seconds,
						.map = decision->flows[family] });
		lower_goto(lower, rule, decision->chain);
	}
}

/* A full set takes no more, and the rule ends there: the packet goes to its target all the same. */
static void remember_chain(struct lower *lower, struct lower_decision *decision, const char *name)
{
	struct ir_chain *chain;

	decision->remember = arena_printf(lower->arena, "remember_%s", name);
	chain = lower_chain(lower, decision->remember, "in case the kernel forgets the connection");
	remember(lower, chain, decision, end_match(), TCP_ENDING);
	remember(lower, chain, decision, one_protocol_match(lower->arena, PROTOCOL_TCP), TCP_KEPT);
	remember(lower, chain, decision, answered_match(), UDP_ANSWERED);
	remember(lower, chain, decision, one_protocol_match(lower->arena, PROTOCOL_UDP), UDP_KEPT);
	lower_goto(lower, lower_guarantee(lower, chain, NULL), decision->chain);
}

void lower_remember(struct lower *lower, size_t decision, const struct lower_target *target)
{
	struct lower_decision *of = &lower->decisions[decision - 1];
	const char *name = lower_decision_name(lower, decision);

	if (of->remember || !is_masqueraded(target))
		return;
	of->flows[ADDR_IPV4] = flow_set(lower, of, name, ADDR_IPV4);
	if (lower->policy->settings.ipv6 != IPV6_OFF)
		of->flows[ADDR_IPV6] = flow_set(lower, of, name, ADDR_IPV6);
	remember_chain(lower, of, name);
}

/* ---- what is remembered ---- */

/* As for a connection that has its entry, what drops and rejects above the rule that decided comes
 * first. */
static const char *recall(struct lower *lower, const struct lower_decision *decision,
			  const char *name)
{
	const char *decide = arena_printf(lower->arena, "decide_%s", name);
	struct ir_chain *chain;

	if (!lower_find_chain(lower, decide)) /* only rules that ask for `state` decide so */
		decide = arena_printf(lower->arena, "decide_%s.as_told", name);
	if (!decision->filters)
		return decide;
	chain = lower_chain(lower, arena_printf(lower->arena, "recall_%s", name), NULL);
	for (size_t i = 0; i < decision->filters; i++)
		lower_copy_rules(lower, chain, decision->prefilter->filters[i]);
	lower_goto(lower, lower_guarantee(lower, chain, NULL), decide);
	return chain->name;
}

static void recall_decision(struct lower *lower, struct ir_chain *chain, size_t decision)
{
	const struct lower_decision *of = &lower->decisions[decision - 1];
	const char *to = recall(lower, of, lower_decision_name(lower, decision));

	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++) {
		struct ir_rule *rule;

		if (!of->flows[family])
			continue;
		rule = lower_guarantee(lower, chain, NULL);
		lower_match(lower, rule, flow_match(of->flows[family]));
		lower_goto(lower, rule, to);
	}
}

/* A TCP packet that has no entry and opens no connection, and a UDP packet that has none. */
static void ask_forgotten(struct lower *lower, struct ir_chain *chain, const char *forgotten)
{
	struct ir_rule *rule =
		lower_guarantee(lower, chain,
				"a connection that the kernel has forgotten keeps its way");

	lower_match(lower, rule, state_match(lower->arena, STATE_NEW | STATE_INVALID));
	lower_match(lower, rule, continued_match());
	lower_jump(lower, rule, forgotten);
	rule = lower_guarantee(lower, chain, NULL);
	lower_match(lower, rule, state_match(lower->arena, STATE_NEW));
	lower_match(lower, rule, one_protocol_match(lower->arena, PROTOCOL_UDP));
	lower_jump(lower, rule, forgotten);
}

void lower_recall(struct lower *lower, struct ir_chain *chain, enum ir_scope scope)
{
	struct ir_chain *forgotten = NULL;

	for (size_t i = 1; i <= lower->decision_count; i++) {
		if (lower->decisions[i - 1].scope != scope || !lower->decisions[i - 1].remember)
			continue;
		if (!forgotten)
			forgotten = lower_chain(lower,
						scope == SCOPE_LOCAL ? "forgotten_local"
								     : "forgotten_forward",
						NULL);
		recall_decision(lower, forgotten, i);
	}
	if (forgotten)
		ask_forgotten(lower, chain, forgotten->name);
}
