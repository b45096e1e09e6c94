/*
 * check/protocol: what the data of a rule's packets can decide.
 */
#include "base/diag.h"
#include "lang/check/check.h"
#include "match/kinds.h"

static bool refuse_target(struct diag *diag, const struct ast_rule *rule,
			  const struct match_condition *condition)
{
	struct diag_record *record = diag_add(diag, DIAG_impossible, condition->span,
					      "`%s` cannot choose the way of a TCP connection",
					      condition->key);

	diag_also(record, rule->then->span, "its first packet, which decides, carries no data yet");
	if (interval_contains(&rule->protocols, wide(PROTOCOL_UDP)))
		diag_help(record,
			  "add `proto: udp`: there the first datagram decides, by what it carries");
	diag_help(record,
		  "choose a way by `port` and `to`; `drop` and `reject` look at every packet");
	return false;
}

/* With a length the packets without data may be out of question. */
static bool refuse_all(struct diag *diag, const struct ast_rule *rule,
		       const struct match_condition *condition)
{
	struct diag_record *record;

	if (!condition->negated || ast_condition(rule, "length"))
		return true;
	record = diag_add(diag, DIAG_impossible, condition->span,
			  "this refuses every TCP connection");
	diag_also(record, rule->then->span,
		  "its first packets carry no data, so they are none of what is excepted");
	diag_help(record, "say what to refuse, without `not`%s",
		  interval_contains(&rule->protocols, wide(PROTOCOL_UDP)) ? ", or add `proto: udp`"
									  : "");
	return false;
}

bool check_data(struct diag *diag, const struct ast_rule *rule)
{
	enum ast_action action = rule->then->action;
	bool good = true;

	for (size_t i = 0; i < rule->condition_count; i++) {
		const struct match_condition *condition = rule->conditions[i];

		if (!condition->kind->reads_data ||
		    !interval_contains(&rule->protocols, wide(PROTOCOL_TCP)))
			continue;
		if (ast_chooses_target(rule->then))
			good = refuse_target(diag, rule, condition);
		else if (action == THEN_DROP || action == THEN_REJECT)
			good &= refuse_all(diag, rule, condition);
	}
	return good;
}
