/*
 * translators: goes through the foreign chains with a packet that stands for all first packets of
 * a way, and asks for each translation whether the policy's rules send such packets that way (see
 * translators.h).
 *
 * A destination of this host's own never meets a rule, so what translates only those (Docker's
 * published ports) is none.
 */
#include "host/translators.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/rtnetlink.h>

#include "base/arena.h"
#include "base/names.h"
#include "base/report.h"
#include "host/foreign_chain.h"
#include "host/foreign_packet.h"
#include "host/host.h"
#include "ir/evaluate.h"
#include "ir/reach.h"
#include "kernel/addresses.h"
#include "kernel/link.h"

struct found {
	size_t way; /* of the ir's classes */
	struct foreign_effect effect;
	enum addr_family family;
	bool may;
	struct foreign_packet marked; /* what was asked about */
};

struct search {
	struct arena *arena;
	struct report *report;
	struct kernel *kernel;
	const struct ir *ir;
	const struct foreign_chains *chains;
	struct foreign_chains *own; /* with the policy's as the kernel has them; or NULL */
	const char **inside;        /* interfaces that the policy's rules name in `in` */
	size_t inside_count;
	struct found *found;
	size_t found_count;
	/* What is asked about. */
	size_t way;
	struct ir_packet asked;
	int priority; /* of the policy's chain that marks */
};

/* ---- ways ---- */

static const struct ir_ip_rule *first_rule(const struct ir *ir, const struct ir_class *way)
{
	for (size_t i = 0; i < ir->ip_rule_count; i++)
		if (ir->ip_rules[i].mark == way->mark && ir->ip_rules[i].mask == way->mask)
			return &ir->ip_rules[i];
	return NULL;
}

/* Is what was translated after the mark lost by this way? */
static bool is_routed(const struct ir *ir, const struct ir_class *way)
{
	const struct ir_ip_rule *rule = first_rule(ir, way);

	if (way->kind != IR_CLASS_ROUTE || !rule || ir_rule_asks_main(ir, rule))
		return false;
	for (size_t i = 0; i < ir->class_count; i++)
		if (ir->classes[i].kind == IR_CLASS_INBOUND &&
		    !strcmp(ir->classes[i].name, way->name))
			return false;
	return true;
}

static bool is_exposed(const struct ir *ir, const struct ir_class *way)
{
	return (way->kind == IR_CLASS_PROXY && way->listener_mode) || is_routed(ir, way);
}

/* ---- packets ---- */

static unsigned int bound(const struct foreign_bounds *bounds, bool is_most)
{
	return bounds->has ? (unsigned int)(is_most ? bounds->most : bounds->least).low : 0;
}

/* By none that a rule of the policy names, where it is not known: what comes by those is asked
 * about by their names. */
static const char *in_of(const struct search *search, const struct foreign_packet *packet)
{
	static const char unnamed[] = "/";

	return packet->in ? packet->in : search->asked.scope == SCOPE_LOCAL ? "" : unnamed;
}

/* One end of what a packet stands for. */
static struct ir_packet end_of(const struct search *search, const struct foreign_packet *packet,
			       bool is_most)
{
	const struct foreign_bounds *from = &packet->bounds[FOREIGN_FROM],
				    *to = &packet->bounds[FOREIGN_TO];
	struct ir_packet end = search->asked;

	end.in = in_of(search, packet);
	end.has_from = from->has;
	end.from = is_most ? from->most : from->least;
	end.has_to = to->has;
	end.to = is_most ? to->most : to->least;
	end.port = bound(&packet->bounds[FOREIGN_PORT], is_most);
	return end;
}

/* Do both marks stand for the way? */
static bool is_same_way(const struct search *search, const struct ir_class *way)
{
	const struct ir_class *asked = &search->ir->classes[search->way];

	return way == asked || (way->kind == IR_CLASS_SYN && asked->kind == IR_CLASS_ROUTE &&
				!strcmp(way->name, asked->name));
}

static bool is_own(const struct search *search, const struct foreign_effect *effect)
{
	return effect->table.family == NFPROTO_INET &&
	       !strcmp(effect->table.name, search->ir->table);
}

static bool gives_mark(const struct search *search, const struct foreign_effect *effect)
{
	for (size_t i = 0; i < search->ir->class_count; i++) {
		const struct ir_class *way = &search->ir->classes[i];

		if (is_same_way(search, way) && effect->is_mark_known &&
		    (effect->after & way->mask) == way->mark)
			return true;
	}
	return false;
}

/* Does the kernel's table of the policy give such packets the mark? A map that cannot be asked may
 * lead there. */
static bool is_marked(const struct search *search, const struct foreign_packet *packet)
{
	struct foreign_packet unmarked = *packet;
	struct foreign_effects effects = { 0 };

	unmarked.mark = 0;
	unmarked.in = in_of(search, packet);
	foreign_chains_walk(search->own, search->arena, &unmarked, search->priority,
			    search->priority, &effects);
	for (size_t i = 0; i < effects.count; i++) {
		const struct foreign_effect *effect = &effects.items[i];

		if (is_own(search, effect) &&
		    (effect->verdict == FOREIGN_QUEUE ||
		     (effect->verdict == FOREIGN_NEXT && gives_mark(search, effect))))
			return true;
	}
	return false;
}

/* Do rules of the policy send such packets this way? */
static bool is_sent(const struct search *search, const struct foreign_packet *packet)
{
	const struct ir *ir = search->ir;
	struct ir_packet least = end_of(search, packet, false), most = end_of(search, packet, true);
	bool *ways = arena_alloc(search->arena, ir->class_count * sizeof(*ways));

	if (search->own)
		return is_marked(search, packet);
	memset(ways, 0, ir->class_count * sizeof(*ways));
	ir_reach(search->arena, ir, &least, &most, ways);
	for (size_t i = 0; i < ir->class_count; i++)
		if (ways[i] && is_same_way(search, &ir->classes[i]))
			return true;
	return false;
}

static bool has_name(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

/* By which a default route of the main table's, or any route of the policy's, leaves. */
static const char **uplinks(const struct search *search, size_t *count)
{
	const struct ir *ir = search->ir;
	const char **names =
		link_defaults(search->arena, &search->kernel->route, search->asked.family, count);

	for (size_t i = 0; i < ir->route_count; i++)
		for (size_t k = 0; k < ir->routes[i].hop_count; k++)
			if (ir->routes[i].hops[k].dev && !ir->routes[i].to.length)
				names_add(search->arena, &names, count, ir->routes[i].hops[k].dev);
	return names;
}

/*
 * A port of an uplink's address that is forwarded: the rule names the uplink and no destination.
 * Where the host has no other link, the same may be for its clients.
 */
static bool is_port_forward(const struct search *search, const struct foreign_packet *packet)
{
	struct link_names links;
	const char **names;
	size_t count;

	if (!packet->in || !*packet->in || packet->bounds[FOREIGN_TO].has ||
	    has_name(search->inside, search->inside_count, packet->in))
		return false;
	names = uplinks(search, &count);
	if (!has_name(names, count, packet->in))
		return false;
	links = link_names(search->arena, &search->kernel->route);
	for (size_t i = 0; i < links.count; i++)
		if (strcmp(links.items[i], "lo") != 0 && !has_name(names, count, links.items[i]) &&
		    addresses_has_own(&search->kernel->route,
				      link_state(search->arena, &search->kernel->route,
						 links.items[i])
					      .index))
			return true;
	return false;
}

/* This host's own addresses are no destination of a way's. */
static bool is_to_host(const struct search *search, const struct foreign_packet *packet)
{
	struct addr to = { search->asked.family, packet->to };

	return packet->has_to && link_has_address(&search->kernel->route, to);
}

/* What comes to this host, or goes on by the table, is not lost. */
static bool is_lost(const struct search *search, const struct foreign_effect *effect)
{
	struct addr to = { search->asked.family, effect->to };

	if (search->ir->classes[search->way].kind == IR_CLASS_PROXY)
		return true;
	if (effect->is_redirect)
		return false;
	if (!effect->has_to)
		return true;
	return !link_has_address(&search->kernel->route, to) &&
	       link_knows(search->arena, &search->kernel->route, to);
}

/* ---- searching ---- */

static struct found *known(const struct search *search, const struct foreign_effect *effect)
{
	for (size_t i = 0; i < search->found_count; i++)
		if (search->found[i].way == search->way &&
		    !strcmp(search->found[i].effect.place, effect->place))
			return &search->found[i];
	return NULL;
}

static void take(struct search *search, const struct foreign_packet *packet,
		 const struct foreign_effect *effect)
{
	struct found *found = known(search, effect);
	bool may = effect->doubt || effect->packet->is_vague;

	if (effect->verdict != FOREIGN_TRANSLATE || (found && (may || !found->may)) ||
	    is_to_host(search, effect->packet) || !is_lost(search, effect) ||
	    is_port_forward(search, effect->packet) || !is_sent(search, effect->packet))
		return;
	if (!found)
		found = arena_append(search->arena, search->found, search->found_count);
	*found = (struct found){ .way = search->way,
				 .effect = *effect,
				 .family = search->asked.family,
				 .may = may,
				 .marked = *packet };
}

/* `in`: NULL, where it may be any. */
static void walk(struct search *search, const char *in, int most)
{
	const struct ir_class *way = &search->ir->classes[search->way];
	struct foreign_effects effects = { 0 };
	bool is_local = search->asked.scope == SCOPE_LOCAL;
	struct foreign_packet packet = { .packet = &search->asked,
					 .hook = is_local ? IR_HOOK_OUTPUT : IR_HOOK_PREROUTING,
					 .in = is_local ? "" : in,
					 .out = is_local ? NULL : "",
					 .type = RTN_UNICAST,
					 .mark = way->mark,
					 .is_any = true };

	foreign_chains_walk(search->chains, search->arena, &packet, search->priority, most,
			    &effects);
	for (size_t i = 0; i < effects.count; i++)
		take(search, &packet, &effects.items[i]);
}

/* The priority of the policy's chain that translates at the hook. */
static int translating_priority(const struct ir *ir, enum ir_hook hook)
{
	for (size_t i = 0; i < ir->chain_count; i++)
		if (ir->chains[i].hook == hook && ir->chains[i].type == IR_CHAIN_NAT)
			return ir->chains[i].priority;
	return INT_MIN;
}

static void walk_by(struct search *search, const char *in)
{
	bool is_local = search->asked.scope == SCOPE_LOCAL;
	int own = translating_priority(search->ir, is_local ? IR_HOOK_OUTPUT : IR_HOOK_PREROUTING);

	if (search->ir->classes[search->way].kind == IR_CLASS_ROUTE)
		walk(search, in, INT_MAX);
	else if (own != INT_MIN)
		walk(search, in, own);
}

static void search_way(struct search *search)
{
	walk_by(search, NULL);
	for (size_t i = 0; i < search->inside_count && search->asked.scope == SCOPE_FORWARD; i++)
		walk_by(search, search->inside[i]);
}

/* For both scopes, families, and protocols with ports. */
static void search_all(struct search *search)
{
	static const unsigned int protocols[] = { IPPROTO_TCP, IPPROTO_UDP };

	for (unsigned int i = 0; i < 2 * ADDR_FAMILIES * 2; i++) {
		bool is_local = i & 1;
		const struct ir_chain *base =
			ir_chain_find(search->ir, is_local ? "output" : "prerouting");

		if (!base)
			continue;
		search->priority = base->priority;
		search->asked = (struct ir_packet){ .scope = is_local ? SCOPE_LOCAL : SCOPE_FORWARD,
						    .in = "",
						    .out = "",
						    .family = i & 2 ? ADDR_IPV6 : ADDR_IPV4,
						    .protocol = protocols[i >> 2],
						    .state = STATE_NEW };
		for (search->way = 0; search->way < search->ir->class_count; search->way++)
			if (is_exposed(search->ir, &search->ir->classes[search->way]))
				search_way(search);
	}
}

/* ---- strict ---- */

/* Does a chain after routing refuse what leaves by an interface that no table has? */
static bool has_lock(const struct ir *ir, const struct ir_class *way)
{
	const struct ir_packet elsewhere = {
		.scope = SCOPE_FORWARD, .in = "", .out = "/", .mark = way->mark, .state = STATE_NEW
	};

	for (size_t i = 0; i < ir->chain_count; i++)
		for (size_t k = 0; k < ir->chains[i].rule_count; k++) {
			const struct ir_rule *rule = &ir->chains[i].rules[k];
			enum ir_op last = rule->statement_count
						  ? rule->statements[rule->statement_count - 1].op
						  : IR_ACCEPT;

			if ((ir->chains[i].hook == IR_HOOK_FORWARD ||
			     ir->chains[i].hook == IR_HOOK_POSTROUTING) &&
			    (last == IR_GOTO || last == IR_DROP) && rule->match_count &&
			    ir_rule_takes(rule, &elsewhere))
				return true;
		}
	return false;
}

/* The same of the rules that the kernel has. */
static bool holds_lock(const struct search *search, const struct found *found)
{
	struct foreign_packet packet = found->marked;
	struct foreign_effects effects = { 0 };

	packet.out = "/";
	for (int i = 0; i < 2; i++) {
		packet.hook = i ? IR_HOOK_POSTROUTING : IR_HOOK_FORWARD;
		foreign_chains_walk(search->own, search->arena, &packet, INT_MIN, INT_MAX,
				    &effects);
	}
	for (size_t i = 0; i < effects.count; i++)
		if (is_own(search, &effects.items[i]) &&
		    (effects.items[i].verdict == FOREIGN_DROP ||
		     effects.items[i].verdict == FOREIGN_REJECT))
			return true;
	return false;
}

static bool is_strict(const struct search *search, const struct found *found)
{
	return search->own ? holds_lock(search, found)
			   : has_lock(search->ir, &search->ir->classes[found->way]);
}

/* ---- saying ---- */

static const char *what_of_it(const struct search *search, const struct found *found)
{
	const struct ir_class *way = &search->ir->classes[found->way];
	const char *to = foreign_effect_target(search->arena, &found->effect, found->family);

	if (way->kind == IR_CLASS_ROUTE)
		return arena_printf(search->arena, "they stay in it, to %s (%s)", to,
				    is_strict(search, found) ? "it is strict"
							     : "no mark is left for another way");
	if (!strcmp(way->listener_mode, "tproxy"))
		return arena_printf(search->arena,
				    "it takes %s for their destination (UDP), or they are reset (TCP)",
				    to);
	return arena_printf(search->arena, "they go to %s instead", to);
}

/* "meta mark & 0x7f000000 == 0x01000000 return", or both marks: what begins the host's own TCP
 * connections has another one. */
static const char *spare_rule(const struct search *search, const struct ir_class *way)
{
	for (size_t i = 0; i < search->ir->class_count; i++) {
		const struct ir_class *syn = &search->ir->classes[i];

		if (syn->kind == IR_CLASS_SYN && way->kind == IR_CLASS_ROUTE &&
		    !strcmp(syn->name, way->name))
			return arena_printf(search->arena,
					    "meta mark & 0x%08" PRIx32 " { 0x%08" PRIx32
					    ", 0x%08" PRIx32 " } return",
					    way->mask, way->mark, syn->mark);
	}
	return arena_printf(search->arena, "meta mark & 0x%08" PRIx32 " == 0x%08" PRIx32 " return",
			    way->mask, way->mark);
}

static const char *help(const struct search *search, const struct found *found)
{
	const struct ir_class *way = &search->ir->classes[found->way];
	const char *other =
		way->kind == IR_CLASS_PROXY ? "give its chain the priority `dstnat` (-100)"
		: is_strict(search, found)
			? "leave these packets alone by a rule of the policy (`then: direct`)"
			: "write `settings: {mark_mask: ...}` with more bits";

	return arena_printf(search->arena, "put `%s` before that rule, or %s; see it: %s",
			    spare_rule(search, way), other, found->effect.command);
}

static void tell(const struct search *search, const struct found *found, size_t more)
{
	const struct ir_class *way = &search->ir->classes[found->way];
	const char *others =
		more ? arena_printf(search->arena, ", and %zu more in that chain", more) : "";
	struct diag_record *line =
		report_add(search->report, SEVERITY_WARNING, DIAG_foreign_nat,
			   "a foreign nft rule %s packets that the policy sends to %s %s, and %s: %s%s",
			   found->may ? "may translate" : "translates",
			   way->kind == IR_CLASS_PROXY ? "the listener" : "the table", way->name,
			   what_of_it(search, found), found->effect.place, others);

	line->where = way->origin;
	diag_help_text(line, help(search, found));
}

/* A cluster's services are a chain each. */
enum { LINES_MOST = 8 };

/* One line for a chain, however many rules in it do the same to a way. */
static void tell_first(const struct search *search, size_t index, size_t *chains)
{
	const struct found *found = &search->found[index];
	size_t more = 0;

	for (size_t i = 0; i < search->found_count; i++) {
		if (i == index || search->found[i].way != found->way ||
		    strcmp(search->found[i].effect.command, found->effect.command) != 0)
			continue;
		if (i < index)
			return;
		more++;
	}
	if (++*chains <= LINES_MOST)
		tell(search, found, more);
}

static void collect_inside(struct search *search, const char *name, const struct link_names *links)
{
	if (!strchr(name, '*'))
		names_add(search->arena, &search->inside, &search->inside_count, name);
	for (size_t i = 0; strchr(name, '*') && i < links->count; i++)
		if (!fnmatch(name, links->items[i], FNM_NOESCAPE))
			names_add(search->arena, &search->inside, &search->inside_count,
				  links->items[i]);
}

static void collect_all(struct search *search)
{
	struct link_names links = link_names(search->arena, &search->kernel->route);
	const struct ir *ir = search->ir;

	for (size_t i = 0; i < ir->asked_count; i++)
		for (size_t k = 0; k < ir->asked[i].name_count; k++)
			if (!strcmp(ir->asked[i].key, "in") && !ir->asked[i].negated)
				collect_inside(search, ir->asked[i].names[k], &links);
}

/* Flows that are remembered are none of first packets. */
static void read_own(struct search *search, struct netlink_error *error)
{
	const char **flows = NULL;
	size_t count = 0;

	search->own = foreign_chains_read(search->arena, &search->kernel->nft, "", error);
	for (size_t i = 0; i < search->ir->set_count; i++)
		if (ir_set_holds_flows(&search->ir->sets[i]))
			*arena_append(search->arena, flows, count) = search->ir->sets[i].base;
	if (search->own)
		foreign_chains_empty(search->own, flows, count);
}

static bool has_exposed(const struct ir *ir)
{
	for (size_t i = 0; i < ir->class_count; i++)
		if (is_exposed(ir, &ir->classes[i]))
			return true;
	return false;
}

void translators_tell(const struct translators_job *job)
{
	struct search search = {
		.arena = job->arena, .report = job->report, .kernel = job->kernel, .ir = job->ir
	};
	struct netlink_error error;
	size_t chains = 0;

	if (!has_exposed(job->ir))
		return;
	search.chains = foreign_chains_read(job->arena, &job->kernel->nft, job->ir->table, &error);
	if (search.chains && job->is_applied)
		read_own(&search, &error);
	if (!search.chains || (job->is_applied && !search.own)) {
		report_add(job->report, SEVERITY_WARNING, DIAG_kernel_unreadable,
			   "whether foreign nft rules translate the policy's packets is not known: %s",
			   error.text);
		return;
	}
	collect_all(&search);
	search_all(&search);
	for (size_t i = 0; i < search.found_count; i++)
		tell_first(&search, i, &chains);
	if (chains > LINES_MOST)
		diag_help_text(report_add(job->report, SEVERITY_WARNING, DIAG_foreign_nat,
					  "%zu more chains translate the policy's packets",
					  chains - LINES_MOST),
			       "see them: nft -a list ruleset");
}
