/*
 * protocols: which protocols a rule is about.
 */
#ifndef TPC_LANG_AST_PROTOCOLS_H
#define TPC_LANG_AST_PROTOCOLS_H

#include <stdbool.h>

struct arena;
struct ast_rule;
struct diag;

/* Gives the rule the protocols that it and its conditions are about. */
bool protocols_narrow(struct arena *arena, struct diag *diag, struct ast_rule *rule);

#endif
