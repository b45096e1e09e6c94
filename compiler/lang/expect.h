/*
 * expect: the tests that a policy carries with it.
 */
#ifndef TPC_LANG_EXPECT_H
#define TPC_LANG_EXPECT_H

#include "lang/ast/ast.h"

/* Sends every expected packet through the ir; each that does not end as expected is an error that
 * names the rule that took it. */
void expect_check(struct arena *arena, struct diag *diag, struct ast_policy *policy,
		  const struct ir *ir);

#endif
