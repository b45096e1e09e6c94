/*
 * cmd: the frame around the verbs: finding the verb, reading its options, showing what is wrong.
 *
 * In go main's arguments and its table of verbs, out comes an exit status. This is, with the verbs,
 * the only place that prints.
 */
#include "cmd/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/ordinary.h"
#include "base/shown.h"
#include "base/suggest.h"
#include "cmd/help.h"
#include "cmd/options.h"
#include "host/lives.h"
#include "lang/lang.h"
#include "opt/opt.h"

#ifndef TPC_VERSION
#error "TPC_VERSION comes from the Makefile"
#endif

/* Everything, whatever it takes. False with errno when the system refuses. */
static bool write_whole(int fd, const struct buf *text)
{
	for (size_t done = 0; done < text->length;) {
		ssize_t count = write(fd, text->text + done, text->length - done);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return false;
		done += (size_t)count;
	}
	return true;
}

enum cmd_status cmd_print(const struct buf *text)
{
	if (write_whole(STDOUT_FILENO, text))
		return CMD_DONE;
	if (errno != EPIPE)
		cmd_error("cannot write to standard output: %s", strerror(errno));
	return CMD_SYSTEM_REFUSED;
}

enum cmd_status cmd_print_text(const struct cmd_call *call, const struct buf *text)
{
	struct buf shown = { 0 };
	enum cmd_status status;

	if (call->format == CMD_JSON)
		return cmd_print(text);
	shown_lines(&shown, buf_text(text), text->length);
	status = cmd_print(&shown);
	buf_free(&shown);
	return status;
}

/* Messages are one write each, so that lines of several programs do not mix; nobody can be told
 * when it fails. */
static void print_error(struct buf *text)
{
	if (!write_whole(STDERR_FILENO, text))
		errno = 0;
	buf_free(text);
}

bool cmd_print_done(const struct buf *text, bool is_error, const char *done, const char *next)
{
	struct buf message = { 0 };

	if (write_whole(STDOUT_FILENO, text))
		return true;
	buf_printf(&message, "tpc: %s: %s, but standard output could not be written: %s; %s\n",
		   is_error ? "error" : "warning", done, strerror(errno), next);
	print_error(&message);
	return false;
}

static void put_formatted(struct buf *out, const char *format, va_list args)
{
	struct arena *arena = arena_new();
	const char *text;

	text = arena_vprintf(arena, format, args);
	shown_text(out, text);
	arena_free(arena);
}

void cmd_error(const char *format, ...)
{
	struct buf text = { 0 };
	va_list args;

	buf_puts(&text, "tpc: error: ");
	va_start(args, format);
	put_formatted(&text, format, args);
	va_end(args);
	buf_putc(&text, '\n');
	print_error(&text);
}

enum cmd_status cmd_usage_error(const struct cmd_verb *verb, const char *format, ...)
{
	struct buf text = { 0 };
	va_list args;

	buf_printf(&text, "tpc %s: ", verb->name);
	va_start(args, format);
	put_formatted(&text, format, args);
	va_end(args);
	buf_putc(&text, '\n');
	help_put_usage(verb, &text);
	buf_printf(&text, "`tpc %s --help` says more\n", verb->name);
	print_error(&text);
	return CMD_USAGE_WRONG;
}

void cmd_show_diag(const struct cmd_call *call, const struct diag *diag)
{
	struct diag_style style = { .color = call->color_err, .json = call->format == CMD_JSON };
	struct buf text = { 0 };

	diag_render(diag, &text, style);
	print_error(&text);
}

struct ir *cmd_compile_policy(struct cmd_call *call, const char *path, const struct lang_host *host)
{
	struct diag *diag = diag_new(call->arena);
	struct ir *ir;

	call->diag = diag;
	diag_wish(diag, call->strict, call->verbose ? NOTES_ALL : NOTES_NONE);
	ir = lang_compile(call->arena, diag, path, host);
	cmd_show_diag(call, diag);
	return diag_error_count(diag) ? NULL : ir;
}

struct ir *cmd_compile_here(struct cmd_call *call, const char *path)
{
	struct lives *lives = lives_new(call->arena);
	const struct lang_host host = { lives_why_gone, lives };
	struct ir *ir = cmd_compile_policy(call, path, &host);

	lives_close(lives);
	return ir;
}

const char *const cmd_levels[] = { "0", "1", NULL };

int cmd_level(const struct cmd_call *call, size_t option)
{
	const char *level = call->values[option];

	return level ? level[0] - '0' : OPT_DEFAULT;
}

struct ir *cmd_optimise(const struct cmd_call *call, const struct ir *ir, size_t option)
{
	return opt_run(call->arena, ir, cmd_level(call, option));
}

bool cmd_refuse_outputs(const struct cmd_call *call, const char *const *paths)
{
	struct diag *refusals = diag_new(call->arena);
	bool is_refused = false;

	for (; *paths; paths++)
		is_refused |= diag_refuse_output(call->diag, refusals, *paths);
	if (is_refused)
		cmd_show_diag(call, refusals);
	return is_refused;
}

/* https://no-color.org: any value that is not empty means no colours unless they are asked for. */
static bool wants_color(const char *option, int fd)
{
	const char *no_color = getenv("NO_COLOR");

	if (option && !strcmp(option, "always"))
		return true;
	if (option && !strcmp(option, "never"))
		return false;
	return isatty(fd) && !(no_color && *no_color);
}

static enum cmd_status check_arguments(const struct cmd_verb *verb, const struct options *options)
{
	if (options->arg_count < verb->least_args)
		return cmd_usage_error(verb, "%.*s is missing", (int)strcspn(verb->usage, " ."),
				       verb->usage);
	if (options->arg_count > verb->most_args)
		return cmd_usage_error(verb, "one argument too many: \"%s\"",
				       options->args[verb->most_args]);
	return CMD_DONE;
}

static enum cmd_status print_version(void)
{
	struct buf text = { 0 };
	enum cmd_status status;

	buf_puts(&text, "tpc " TPC_VERSION "\n");
	status = cmd_print(&text);
	buf_free(&text);
	return status;
}

static enum cmd_status print_verb_help(const struct cmd_verb *verb)
{
	struct buf text = { 0 };
	enum cmd_status status;

	help_put_verb(verb, &text);
	status = cmd_print(&text);
	buf_free(&text);
	return status;
}

static enum cmd_status run_verb(struct arena *arena, const struct cmd_verb *verb, char **words,
				size_t count)
{
	struct options options;
	const char *wrong = options_parse(arena, verb, words, count, &options);
	struct cmd_call call = { .verb = verb, .arena = arena };
	enum cmd_status status;

	if (options.globals[OPTION_HELP])
		return print_verb_help(verb);
	if (wrong)
		return cmd_usage_error(verb, "%s", wrong);
	if (options.globals[OPTION_VERSION])
		return print_version();
	status = check_arguments(verb, &options);
	if (status != CMD_DONE)
		return status;
	call.args = options.args;
	call.arg_count = options.arg_count;
	call.values = options.values;
	call.format = options.globals[OPTION_FORMAT] &&
				      !strcmp(options.globals[OPTION_FORMAT], "json")
			      ? CMD_JSON
			      : CMD_TEXT;
	call.quiet = options.globals[OPTION_QUIET] != NULL;
	call.verbose = options.globals[OPTION_VERBOSE] != NULL;
	call.color_out = wants_color(options.globals[OPTION_COLOR], STDOUT_FILENO);
	call.color_err = wants_color(options.globals[OPTION_COLOR], STDERR_FILENO);
	return verb->run(&call);
}

static const struct cmd_verb *find_verb(const struct cmd_verb *const *verbs, size_t count,
					const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(verbs[i]->name, name))
			return verbs[i];
	return NULL;
}

static enum cmd_status refuse_verb(const struct cmd_verb *const *verbs, size_t count,
				   const char *word)
{
	const char **names = calloc(count, sizeof(*names));
	const char *nearest = NULL;

	for (size_t i = 0; names && i < count; i++)
		names[i] = verbs[i]->name;
	if (names)
		nearest = suggest_nearest(word, names, count);
	if (nearest)
		cmd_error("no verb \"%s\"; did you mean `tpc %s`?", word, nearest);
	else
		cmd_error("no verb \"%s\"; `tpc --help` lists them", word);
	free(names);
	return CMD_USAGE_WRONG;
}

static bool is_option(const struct cmd_option *option, const char *word)
{
	size_t length = strcspn(word, "=");

	if (word[1] != '-')
		return option->letter && word[1] == option->letter;
	return length == strlen(option->name) + 2 && !strncmp(word + 2, option->name, length - 2);
}

/* An option before the verb. */
static enum cmd_status refuse_option(const struct cmd_verb *const *verbs, size_t count,
				     const char *word)
{
	bool is_known = false;

	for (size_t i = 0; i < OPTION_GLOBALS; i++)
		is_known |= is_option(&option_globals[i], word);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < verbs[i]->option_count; k++)
			is_known |= is_option(&verbs[i]->options[k], word);
	if (is_known)
		cmd_error("options come after the verb: `tpc VERB %s`", word);
	else
		cmd_error("no option %s; `tpc --help` says what there is", word);
	return CMD_USAGE_WRONG;
}

static enum cmd_status print_all_help(const struct cmd_verb *const *verbs, size_t count,
				      bool was_asked)
{
	struct buf text = { 0 };
	enum cmd_status status = CMD_USAGE_WRONG;

	help_put_all(verbs, count, &text);
	if (!was_asked) {
		print_error(&text);
		return status;
	}
	status = cmd_print(&text);
	buf_free(&text);
	return status;
}

static bool is_help(const char *word)
{
	return !strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help");
}

/* `tpc help VERB` is `tpc VERB --help`. */
static enum cmd_status help(const struct cmd_verb *const *verbs, size_t count, const char *word)
{
	const struct cmd_verb *verb = word ? find_verb(verbs, count, word) : NULL;

	if (!word)
		return print_all_help(verbs, count, true);
	if (!verb)
		return refuse_verb(verbs, count, word);
	return print_verb_help(verb);
}

/* A file that is opened later must not get the number of a stream that was closed: what is printed
 * would go into it. Reading and writing fail as on a closed one. */
static void hold_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			return;
}

/* The C library opens the file that TZ names as soon as a date is worked out, and would wait for a
 * pipe. What is no ordinary file is no zone. */
static void drop_strange_zone(void)
{
	const char *zone = getenv("TZ"), *folder = getenv("TZDIR");
	struct stat info;
	char path[PATH_MAX];

	if (!zone)
		return;
	zone += *zone == ':';
	snprintf(path, sizeof(path), "%s%s%s",
		 *zone == '/' ? ""
		 : folder     ? folder
			      : "/usr/share/zoneinfo",
		 *zone == '/' ? "" : "/", zone);
	if (!stat(path, &info) && ordinary_kind(info.st_mode))
		unsetenv("TZ");
}

int cmd_main(const struct cmd_verb *const *verbs, size_t count, int argc, char **argv)
{
	const struct cmd_verb *verb;
	struct arena *arena;
	enum cmd_status status;

	hold_streams();
	drop_strange_zone();
	/* A reader that goes away must not end a verb in the middle of a change. */
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2)
		return print_all_help(verbs, count, false);
	if (is_help(argv[1]))
		return help(verbs, count, argc > 2 ? argv[2] : NULL);
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
		return print_version();
	verb = find_verb(verbs, count, argv[1]);
	if (argv[1][0] == '-') {
		return refuse_option(verbs, count, argv[1]);
	}
	if (!verb)
		return refuse_verb(verbs, count, argv[1]);
	arena = arena_new();
	status = run_verb(arena, verb, argv + 2, (size_t)argc - 2);
	arena_free(arena);
	return status;
}
