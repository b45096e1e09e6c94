/*
 * help: the tables of verbs and options as text for a person. Nothing is said here that the tables
 * do not say.
 */
#include "cmd/help.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "cmd/cmd.h"
#include "cmd/options.h"

enum { WIDTH = 90 };

const char *help_usage(const struct cmd_verb *verb, struct arena *arena)
{
	return arena_printf(arena, "usage: tpc %s [OPTIONS]%s%s", verb->name,
			    *verb->usage ? " " : "", verb->usage);
}

static void put_option(const struct cmd_option *option, struct buf *out)
{
	size_t start = out->length;

	if (option->hidden)
		return;
	if (option->letter)
		buf_printf(out, "  -%c, --%s", option->letter, option->name);
	else
		buf_printf(out, "      --%s", option->name);
	if (option->value)
		buf_printf(out, " %s", option->value);
	do
		buf_putc(out, ' ');
	while (out->length - start < 34);
	buf_printf(out, "%s\n", option->help);
}

static bool has_shown(const struct cmd_verb *verb)
{
	for (size_t i = 0; i < verb->option_count; i++)
		if (!verb->options[i].hidden)
			return true;
	return false;
}

static void put_globals(struct buf *out)
{
	buf_puts(out, "\nOptions of every verb:\n");
	for (size_t i = 0; i < OPTION_GLOBALS; i++)
		put_option(&option_globals[i], out);
}

static void put_statuses(struct buf *out)
{
	buf_puts(out,
		 "\nExit status: 0 done; 1 the policy is wrong; 2 wrong usage; 3 the system refused and nothing\n"
		 "changed; 4 the system is in doubt (the message says what to run); 5 a difference was found.\n");
}

void help_put_wrapped(const char *text, struct buf *out)
{
	size_t column = 0;

	while (*text) {
		size_t length = strcspn(text, " \n");

		if (column && column + 1 + length > WIDTH) {
			buf_putc(out, '\n');
			column = 0;
		} else if (column) {
			buf_putc(out, ' ');
			column++;
		}
		buf_add(out, text, length);
		column += length;
		text += length;
		text += strspn(text, " \n");
	}
	buf_putc(out, '\n');
}

void help_put_verb(const struct cmd_verb *verb, struct arena *arena, struct buf *out)
{
	buf_printf(out, "%s\n\ntpc %s: %s.\n", help_usage(verb, arena), verb->name, verb->summary);
	if (verb->detail) {
		buf_putc(out, '\n');
		help_put_wrapped(verb->detail, out);
	}
	if (verb->put_list) {
		buf_putc(out, '\n');
		verb->put_list(out);
	}
	if (has_shown(verb))
		buf_puts(out, "\nOptions:\n");
	for (size_t i = 0; i < verb->option_count; i++)
		put_option(&verb->options[i], out);
	put_globals(out);
	put_statuses(out);
}

void help_put_all(const struct cmd_verb *const *verbs, size_t count, struct buf *out)
{
	buf_puts(out,
		 "usage: tpc VERB [OPTION]... [ARGUMENT]...\n\n"
		 "Compiles a traffic policy to nftables rules, ip rules and routes, and applies it.\n\nVerbs:\n");
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
	put_globals(out);
	put_statuses(out);
	buf_puts(out,
		 "\n`tpc VERB --help` says more about a verb. A policy may be `-`, standard input.\n");
}
