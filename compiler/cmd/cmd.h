/*
 * cmd: what every verb of the command has in common.
 *
 * A verb is one struct cmd_verb, verb_NAME, in a file of its own, declared in verbs.h and listed in
 * main.c's table. From it come the parsing of the command line, --help and the usage line, so that
 * they cannot part. A verb's run function gets a call that is already checked (known options,
 * values that are among the choices, the right number of arguments), prints, and gives the exit
 * status.
 */
#ifndef TPC_CMD_CMD_H
#define TPC_CMD_CMD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"

struct arena;
struct buf;
struct ir;
struct lang_host;

enum cmd_status {
	CMD_DONE = 0,
	CMD_POLICY_WRONG = 1,
	CMD_USAGE_WRONG = 2,
	CMD_SYSTEM_REFUSED = 3, /* and nothing changed */
	CMD_IN_DOUBT = 4,       /* the message says exactly what to run */
	CMD_DIFFERENCE = 5,
};

enum cmd_format { CMD_TEXT, CMD_JSON };

struct cmd_option {
	const char *name;  /* without its dashes: "output" */
	char letter;       /* 'o', or 0 for none */
	const char *value; /* what stands for the value in --help: "DIR"; NULL for a flag */
	const char *help;  /* one line, small first letter, no full stop */
	const char *const *choices; /* the only values, NULL-terminated; NULL: any */
	bool hidden;                /* not shown in --help */
	/* What the value has to be, where this one is not; NULL: it is right. Or NULL: any. */
	const char *(*refuse)(const char *value);
	const char *alias; /* an old name that still works, not shown; or NULL */
};

struct cmd_call;

struct cmd_verb {
	const char *name;
	const char *usage;                 /* after "tpc NAME ": "POLICY [-o DIR]" */
	const char *summary;               /* one line, small first letter, no full stop */
	const char *detail;                /* more for --help, which wraps it, or NULL */
	void (*put_list)(struct buf *out); /* a list out of a table, for --help; or NULL */
	size_t least_args, most_args;
	const struct cmd_option *options; /* the verb's own; those for all verbs come by themselves
					   */
	size_t option_count;
	enum cmd_status (*run)(struct cmd_call *call);
};

extern const char *const cmd_levels[];

/* For a verb's options. */
#define CMD_LEVEL_OPTION                                                                        \
	{                                                                                       \
		"optimize", 'O', "0|1", "1, the default: rows of rules as maps; 0: one by one", \
			cmd_levels, false                                                       \
	}

#define CMD_STRICT_OPTION                                                     \
	{                                                                     \
		"strict", 0, NULL, "make every warning an error", NULL, false \
	}

#define CMD_KEEP_CONNECTIONS_OPTION                                                               \
	{                                                                                         \
		"keep-connections", 0, NULL,                                                      \
			"keep stale connections, which the rules would now send elsewhere", NULL, \
			false                                                                     \
	}
#define CMD_ALLOW_FOREIGN_OPTION                                                          \
	{                                                                                 \
		.name = "allow-foreign", .alias = "beside",                               \
		.help = "allow foreign ip rules, routes and mark bits among the policy's" \
	}

enum { CMD_ANY_NUMBER = 0xffff }; /* most_args of a verb that takes a list */

struct cmd_call {
	const struct cmd_verb *verb;
	struct arena *arena; /* freed when the verb is done */
	const char **args;
	size_t arg_count;
	const char **values; /* by the option's index in verb->options: its last value, "" for a
				flag, NULL when not given */
	enum cmd_format format;
	bool quiet, verbose;
	bool strict;               /* warnings of a policy are errors */
	struct diag *diag;         /* of the policy, once it is compiled */
	bool color_out, color_err; /* decided from --color, NO_COLOR and what the streams are */
};

/* Was the option with this index in verb->options given? */
static inline bool cmd_given(const struct cmd_call *call, size_t option)
{
	return call->values[option] != NULL;
}

/* The whole program: finds the verb, reads its options, runs it. */
int cmd_main(const struct cmd_verb *const *verbs, size_t count, int argc, char **argv);

/* The ir of the policy, where it has no errors and all outputs can say what it asks for. `host`:
 * lang.h; NULL: it is for any. */
struct ir *cmd_compile(struct arena *arena, struct diag *diag, const char *path,
		       const struct lang_host *host);
/*
 * Compiles the policy and shows its errors and warnings on standard error (in the call's format).
 * NULL when there was an error; the exit status is CMD_POLICY_WRONG then. The ir is the call's
 * arena's.
 */
struct ir *cmd_compile_policy(struct cmd_call *call, const char *path,
			      const struct lang_host *host);
/* The same for this host: of listeners in a row the one that has a socket. */
struct ir *cmd_compile_here(struct cmd_call *call, const char *path);
/* The ir at the level that the call's option says, which is one of CMD_LEVEL_OPTION's: its own
 * copy. */
struct ir *cmd_optimise(const struct cmd_call *call, const struct ir *ir, size_t option);
/* That level. */
int cmd_level(const struct cmd_call *call, size_t option);
/* Shows diagnostics that a verb collected itself, in the call's format, on standard error. */
void cmd_show_diag(const struct cmd_call *call, const struct diag *diag);

/*
 * Would one of these paths (NULL-terminated) replace or remove a file that the policy was read
 * from? That is shown, at the place that names the file.
 */
bool cmd_refuse_outputs(const struct cmd_call *call, const char *const *paths);

/* A message on standard error, in the call's format; `help` is what to do about it, or NULL. */
void cmd_error(const struct cmd_call *call, enum diag_code code, const char *help,
	       const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The message, the verb's usage line, and where there is more. Always CMD_USAGE_WRONG, so that a
 * verb can return it. */
enum cmd_status cmd_usage_error(const struct cmd_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/*
 * Writes the whole text to standard output. What could not be written (a full disk) is an error
 * message and CMD_SYSTEM_REFUSED; a reader that went away is CMD_SYSTEM_REFUSED without a message.
 */
enum cmd_status cmd_print(const struct cmd_call *call, const struct buf *text);
/* The same for what is for people, or JSON by the call's format: nothing in it that a terminal
 * would obey. */
enum cmd_status cmd_print_text(const struct cmd_call *call, const struct buf *text);
/* The same where something was done that stays done: on false that was said, and `next`, what to do
 * about the report that is lost. */
bool cmd_print_done(const struct cmd_call *call, const struct buf *text, bool is_error,
		    const char *done, const char *next);

#endif
