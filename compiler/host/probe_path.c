/*
 * probe_path: a packet's way through the foreign chains, before and after the policy's own, and
 * through routing.
 *
 * forwarded:  prerouting, route, then input, or forward and postrouting
 * local:      output, route, postrouting; to this host then prerouting and input by lo
 */
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include <linux/rtnetlink.h>

#include "base/arena.h"
#include "base/buf.h"
#include "host/probe_state.h"
#include "ir/evaluate.h"
#include "kernel/link.h"

/* ---- words ---- */

/* "drops the packet": what it does, or, after "may", could do. */
static const char *effect_text(struct probe *ask, const struct foreign_effect *effect, bool may)
{
	const char *s = may ? "" : "s";
	struct arena *arena = ask->packet_arena;

	switch (effect->verdict) {
	case FOREIGN_DROP:
		return arena_printf(arena, "drop%s the packet%s", s,
				    effect->is_policy ? " (policy drop)" : "");
	case FOREIGN_REJECT:
		return arena_printf(arena, "reject%s the packet", s);
	case FOREIGN_TRANSLATE:
		return arena_printf(arena, "translate%s its destination to %s", s,
				    foreign_effect_target(arena, effect, ask->now.packet->family));
	case FOREIGN_QUEUE:
		return arena_printf(arena, "decide%s otherwise", s);
	case FOREIGN_TAKE:
		return arena_printf(arena, "hand%s it to a socket", s);
	case FOREIGN_NEXT:
	case FOREIGN_ACCEPT:
	case FOREIGN_JUMP:
	case FOREIGN_GOTO:
	case FOREIGN_RETURN:
		break;
	}
	if (!effect->is_mark_known)
		return arena_printf(arena, "rewrite%s its mark", s);
	return arena_printf(arena, "rewrite%s its mark from 0x%" PRIx32 " to 0x%" PRIx32, s,
			    effect->before, effect->after);
}

/* Bits that the policy reads: those of the packet's way, or of all its ways. */
static bool touches_mark(const struct probe *ask, const struct foreign_effect *effect)
{
	const struct ir_class *way = ask->question ? ask->question->class : NULL;
	uint32_t mask = way ? way->mask : ask->ir->mark_mask;

	return !effect->is_mark_known || (effect->before ^ effect->after) & mask;
}

/* A doubt of one chain is reported once. */
static bool was_told(const struct foreign_effects *effects, size_t index)
{
	const struct foreign_effect *effect = &effects->items[index];

	for (size_t i = 0; i < index; i++)
		if (effects->items[i].doubt && effects->items[i].verdict == effect->verdict &&
		    !strcmp(effects->items[i].command, effect->command))
			return true;
	return false;
}

/* `before`: marks are what the policy's chain then begins with. */
static void tell(struct probe *ask, const struct foreign_effects *effects, bool before)
{
	for (size_t i = 0; i < effects->count; i++) {
		const struct foreign_effect *effect = &effects->items[i];
		bool is_mark = effect->verdict == FOREIGN_NEXT;
		const char *side = before ? ", before the policy's chain" : "";
		const char *text = arena_printf(ask->packet_arena, "%s: %s%s%s", effect->place,
						effect->doubt ? "may " : "",
						effect_text(ask, effect, effect->doubt), side);

		if (is_mark && !effect->doubt && (before || !touches_mark(ask, effect))) {
			probe_note(ask, "%s", text);
		} else if (!effect->doubt) {
			diag_help(probe_differ(ask, "%s", text), "see it: %s", effect->command);
		} else if (!is_mark || before || touches_mark(ask, effect)) {
			if (!was_told(effects, i))
				probe_doubt(ask, "%s: %s (see: %s)", text, effect->doubt,
					    effect->command);
		}
	}
}

static void walk(struct probe *ask, enum ir_hook hook, int least, int most, bool before)
{
	struct foreign_effects effects = { 0 };

	if (ask->is_stopped)
		return;
	ask->now.hook = hook;
	ask->is_stopped = !foreign_chains_walk(ask->foreign, ask->packet_arena, &ask->now, least,
					       most, &effects);
	tell(ask, &effects, before);
}

/* Of two chains with one priority, the kernel does not say which comes first: marks may be written
 * before the policy's chain, and are overwritten then, or after it. */
static void walk_same_priority(struct probe *ask, enum ir_hook hook, int priority)
{
	struct foreign_effects effects = { 0 };
	uint32_t mark = ask->now.mark;

	ask->now.hook = hook;
	ask->is_stopped = !foreign_chains_walk(ask->foreign, ask->packet_arena, &ask->now, priority,
					       priority, &effects);
	for (size_t i = 0; i < effects.count; i++)
		if (effects.items[i].verdict == FOREIGN_NEXT && !effects.items[i].doubt)
			effects.items[i].doubt =
				"its chain has the priority of the policy's, so either may be first";
	ask->now.mark = mark;
	tell(ask, &effects, false);
}

/* ---- before the policy's chain ---- */

static unsigned char type_of(struct probe *ask, struct wide to)
{
	struct addr addr = { ask->now.packet->family, to };
	struct link_fib fib = link_fib(ask->packet_arena, &ask->kernel.route, addr);

	if (fib.is_local)
		return RTN_LOCAL;
	if (fib.is_broadcast)
		return RTN_BROADCAST;
	return fib.is_anycast ? RTN_ANYCAST : RTN_UNICAST;
}

void probe_path_before(struct probe *ask, const struct ir_packet *packet,
		       const struct ir_chain *base)
{
	bool is_local = packet->scope == SCOPE_LOCAL;

	ask->question = NULL;
	ask->now =
		(struct foreign_packet){ .packet = packet,
					 .in = is_local      ? ""
					       : *packet->in ? packet->in
							     : NULL,
					 .out = is_local ? (*packet->out ? packet->out : NULL) : "",
					 .has_from = packet->has_from,
					 .has_to = packet->has_to,
					 .from = packet->from,
					 .to = packet->to,
					 .port = packet->port,
					 .mark = packet->mark,
					 .ct_mark = packet->ct_mark };
	if (packet->has_to)
		ask->now.type = type_of(ask, packet->to);
	else if (packet->to_local)
		ask->now.type = RTN_LOCAL;
	else if (packet->to_broadcast)
		ask->now.type = RTN_BROADCAST;
	if (base)
		walk(ask, base->hook, INT_MIN, base->priority - 1, true);
}

/* ---- after it ---- */

/* The policy's own chain that translates at the hook, or NULL. */
static const struct ir_chain *translating_chain(const struct probe *ask, enum ir_hook hook)
{
	for (size_t i = 0; i < ask->ir->chain_count; i++)
		if (ask->ir->chains[i].hook == hook && ask->ir->chains[i].type == IR_CHAIN_NAT)
			return &ask->ir->chains[i];
	return NULL;
}

static bool is_answered(const struct probe_question *question)
{
	return question->class && question->class->kind == IR_CLASS_ANSWER;
}

/* To a listener that is handed packets by their destination, or to this host itself. */
static bool is_translated(const struct probe_question *question)
{
	return is_answered(question) ||
	       (question->listener && strcmp(question->listener->mode, "tproxy"));
}

static void translate(struct probe *ask)
{
	const struct ir_listener *listener = ask->question->listener;
	enum addr_family family = ask->question->packet->family;
	bool is_redirect = listener && !strcmp(listener->mode, "redirect");

	ask->now.is_translated = true;
	ask->now.has_to = false;
	ask->now.type = RTN_LOCAL;
	if (is_answered(ask->question))
		return;
	ask->now.has_to = !is_redirect && listener->has[family];
	ask->now.to = listener->addr[family].bits;
	ask->now.port = listener->port;
	ask->now.type = ask->now.has_to ? type_of(ask, ask->now.to) : RTN_LOCAL;
}

/* NPTv6: the policy's chain gives what comes in for an outside prefix its inside address. */
static void translate_prefix(struct probe *ask, const struct ir_chain *own)
{
	const struct ir_packet *packet = ask->question->packet;

	for (size_t i = 0; i < own->rule_count; i++) {
		const struct ir_rule *rule = &own->rules[i];
		const struct ir_statement *last = &rule->statements[rule->statement_count - 1];
		struct wide rest = addr_host_bits(ADDR_IPV6, last->length);

		if (!last->length || !packet->has_to || !ir_rule_takes(rule, packet))
			continue;
		ask->now.is_translated = ask->now.has_to = true;
		ask->now.to = wide_or(last->addr.bits, wide_and(packet->to, rest));
		ask->now.type = type_of(ask, ask->now.to);
		return;
	}
}

static void translate_here(struct probe *ask, const struct ir_chain *own)
{
	const struct probe_question *question = ask->question;

	if (is_translated(question))
		translate(ask);
	else if (question->listener)
		ask->now.is_pinned = true;
	else
		translate_prefix(ask, own);
}

/* The rest of the hook at which the policy decides. */
static void walk_first_hook(struct probe *ask)
{
	const struct probe_question *question = ask->question;
	enum ir_hook hook = question->packet->scope == SCOPE_LOCAL ? IR_HOOK_OUTPUT
								   : IR_HOOK_PREROUTING;
	const struct ir_chain *own = translating_chain(ask, hook);
	int from = INT_MIN;

	if (question->base) {
		walk_same_priority(ask, hook, question->base->priority);
		from = question->base->priority + 1;
	}
	if (!own) {
		walk(ask, hook, from, INT_MAX, false);
		return;
	}
	walk(ask, hook, from, own->priority - 1, false);
	if (!ask->now.is_translated && !ask->is_stopped)
		translate_here(ask, own);
	walk(ask, hook, own->priority, INT_MAX, false);
}

/* The policy's chain after those that translate gives it the mark that asks the main table's own
 * networks first. */
static void follow_translation(struct probe *ask)
{
	const struct ir_class *way = ask->question->class;
	const struct ir *ir = ask->ir;

	if (!ask->now.is_translated || !way || way->kind != IR_CLASS_ROUTE)
		return;
	for (size_t i = 0; i < ir->class_count; i++)
		if (ir->classes[i].kind == IR_CLASS_INBOUND &&
		    !strcmp(ir->classes[i].name, way->name))
			ask->now.mark = (ask->now.mark & ~way->mask) | ir->classes[i].mark;
}

static bool route(struct probe *ask, struct probe_way *way)
{
	const struct probe_question *question = ask->question;

	*way = (struct probe_way){ 0 };
	if (ask->now.is_translated && ask->now.has_to) {
		ask->now.type = type_of(ask, ask->now.to);
		return probe_route(ask, way);
	}
	if (ask->now.is_translated) {
		way->is_known = way->is_local = ask->now.type == RTN_LOCAL;
		return true;
	}
	if (question->is_balanced) {
		probe_doubt(ask, "%s",
			    question->share_count
				    ? "the listener depends on the connection: no route is "
				      "looked up"
				    : "the table depends on the connection: no route is looked up");
		way->is_known = true;
		return true;
	}
	if (question->packet->has_to)
		return probe_route(ask, way);
	way->is_known = way->is_local = question->packet->to_local;
	if (!way->is_known)
		probe_doubt(ask, "no route is looked up: to= is not given");
	return true;
}

static void walk_input(struct probe *ask)
{
	ask->now.out = "";
	walk(ask, IR_HOOK_INPUT, INT_MIN, INT_MAX, false);
}

static void walk_out(struct probe *ask, const char *device)
{
	ask->now.out = device;
	if (ask->question->packet->scope == SCOPE_FORWARD)
		walk(ask, IR_HOOK_FORWARD, INT_MIN, INT_MAX, false);
	walk(ask, IR_HOOK_POSTROUTING, INT_MIN, INT_MAX, false);
}

/* What this host sends to itself leaves by lo, and comes in again. */
static void walk_loop(struct probe *ask)
{
	walk_out(ask, "lo");
	ask->now.in = "lo";
	ask->now.out = "";
	walk(ask, IR_HOOK_PREROUTING, INT_MIN, INT_MAX, false);
	walk_input(ask);
}

bool probe_path_after(struct probe *ask)
{
	const struct probe_question *question = ask->question;
	struct probe_way way;

	ask->now.packet = question->packet;
	ask->now.mark = question->mark;
	ask->now.ct_mark = question->ct_mark;
	walk_first_hook(ask);
	follow_translation(ask);
	if (ask->is_stopped)
		return true;
	if (!route(ask, &way))
		return false;
	if (way.is_local && question->packet->scope == SCOPE_LOCAL)
		walk_loop(ask);
	else if (way.is_local)
		walk_input(ask);
	else if (way.is_known)
		walk_out(ask, way.device);
	return true;
}
