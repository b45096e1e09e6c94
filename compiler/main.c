/*
 * main: the verbs.
 */
#include "cmd/verbs.h"

static const struct cmd_verb *const verbs[] = {
	&verb_compile, &verb_check, &verb_schema,  &verb_apply,    &verb_status, &verb_remove,
	&verb_explain, &verb_plan,  &verb_confirm, &verb_rollback, &verb_graph,  &verb_watch,
};

int main(int argc, char **argv)
{
	return cmd_main(verbs, sizeof(verbs) / sizeof(verbs[0]), argc, argv);
}
