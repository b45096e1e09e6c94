/*
 * sets: what is in the sets of a policy.
 */
#ifndef TPC_LANG_AST_SETS_H
#define TPC_LANG_AST_SETS_H

#include "lang/ast/ast.h"

/* Computes ast_set.contents of every set, canonical; reads list files. False when there was an
 * error. */
bool sets_resolve(struct arena *arena, struct diag *diag, struct ast_policy *policy);
/* The error for a name that no set has. Always false. */
bool sets_unknown(struct arena *arena, struct diag *diag, const struct ast_policy *policy,
		  const char *name, struct span span);

#endif
