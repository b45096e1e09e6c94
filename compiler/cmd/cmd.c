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
#include "base/report.h"
#include "base/shown.h"
#include "base/suggest.h"
#include "cmd/help.h"
#include "cmd/options.h"
#include "emit/emit.h"
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

enum cmd_status cmd_print(const struct cmd_call *call, const struct buf *text)
{
	if (write_whole(STDOUT_FILENO, text))
		return CMD_DONE;
	if (errno != EPIPE)
		cmd_error(call, DIAG_output_write, NULL, "cannot write to standard output: %s",
			  strerror(errno));
	return CMD_SYSTEM_REFUSED;
}

enum cmd_status cmd_print_text(const struct cmd_call *call, const struct buf *text)
{
	struct buf shown = { 0 };
	enum cmd_status status;

	if (call->format == CMD_JSON)
		return cmd_print(call, text);
	shown_lines(&shown, buf_text(text), text->length);
	status = cmd_print(call, &shown);
	buf_free(&shown);
	return status;
}

/* Messages are one write each, so that lines of several programs do not mix. There is no place
 * to report that it fails. */
static void print_error(struct buf *text)
{
	if (!write_whole(STDERR_FILENO, text))
		errno = 0;
	buf_free(text);
}

static struct diag_style error_style(const struct cmd_call *call)
{
	return (struct diag_style){ .color = call->color_err, .json = call->format == CMD_JSON };
}

static void show_record(const struct cmd_call *call, const struct diag_record *record)
{
	struct buf text = { 0 };

	diag_record_show(record, &text, error_style(call));
	print_error(&text);
}

void cmd_error(const struct cmd_call *call, enum diag_code code, const char *help,
	       const char *format, ...)
{
	struct diag_record *record;
	va_list args;

	va_start(args, format);
	record = diag_record_new(call->arena, code, format, args);
	va_end(args);
	diag_help_text(record, help);
	show_record(call, record);
}

enum cmd_status cmd_usage_error(const struct cmd_call *call, const char *format, ...)
{
	struct diag_record *record;
	va_list args;

	va_start(args, format);
	record = diag_record_new(call->arena, DIAG_usage, format, args);
	va_end(args);
	diag_help(record, "%s", help_usage(call->verb, call->arena));
	diag_help(record, "`tpc %s --help` lists the options", call->verb->name);
	show_record(call, record);
	return CMD_USAGE_WRONG;
}

bool cmd_print_done(const struct cmd_call *call, const struct buf *text, bool is_error,
		    const char *done, const char *next)
{
	struct report report = { .arena = call->arena };
	struct diag_record *record;

	if (write_whole(STDOUT_FILENO, text))
		return true;
	record = report_add(&report, is_error ? SEVERITY_ERROR : SEVERITY_WARNING,
			    DIAG_output_write, "%s, but standard output could not be written: %s",
			    done, strerror(errno));
	diag_help_text(record, next);
	show_record(call, record);
	return false;
}

void cmd_show_diag(const struct cmd_call *call, const struct diag *diag)
{
	struct buf text = { 0 };

	diag_render(diag, &text, error_style(call));
	print_error(&text);
}

struct ir *cmd_compile(struct arena *arena, struct diag *diag, const char *path,
		       const struct lang_host *host)
{
	struct ir *ir = lang_compile(arena, diag, path, host);

	if (ir)
		emit_check(arena, diag, ir);
	return diag_error_count(diag) ? NULL : ir;
}

struct ir *cmd_compile_policy(struct cmd_call *call, const char *path, const struct lang_host *host)
{
	struct diag *diag = diag_new(call->arena);
	struct ir *ir;

	call->diag = diag;
	diag_configure(diag, call->strict, call->verbose ? NOTES_ALL : NOTES_NONE);
	ir = cmd_compile(call->arena, diag, path, host);
	cmd_show_diag(call, diag);
	return ir;
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

static enum cmd_status check_arguments(const struct cmd_call *call)
{
	const struct cmd_verb *verb = call->verb;

	if (call->arg_count < verb->least_args)
		return cmd_usage_error(call, "%.*s is missing", (int)strcspn(verb->usage, " ."),
				       verb->usage);
	if (call->arg_count > verb->most_args)
		return cmd_usage_error(call, "one argument too many: \"%s\"",
				       call->args[verb->most_args]);
	return CMD_DONE;
}

static enum cmd_status print_version(const struct cmd_call *call)
{
	struct buf text = { 0 };
	enum cmd_status status;

	buf_puts(&text, "tpc " TPC_VERSION "\n");
	status = cmd_print(call, &text);
	buf_free(&text);
	return status;
}

static enum cmd_status print_verb_help(const struct cmd_call *call)
{
	struct buf text = { 0 };
	enum cmd_status status;

	help_put_verb(call->verb, call->arena, &text);
	status = cmd_print(call, &text);
	buf_free(&text);
	return status;
}

static enum cmd_status run_verb(struct arena *arena, const struct cmd_verb *verb, char **words,
				size_t count)
{
	struct options options;
	const char *wrong = options_parse(arena, verb, words, count, &options);
	const char *format = options.globals[OPTION_FORMAT], *color = options.globals[OPTION_COLOR];
	struct cmd_call call = {
		.verb = verb,
		.arena = arena,
		.args = options.args,
		.arg_count = options.arg_count,
		.values = options.values,
		.format = format && !strcmp(format, "json") ? CMD_JSON : CMD_TEXT,
		.quiet = options.globals[OPTION_QUIET] != NULL,
		.verbose = options.globals[OPTION_VERBOSE] != NULL,
		.color_out = wants_color(color, STDOUT_FILENO),
		.color_err = wants_color(color, STDERR_FILENO),
	};
	enum cmd_status status;

	if (options.globals[OPTION_HELP])
		return print_verb_help(&call);
	if (wrong)
		return cmd_usage_error(&call, "%s", wrong);
	if (options.globals[OPTION_VERSION])
		return print_version(&call);
	status = check_arguments(&call);
	return status == CMD_DONE ? verb->run(&call) : status;
}

static const struct cmd_verb *find_verb(const struct cmd_verb *const *verbs, size_t count,
					const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(verbs[i]->name, name))
			return verbs[i];
	return NULL;
}

static enum cmd_status refuse_verb(const struct cmd_call *call, const struct cmd_verb *const *verbs,
				   size_t count, const char *word)
{
	const char **names = calloc(count, sizeof(*names));
	const char *nearest = NULL;

	for (size_t i = 0; names && i < count; i++)
		names[i] = verbs[i]->name;
	if (names)
		nearest = suggest_nearest(word, names, count);
	if (nearest)
		cmd_error(call, DIAG_usage, NULL, "no verb \"%s\"; did you mean `tpc %s`?", word,
			  nearest);
	else
		cmd_error(call, DIAG_usage, "`tpc --help` lists them", "no verb \"%s\"", word);
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
static enum cmd_status refuse_option(const struct cmd_call *call,
				     const struct cmd_verb *const *verbs, size_t count,
				     const char *word)
{
	bool is_known = false;

	for (size_t i = 0; i < OPTION_GLOBALS; i++)
		is_known |= is_option(&option_globals[i], word);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < verbs[i]->option_count; k++)
			is_known |= is_option(&verbs[i]->options[k], word);
	if (is_known)
		cmd_error(call, DIAG_usage, NULL, "options come after the verb: `tpc VERB %s`",
			  word);
	else
		cmd_error(call, DIAG_usage, "`tpc --help` lists them", "no option %s", word);
	return CMD_USAGE_WRONG;
}

static enum cmd_status print_all_help(const struct cmd_call *call,
				      const struct cmd_verb *const *verbs, size_t count,
				      bool was_asked)
{
	struct buf text = { 0 };
	enum cmd_status status = CMD_USAGE_WRONG;

	help_put_all(verbs, count, &text);
	if (!was_asked) {
		print_error(&text);
		return status;
	}
	status = cmd_print(call, &text);
	buf_free(&text);
	return status;
}

static bool is_help(const char *word)
{
	return !strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help");
}

/* `tpc help VERB` is `tpc VERB --help`. */
static enum cmd_status help(struct cmd_call *call, const struct cmd_verb *const *verbs,
			    size_t count, const char *word)
{
	call->verb = word ? find_verb(verbs, count, word) : NULL;
	if (!word)
		return print_all_help(call, verbs, count, true);
	if (!call->verb)
		return refuse_verb(call, verbs, count, word);
	return print_verb_help(call);
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

static enum cmd_status run(struct cmd_call *call, const struct cmd_verb *const *verbs, size_t count,
			   int argc, char **argv)
{
	const struct cmd_verb *verb;

	if (argc < 2)
		return print_all_help(call, verbs, count, false);
	if (is_help(argv[1]))
		return help(call, verbs, count, argc > 2 ? argv[2] : NULL);
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
		return print_version(call);
	if (argv[1][0] == '-')
		return refuse_option(call, verbs, count, argv[1]);
	verb = find_verb(verbs, count, argv[1]);
	if (!verb)
		return refuse_verb(call, verbs, count, argv[1]);
	return run_verb(call->arena, verb, argv + 2, (size_t)argc - 2);
}

int cmd_main(const struct cmd_verb *const *verbs, size_t count, int argc, char **argv)
{
	struct cmd_call call = { .color_err = wants_color(NULL, STDERR_FILENO) };
	enum cmd_status status;

	hold_streams();
	drop_strange_zone();
	/* A reader that goes away must not end a verb in the middle of a change. */
	signal(SIGPIPE, SIG_IGN);
	call.arena = arena_new();
	status = run(&call, verbs, count, argc, argv);
	arena_free(call.arena);
	return status;
}
