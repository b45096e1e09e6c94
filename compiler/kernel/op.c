/*
 * op: the table of what each kind of op is (see op.h). A new kind is a line in the enum and a row
 * here.
 */
#include "kernel/op.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "kernel/ip_rule.h"
#include "kernel/netlink.h"
#include "kernel/nft_set.h"
#include "kernel/route.h"
#include "kernel/sysctl.h"

typedef void op_put_fn(const struct op *op, struct buf *out);

struct op_row {
	enum op_section section;
	enum op_sign sign;
	op_put_fn *put_what;
	op_put_fn *put_words;
	op_put_fn *put_command; /* NULL: nothing in a shell does it */
	/* NULL: steps of apply do it, several at once. */
	bool (*run)(struct kernel *kernel, const struct op *op, struct netlink_error *error);
	enum op_kind inverse;                /* with before and after exchanged */
	const char *verb;                    /* of `ip`, or what `nft delete` deletes */
	nft_set_put_removal_fn *put_removal; /* from the nft table */
};

static const struct op_row rows[];

/* ---- lists ---- */

struct op *op_add(struct arena *arena, struct op_list *list, enum op_kind kind, enum op_stage stage)
{
	return op_add_copy(arena, list, &(struct op){ .kind = kind, .stage = stage });
}

struct op *op_add_copy(struct arena *arena, struct op_list *list, const struct op *like)
{
	struct op *op = arena_new_of(arena, struct op);

	*op = *like;
	op->next = NULL;
	op->previous = list->last;
	*(list->last ? &list->last->next : &list->first) = op;
	list->last = op;
	return op;
}

void op_cut(struct op_list *list, struct op *last)
{
	*(last ? &last->next : &list->first) = NULL;
	list->last = last;
}

struct op *op_add_route(struct arena *arena, struct op_list *list, enum op_kind kind,
			const struct ir_route *route, uint32_t protocol)
{
	struct op *op = op_add(arena, list, kind,
			       kind == OP_ROUTE_REMOVE ? STAGE_OLD_ROUTES : STAGE_ROUTES);

	op->route = route;
	op->protocol = protocol;
	return op;
}

bool op_is_change(const struct op *op)
{
	return op->state != OP_LEFT_OUT && !op->is_detail;
}

bool op_list_has_changes(const struct op_list *list)
{
	for (struct op *op = list->first; op; op = op->next)
		if (op_is_change(op))
			return true;
	return false;
}

bool op_is_at(const struct op *op, enum op_stage stage)
{
	return op->state != OP_LEFT_OUT && op->stage == stage;
}

struct op *op_find(const struct op_list *list, enum op_kind kind)
{
	for (struct op *op = list->first; op; op = op->next)
		if (op->kind == kind && op->state != OP_LEFT_OUT)
			return op;
	return NULL;
}

size_t op_count(const struct op_list *list, enum op_kind kind)
{
	size_t count = 0;

	for (struct op *op = list->first; op; op = op->next)
		count += op->kind == kind && op_is_change(op) && op->stage != STAGE_CONFIRMED;
	return count;
}

bool op_fills(const struct op_list *list, const struct ir_set *set)
{
	for (struct op *op = list->first; op; op = op->next)
		if (op->kind == OP_SET_FILL && op->set == set)
			return true;
	return false;
}

const bool *op_filled(struct arena *arena, const struct op_list *list, const struct ir *ir)
{
	bool *filled = arena_alloc(arena, (ir->set_count + 1) * sizeof(*filled));

	for (struct op *op = list->first; op; op = op->next)
		if (op->kind == OP_SET_FILL)
			filled[op->set - ir->sets] = true;
	return filled;
}

/* ---- the nft table ---- */

static void put_set(const struct op *op, struct buf *out)
{
	buf_printf(out, "%s %s", op->set->targets ? "map" : "set", op->set->base);
}

static void put_fill(const struct op *op, struct buf *out)
{
	buf_printf(out, "set %s: %zu elements", op->name, op->count);
}

static void put_migration(const struct op *op, struct buf *out)
{
	buf_printf(out, "set %s: re-created with %zu elements", op->set->base, op->count);
}

static void put_update(const struct op *op, struct buf *out)
{
	buf_printf(out, "set %s: +%zu -%zu elements", op->name, op->added->elements.count,
		   op->removed->elements.count);
}

/* How much is missing is known once it is added. */
static void put_top_up(const struct op *op, struct buf *out)
{
	if (op->state == OP_DONE)
		buf_printf(out, "set %s: %zu elements added", op->set->base, op->count);
}

struct nft_set_change op_elements(const struct op *op, const struct ir_set *part, bool is_removal)
{
	return (struct nft_set_change){ .table = op->table,
					.name = op->name,
					.type = op->set->type,
					.contents.ranges = part->elements,
					.map = part->targets && !is_removal ? part : NULL,
					.is_removal = is_removal };
}

/* In one transaction, so that no packet meets the set between both. */
static bool run_update(struct kernel *kernel, const struct op *op, struct netlink_error *error)
{
	struct nft_set_change removed = op_elements(op, op->removed, true);
	struct nft_set_change added = op_elements(op, op->added, false);
	struct netlink_batch batch = { 0 };
	bool done;

	nft_set_put(&batch, &removed);
	nft_set_put(&batch, &added);
	netlink_batch_limit(&kernel->nft);
	done = netlink_batch_commit(&kernel->nft, &batch, error);
	netlink_batch_free(&batch);
	return done;
}

static void put_list_command(const struct op *op, struct buf *out)
{
	buf_printf(out, "nft list set inet %s %s", op->table, op->name);
}

/* What has run out or was taken out meanwhile is gone already. */
static bool run_elements_remove(struct kernel *kernel, const struct op *op,
				struct netlink_error *error)
{
	return nft_set_change(&kernel->nft, op->elements, error) || error->code == ENOENT;
}

static void put_table(const struct op *op, struct buf *out)
{
	buf_printf(out, "table inet %s: %zu rules", op->table, op->count);
}

static void put_commit(const struct op *op, struct buf *out)
{
	buf_printf(out, "table inet %s: %zu rules (%s)", op->table, op->count, op->why);
}

static const char *word_of(const struct op *op)
{
	return op->word ? op->word : rows[op->kind].verb;
}

static void put_named(const struct op *op, struct buf *out)
{
	buf_printf(out, "%s %s", word_of(op), op->name);
}

/* Rules that are rewritten say themselves which chains go. */
static void put_removal(const struct op *op, struct buf *out)
{
	if (op->kind != OP_CHAIN_REMOVE || !op->is_detail)
		buf_printf(out, "%s %s: removed", word_of(op), op->name);
}

static void put_delete(const struct op *op, struct buf *out)
{
	buf_printf(out, "nft delete %s inet %s%s%s", word_of(op), op->table, op->name ? " " : "",
		   op->name ? op->name : "");
}

static bool run_removal(struct kernel *kernel, const struct op *op, struct netlink_error *error)
{
	return nft_set_remove(&kernel->nft, rows[op->kind].put_removal, op->table, &op->name, 1,
			      error) ||
	       error->code == ENOENT;
}

static bool run_table_remove(struct kernel *kernel, const struct op *op,
			     struct netlink_error *error)
{
	return nft_set_remove_table(&kernel->nft, op->table, error) || error->code == ENOENT;
}

/* ---- routes and ip rules ---- */

static void put_route(const struct op *op, struct buf *out)
{
	route_put_command(out, rows[op->kind].verb, op->route, op->protocol);
}

static bool run_route(struct kernel *kernel, const struct op *op, struct netlink_error *error)
{
	enum route_place place = op->kind == OP_ROUTE_REPLACE  ? ROUTE_REPLACE
				 : op->kind == OP_ROUTE_APPEND ? ROUTE_BESIDE
							       : ROUTE_NEW;

	return route_add(&kernel->route, op->route, op->protocol, place, error);
}

/* A route whose link went down meanwhile is gone already. */
static bool run_route_remove(struct kernel *kernel, const struct op *op,
			     struct netlink_error *error)
{
	return route_remove(&kernel->route, op->route, op->protocol, error) ||
	       error->code == ENOENT || error->code == ESRCH || error->code == ENODEV;
}

static void put_rule(const struct op *op, struct buf *out)
{
	ip_rule_put_command(out, rows[op->kind].verb, op->rule, op->protocol);
}

static bool run_rule_add(struct kernel *kernel, const struct op *op, struct netlink_error *error)
{
	return ip_rule_add(&kernel->route, op->rule, op->protocol, error);
}

static bool run_rule_remove(struct kernel *kernel, const struct op *op, struct netlink_error *error)
{
	return ip_rule_remove(&kernel->route, op->rule, op->protocol, error) ||
	       error->code == ENOENT;
}

/* ---- sysctls ---- */

static void put_sysctl_change(const struct op *op, struct buf *out)
{
	buf_printf(out, "%s: %s -> %s", op->key, op->before, op->value);
}

static void put_sysctl_set(const struct op *op, struct buf *out)
{
	buf_printf(out, "sysctl %s = %s (%s %s): %s", op->key, op->value,
		   op->state == OP_DONE ? "was" : "is", op->before, op->why);
}

static void put_sysctl_restore(const struct op *op, struct buf *out)
{
	buf_printf(out, "sysctl %s = %s, as it was", op->key, op->value);
}

static void put_sysctl(const struct op *op, struct buf *out)
{
	buf_printf(out, "sysctl -w %s=%s", op->key, op->value);
}

static bool run_sysctl(struct kernel *kernel, const struct op *op, struct netlink_error *error)
{
	(void)kernel;
	if (sysctl_write(op->key, op->value))
		return true;
	netlink_set_error(error, errno);
	return false;
}

/* ---- connections ---- */

static void put_flows(const struct op *op, struct buf *out)
{
	buf_printf(out, "%zu connection%s", op->count, op->count == 1 ? "" : "s");
}

static void put_flows_words(const struct op *op, struct buf *out)
{
	buf_printf(out, "connections: %zu %s", op->count, op->why);
}

/* ---- the table ---- */

/* clang-format off */
static const struct op_row rows[] = {
	/* section, sign, what, words, command, run, inverse, verb, put_removal */
	[OP_SET_FILL] = { OP_SETS, OP_ADD, put_set, put_fill },
	[OP_SET_MIGRATE] = { OP_SETS, OP_CHANGE, put_set, put_migration },
	[OP_SET_UPDATE] = { OP_SETS, OP_CHANGE, put_set, put_update, NULL, run_update, OP_SET_UPDATE },
	[OP_SET_TOP_UP] = { OP_SETS, OP_CHANGE, put_set, put_top_up },
	[OP_SET_REMOVE] = { OP_SETS, OP_REMOVE, put_named, put_removal, put_delete, run_removal,
			    OP_NONE, NULL, nft_set_put_removal },
	[OP_ELEMENTS_REMOVE] = { OP_SETS, OP_CHANGE, put_named, put_removal, put_list_command,
				 run_elements_remove },
	[OP_COMMIT] = { OP_NFT, OP_ADD, put_table, put_commit },
	[OP_CHAIN_REMOVE] = { OP_NFT, OP_REMOVE, put_named, put_removal, put_delete, run_removal,
			      OP_NONE, "chain", nft_set_put_chain_removal },
	[OP_COUNTER_REMOVE] = { OP_NFT, OP_REMOVE, put_named, put_removal, put_delete, run_removal,
				OP_NONE, "counter", nft_set_put_counter_removal },
	[OP_TABLE_REMOVE] = { OP_NFT, OP_REMOVE, put_delete, put_delete, put_delete,
			      run_table_remove, OP_NONE, "table" },
	[OP_RULE_ADD] = { OP_IP_RULES, OP_ADD, put_rule, put_rule, put_rule, run_rule_add,
			  OP_RULE_REMOVE, "add" },
	[OP_RULE_REMOVE] = { OP_IP_RULES, OP_REMOVE, put_rule, put_rule, put_rule, run_rule_remove,
			     OP_RULE_ADD, "del" },
	[OP_ROUTE_ADD] = { OP_ROUTES, OP_ADD, put_route, put_route, put_route, run_route,
			   OP_ROUTE_REMOVE, "add" },
	[OP_ROUTE_APPEND] = { OP_ROUTES, OP_ADD, put_route, put_route, put_route, run_route,
			      OP_ROUTE_REMOVE, "append" },
	[OP_ROUTE_REPLACE] = { OP_ROUTES, OP_CHANGE, put_route, put_route, put_route, run_route,
			       OP_ROUTE_REPLACE, "replace" },
	[OP_ROUTE_REMOVE] = { OP_ROUTES, OP_REMOVE, put_route, put_route, put_route,
			      run_route_remove, OP_ROUTE_ADD, "del" },
	[OP_SYSCTL_SET] = { OP_SYSCTLS, OP_CHANGE, put_sysctl_change, put_sysctl_set, put_sysctl,
			    run_sysctl, OP_SYSCTL_SET },
	[OP_SYSCTL_RESTORE] = { OP_SYSCTLS, OP_CHANGE, put_sysctl_change, put_sysctl_restore,
				put_sysctl, run_sysctl, OP_SYSCTL_SET },
	[OP_FLOWS_FORGET] = { OP_FLOWS, OP_REMOVE, put_flows, put_flows_words },
};
/* clang-format on */

enum op_section op_section(const struct op *op)
{
	return rows[op->kind].section;
}

enum op_sign op_sign(const struct op *op)
{
	enum op_sign sign = rows[op->kind].sign;

	return sign == OP_ADD && op->is_anew ? OP_CHANGE : sign;
}

static const char *text_of(struct arena *arena, const struct op *op, op_put_fn *put)
{
	struct buf out = { 0 };

	if (put)
		put(op, &out);
	return buf_keep(arena, &out);
}

const char *op_what(struct arena *arena, const struct op *op)
{
	return text_of(arena, op, rows[op->kind].put_what);
}

const char *op_words(struct arena *arena, const struct op *op)
{
	return text_of(arena, op, rows[op->kind].put_words);
}

const char *op_command(struct arena *arena, const struct op *op)
{
	return text_of(arena, op, rows[op->kind].put_command);
}

bool op_run(struct kernel *kernel, const struct op *op, struct netlink_error *error)
{
	return rows[op->kind].run(kernel, op, error);
}

bool op_remove_all(struct arena *arena, struct kernel *kernel, const struct op_list *list,
		   enum op_stage stage, struct netlink_error *error)
{
	const char **names = NULL;
	const struct op *last = NULL;
	size_t count = 0;

	for (struct op *op = list->first; op; op = op->next) {
		if (op->stage != stage || op->state != OP_PLANNED)
			continue;
		last = op;
		*arena_append(arena, names, count) = last->name;
	}
	return !count || nft_set_remove(&kernel->nft, rows[last->kind].put_removal, last->table,
					names, count, error);
}

struct op op_inverse(const struct op *op)
{
	struct op out = *op;

	out.kind = rows[op->kind].inverse;
	out.added = op->removed;
	out.removed = op->added;
	out.value = op->before;
	out.before = op->value;
	if (op->route_before) {
		out.route = op->route_before;
		out.route_before = op->route;
		out.protocol = op->protocol_before;
		out.protocol_before = op->protocol;
	}
	return out;
}
