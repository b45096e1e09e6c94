/*
 * undo: takes changes back in reverse order. One that fails does not keep the others from being
 * taken back.
 */
#include "apply/undo.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/report.h"
#include "host/host.h"
#include "kernel/nft_set.h"
#include "kernel/sysctl.h"

struct undo_step *undo_add(struct undo *undo, enum undo_kind kind)
{
	struct undo_step *step = arena_append(undo->arena, undo->steps, undo->count);

	step->kind = kind;
	return step;
}

static bool take_back(struct undo *undo, const struct undo_step *step, struct kernel *kernel,
		      struct netlink_error *error)
{
	switch (step->kind) {
	case UNDO_SETTING:
		return sysctl_write(undo->arena, step->key, step->value);
	case UNDO_NEW_ROUTE:
		/* A route whose link went down meanwhile is gone already. */
		return route_remove(&kernel->route, step->route, step->protocol, error) ||
		       error->code == ESRCH || error->code == ENODEV;
	case UNDO_CHANGED_ROUTE:
		return route_add(&kernel->route, step->before, step->protocol_before, ROUTE_REPLACE,
				 error);
	case UNDO_NEW_RULE:
		return ip_rule_remove(&kernel->route, step->rule, step->protocol, error) ||
		       error->code == ENOENT;
	case UNDO_OLD_RULE:
		return ip_rule_add(&kernel->route, step->rule, step->protocol, error) ||
		       error->code == EEXIST;
	case UNDO_NEW_TABLE:
		return nft_set_remove_table(&kernel->nft, undo->table, error) ||
		       error->code == ENOENT;
	case UNDO_NEW_CHAIN:
		return nft_set_remove_chains(&kernel->nft, undo->table, &step->key, 1, error) ||
		       error->code == ENOENT;
	case UNDO_NEW_SET:
		return nft_set_remove(&kernel->nft, undo->table, &step->key, 1, error) ||
		       error->code == ENOENT;
	case UNDO_ELEMENTS:
		/* What has run out or was taken out meanwhile is gone already. */
		return nft_set_change(&kernel->nft, step->elements, error) || error->code == ENOENT;
	}
	return true;
}

static void put_command(struct buf *out, const struct undo *undo, const struct undo_step *step)
{
	switch (step->kind) {
	case UNDO_SETTING:
		buf_printf(out, "sysctl -w %s=%s", step->key, step->value);
		return;
	case UNDO_NEW_ROUTE:
		route_put_command(out, "del", step->route, step->protocol);
		return;
	case UNDO_CHANGED_ROUTE:
		route_put_command(out, "replace", step->before, step->protocol_before);
		return;
	case UNDO_NEW_RULE:
		ip_rule_put_command(out, "del", step->rule, step->protocol);
		return;
	case UNDO_OLD_RULE:
		ip_rule_put_command(out, "add", step->rule, step->protocol);
		return;
	case UNDO_NEW_TABLE:
		buf_printf(out, "nft delete table inet %s", undo->table);
		return;
	case UNDO_NEW_CHAIN:
		buf_printf(out, "nft delete chain inet %s %s", undo->table, step->key);
		return;
	case UNDO_NEW_SET:
		buf_printf(out, "nft delete %s inet %s %s", step->value, undo->table, step->key);
		return;
	case UNDO_ELEMENTS:
		buf_printf(out, "nft list set inet %s %s", undo->table, step->elements->name);
		return;
	}
}

bool undo_run(struct undo *undo, struct kernel *kernel, struct report *report)
{
	bool done = true;

	while (undo->count > 0) {
		const struct undo_step *step = &undo->steps[--undo->count];
		struct netlink_error error = { 0 };
		struct buf command = { 0 };

		if (take_back(undo, step, kernel, &error) || take_back(undo, step, kernel, &error))
			continue;
		done = false;
		put_command(&command, undo, step);
		report_add(report, REPORT_DOUBT, "a change could not be taken back: %s",
			   error.code ? error.text : strerror(errno))
			->command = arena_strdup(undo->arena, buf_text(&command));
		buf_free(&command);
	}
	return done;
}
