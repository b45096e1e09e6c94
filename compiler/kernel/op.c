/*
 * op: the table of what each kind of op is (see op.h). To add a kind is a line in the enum and a
 * row here.
 */
#include "kernel/op.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "kernel/ip_rule.h"
#include "kernel/netlink.h"
#include "kernel/nft_set.h"
#include "kernel/route.h"
#include "kernel/sysctl.h"

struct op_row {
	void (*put_words)(const struct op *op, struct buf *out);
	void (*put_command)(const struct op *op, struct buf *out);
	bool (*run)(struct arena *arena, struct kernel *kernel, const struct op *op,
		    struct netlink_error *error);
	enum op_kind inverse; /* with before and after exchanged */
	const char *verb;     /* of `ip` */
};

static const struct op_row kinds[];

struct op *op_add(struct arena *arena, struct op_list *list, enum op_kind kind, enum op_stage stage)
{
	struct op *op = arena_new_of(arena, struct op);

	op->kind = kind;
	op->stage = stage;
	*arena_append(arena, list->items, list->count) = op;
	return op;
}

bool op_is_change(const struct op *op)
{
	return op->state != OP_LEFT_OUT && !op->is_detail;
}

bool op_is_at(const struct op *op, enum op_stage stage)
{
	return op->state != OP_LEFT_OUT && op->stage == stage;
}

/* ---- sysctls ---- */

static void put_sysctl_set(const struct op *op, struct buf *out)
{
	buf_printf(out, "sysctl %s = %s (%s %s): %s", op->key, op->value,
		   op->state == OP_DONE ? "was" : "is", op->before, op->wish->why);
}

static void put_sysctl_restore(const struct op *op, struct buf *out)
{
	buf_printf(out, "sysctl %s = %s, as it was", op->key, op->value);
}

static void put_sysctl(const struct op *op, struct buf *out)
{
	buf_printf(out, "sysctl -w %s=%s", op->key, op->value);
}

static bool run_sysctl(struct arena *arena, struct kernel *kernel, const struct op *op,
		       struct netlink_error *error)
{
	(void)kernel;
	if (sysctl_write(arena, op->key, op->value))
		return true;
	error->code = errno;
	snprintf(error->text, sizeof(error->text), "%s", strerror(errno));
	return false;
}

/* ---- routes and ip rules ---- */

static void put_route(const struct op *op, struct buf *out)
{
	route_put_command(out, kinds[op->kind].verb, op->route, op->protocol);
}

static bool run_route(struct arena *arena, struct kernel *kernel, const struct op *op,
		      struct netlink_error *error)
{
	enum route_place place = op->kind == OP_ROUTE_REPLACE  ? ROUTE_REPLACE
				 : op->kind == OP_ROUTE_APPEND ? ROUTE_BESIDE
							       : ROUTE_NEW;

	(void)arena;
	return route_add(&kernel->route, op->route, op->protocol, place, error);
}

/* A route whose link went down meanwhile is gone already. */
static bool run_route_remove(struct arena *arena, struct kernel *kernel, const struct op *op,
			     struct netlink_error *error)
{
	(void)arena;
	return route_remove(&kernel->route, op->route, op->protocol, error) ||
	       error->code == ENOENT || error->code == ESRCH || error->code == ENODEV;
}

static void put_rule(const struct op *op, struct buf *out)
{
	ip_rule_put_command(out, kinds[op->kind].verb, op->rule, op->protocol);
}

static bool run_rule_add(struct arena *arena, struct kernel *kernel, const struct op *op,
			 struct netlink_error *error)
{
	(void)arena;
	return ip_rule_add(&kernel->route, op->rule, op->protocol, error);
}

static bool run_rule_remove(struct arena *arena, struct kernel *kernel, const struct op *op,
			    struct netlink_error *error)
{
	(void)arena;
	return ip_rule_remove(&kernel->route, op->rule, op->protocol, error) ||
	       error->code == ENOENT;
}

/* ---- nft ---- */

static void put_set_remove(const struct op *op, struct buf *out)
{
	buf_printf(out, "nft delete %s inet %s %s", op->word, op->table, op->name);
}

static bool run_set_remove(struct arena *arena, struct kernel *kernel, const struct op *op,
			   struct netlink_error *error)
{
	(void)arena;
	return nft_set_remove(&kernel->nft, op->table, &op->name, 1, error) ||
	       error->code == ENOENT;
}

static void put_chain_remove(const struct op *op, struct buf *out)
{
	buf_printf(out, "nft delete chain inet %s %s", op->table, op->name);
}

static bool run_chain_remove(struct arena *arena, struct kernel *kernel, const struct op *op,
			     struct netlink_error *error)
{
	(void)arena;
	return nft_set_remove_chains(&kernel->nft, op->table, &op->name, 1, error) ||
	       error->code == ENOENT;
}

static void put_table_remove(const struct op *op, struct buf *out)
{
	buf_printf(out, "nft delete table inet %s", op->table);
}

static bool run_table_remove(struct arena *arena, struct kernel *kernel, const struct op *op,
			     struct netlink_error *error)
{
	(void)arena;
	return nft_set_remove_table(&kernel->nft, op->table, error) || error->code == ENOENT;
}

static void put_elements_remove(const struct op *op, struct buf *out)
{
	buf_printf(out, "nft list set inet %s %s", op->table, op->name);
}

/* What has run out or was taken out meanwhile is gone already. */
static bool run_elements_remove(struct arena *arena, struct kernel *kernel, const struct op *op,
				struct netlink_error *error)
{
	(void)arena;
	return nft_set_change(&kernel->nft, op->elements, error) || error->code == ENOENT;
}

/* ---- the table ---- */

/* What has no inverse is one. */
static const struct op_row kinds[] = {
	[OP_SYSCTL_SET] = { put_sysctl_set, put_sysctl, run_sysctl, OP_SYSCTL_SET, NULL },
	[OP_SYSCTL_RESTORE] = { put_sysctl_restore, put_sysctl, run_sysctl, OP_SYSCTL_SET, NULL },
	[OP_ROUTE_ADD] = { put_route, put_route, run_route, OP_ROUTE_REMOVE, "add" },
	[OP_ROUTE_APPEND] = { put_route, put_route, run_route, OP_ROUTE_REMOVE, "append" },
	[OP_ROUTE_REPLACE] = { put_route, put_route, run_route, OP_ROUTE_REPLACE, "replace" },
	[OP_ROUTE_REMOVE] = { put_route, put_route, run_route_remove, OP_ROUTE_ADD, "del" },
	[OP_RULE_ADD] = { put_rule, put_rule, run_rule_add, OP_RULE_REMOVE, "add" },
	[OP_RULE_REMOVE] = { put_rule, put_rule, run_rule_remove, OP_RULE_ADD, "del" },
	[OP_SET_REMOVE] = { put_set_remove, put_set_remove, run_set_remove },
	[OP_CHAIN_REMOVE] = { put_chain_remove, put_chain_remove, run_chain_remove },
	[OP_TABLE_REMOVE] = { put_table_remove, put_table_remove, run_table_remove },
	[OP_ELEMENTS_REMOVE] = { put_elements_remove, put_elements_remove, run_elements_remove },
};

static const char *text_of(struct arena *arena, const struct op *op,
			   void (*put)(const struct op *op, struct buf *out))
{
	struct buf out = { 0 };
	const char *text;

	put(op, &out);
	text = arena_strdup(arena, buf_text(&out));
	buf_free(&out);
	return text;
}

const char *op_words(struct arena *arena, const struct op *op)
{
	return text_of(arena, op, kinds[op->kind].put_words);
}

const char *op_command(struct arena *arena, const struct op *op)
{
	return text_of(arena, op, kinds[op->kind].put_command);
}

bool op_run(struct arena *arena, struct kernel *kernel, const struct op *op,
	    struct netlink_error *error)
{
	return kinds[op->kind].run(arena, kernel, op, error);
}

struct op op_inverse(const struct op *op)
{
	struct op out = *op;

	out.kind = kinds[op->kind].inverse;
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
