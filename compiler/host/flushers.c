/*
 * flushers: looks into the files that distributions load with nftables.service; see flushers.h. In
 * goes nothing, out come warnings.
 */
#include "host/flushers.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/report.h"

/* Debian, Arch and openSUSE; Fedora and its kin; Alpine. */
static const char *const files[] = { "/etc/nftables.conf", "/etc/sysconfig/nftables.conf",
				     "/etc/nftables.nft" };

static const char *skip_space(const char *text)
{
	while (isspace((unsigned char)*text))
		text++;
	return text;
}

/* "flush ruleset", with anything after it but a family: that one spares the family inet. */
static bool is_flush(const char *line)
{
	static const char *const words[] = { "flush", "ruleset" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strncmp(line, words[i], strlen(words[i])) != 0)
			return false;
		line = skip_space(line + strlen(words[i]));
	}
	return !*line || *line == ';' || *line == '#' || !strncmp(line, "inet", strlen("inet"));
}

/* Before its first table. */
static bool begins_with_flush(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[256];
	bool is_found = false;

	while (file && !is_found && fgets(line, sizeof(line), file)) {
		const char *word = skip_space(line);

		if (!strncmp(word, "table", strlen("table")))
			break;
		is_found = is_flush(word);
	}
	if (file)
		fclose(file);
	return is_found;
}

void flushers_tell(struct report *report, const char *command)
{
	struct diag_record *line;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (!begins_with_flush(files[i]))
			continue;
		line = report_add(report, SEVERITY_WARNING, DIAG_flush_ruleset,
				  "%s begins with `flush ruleset`: `systemctl restart nftables` removes the policy's nft table, and until the next apply its packets take their usual route (all but those that `tpc status` calls unmarked)",
				  files[i]);
		diag_help_text(line,
			       "write `table inet NAME` and `delete table inet NAME` there, for each table "
			       "of that file, instead of the flush; or let nftables.service run the apply "
			       "(ExecStartPost= and ExecReload= in a drop-in)");
		line->command = command;
	}
}
