/*
 * state: what connection tracking says of the packet.
 */
#include <string.h>

#include "base/buf.h"
#include "match/kinds.h"

static const struct {
	const char *name;
	enum ir_state state;
} names[] = { { "new", STATE_NEW },
	      { "established", STATE_ESTABLISHED },
	      { "related", STATE_RELATED },
	      { "invalid", STATE_INVALID } };

enum { NAMES = sizeof(names) / sizeof(names[0]) };

static bool read_state(struct decode *decode, const struct node *value,
		       struct match_condition *condition)
{
	const char *candidates[NAMES];

	for (size_t i = 0; i < NAMES; i++) {
		candidates[i] = names[i].name;
		if (value->kind != NODE_SCALAR || strcmp(value->text, names[i].name))
			continue;
		condition->mask |= names[i].state;
		return true;
	}
	decode_unknown(decode, DIAG_bad_value, value->span, "connection state",
		       value->kind == NODE_SCALAR ? value->text : "", candidates, NAMES);
	return false;
}

static void print_state(const struct ir_match *match, struct buf *out)
{
	const char *comma = "";

	buf_puts(out, "ct state ");
	if (match->negated)
		buf_puts(out, "!= ");
	for (size_t i = 0; i < NAMES; i++) {
		if (!(match->mask & names[i].state))
			continue;
		buf_printf(out, "%s%s", comma, names[i].name);
		comma = ",";
	}
}

static bool state_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	return ((match->mask & packet->state) != 0) != match->negated;
}

static const struct ir_match_ops state_ops = { "state", print_state, state_holds, false, NULL };

struct ir_match state_match(struct arena *arena, enum ir_state state)
{
	(void)arena;
	return (struct ir_match){ .ops = &state_ops, .mask = state };
}

/* `ct state != new,established` would compare the whole word; a negated list is the list of the
 * others. */
static void lower_state(const struct match_condition *condition, struct match_context *context,
			struct match_alternatives *out)
{
	uint32_t all = STATE_NEW | STATE_ESTABLISHED | STATE_RELATED | STATE_INVALID;
	uint32_t wanted = condition->negated ? all & ~condition->mask : condition->mask;

	if (wanted)
		match_append(context, match_alternative(context, out), &state_ops)->mask = wanted;
}

const struct match_kind match_state = {
	.noun = "a connection state",
	.read = read_state,
	.lower = lower_state,
	.may_change = true,
};
