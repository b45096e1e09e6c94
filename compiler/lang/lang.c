/*
 * lang: the phases of reading a policy, one after the other.
 */
#include "lang/lang.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/diag.h"
#include "ir/ir.h"
#include "lang/check/check.h"
#include "lang/expect.h"
#include "lang/ast/lists.h"
#include "lang/lower/lower.h"
#include "lang/read/read.h"
#include "lang/ast/rows.h"
#include "lang/static/static.h"

/* *policy receives what the ir was made of. */
static struct ir *lower(struct arena *arena, struct diag *diag, const char *path,
			const struct lang_host *host, struct ast_policy **policy)
{
	const char *broken;
	struct ir *ir;

	*policy = read_policy(arena, diag, path);
	if (!check_policy(arena, diag, *policy))
		return NULL;
	rows_choose(arena, *policy, host);
	ir = lower_policy(arena, diag, *policy);
	if (!ir)
		return NULL;
	check_unused(diag, *policy, ir);
	check_contents(arena, diag, *policy);
	lists_check_use(diag, *policy);
	broken = ir_verify(arena, ir);
	if (broken) {
		fprintf(stderr, "tpc: a defect of tpc, not of the policy: %s\n", broken);
		abort();
	}
	return ir;
}

struct ir *lang_lower(struct arena *arena, struct diag *diag, const char *path,
		      const struct lang_host *host)
{
	struct ast_policy *policy;
	struct ir *ir = lower(arena, diag, path, host, &policy);

	return diag_error_count(diag) ? NULL : ir;
}

struct ir *lang_compile(struct arena *arena, struct diag *diag, const char *path,
			const struct lang_host *host)
{
	struct ast_policy *policy;
	struct ir *ir = lower(arena, diag, path, host, &policy);

	if (!ir) {
		diag_cut_short(diag);
		return NULL;
	}
	expect_check(arena, diag, policy, ir);
	static_policy(arena, diag, policy, ir);
	diag_judge_allows(diag);
	return diag_error_count(diag) ? NULL : ir;
}
