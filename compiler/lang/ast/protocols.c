/*
 * protocols: the protocols that a rule, or an expected packet, is about: those it names, narrowed
 * to those whose packets can fit its conditions. Where one that it names can fit none of a
 * condition's values, or a value none of them, that is an error.
 */
#include "lang/ast/protocols.h"

#include "base/arena.h"
#include "base/diag.h"
#include "lang/ast/ast.h"
#include "match/kinds.h"

enum { PROTOCOL_MOST = 255 };

/* "tcp, udp and sctp" */
static const char *words(struct arena *arena, const struct interval_set *protocols)
{
	const char *text = "", *next = NULL;

	for (unsigned int number = 0; number <= PROTOCOL_MOST; number++) {
		if (!interval_contains(protocols, wide(number)))
			continue;
		if (next)
			text = arena_printf(arena, *text ? "%s, %s" : "%s%s", text, next);
		next = protocol_name(number);
	}
	return arena_printf(arena, *text ? "%s and %s" : "%s%s", text, next);
}

static bool refuse_protocol(struct arena *arena, struct diag *diag,
			    const struct match_condition *condition, const char *others,
			    const struct interval_set *protocols)
{
	diag_help(diag_add(diag, DIAG_impossible, condition->span, "`%s` with a protocol that %s",
			   condition->key, others),
		  "this is for %s: remove it, or the other protocols", words(arena, protocols));
	return false;
}

static struct interval_set shared_with(struct arena *arena, const struct ast_rule *rule,
				       const struct interval_set *protocols)
{
	return rule->protocols.count ? interval_intersect(arena, &rule->protocols, protocols)
				     : *protocols;
}

static bool narrow(struct arena *arena, struct diag *diag, struct ast_rule *rule,
		   const struct match_condition *condition)
{
	const struct match_condition *proto = ast_condition(rule, "proto");
	struct interval_set all = { 0 };
	const char *others, *first = NULL;

	for (size_t i = 0;; i++) {
		struct interval_set one = { 0 };

		others = condition->kind->protocols(condition, arena, i, proto != NULL, &one);
		if (!others)
			break;
		first = first ? first : others;
		interval_normalise(&one);
		if (!shared_with(arena, rule, &one).count)
			return refuse_protocol(arena, diag, condition, others, &one);
		for (size_t k = 0; k < one.count; k++)
			interval_add(arena, &all, one.items[k].first, one.items[k].last);
	}
	interval_normalise(&all);
	if (proto && !proto->negated && !interval_covers(&all, &rule->protocols))
		return refuse_protocol(arena, diag, condition, first, &all);
	rule->protocols = shared_with(arena, rule, &all);
	return true;
}

bool protocols_narrow(struct arena *arena, struct diag *diag, struct ast_rule *rule)
{
	const struct match_condition *proto = ast_condition(rule, "proto");
	struct interval_set all = { 0 };

	if (proto) {
		interval_add(arena, &all, wide(0), wide(PROTOCOL_MOST));
		rule->protocols = proto->negated ? interval_subtract(arena, &all, &proto->values)
						 : proto->values;
	}
	for (size_t i = 0; i < rule->condition_count; i++)
		if (rule->conditions[i]->kind->protocols &&
		    !narrow(arena, diag, rule, rule->conditions[i]))
			return false;
	return true;
}
