/*
 * options: parses the words after `tpc VERB` with the verb's table.
 */
#ifndef TPC_CMD_OPTIONS_H
#define TPC_CMD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "cmd/cmd.h"

/* The options that every verb has. */
enum {
	OPTION_FORMAT,
	OPTION_COLOR,
	OPTION_QUIET,
	OPTION_VERBOSE,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_GLOBALS
};

extern const struct cmd_option option_globals[OPTION_GLOBALS];

struct options {
	const char **args;
	size_t arg_count;
	const char **values;                 /* of the verb's options, as in struct cmd_call */
	const char *globals[OPTION_GLOBALS]; /* of those for all verbs */
};

/*
 * Reads `count` words: options, before, between or after arguments, in all the usual forms (--name
 * VALUE, --name=VALUE, -n VALUE, -nVALUE, -qv); `--` ends them, `-` is an argument. Everything
 * lives in the arena. NULL, or what is wrong in words.
 */
const char *options_parse(struct arena *arena, const struct cmd_verb *verb, char **words,
			  size_t count, struct options *out);

#endif
