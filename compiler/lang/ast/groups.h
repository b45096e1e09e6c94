/*
 * groups: the interfaces of each group, once the groups in it have become theirs.
 */
#ifndef TPC_LANG_AST_GROUPS_H
#define TPC_LANG_AST_GROUPS_H

#include "lang/ast/ast.h"

struct arena;
struct diag;

/* Replaces the members of every group; a group that contains itself, and a name that is neither a
 * group's nor could be an interface's, are errors. */
bool groups_resolve(struct arena *arena, struct diag *diag, struct ast_policy *policy);
/* Adds the interfaces that a name stands for, each once: a group's name wins over an interface's.
 * The groups are resolved. False after an error. */
bool groups_expand(struct arena *arena, struct diag *diag, const struct ast_policy *policy,
		   const char *name, struct span span, const char ***names, size_t *count);

#endif
