/*
 * rows: listeners in a row, {proxy: [a, b]}: a rule hands to the first of them that has a socket.
 */
#ifndef TPC_LANG_AST_ROWS_H
#define TPC_LANG_AST_ROWS_H

#include "lang/ast/ast.h"
#include "lang/lang.h"

/* Of every row of the checked policy: which listener its rules hand to. Without a host it is the
 * first. Fills policy->rows. */
void rows_choose(struct arena *arena, struct ast_policy *policy, const struct lang_host *host);
/* The row of the action; NULL: it has none. */
const struct ir_row *rows_of(const struct ast_policy *policy, const struct ast_then *then);
/* Bits of ir_listener_way: what the rule could send to the listener. */
unsigned int rows_ways(const struct ast_rule *rule, const struct ast_listener *listener);

#endif
