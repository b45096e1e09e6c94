/*
 * mute: compares the rules that answer with the settings that silence this host; see mute.h. The
 * setting is the administrator's: it is about all of this host's addresses, so none is changed.
 */
#include "host/mute.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/report.h"
#include "ir/ir.h"
#include "kernel/sysctl.h"

static const struct {
	const char *key, *words;
} families[] = { [ADDR_IPV4] = { "net.ipv4.icmp_echo_ignore_all", "icmp type echo-request" },
		 [ADDR_IPV6] = { "net.ipv6.icmp.echo_ignore_all", "icmpv6 type echo-request" } };

static const struct ir_class *answering(const struct ir *ir)
{
	for (size_t i = 0; i < ir->class_count; i++)
		if (ir->classes[i].kind == IR_CLASS_ANSWER)
			return &ir->classes[i];
	return NULL;
}

static bool says(const struct ir_rule *rule, const char *words)
{
	struct buf text = { 0 };
	bool found;

	for (size_t i = 0; i < rule->match_count; i++)
		rule->matches[i].ops->print(&rule->matches[i], &text);
	found = strstr(buf_text(&text), words) != NULL;
	buf_free(&text);
	return found;
}

/* Does a rule ask for the family's? An archive keeps rules in nft's words. */
static bool asks(const struct ir *ir, const char *words)
{
	for (size_t i = 0; i < ir->chain_count; i++)
		for (size_t k = 0; k < ir->chains[i].rule_count; k++)
			if (says(&ir->chains[i].rules[k], words))
				return true;
	return false;
}

void mute_tell(struct arena *arena, struct report *report, const struct ir *ir)
{
	const struct ir_class *way = answering(ir);

	for (int family = 0; way && family < ADDR_FAMILIES; family++) {
		const char *key = families[family].key, *value = sysctl_read(arena, key);
		struct diag_record *line;

		if (!value || !strcmp(value, "0") || !asks(ir, families[family].words))
			continue;
		line = report_add(report, SEVERITY_WARNING, DIAG_ping_off,
				  "this host answers no ping over IPv%c (%s is %s), so `then: answer` answers none",
				  addr_digit(family), key, value);
		line->where = way->origin;
		diag_help_text(line, "let it answer ping, at its own addresses, too");
		line->command = report_text(report, "sysctl -w %s=0", key);
	}
}
