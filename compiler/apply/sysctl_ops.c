/*
 * sysctl_ops: the sysctls of a policy. In go its sysctls, what the last apply had changed, and
 * the values of now; out come those to write and those to give back.
 *
 * A setting that cannot be written does not end an apply: what it stands in the way of is dropped
 * by the kernel and goes nowhere else, and a host without its policy would be worse off.
 */
#include <string.h>

#include "apply/apply_state.h"
#include "apply/sysctl_restore.h"
#include "base/arena.h"
#include "base/report.h"
#include "host/relied.h"
#include "host/sysctl_plan.h"
#include "ir/ir.h"
#include "kernel/link.h"
#include "kernel/sysctl.h"

static void warn_of(struct apply *apply, const struct sysctl_plan_setting *setting)
{
	struct diag_record *line = report_add(apply->report, SEVERITY_WARNING, DIAG_sysctl_drift,
					      "%s is %s and should be %s: %s", setting->key,
					      setting->now, setting->wanted->value,
					      setting->wanted->why);

	line->where = setting->wanted->origin;
	line->command =
		arena_printf(apply->arena, "sysctl -w %s=%s", setting->key, setting->wanted->value);
}

/* Routes by an interface that is not there are spoken of elsewhere. */
static bool is_known_lost(const struct apply *apply, const char *interface)
{
	for (const struct op *op = apply->ops.first; op; op = op->next) {
		const char *lost =
			op->state == OP_LEFT_OUT && op->route ? route_lost_device(op->route) : NULL;

		if (lost && strcmp(lost, interface) == 0)
			return true;
	}
	return false;
}

static void warn_of_absent(struct apply *apply, const struct sysctl_plan_setting *setting)
{
	struct diag_record *line;

	if (is_known_lost(apply, setting->absent))
		return;
	line = report_add(apply->report, SEVERITY_WARNING, DIAG_no_interface,
			  "there is no interface %s yet, so %s is not set to %s: %s",
			  setting->absent, setting->key, setting->wanted->value,
			  setting->wanted->why);
	line->where = setting->wanted->origin;
	diag_help_text(line, "apply again when it exists");
}

/* A wanted goes into the record when it holds through us, or is about to. */
static void find_setting(struct apply *apply, const struct sysctl_plan_setting *need)
{
	const struct record_sysctl *earlier = record_find_sysctl(apply->before, need->key);
	struct record_sysctl *kept;
	bool guarded = sysctl_restore_is_guarded(need->key);
	struct op *op;

	if (!need->is_open && (!need->now || strcmp(need->now, need->wanted->value) != 0))
		return;
	kept = arena_append(apply->arena, apply->after->sysctls, apply->after->sysctl_count);
	kept->key = need->key;
	kept->value = need->wanted->value;
	kept->old = earlier && earlier->old ? earlier->old : need->is_open ? need->now : NULL;
	if (earlier && earlier->old)
		sysctl_restore_copy(apply->arena, apply->before, apply->after, need->key);
	else if (need->is_open)
		sysctl_restore_note(apply->arena, apply->after, need->key);
	if (kept->old)
		relied_note(apply->arena, &apply->kernel, apply->before, apply->after, need->key);
	if (!need->is_open)
		return;
	op = op_add(apply->arena, &apply->ops, OP_SYSCTL_SET,
		    guarded ? STAGE_GUARDED_SYSCTLS : STAGE_SYSCTLS);
	op->wanted = need->wanted;
	op->why = need->wanted->why;
	op->key = need->key;
	op->value = need->wanted->value;
	op->before = need->now;
}

/* What will be learned later cannot be known now. */
static void warn_of_routers(struct apply *apply, const struct sysctl_plan_setting *need)
{
	if (!need->is_open || strcmp(need->key, NEEDS_FORWARDING_IPV6) != 0 ||
	    link_has_default(apply->arena, &apply->kernel.route, ADDR_IPV6))
		return;
	report_add(apply->report, SEVERITY_WARNING, DIAG_accept_ra,
		   "this host has no IPv6 default route yet, and once it forwards IPv6 it "
		   "accepts none from router advertisements except on interfaces whose accept_ra "
		   "is 2")
		->command =
		"sysctl -w net.ipv6.conf.UPLINK.accept_ra=2  # where a router advertises one";
}

/* As they were written, backwards. */
static void find_old_settings(struct apply *apply)
{
	const struct record *before = apply->before;

	for (size_t i = before ? before->sysctl_count : 0; i > 0; i--) {
		const struct record_sysctl *earlier = &before->sysctls[i - 1];

		if (earlier->old && !record_find_sysctl(apply->after, earlier->key))
			sysctl_restore_add(apply->arena, &apply->ops, earlier);
	}
}

void apply_find_sysctls(struct apply *apply)
{
	const struct ir *ir = apply->ir;
	struct sysctl_plan needs = { 0 };

	if (ir->sysctl_policy != IR_SYSCTL_IGNORE)
		needs = sysctl_plan_find(apply->arena, &apply->kernel.route, ir->sysctls,
					 ir->sysctl_count, apply->before);
	for (size_t i = 0; i < needs.count; i++) {
		const struct sysctl_plan_setting *need = &needs.items[i];

		if (need->absent)
			warn_of_absent(apply, need);
		else if (ir->sysctl_policy == IR_SYSCTL_SET) {
			find_setting(apply, need);
			warn_of_routers(apply, need);
		} else if (need->is_open)
			warn_of(apply, need);
	}
	find_old_settings(apply);
}

/* ---- writing ---- */

static void cannot_write(struct apply *apply, struct op *op, const char *why)
{
	struct diag_record *line = report_add(apply->report, SEVERITY_WARNING, DIAG_sysctl_write,
					      "%s cannot be set to %s (it is %s): %s; %s", op->key,
					      op->value, op->before, why, op->wanted->why);
	struct record_sysctl *kept = record_find_sysctl(apply->after, op->key);

	line->where = op->wanted->origin;
	diag_help_text(line,
		       "set it where /proc/sys can be written (a container's: when it is started)");
	op->state = OP_LEFT_OUT;
	/* It is not ours to give back. */
	kept->old = NULL;
}

/* Ops are undone last first: what goes with a setting is put right after it. */
static void note_shared(struct apply *apply, const char *key)
{
	for (size_t i = 0; i < apply->after->companion_count; i++) {
		const struct record_companion *companion = &apply->after->companions[i];
		struct op *op;

		if (strcmp(companion->with, key) != 0)
			continue;
		op = apply_note(apply, OP_SYSCTL_SET, NULL);
		op->key = companion->key;
		op->value = sysctl_read(apply->arena, companion->key);
	}
}

/* Without the one that keeps what routers have advertised, forwarding would lose it. */
static bool would_lose_routes(const struct apply *apply, const struct op *op)
{
	bool loses = false;

	for (const struct op *other = apply->ops.first; other; other = other->next)
		loses |= other->kind == OP_SYSCTL_SET && other->state == OP_LEFT_OUT &&
			 other->wanted->when == IR_SYSCTL_IF_ADVERTISED;
	return loses && strcmp(op->key, NEEDS_FORWARDING_IPV6) == 0;
}

bool apply_write_sysctl(struct apply *apply, struct op *op)
{
	struct op *before = apply->undo.last;
	struct netlink_error error;

	if (would_lose_routes(apply, op)) {
		cannot_write(apply, op,
			     "the host would lose the routes that it learned from routers");
		return true;
	}
	note_shared(apply, op->key);
	if (!apply_run(apply, op, &error)) {
		op_cut(&apply->undo, before);
		cannot_write(apply, op, error.text);
	}
	return true;
}

/* Noted for undo, as some go before the commit. */
bool apply_restore_sysctl(struct apply *apply, struct op *op)
{
	const char *now = sysctl_read(apply->arena, op->key), *then;
	const struct sysctl_restore job = { apply->arena, &apply->folder, apply->before,
					    &apply->kernel, apply->report };
	bool done = sysctl_restore_setting(&job, record_find_sysctl(apply->before, op->key));

	op->state = OP_DONE;
	then = sysctl_read(apply->arena, op->key);
	if (now && then && strcmp(now, then) != 0) {
		struct op *inverse = apply_note(apply, OP_SYSCTL_SET, NULL);

		inverse->key = op->key;
		inverse->value = now;
	}
	return done;
}
