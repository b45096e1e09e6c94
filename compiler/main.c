/*
 * main: the verbs. One that is not there yet has only its name, so that it can be refused by it.
 */
#include "cmd/verbs.h"

#define LATER(verb)              \
	&(const struct cmd_verb) \
	{                        \
		.name = verb     \
	}

static const struct cmd_verb *const verbs[] = {
	&verb_compile,   &verb_check,   &verb_schema,   &verb_apply,   &verb_status,
	&verb_remove,    &verb_explain, &verb_plan,     &verb_confirm, &verb_rollback,
	LATER("doctor"), &verb_graph,   LATER("watch"),
};

int main(int argc, char **argv)
{
	return cmd_main(verbs, sizeof(verbs) / sizeof(verbs[0]), argc, argv);
}
