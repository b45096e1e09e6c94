/*
 * sysctl: the settings that the policy needs, each with the reason above it. In goes a finished ir,
 * out come lines KEY = VALUE.
 */
#include "emit/sysctl.h"

#include "base/buf.h"
#include "emit/emit.h"
#include "emit/overview.h"
#include "emit/text.h"
#include "ir/ir.h"

bool emit_sysctl_is_needed(const struct ir *ir)
{
	return ir->sysctl_count > 0 && ir->sysctl_policy != IR_SYSCTL_IGNORE;
}

static void put_reason(const struct ir_sysctl *sysctl, struct buf *out)
{
	buf_puts(out, "\n# ");
	if (sysctl->origin.source) {
		text_put_place(out, sysctl->origin);
		buf_puts(out, ": ");
	}
	text_put_comment(out, sysctl->why);
	buf_putc(out, '\n');
}

void emit_sysctl_put(const struct emit_job *job, struct buf *out)
{
	overview_put_origin(job, ".sysctl.conf", out);
	buf_puts(out, "# Load it with `sysctl -p`.\n");
	for (size_t i = 0; i < job->ir->sysctl_count; i++) {
		put_reason(&job->ir->sysctls[i], out);
		if (job->ir->sysctls[i].only_if_strict)
			buf_puts(out,
				 "# Only where it, or the one of `all`, is 1: a host that filters nothing need not begin to.\n# ");
		text_put_comment(out, job->ir->sysctls[i].key);
		buf_puts(out, " = ");
		text_put_comment(out, job->ir->sysctls[i].value);
		buf_putc(out, '\n');
	}
}
