/*
 * nft_commit: nft texts into the kernel: sets declared, and all rules rewritten in one
 * transaction. In go the ir and the ops, out comes whether it is in force, which is not always what
 * libnftables says.
 *
 * An error that may pass is waited out. Where libnftables fails, or dies, although the ruleset has
 * changed meanwhile, the table itself is asked: what is there was done.
 */
#include "apply/apply_state.h"
#include "base/arena.h"
#include "base/buf.h"
#include "emit/about.h"
#include "emit/emit.h"
#include "ir/ir.h"
#include "kernel/netlink.h"
#include "kernel/nft_load.h"
#include "kernel/nft_load_error.h"

enum text {
	TEXT_CHECK,   /* would the kernel take it? */
	TEXT_DECLARE, /* the sets that are to be filled */
	TEXT_COMMIT,  /* the rules, and what the table says of itself */
};

/* ---- running a text ---- */

static bool has_sets(const struct apply *apply, const struct nft_table *table)
{
	for (size_t i = 0; i < apply->ir->set_count; i++)
		if (op_fills(&apply->ops, &apply->ir->sets[i]) &&
		    !nft_table_set_find(table, apply->set_names[i]))
			return false;
	return true;
}

/* A chain that goes with the commit. */
static bool is_old_chain(const struct op *op)
{
	return op->kind == OP_CHAIN_REMOVE && op->stage == STAGE_COMMIT;
}

/* The rule that says which policy it is was rewritten, and chains of the old one are gone. */
static bool is_committed(const struct apply *apply, const struct nft_table *table)
{
	const struct about_line *before = nft_table_about(&apply->observed.table, ABOUT_POLICY);
	const struct about_line *now = nft_table_about(table, ABOUT_POLICY);

	if (!now || now->digest != apply->ir->digest || (before && before->handle == now->handle))
		return false;
	for (struct op *op = apply->ops.first; op; op = op->next)
		if (is_old_chain(op) && nft_table_chain_find(table, op->name))
			return false;
	return true;
}

static bool is_in_force(struct apply *apply, enum text which, uint32_t before)
{
	struct nft_table table;
	struct netlink_error error;
	uint32_t now;

	if (which == TEXT_CHECK || !netlink_generation(&apply->kernel.nft, &now, &error) ||
	    now == before ||
	    !nft_table_observe(apply->arena, &apply->kernel.nft, apply->ir->table, &table,
			       &error) ||
	    !table.exists)
		return false;
	return has_sets(apply, &table) && (which == TEXT_DECLARE || is_committed(apply, &table));
}

static bool run_text(struct apply *apply, const struct buf *text, enum text which)
{
	enum nft_load_how how = which == TEXT_CHECK ? NFT_LOAD_CHECK : NFT_LOAD_RUN;
	struct netlink_error refused;
	struct nft_load_error error;
	uint32_t before;
	int attempt = 0;

	if (!netlink_generation(&apply->kernel.nft, &before, &refused))
		return host_refused(apply->report, &refused);
	do {
		if (nft_load_run(apply->arena, &apply->loader, text, how, &error) ||
		    is_in_force(apply, which, before))
			return true;
	} while (netlink_try_again(nft_load_code(&error), attempt++));
	nft_load_error_text(apply->arena, apply->report, apply->ir, text, &error);
	return false;
}

/* ---- texts ---- */

static struct emit_job job_of(const struct apply *apply)
{
	return (struct emit_job){ .ir = apply->ir, .set_names = apply->set_names };
}

/* The new sets without their elements, which go by netlink. */
static void put_declarations(struct apply *apply, struct buf *out)
{
	const struct emit_job job = job_of(apply);

	emit_nft_declare(&job, op_filled(apply->arena, &apply->ops, apply->ir), out);
}

static void put_rules(struct apply *apply, struct buf *out)
{
	const struct emit_job job = job_of(apply);
	const char *table = apply->ir->table;
	bool is_flushed = false;

	for (const struct op *op = apply->ops.first; op; op = op->next) {
		if (!is_old_chain(op) || op->state != OP_PLANNED)
			continue;
		if (!is_flushed)
			buf_printf(out, "flush table inet %s\n", table);
		is_flushed = true;
		buf_printf(out, "delete chain inet %s %s\n", table, op->name);
	}
	if (apply->observed.table.exists)
		emit_nft_commit(&job, out);
	else
		emit_nft_first(&job, out);
}

bool apply_check_rules(struct apply *apply)
{
	struct buf text = { 0 };
	bool good;

	if (!op_find(&apply->ops, OP_COMMIT))
		return true;
	for (const struct op *op = apply->ops.first; op; op = op->next)
		if (op->stage == STAGE_FREE_NAMES)
			buf_printf(&text, "delete %s inet %s %s\n", op->word, op->table, op->name);
	put_declarations(apply, &text);
	put_rules(apply, &text);
	good = run_text(apply, &text, TEXT_CHECK);
	buf_free(&text);
	return good;
}

bool apply_declare_sets(struct apply *apply)
{
	struct buf text = { 0 };
	bool done;

	put_declarations(apply, &text);
	done = run_text(apply, &text, TEXT_DECLARE);
	buf_free(&text);
	return done;
}

bool apply_commit(struct apply *apply, struct op *op)
{
	struct buf text = { 0 };
	bool done;

	put_rules(apply, &text);
	done = run_text(apply, &text, TEXT_COMMIT);
	buf_free(&text);
	if (!done)
		return false;
	for (struct op *other = apply->ops.first; other; other = other->next)
		if (is_old_chain(other))
			other->state = OP_DONE;
	apply_done(apply, op);
	return true;
}
