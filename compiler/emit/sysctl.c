/*
 * sysctl: the settings that the policy needs, each with the reason above it. In goes a finished ir,
 * out come lines KEY = VALUE. A line whose need is seen only on the host is a comment.
 */
#include "emit/sysctl.h"

#include <string.h>

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
	text_put_comment(out, sysctl->why);
	buf_putc(out, '\n');
}

static void put_devs(const struct ir_sysctl *sysctl, const char *any, struct buf *out)
{
	if (!sysctl->dev_count)
		buf_puts(out, any);
	for (size_t i = 0; i < sysctl->dev_count; i++) {
		buf_puts(out, !i ? "" : i + 1 < sysctl->dev_count ? ", " : " or ");
		text_put_comment(out, sysctl->devs[i]);
	}
}

static void put_via(const struct ir_sysctl *sysctl, struct buf *out)
{
	char text[ADDR_TEXT];

	buf_puts(out, addr_format(sysctl->via, text));
}

/* When the line below matters, as a comment. Without one it always does. */
static void put_condition(const struct ir_sysctl *sysctl, struct buf *out)
{
	if (sysctl->has_via && sysctl->when != IR_SYSCTL_IF_ELSEWHERE) {
		buf_puts(out, "# For the interface towards ");
		put_via(sysctl, out);
		if (sysctl->dev_count) {
			buf_puts(out, ", where it is ");
			put_devs(sysctl, "", out);
		}
		buf_puts(out, ".\n");
	}
	switch (sysctl->when) {
	case IR_SYSCTL_ALWAYS:
		if (sysctl->has_via)
			return;
		if (!strchr(sysctl->key, '*'))
			return;
		buf_puts(out, "# Only where ");
		put_devs(sysctl, "an interface", out);
		buf_puts(out, " has another value");
		break;
	case IR_SYSCTL_IF_ELSEWHERE:
		buf_puts(out, "# Not needed where this host itself has the address ");
		put_via(sysctl, out);
		break;
	case IR_SYSCTL_UNLESS_ALL:
		buf_puts(out,
			 "# Load the rules first: they guard it. Not needed where the one of `all` is ");
		text_put_comment(out, sysctl->value);
		break;
	case IR_SYSCTL_IF_EFFECTIVE:
		buf_puts(out,
			 "# Only where it, or the one of `all`, is not 0: the greater counts. Where the one of `all` is not 0, first\n"
			 "# give `default` and each interface that no such line names the greater of both, then set that of `all` to 0");
		break;
	case IR_SYSCTL_IF_MARKED:
		buf_puts(out,
			 "# Only where it, or the one of `all`, is 1, and so is src_valid_mark, for ");
		put_devs(sysctl, "an interface", out);
		break;
	case IR_SYSCTL_IF_BRIDGE:
		buf_puts(out, "# Only where it is 1 and ");
		put_devs(sysctl, "an interface", out);
		buf_puts(out, " is a bridge");
		break;
	case IR_SYSCTL_IF_ADVERTISED:
		buf_puts(out,
			 "# Before the next one, for each interface that `ip -6 route` shows routes by that are `proto ra`");
		break;
	case IR_SYSCTL_IF_DEFAULT:
		buf_printf(out,
			   "# For each interface that `ip -%c route show default` shows a route by",
			   strncmp(sysctl->key, "net.ipv6.", strlen("net.ipv6.")) ? '4' : '6');
		break;
	}
	buf_puts(out, ".\n");
}

/* Is it seen only on the host whether the line is right? */
static bool is_question(const struct ir_sysctl *sysctl)
{
	return strchr(sysctl->key, '*') || sysctl->when == IR_SYSCTL_IF_EFFECTIVE ||
	       sysctl->when == IR_SYSCTL_IF_BRIDGE;
}

void emit_sysctl_put(const struct emit_job *job, struct buf *out)
{
	overview_put_origin(job, ".sysctl.conf", out);
	buf_puts(out, "# Load it with `sysctl -p`.\n");
	for (size_t i = 0; i < job->ir->sysctl_count; i++) {
		const struct ir_sysctl *sysctl = &job->ir->sysctls[i];

		put_reason(sysctl, out);
		put_condition(sysctl, out);
		if (is_question(sysctl))
			buf_puts(out, "# ");
		text_put_comment(out, sysctl->key);
		buf_puts(out, " = ");
		text_put_comment(out, sysctl->value);
		buf_putc(out, '\n');
	}
}
