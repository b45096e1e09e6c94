/*
 * apply_settings: the sysctls of a policy. In go its wishes, what the last apply had changed, and
 * the values of now; out come those to write and those to give back.
 */
#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "ir/ir.h"
#include "live/apply_state.h"
#include "live/handback.h"
#include "live/report.h"
#include "live/settings.h"

static void warn_of(struct apply *apply, const struct ir_sysctl *wish, const char *now)
{
	struct report_line *line = report_add(apply->report, REPORT_WARNING,
					      "%s is %s and should be %s: %s", wish->key, now,
					      wish->value, wish->why);

	line->where = wish->origin;
	line->command = arena_printf(apply->arena, "sysctl -w %s=%s", wish->key, wish->value);
}

/* A wish goes into the record when it holds through us, or is about to. */
static void find_setting(struct apply *apply, const struct ir_sysctl *wish)
{
	const struct record_sysctl *earlier = record_find_sysctl(apply->before, wish->key);
	struct record_sysctl *kept;
	const char *now;
	bool is_open = settings_is_open(apply->arena, wish, &now);

	if (!is_open && (!now || strcmp(now, wish->value) != 0))
		return;
	kept = arena_append(apply->arena, apply->after->sysctls, apply->after->sysctl_count);
	kept->key = wish->key;
	kept->value = wish->value;
	kept->old = earlier && earlier->old ? earlier->old : is_open ? now : NULL;
	if (is_open) {
		struct apply_setting *setting =
			arena_append(apply->arena, apply->settings, apply->setting_count);

		setting->wish = wish;
		setting->before = now;
	}
}

void apply_find_settings(struct apply *apply)
{
	const struct ir *ir = apply->ir;

	apply->after->sysctls = NULL;
	apply->after->sysctl_count = 0;
	for (size_t i = 0; i < ir->sysctl_count; i++) {
		const char *now;

		if (ir->sysctl_policy == IR_SYSCTL_SET)
			find_setting(apply, &ir->sysctls[i]);
		else if (ir->sysctl_policy == IR_SYSCTL_CHECK &&
			 settings_is_open(apply->arena, &ir->sysctls[i], &now))
			warn_of(apply, &ir->sysctls[i], now);
	}
	for (size_t i = 0; apply->before && i < apply->before->sysctl_count; i++) {
		const struct record_sysctl *earlier = &apply->before->sysctls[i];

		if (earlier->old && !record_find_sysctl(apply->after, earlier->key))
			*arena_append(apply->arena, apply->old_settings, apply->old_setting_count) =
				earlier;
	}
}

bool apply_write_settings(struct apply *apply)
{
	for (size_t i = 0; i < apply->setting_count; i++) {
		const struct apply_setting *setting = &apply->settings[i];
		struct undo_step *step;

		if (!settings_write(apply->arena, setting->wish->key, setting->wish->value)) {
			report_add(apply->report, REPORT_REFUSED,
				   "the sysctl %s cannot be set to %s: %s", setting->wish->key,
				   setting->wish->value, strerror(errno))
				->where = setting->wish->origin;
			return false;
		}
		step = undo_add(&apply->undo, UNDO_SETTING);
		step->key = setting->wish->key;
		step->value = setting->before;
		report_add(apply->report, REPORT_STEP, "sysctl %s = %s (was %s)",
			   setting->wish->key, setting->wish->value, setting->before);
		apply->counts->sysctls++;
	}
	return true;
}

bool apply_give_settings_back(struct apply *apply)
{
	bool done = true;

	for (size_t i = 0; i < apply->old_setting_count; i++)
		done &= handback_setting(apply->arena, &apply->folder, apply->ir->name,
					 apply->old_settings[i], apply->report);
	apply->counts->sysctls += apply->old_setting_count;
	return done;
}
