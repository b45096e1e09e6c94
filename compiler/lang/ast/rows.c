/*
 * rows: which listener of each row is handed what its rules take (see rows.h).
 *
 * Rules that name the same listeners in the same order have one row: what they send is judged
 * together, so that they hand to the same one.
 */
#include "lang/ast/rows.h"

#include <netinet/in.h>
#include <string.h>

#include "base/arena.h"

unsigned int rows_ways(const struct ast_rule *rule, const struct ast_listener *listener)
{
	static const unsigned int takes[] = { TAKES_TCP, TAKES_UDP };
	static const uint64_t numbers[] = { IPPROTO_TCP, IPPROTO_UDP };
	unsigned int ways = 0;

	for (int scope = 0; scope < 2; scope++)
		for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++)
			for (int udp = 0; udp < 2; udp++)
				if (rule->scopes & (scope ? SCOPE_LOCAL : SCOPE_FORWARD) &&
				    rule->families[family] && listener->has[family] &&
				    listener->protocols & takes[udp] &&
				    (!rule->protocols.count ||
				     interval_contains(&rule->protocols, wide(numbers[udp]))))
					ways |= ir_listener_way(scope, family, udp);
	return ways;
}

static struct ir_listener described(const struct ast_listener *listener)
{
	struct ir_listener out = { .name = listener->name,
				   .mode = ast_mode_name(listener->mode),
				   .port = listener->port,
				   .tcp = listener->protocols & TAKES_TCP,
				   .udp = listener->protocols & TAKES_UDP,
				   .on_this_host = ast_stays_here(listener),
				   .origin = listener->span };

	memcpy(out.addr, listener->addr, sizeof(out.addr));
	memcpy(out.has, listener->has, sizeof(out.has));
	return out;
}

static bool is_row_of(const struct ir_row *row, const struct ast_then *then)
{
	if (row->count != then->hand_count)
		return false;
	for (size_t i = 0; i < row->count; i++)
		if (strcmp(row->listeners[i].name, then->hands[i].name))
			return false;
	return true;
}

const struct ir_row *rows_of(const struct ast_policy *policy, const struct ast_then *then)
{
	for (size_t i = 0; then->action == THEN_PROXY && i < policy->row_count; i++)
		if (is_row_of(&policy->rows[i], then))
			return &policy->rows[i];
	return NULL;
}

static void add_rule(struct arena *arena, struct ast_policy *policy, const struct ast_rule *rule)
{
	const struct ast_then *then = rule->then;
	struct ir_row *row = (struct ir_row *)rows_of(policy, then);

	if (then->action != THEN_PROXY || then->hand_count < 2)
		return;
	if (!row) {
		row = arena_append(arena, policy->rows, policy->row_count);
		row->origin = then->span;
		for (size_t i = 0; i < then->hand_count; i++)
			*arena_append(arena, row->listeners, row->count) =
				described(then->hands[i].listener);
		row->why = arena_alloc(arena, row->count * sizeof(*row->why));
		memset(row->why, 0, row->count * sizeof(*row->why));
	}
	for (size_t i = 0; i < row->count; i++)
		row->listeners[i].ways |= rows_ways(rule, then->hands[i].listener);
}

static void take(struct ast_policy *policy, struct ast_then *then)
{
	const struct ir_row *row = then ? rows_of(policy, then) : NULL;

	if (row)
		then->listener = then->hands[row->chosen].listener;
}

void rows_choose(struct arena *arena, struct ast_policy *policy, const struct lang_host *host)
{
	for (size_t i = 0; i < policy->rule_count; i++)
		add_rule(arena, policy, &policy->rules[i]);
	for (size_t i = 0; i < 2; i++)
		if (policy->default_rules[i])
			add_rule(arena, policy, policy->default_rules[i]);
	for (size_t i = 0; host && i < policy->row_count; i++)
		ir_row_choose(&policy->rows[i], host->why_gone, host->user);
	for (size_t i = 0; i < policy->rule_count; i++)
		take(policy, policy->rules[i].then);
	take(policy, policy->default_forward);
	take(policy, policy->default_local);
}
