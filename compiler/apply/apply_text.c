/*
 * apply_text: an apply's nft texts into the kernel. In goes a text, out comes whether it is in
 * force, which is not always what libnftables says.
 *
 * An error that may pass is waited out. Where libnftables fails, or dies, although the ruleset has
 * changed meanwhile, the table itself is asked: what is there was done.
 */
#include "apply/apply_state.h"
#include "base/arena.h"
#include "emit/about.h"
#include "ir/ir.h"
#include "kernel/netlink.h"
#include "kernel/nft_load.h"
#include "kernel/nft_load_error.h"

static bool has_sets(const struct apply *apply, const struct nft_table *table)
{
	for (size_t i = 0; i < apply->ir->set_count; i++)
		if (apply->diff.fill[i] && !nft_table_set_find(table, apply->ir->sets[i].name))
			return false;
	return true;
}

/* The rule that says which policy it is was written anew, and chains of the old one are gone. */
static bool has_flipped(const struct apply *apply, const struct nft_table *table)
{
	const struct about_line *before = nft_table_about(&apply->observed.table, ABOUT_POLICY);
	const struct about_line *now = nft_table_about(table, ABOUT_POLICY);

	if (!now || now->digest != apply->ir->digest || (before && before->handle == now->handle))
		return false;
	for (size_t i = 0; i < apply->diff.old_chain_count; i++)
		if (nft_table_chain_find(table, apply->diff.old_chains[i]))
			return false;
	return true;
}

static bool is_in_force(struct apply *apply, enum apply_text which, uint32_t before)
{
	struct nft_table table;
	struct netlink_error error;
	uint32_t now;

	if (which == APPLY_TEXT_CHECK || !netlink_generation(&apply->kernel.nft, &now, &error) ||
	    now == before ||
	    !nft_table_observe(apply->arena, &apply->kernel.nft, apply->ir->table, &table,
			       &error) ||
	    !table.exists)
		return false;
	return has_sets(apply, &table) &&
	       (which == APPLY_TEXT_DECLARE || has_flipped(apply, &table));
}

bool apply_run_text(struct apply *apply, const struct buf *text, enum apply_text which)
{
	enum nft_load_how how = which == APPLY_TEXT_CHECK ? NFT_LOAD_CHECK : NFT_LOAD_RUN;
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
