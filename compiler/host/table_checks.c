/*
 * table_checks: compares a table in the kernel with what was loaded into it (see table_checks.h).
 * In go what was observed and the ir, out come sentences.
 */
#include "host/table_checks.h"

#include <stdarg.h>

#include "base/arena.h"
#include "base/report.h"
#include "host/diff.h"
#include "host/host.h"
#include "kernel/cgroup.h"

__attribute__((format(printf, 2, 3))) static void complain(const struct table_checks *checks,
							   const char *format, ...)
{
	struct report *drift = checks->drift;
	va_list args;

	va_start(args, format);
	report_add(drift, SEVERITY_WARNING, DIAG_drift, "%s",
		   arena_vprintf(drift->arena, format, args))
		->command = checks->command;
	va_end(args);
}

void table_checks_find(const struct table_checks *checks)
{
	const struct nft_table *table = &checks->observed->table;
	const struct record *record = checks->record;
	const struct about_line *about = nft_table_about(table, ABOUT_POLICY);

	if (!table->exists)
		complain(checks, "the nft table inet %s is gone", table->name);
	else if (!about && !record)
		report_add(checks->problems, SEVERITY_WARNING, DIAG_foreign_table,
			   "nft table inet %s was not created by tpc", table->name);
	else if (!nft_table_is_readable(table))
		complain(checks, "the nft table inet %s has no metadata", table->name);
	else if (table->is_asleep)
		complain(checks, "the nft table inet %s is dormant", table->name);
	else if (record && about->digest != record->digest)
		complain(checks, "the nft rules are not those of the last apply");
	else if (record && nft_table_rule_count(table) != record->nft_rules)
		complain(checks, "the nft table inet %s holds %zu rules instead of %zu",
			 table->name, nft_table_rule_count(table), record->nft_rules);
	if (checks->observed->hosted_changed)
		complain(checks, "%s: the rules were loaded for the host as it was before",
			 checks->observed->hosted_changed);
	for (size_t i = 0; i < table->cgroup_count; i++)
		if (cgroup_is_gone(table->cgroups[i])) {
			complain(checks,
				 "a cgroup of the rules was removed; a new one of the same name is another group");
			break;
		}
	if (record && !record->is_complete)
		complain(checks, "the last apply did not finish");
}

/* Until a confirmation has come, or the policy was taken back, the sets and chains of the policy
 * before are kept. */
void table_checks_contents(struct arena *arena, const struct table_checks *checks)
{
	const char *table = checks->observed->table.name;
	const struct op *commit;
	struct op_list ops;

	diff_make(arena, checks->applied, checks->observed, NULL, &ops);
	commit = op_find(&ops, OP_COMMIT);
	if (commit)
		complain(checks, "the nft table inet %s is not as it was applied: %s", table,
			 commit->why);
	for (struct op *op = ops.first; op && !commit && !checks->is_open; op = op->next)
		if (op_section(op) != OP_IP_RULES && op_section(op) != OP_ROUTES)
			complain(checks,
				 "the nft table inet %s holds the %s, which is not the policy's",
				 table, op_what(arena, op));
}
