/*
 * which: finds the policy that is meant (see which.h). Where several could be, they are named and
 * nothing is done.
 */
#include "cmd/which.h"

#include "apply/remove.h"
#include "base/buf.h"
#include "base/report.h"
#include "yaml/decode.h"

static void ask_which(const struct cmd_call *call, const char *const *names, size_t count)
{
	struct buf list = { 0 };

	for (size_t i = 0; i < count; i++)
		buf_printf(&list, "%s%s", i ? ", " : "", names[i]);
	cmd_usage_error(call, "several policies are applied; name one of them: %s",
			buf_text(&list));
	buf_free(&list);
}

enum which which_of(const struct cmd_call *call, const char *const *names, size_t count,
		    const char **name)
{
	if (call->arg_count) {
		*name = call->args[0];
		if (decode_is_name(*name))
			return WHICH_ONE;
		cmd_usage_error(call,
				"\"%s\" is no policy's name; `tpc status` shows what is applied",
				*name);
		return WHICH_WRONG;
	}
	if (count > 1) {
		ask_which(call, names, count);
		return WHICH_WRONG;
	}
	*name = count ? names[0] : NULL;
	return count ? WHICH_ONE : WHICH_NONE;
}

enum which which_policy(const struct cmd_call *call, struct report *report, const char **name)
{
	const char **names = NULL;
	size_t count = 0;

	if (!call->arg_count && !remove_candidates(call->arena, report, &names, &count))
		return WHICH_UNKNOWN;
	return which_of(call, names, count, name);
}
