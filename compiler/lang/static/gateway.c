/*
 * static/gateway: gateways in the network that a rule's packets come from (a side gateway), and
 * what they send themselves.
 *
 * In go the rules that name where their packets come from, and the tables that they lead to; out
 * comes a warning for each that takes what a gateway of such a table sends on by this host, and so
 * sends it back. Its packets are sent through the ir, so an exception before the rule counts.
 */
#include <fnmatch.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "ir/evaluate.h"
#include "lang/static/tunnel.h"
#include "match/kinds.h"

/* Addresses that no list of private or special ones holds. */
static struct wide any_public(enum addr_family family)
{
	return family == ADDR_IPV6 ? (struct wide){ .high = 0x2600ull << 48, .low = 1 }
				   : wide(0x01000001);
}

/* Does the rule say that the gateway's packets are among its own, by the interface or by the
 * address? One that names neither is meant for others. */
static bool names_gateway(struct checks *checks, const struct ast_rule *rule,
			  const struct ast_hop *hop, struct addr via)
{
	const struct match_condition *in = ast_condition(rule, "in"),
				     *from = ast_condition(rule, "from");

	for (size_t i = 0; ast_names_source(rule) && i < in->name_count; i++)
		if (fnmatch(in->names[i], hop->dev, FNM_NOESCAPE) == 0)
			return true;
	return !in && from && !from->negated && static_names_address(checks, from, via);
}

static unsigned int first_value(const struct ast_rule *rule, const char *key)
{
	const struct match_condition *condition = ast_condition(rule, key);

	return condition && !condition->negated && condition->values.count
		       ? (unsigned int)condition->values.items[0].first.low
		       : 0;
}

static bool is_sent_back(struct checks *checks, size_t order, const struct ast_hop *hop,
			 struct addr via, struct wide to)
{
	const struct ast_rule *rule = &checks->policy->rules[order];
	struct ir_packet packet = {
		.scope = SCOPE_FORWARD,
		.in = hop->dev,
		.out = "",
		.family = via.family,
		.from = via.bits,
		.has_from = true,
		.to = to,
		.has_to = true,
		.protocol = rule->protocols.count ? (unsigned int)rule->protocols.items[0].first.low
						  : PROTOCOL_TCP,
		.source_port = first_value(rule, "sport"),
		.port = first_value(rule, "port"),
		.state = STATE_NEW
	};
	struct ir_outcome outcome = ir_walk(checks->walker, &packet, NULL);

	return outcome.decided && ast_rule_at(checks->policy, outcome.decided->origin) == order;
}

/* To some address that the rule is about. */
static bool loops(struct checks *checks, size_t order, const struct ast_hop *hop, struct addr via)
{
	const struct ast_rule *rule = &checks->policy->rules[order];
	const struct match_condition *to = ast_condition(rule, "to");
	const struct interval_set *part;

	if (!names_gateway(checks, rule, hop, via))
		return false;
	if (!to || to->negated)
		return is_sent_back(checks, order, hop, via, any_public(via.family));
	for (size_t i = 0; (part = static_part(checks, to, via.family, i)); i++)
		if (part->count && is_sent_back(checks, order, hop, via, part->items[0].first))
			return true;
	return false;
}

static void add_loops(struct checks *checks, size_t order, const struct ast_hop *hop,
		      struct buf *addresses)
{
	for (int family = 0; hop->dev && family < ADDR_FAMILIES; family++) {
		struct addr via = hop->via.addr[family];
		const char *quote = addr_quote(family);
		char text[ADDR_TEXT];

		if (hop->via.has[family] && !addr_is_link_local(via) &&
		    loops(checks, order, hop, via))
			buf_printf(addresses, "%s%s%s%s", buf_text(addresses)[0] ? ", " : "", quote,
				   addr_format(via, text), quote);
	}
}

static void judge(struct checks *checks, size_t order, const struct ast_table *table,
		  const struct ast_hop *hop)
{
	const struct ast_rule *rule = &checks->policy->rules[order];
	struct buf found = { 0 };
	struct diag_record *record;
	const char *addresses;

	buf_puts(&found, "");
	add_loops(checks, order, hop, &found);
	addresses = arena_strdup(checks->arena, buf_text(&found));
	buf_free(&found);
	if (!*addresses)
		return;
	record =
		diag_add(checks->diag, DIAG_gateway_loop, rule->then->span,
			 "what the gateway of \"%s\" sends by %s itself (from %s) is sent back to it",
			 table->name, hop->dev, addresses);
	diag_also(record, hop->via.span, "the gateway");
	if (!ast_condition(rule, "from"))
		diag_help(record, "add `from: {not: [%s]}` to the rule", addresses);
	diag_help(record, "put `{in: %s, from: [%s], then: direct}` before the rule", hop->dev,
		  addresses);
}

static void judge_table(struct checks *checks, size_t order, const struct ast_table *table)
{
	size_t count;
	const struct ast_route *routes = ast_table_routes(table, &count);
	const struct ast_hop *hop;

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; (hop = ast_hop(&routes[i], k)); k++)
			judge(checks, order, table, hop);
}

void static_gateways(struct checks *checks)
{
	struct ast_policy *policy = checks->policy;

	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct ast_rule *rule = &policy->rules[i];
		bool leads = rule->then->action == THEN_ROUTE || rule->then->action == THEN_BALANCE;

		for (size_t k = 0; leads && k < rule->then->target_count; k++) {
			const struct ast_table *table =
				ast_table_find(policy, rule->then->targets[k].name);

			if (table && (rule->scopes & SCOPE_FORWARD))
				judge_table(checks, i, table);
		}
	}
}
