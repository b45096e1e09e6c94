/*
 * repair: finds the archive of what was applied, and lets the engine of apply do the rest.
 */
#include "apply/repair.h"

#include "base/arena.h"
#include "base/diag.h"
#include "base/report.h"
#include "ir/ir.h"
#include "state/archive.h"
#include "state/record.h"
#include "state/rundir.h"

static enum apply_outcome put_back(struct repair *repair, const struct rundir *folder)
{
	const struct record *record = record_read(repair->arena, folder, repair->policy);
	struct apply_return back = { .is_repair = true };
	struct apply_job job = { .arena = repair->arena,
				 .diag = diag_new(repair->arena),
				 .report = repair->report,
				 .allow_foreign = true,
				 .folder = folder,
				 .back = &back };
	struct archive *archive;

	repair->is_gone = !record || !record->is_complete;
	if (repair->is_gone)
		return APPLY_UNCHANGED;
	archive = archive_read(repair->arena, folder, repair->policy, ARCHIVE_APPLIED);
	if (!archive || archive->ir->digest != record->digest) {
		diag_help_text(report_add(repair->report, SEVERITY_ERROR, DIAG_state_damaged,
					  "what was applied of %s is not saved, so nothing of it can be put back",
					  repair->policy),
			       "apply the policy again");
		return APPLY_REFUSED;
	}
	job.ir = archive->ir;
	job.policy = archive->policy;
	return apply_policy(&job, &repair->counts);
}

enum apply_outcome repair_run(struct repair *repair)
{
	struct rundir folder;
	enum apply_outcome outcome;
	const char *why;

	if (!rundir_open(repair->arena, &folder, true, &why)) {
		report_add(repair->report, SEVERITY_ERROR, DIAG_state_write,
			   "no run directory can be used: %s", why);
		return APPLY_REFUSED;
	}
	folder.report = repair->report;
	outcome = put_back(repair, &folder);
	rundir_close(repair->arena, &folder);
	return outcome;
}
