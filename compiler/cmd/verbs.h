/*
 * verbs: every verb that is there, one line each; each lives in the file of its name.
 */
#ifndef TPC_CMD_VERBS_H
#define TPC_CMD_VERBS_H

#include "cmd/cmd.h"

extern const struct cmd_verb verb_apply;
extern const struct cmd_verb verb_check;
extern const struct cmd_verb verb_compile;
extern const struct cmd_verb verb_confirm;
extern const struct cmd_verb verb_explain;
extern const struct cmd_verb verb_graph;
extern const struct cmd_verb verb_plan;
extern const struct cmd_verb verb_remove;
extern const struct cmd_verb verb_rollback;
extern const struct cmd_verb verb_schema;
extern const struct cmd_verb verb_status;
extern const struct cmd_verb verb_watch;

#endif
