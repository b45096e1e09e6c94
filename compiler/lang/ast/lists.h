/*
 * lists: the named lists of a policy: of MAC addresses (`macs`) and of ports (`ports`).
 */
#ifndef TPC_LANG_AST_LISTS_H
#define TPC_LANG_AST_LISTS_H

#include "lang/ast/ast.h"

/* Computes ast_list.values of every list, canonical; reads list files; adds the values of the lists
 * that conditions and identities name to theirs. Groups have their names by then. False when there
 * was an error. */
bool lists_resolve(struct arena *arena, struct diag *diag, struct ast_policy *policy);
/* Lists that nothing names, and lists without an entry that something names. */
void lists_check_use(struct diag *diag, const struct ast_policy *policy);
/* Adds the entries of a file: a value of the kind a line. False when there was an error. */
bool list_words_read(struct arena *arena, struct diag *diag, const struct match_kind *kind,
		     const char *path, struct span wanted_by, struct interval_set *out);

#endif
