/*
 * sysctl_ops: the sysctls of a policy. In go its wishes, what the last apply had changed, and
 * the values of now; out come those to write and those to give back.
 *
 * A setting that cannot be written does not end an apply: what it stands in the way of is dropped
 * by the kernel and goes nowhere else, and a host without its policy would be worse off.
 */
#include <errno.h>
#include <string.h>

#include "apply/apply_state.h"
#include "apply/sysctl_restore.h"
#include "apply/sysctl_shared.h"
#include "base/arena.h"
#include "base/report.h"
#include "host/relied.h"
#include "host/sysctl_plan.h"
#include "ir/ir.h"
#include "kernel/link.h"
#include "kernel/sysctl.h"

static void warn_of(struct apply *apply, const struct sysctl_plan_setting *setting)
{
	struct report_line *line =
		report_add(apply->report, REPORT_WARNING, "%s is %s and should be %s: %s",
			   setting->key, setting->now, setting->wish->value, setting->wish->why);

	line->where = setting->wish->origin;
	line->command =
		arena_printf(apply->arena, "sysctl -w %s=%s", setting->key, setting->wish->value);
}

/* Routes by an interface that is not there are spoken of elsewhere. */
static bool is_known_lost(const struct apply *apply, const char *interface)
{
	for (size_t i = 0; i < apply->diff.lost_route_count; i++)
		if (strcmp(diff_lost_device(apply->diff.lost_routes[i]), interface) == 0)
			return true;
	return false;
}

static void warn_of_absent(struct apply *apply, const struct sysctl_plan_setting *setting)
{
	struct report_line *line;

	if (is_known_lost(apply, setting->absent))
		return;
	line = report_add(apply->report, REPORT_WARNING,
			  "there is no interface %s yet, so %s is not set to %s: %s",
			  setting->absent, setting->key, setting->wish->value, setting->wish->why);
	line->where = setting->wish->origin;
	line->help = "apply again when it is there";
}

/* A wish goes into the record when it holds through us, or is about to. */
static void find_setting(struct apply *apply, const struct sysctl_plan_setting *need)
{
	const struct record_sysctl *earlier = record_find_sysctl(apply->before, need->key);
	struct record_sysctl *kept;
	struct apply_setting *setting;

	if (!need->is_open && (!need->now || strcmp(need->now, need->wish->value) != 0))
		return;
	kept = arena_append(apply->arena, apply->after->sysctls, apply->after->sysctl_count);
	kept->key = need->key;
	kept->value = need->wish->value;
	kept->old = earlier && earlier->old ? earlier->old : need->is_open ? need->now : NULL;
	if (earlier && earlier->old)
		sysctl_shared_copy(apply->arena, apply->before, apply->after, need->key);
	else if (need->is_open)
		sysctl_shared_note(apply->arena, apply->after, need->key);
	if (kept->old)
		relied_note(apply->arena, &apply->kernel, apply->before, apply->after, need->key);
	if (!need->is_open)
		return;
	setting = arena_append(apply->arena, apply->settings, apply->setting_count);
	setting->wish = need->wish;
	setting->key = need->key;
	setting->before = need->now;
}

/* What will be learned later cannot be known now. */
static void warn_of_routers(struct apply *apply, const struct sysctl_plan_setting *need)
{
	if (!need->is_open || strcmp(need->key, NEEDS_FORWARDING_IPV6) != 0 ||
	    link_has_default(apply->arena, &apply->kernel.route, ADDR_IPV6))
		return;
	report_add(apply->report, REPORT_WARNING,
		   "this host has no IPv6 default route yet, and once it forwards IPv6 it learns none from "
		   "routers but by interfaces whose accept_ra is 2")
		->command =
		"sysctl -w net.ipv6.conf.UPLINK.accept_ra=2  # where a router advertises one";
}

static void find_old_settings(struct apply *apply)
{
	for (size_t i = 0; apply->before && i < apply->before->sysctl_count; i++) {
		const struct record_sysctl *earlier = &apply->before->sysctls[i];

		if (earlier->old && !record_find_sysctl(apply->after, earlier->key))
			*arena_append(apply->arena, apply->old_settings, apply->old_setting_count) =
				earlier;
	}
}

void apply_find_settings(struct apply *apply)
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

static void cannot_write(struct apply *apply, const struct apply_setting *setting, const char *why)
{
	struct report_line *line = report_add(apply->report, REPORT_WARNING,
					      "%s cannot be set to %s (it is %s): %s; %s",
					      setting->key, setting->wish->value, setting->before,
					      why, setting->wish->why);
	struct record_sysctl *kept = record_find_sysctl(apply->after, setting->key);

	line->where = setting->wish->origin;
	line->help = "set it where /proc/sys can be written (a container's: when it is started)";
	/* It is not ours to give back. */
	kept->old = NULL;
}

/* Steps are undone last first: what goes with a setting is put right behind it. */
static void note_undo(struct apply *apply, const struct apply_setting *setting)
{
	struct undo_step *step;

	for (size_t i = 0; i < apply->after->beside_count; i++) {
		const struct record_beside *beside = &apply->after->besides[i];

		if (strcmp(beside->with, setting->key) != 0)
			continue;
		step = undo_add(&apply->undo, UNDO_SETTING);
		step->key = beside->key;
		step->value = sysctl_read(apply->arena, beside->key);
	}
	step = undo_add(&apply->undo, UNDO_SETTING);
	step->key = setting->key;
	step->value = setting->before;
}

static bool write_setting(struct apply *apply, const struct apply_setting *setting)
{
	size_t before = apply->undo.count;

	note_undo(apply, setting);
	if (!sysctl_write(apply->arena, setting->key, setting->wish->value)) {
		apply->undo.count = before;
		cannot_write(apply, setting, strerror(errno));
		return false;
	}
	report_add(apply->report, REPORT_STEP, "sysctl %s = %s (was %s): %s", setting->key,
		   setting->wish->value, setting->before, setting->wish->why);
	apply->counts->sysctls++;
	return true;
}

void apply_write_settings(struct apply *apply, bool guarded)
{
	bool keeps_routes = true;

	for (size_t i = 0; i < apply->setting_count; i++) {
		const struct apply_setting *setting = &apply->settings[i];

		if (sysctl_restore_is_guarded(setting->key) != guarded)
			continue;
		if (!keeps_routes && strcmp(setting->key, NEEDS_FORWARDING_IPV6) == 0)
			cannot_write(apply, setting,
				     "the host would lose the routes that routers have told it");
		else if (!write_setting(apply, setting))
			keeps_routes &= setting->wish->when != IR_SYSCTL_IF_ADVERTISED;
	}
}

/* Noted for undo, as some go before the flip. */
static bool give_back(struct apply *apply, const struct record_sysctl *old)
{
	const char *now = sysctl_read(apply->arena, old->key);
	const struct sysctl_restore handback = { apply->arena, &apply->folder, apply->before,
						 &apply->kernel, apply->report };
	bool done = sysctl_restore_setting(&handback, old);
	const char *then = sysctl_read(apply->arena, old->key);
	struct undo_step *step;

	apply->counts->sysctls++;
	if (!now || !then || strcmp(now, then) == 0)
		return done;
	step = undo_add(&apply->undo, UNDO_SETTING);
	step->key = old->key;
	step->value = now;
	return done;
}

bool apply_give_settings_back(struct apply *apply, bool guarded)
{
	bool done = true;

	/* As they were written, backwards. */
	for (size_t i = apply->old_setting_count; i > 0; i--) {
		const struct record_sysctl *old = apply->old_settings[i - 1];

		if (sysctl_restore_is_guarded(old->key) != guarded)
			continue;
		done &= give_back(apply, old);
	}
	return done;
}
