/*
 * diff: compares an ir with what was observed, part by part. What is ours and not wished for any
 * more is old, what is wished for and not there is new; what is somebody else's is in neither.
 */
#include "host/diff.h"

#include <inttypes.h>
#include <net/if.h>
#include <string.h>

#include "base/arena.h"
#include "emit/about.h"
#include "emit/emit.h"
#include "host/host.h"
#include "host/main_copy.h"
#include "kernel/cgroup.h"
#include "kernel/delta.h"
#include "kernel/link.h"
#include "kernel/nft_elements.h"
#include "state/archive.h"

/* ---- routing ---- */

static struct op *add_rule(struct arena *arena, struct op_list *ops, enum op_kind kind,
			   const struct ir_ip_rule *rule, uint32_t protocol)
{
	enum op_stage stage = kind == OP_RULE_ADD ? rule->iif ? STAGE_NEW_UNMARKED : STAGE_RULES
			      : rule->iif         ? STAGE_OLD_UNMARKED
						  : STAGE_OLD_RULES;
	struct op *op = op_add(arena, ops, kind, stage);

	op->rule = rule;
	op->protocol = protocol;
	return op;
}

/* The one in the kernel that is the wished one, and not another one that stays. */
static const struct ip_rule_seen *find_rule(const struct ir *ir, const struct observed *observed,
					    const struct ir_ip_rule *rule, const bool *stays)
{
	for (size_t i = 0; i < observed->rules.count; i++) {
		const struct ip_rule_seen *seen = &observed->rules.items[i];

		if (!stays[i] && host_owns_rule(observed, seen) && seen->protocol == ir->protocol &&
		    ip_rule_equal(&seen->rule, rule))
			return seen;
	}
	return NULL;
}

static void diff_rules(struct arena *arena, const struct ir *ir, const struct observed *observed,
		       struct op_list *ops)
{
	bool *stays = arena_alloc(arena, (observed->rules.count + 1) * sizeof(*stays));

	for (size_t k = 0; k < ir->ip_rule_count; k++) {
		const struct ip_rule_seen *held = find_rule(ir, observed, &ir->ip_rules[k], stays);

		if (held)
			stays[held - observed->rules.items] = true;
		else
			add_rule(arena, ops, OP_RULE_ADD, &ir->ip_rules[k], ir->protocol);
	}
	for (size_t i = 0; i < observed->rules.count; i++) {
		const struct ip_rule_seen *seen = &observed->rules.items[i];

		if (!stays[i] && host_owns_rule(observed, seen))
			add_rule(arena, ops, OP_RULE_REMOVE, &seen->rule, seen->protocol)->seen =
				seen->text;
	}
}

const char *diff_down_device(struct netlink *netlink, const struct ir_route *route)
{
	for (size_t i = 0; route->type == IR_ROUTE_UNICAST && i < route->hop_count; i++)
		if (route->hops[i].dev && link_is_down(netlink, route->hops[i].dev))
			return route->hops[i].dev;
	return NULL;
}

const char *diff_lost_device(const struct ir_route *route)
{
	for (size_t i = 0; i < route->hop_count; i++)
		if (route->hops[i].dev && !if_nametoindex(route->hops[i].dev))
			return route->hops[i].dev;
	return NULL;
}

const char *diff_lost_words(struct arena *arena, const struct ir_route *route)
{
	const char *device = diff_lost_device(route);
	char to[ADDR_TEXT];

	if (!device)
		return NULL;
	addr_format_prefix(route->to, to);
	return arena_printf(arena,
			    "there is no interface %s, so table %" PRIu32 " has no route to %s",
			    device, route->table, to);
}

static const struct ir_route *wished_in_place(const struct ir *ir, const struct ir_route *held)
{
	for (size_t i = 0; i < ir->route_count; i++)
		if (route_same_place(held, &ir->routes[i]))
			return &ir->routes[i];
	return NULL;
}

struct op *diff_add_route(struct arena *arena, struct op_list *ops, enum op_kind kind,
			  const struct ir_route *route, uint32_t protocol)
{
	struct op *op =
		op_add(arena, ops, kind, kind == OP_ROUTE_REMOVE ? STAGE_OLD_ROUTES : STAGE_ROUTES);

	op->route = route;
	op->protocol = protocol;
	return op;
}

void diff_remove_route(struct arena *arena, struct op_list *ops, const struct route_seen *seen)
{
	diff_add_route(arena, ops, OP_ROUTE_REMOVE, &seen->route, seen->protocol)->seen =
		seen->text;
}

static void diff_route(struct arena *arena, const struct ir *ir, const struct observed *observed,
		       const struct ir_route *route, struct op_list *ops)
{
	const struct route_seen *before = NULL;
	struct op *op;

	for (size_t i = 0; i < observed->routes.count; i++) {
		const struct route_seen *seen = &observed->routes.items[i];

		if (host_owns_route(observed, seen) && route_same_place(&seen->route, route))
			before = seen;
	}
	if (before && before->protocol == ir->protocol && route_fulfil(&before->route, route))
		return;
	op = diff_add_route(arena, ops, before ? OP_ROUTE_REPLACE : OP_ROUTE_ADD, route,
			    ir->protocol);
	if (before) {
		op->route_before = &before->route;
		op->protocol_before = before->protocol;
	}
	if (diff_lost_device(route))
		op->state = OP_LEFT_OUT;
}

static void diff_routes(struct arena *arena, const struct ir *ir, const struct observed *observed,
			struct op_list *ops)
{
	for (size_t i = 0; i < ir->route_count; i++)
		diff_route(arena, ir, observed, &ir->routes[i], ops);
	for (size_t i = 0; i < observed->routes.count; i++) {
		const struct route_seen *seen = &observed->routes.items[i];
		const struct ir_route *wished;

		if (ir->main_copy && seen->route.table == ir->main_copy)
			continue;
		wished = wished_in_place(ir, &seen->route);

		/* One in whose place a route is wished for that cannot be had now leads somewhere
		 * else: it goes, too. */
		if (host_owns_route(observed, seen) && (!wished || diff_lost_device(wished)))
			diff_remove_route(arena, ops, seen);
	}
}

void diff_routing(struct arena *arena, const struct ir *ir, const struct observed *observed,
		  struct op_list *ops)
{
	diff_rules(arena, ir, observed, ops);
	diff_routes(arena, ir, observed, ops);
	if (ir->main_copy)
		main_copy_diff(arena, ir, observed, ops);
}

/* ---- sets ---- */

static const struct about_line *about_set(const struct nft_table *table, const char *base,
					  const char *name)
{
	for (size_t i = 0; i < table->about_count; i++) {
		const struct about_line *line = &table->about[i];

		if (line->kind == ABOUT_SET && (!base || strcmp(line->base, base) == 0) &&
		    (!name || strcmp(line->name, name) == 0))
			return line;
	}
	return NULL;
}

/*
 * Is the number of elements the kernel tells of that of the set? It keeps both ends of an interval
 * (but none behind the highest value) and, from some ways of loading, an end at zero; what it tells
 * is half of that, as userspace would count, or all.
 */
static bool is_count_right(const struct ir_set *set, uint32_t count)
{
	struct wide highest = wide_ones(nft_elements_bits(set->type));
	size_t items = set->elements.count, kept = 2 * items;

	if (items && wide_equal(set->elements.items[items - 1].last, highest))
		kept--;
	return count == items || count == kept || count == kept + 1 || count == kept / 2 ||
	       count == (kept + 1) / 2;
}

/* Does the kernel hold the set's elements under the name that the table tells of, in use or kept?
 */
static const struct nft_table_set *find_held(const struct nft_table *table,
					     const struct ir_set *set)
{
	for (size_t i = 0; i < table->about_count; i++) {
		const struct about_line *line = &table->about[i];
		const struct nft_table_set *held;

		if ((line->kind != ABOUT_SET && line->kind != ABOUT_KEPT) ||
		    line->digest != set->contents || strcmp(line->base, set->base) != 0)
			continue;
		held = nft_table_set_find(table, line->name);
		if (held && !held->is_dynamic && !held->is_edited &&
		    (!held->has_count || is_count_right(set, held->count)))
			return held;
	}
	return NULL;
}

/* ---- sets that change in place ---- */

/* One transaction holds so many intervals on any socket that may be widened; more is filled anew.
 */
enum { UPDATE_MOST = 1 << 16 };

static const struct ir_set *set_of(const struct ir *ir, const char *base)
{
	for (size_t i = 0; i < ir->set_count; i++)
		if (strcmp(ir->sets[i].base, base) == 0)
			return &ir->sets[i];
	return NULL;
}

/* The kernel's set under the name that the table tells of, where it still holds what was applied.
 */
static const struct nft_table_set *
find_applied(const struct nft_table *table, const struct archive *applied, const struct ir_set *set)
{
	const struct ir_set *before = set_of(applied->ir, set->base);

	return before && !before->dynamic ? find_held(table, before) : NULL;
}

static bool add_update(struct arena *arena, struct ir *ir, size_t index,
		       const struct nft_table *table, const struct archive *applied,
		       struct diff *out)
{
	const struct ir_set *set = &ir->sets[index];
	struct delta delta;

	if (!find_applied(table, applied, set) ||
	    !delta_make(arena, set_of(applied->ir, set->base), set, UPDATE_MOST, &delta))
		return false;
	delta.set = index;
	*arena_append(arena, out->updates, out->update_count) = delta;
	return true;
}

/* Where only contents differ from what was applied, and little of them, nothing is made anew. */
static void find_updates(struct arena *arena, struct ir *ir, const struct nft_table *table,
			 const struct archive *applied, struct diff *out)
{
	const struct about_line *policy = nft_table_about(table, ABOUT_POLICY);
	bool good = applied && nft_table_is_readable(table) &&
		    policy->digest == applied->ir->digest && applied->shape == ir_shape(ir);

	for (size_t i = 0; i < ir->set_count && good; i++)
		if (!ir->sets[i].dynamic && !find_held(table, &ir->sets[i]))
			good = add_update(arena, ir, i, table, applied, out);
	if (!good)
		out->update_count = 0;
}

static const struct nft_table_set *find_updated(const struct nft_table *table,
						const struct archive *applied,
						const struct ir_set *set, const struct ir *ir,
						const struct diff *diff)
{
	for (size_t i = 0; i < diff->update_count; i++)
		if (&ir->sets[diff->updates[i].set] == set)
			return find_applied(table, applied, set);
	return NULL;
}

/* ---- sets that are filled ---- */

static bool is_name_taken(const struct ir *ir, const struct nft_table *table,
			  const struct diff *diff, const struct ir_set *set, const char *name)
{
	for (size_t i = 0; i < ir->set_count; i++)
		if (&ir->sets[i] != set &&
		    (strcmp(ir->sets[i].base, name) == 0 || strcmp(ir->sets[i].name, name) == 0))
			return true;
	for (size_t i = 0; i < diff->stale_set_count; i++)
		if (strcmp(diff->stale_sets[i], name) == 0)
			return false;
	return nft_table_set_find(table, name) != NULL;
}

static const char *free_name(struct arena *arena, const struct ir *ir,
			     const struct nft_table *table, const struct diff *diff,
			     const struct ir_set *set)
{
	const char *name = set->base;

	for (unsigned int i = 2; is_name_taken(ir, table, diff, set, name); i++)
		name = arena_printf(arena, "%s.%u", set->base, i);
	return name;
}

/* Can it be told which sets are in use: does the table say, or has it no rules at all? */
static bool knows_uses(const struct nft_table *table)
{
	if (nft_table_is_readable(table))
		return true;
	for (size_t i = 0; i < table->chain_count; i++)
		if (table->chains[i].rule_count)
			return false;
	return true;
}

static const char *or_none(struct arena *arena, uint64_t number, const char *unit)
{
	return number ? arena_printf(arena, "%" PRIu64 "%s", number, unit) : "none";
}

static const char *why_carried(struct arena *arena, const struct ir_set *set,
			       const struct nft_table_set *held)
{
	if (!held->is_dynamic || held->bits != nft_elements_bits(set->type))
		return "it was another kind of set";
	if (held->timeout != (uint64_t)set->timeout * 1000)
		return arena_printf(arena, "its `timeout` changes: %s -> %s",
				    or_none(arena, held->timeout / 1000, " s"),
				    or_none(arena, set->timeout, " s"));
	return arena_printf(arena, "its `size` changes: %s -> %s", or_none(arena, held->size, ""),
			    or_none(arena, set->size, ""));
}

/*
 * A set that is filled at run time keeps its name and what it holds. One that was declared
 * otherwise cannot be altered: it is carried over.
 */
static const struct nft_table_set *diff_dynamic(struct arena *arena, struct ir *ir, size_t index,
						const struct nft_table *table, struct diff *out)
{
	const struct ir_set *set = &ir->sets[index];
	const struct nft_table_set *held = nft_table_set_find(table, set->base);

	out->fill[index] =
		!held || !held->is_dynamic || held->bits != nft_elements_bits(set->type) ||
		held->timeout != (uint64_t)set->timeout * 1000 || held->size != set->size;
	if (held && out->fill[index])
		*arena_append(arena, out->carries, out->carry_count) =
			(struct diff_carry){ .set = index,
					     .has_history =
						     held->is_dynamic && !held->holds_flows &&
						     held->bits == nft_elements_bits(set->type),
					     .why = why_carried(arena, set, held) };
	return held;
}

static void add_unused(struct arena *arena, const struct nft_table_set *set, struct diff *out)
{
	if (nft_table_is_learned(set))
		*arena_append(arena, out->idle_sets, out->idle_set_count) = set->name;
	else
		*arena_append(arena, out->stale_sets, out->stale_set_count) = set->name;
}

static void diff_sets(struct arena *arena, struct ir *ir, const struct nft_table *table,
		      const struct archive *applied, struct diff *out)
{
	bool *keep = arena_alloc(arena, (table->set_count + 1) * sizeof(*keep)),
	     knows = knows_uses(table);

	out->fill = arena_alloc(arena, (ir->set_count + 1) * sizeof(*out->fill));
	for (size_t i = 0; i < ir->set_count; i++) {
		const struct nft_table_set *held;

		if (ir->sets[i].dynamic) {
			held = diff_dynamic(arena, ir, i, table, out);
		} else {
			held = find_held(table, &ir->sets[i]);
			if (!held)
				held = find_updated(table, applied, &ir->sets[i], ir, out);
			out->fill[i] = !held;
		}
		ir->sets[i].name = held ? held->name : ir->sets[i].base;
		if (held)
			keep[held - table->sets] = true;
	}
	for (size_t i = 0; i < table->set_count; i++) {
		if (keep[i])
			continue;
		if (knows && !about_set(table, NULL, table->sets[i].name))
			add_unused(arena, &table->sets[i], out);
		else
			*arena_append(arena, out->old_sets, out->old_set_count) =
				table->sets[i].name;
	}
	for (size_t i = 0; i < ir->set_count; i++) {
		if (!out->fill[i])
			continue;
		ir->sets[i].name = free_name(arena, ir, table, out, &ir->sets[i]);
		out->fill_count++;
		out->element_count += ir->sets[i].elements.count;
	}
}

/* ---- chains ---- */

static bool is_like(const struct nft_table_chain *held, const struct ir_chain *chain)
{
	if (held->is_other || held->hook != chain->hook)
		return false;
	return chain->hook == IR_HOOK_NONE ||
	       (held->type == chain->type && held->priority == chain->priority);
}

static void diff_chains(struct arena *arena, const struct ir *ir, const struct nft_table *table,
			struct diff *out)
{
	for (size_t i = 0; i < table->chain_count; i++) {
		const struct nft_table_chain *held = &table->chains[i];
		const struct ir_chain *chain = ir_chain_find(ir, held->name);

		if (strcmp(held->name, ABOUT_CHAIN) == 0 && held->hook == IR_HOOK_NONE &&
		    !held->is_other)
			continue;
		if (chain && is_like(held, chain))
			continue;
		if (!chain && held->hook == IR_HOOK_NONE && !held->is_other) {
			*arena_append(arena, out->idle_chains, out->idle_chain_count) = held->name;
			out->busy_chain = held->rule_count ? held->name : out->busy_chain;
			continue;
		}
		*arena_append(arena, out->old_chains, out->old_chain_count) = held->name;
	}
}

static bool is_counter_wished(const struct ir *ir, const char *name)
{
	for (size_t i = 0; i < ir->counter_count; i++)
		if (strcmp(ir->counters[i], name) == 0)
			return true;
	return false;
}

static bool has_counter(const struct nft_table *table, const char *name)
{
	for (size_t i = 0; i < table->counter_count; i++)
		if (strcmp(table->counters[i].name, name) == 0)
			return true;
	return false;
}

/* The first chain that does not hold the rules that it should, in words, or NULL. */
static const char *wrong_chain(struct arena *arena, const struct ir *ir,
			       const struct nft_table *table)
{
	for (size_t i = 0; i < ir->chain_count; i++) {
		const struct ir_chain *chain = &ir->chains[i];
		const struct nft_table_chain *held = nft_table_chain_find(table, chain->name);

		if (!held)
			return arena_printf(arena, "the chain %s is missing", chain->name);
		if (held->rule_count != emit_nft_chain_length(chain))
			return arena_printf(arena, "the chain %s holds %zu rules instead of %zu",
					    chain->name, held->rule_count,
					    emit_nft_chain_length(chain));
		if (held->is_edited)
			return arena_printf(arena, "a rule of the chain %s is another one",
					    chain->name);
	}
	return NULL;
}

/* A set that the rules know under another name than it has now: an apply was cut off. */
static const struct ir_set *misnamed_set(const struct ir *ir, const struct nft_table *table)
{
	for (size_t i = 0; i < ir->set_count; i++)
		if (!about_set(table, ir->sets[i].base, ir->sets[i].name))
			return &ir->sets[i];
	return NULL;
}

/* Why the rules have to be written anew, or NULL. */
static const char *why_flip(struct arena *arena, const struct ir *ir,
			    const struct observed *observed, const struct diff *diff)
{
	const struct nft_table *table = &observed->table;
	const struct about_line *policy = nft_table_about(table, ABOUT_POLICY);
	const char *cgroup = cgroup_changed(ir, table->cgroups, table->cgroup_count);

	if (!table->exists)
		return arena_printf(arena, "there is no table inet %s", ir->table);
	if (!nft_table_is_readable(table))
		return arena_printf(arena, "the table inet %s does not say what it holds",
				    ir->table);
	if (policy->digest != ir->digest && !diff->update_count)
		return "the policy is another one";
	if (table->is_asleep)
		return arena_printf(arena, "the table inet %s is dormant", ir->table);
	if (diff->fill_count)
		return "a set is missing or was changed";
	if (observed->hosted_changed)
		return observed->hosted_changed;
	if (cgroup)
		return arena_printf(arena, "the cgroup %s was made anew", cgroup);
	if (misnamed_set(ir, table))
		return arena_printf(arena, "the rules ask for a stand-in of the set %s",
				    misnamed_set(ir, table)->base);
	if (diff->old_chain_count || diff->busy_chain)
		return arena_printf(arena, "the chain %s is not as it should be",
				    diff->busy_chain ? diff->busy_chain : diff->old_chains[0]);
	for (size_t i = 0; i < ir->counter_count; i++)
		if (!has_counter(table, ir->counters[i]))
			return arena_printf(arena, "the counter %s is missing", ir->counters[i]);
	return wrong_chain(arena, ir, table);
}

static void diff_with(struct arena *arena, struct ir *ir, const struct observed *observed,
		      const struct archive *applied, struct diff *out)
{
	memset(out, 0, sizeof(*out));
	diff_routing(arena, ir, observed, &out->ops);
	find_updates(arena, ir, &observed->table, applied, out);
	diff_sets(arena, ir, &observed->table, applied, out);
	diff_chains(arena, ir, &observed->table, out);
	for (size_t i = 0; i < observed->table.counter_count; i++)
		if (!is_counter_wished(ir, observed->table.counters[i].name))
			*arena_append(arena, out->old_counters, out->old_counter_count) =
				observed->table.counters[i].name;
	out->flip = why_flip(arena, ir, observed, out);
}

/* Rules that have to be written anyway would not change in the same instant as sets in place. */
void diff_make(struct arena *arena, struct ir *ir, const struct observed *observed,
	       const struct archive *applied, struct diff *out)
{
	diff_with(arena, ir, observed, applied, out);
	if (out->update_count && out->flip)
		diff_with(arena, ir, observed, NULL, out);
}

bool diff_is_empty(const struct diff *diff)
{
	for (size_t i = 0; i < diff->ops.count; i++)
		if (op_is_change(diff->ops.items[i]))
			return false;
	return !diff->fill_count && !diff->stale_set_count && !diff->idle_set_count &&
	       !diff->old_set_count && !diff->idle_chain_count && !diff->old_counter_count &&
	       !diff->update_count && !diff->link_count && !diff->flip;
}
