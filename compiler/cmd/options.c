/*
 * options: command line words into values and arguments.
 *
 * In goes a verb's table and the words, out come the values of its options by their index and the
 * arguments in their order. The first thing that is wrong ends it, with a message that names the
 * word and, where one is near, the option that was meant.
 */
#include "cmd/options.h"

#include <string.h>

#include "base/arena.h"
#include "base/suggest.h"

static const char *const formats[] = { "text", "json", NULL };
static const char *const colors[] = { "auto", "always", "never", NULL };

const struct cmd_option option_globals[OPTION_GLOBALS] = {
	[OPTION_FORMAT] = { "format", 0, "text|json", "for people or for programs", formats,
			    false },
	[OPTION_COLOR] = { "color", 0, "auto|always|never", "colours in messages", colors, false },
	[OPTION_QUIET] = { "quiet", 'q', NULL, "no message when all is well", NULL, false },
	[OPTION_VERBOSE] = { "verbose", 'v', NULL, "say more", NULL, false },
	[OPTION_HELP] = { "help", 'h', NULL, "show this help", NULL, false },
	[OPTION_VERSION] = { "version", 'V', NULL, "show the version", NULL, false },
};

struct reader {
	struct arena *arena;
	const struct cmd_verb *verb;
	struct options *out;
	char **words;
	size_t count, next;
};

/* An option and where its value goes. */
struct found {
	const struct cmd_option *option;
	const char **value;
};

static bool is_word(const char *name, const char *word, size_t length)
{
	return name && strlen(name) == length && !strncmp(name, word, length);
}

static struct found find_long(const struct reader *reader, const char *name, size_t length)
{
	for (size_t i = 0; i < reader->verb->option_count; i++) {
		const struct cmd_option *option = &reader->verb->options[i];

		if (is_word(option->name, name, length) || is_word(option->alias, name, length))
			return (struct found){ option, &reader->out->values[i] };
	}
	for (size_t i = 0; i < OPTION_GLOBALS; i++)
		if (is_word(option_globals[i].name, name, length))
			return (struct found){ &option_globals[i], &reader->out->globals[i] };
	return (struct found){ NULL, NULL };
}

static struct found find_letter(const struct reader *reader, char letter)
{
	for (size_t i = 0; i < reader->verb->option_count; i++)
		if (reader->verb->options[i].letter == letter)
			return (struct found){ &reader->verb->options[i], &reader->out->values[i] };
	for (size_t i = 0; i < OPTION_GLOBALS; i++)
		if (option_globals[i].letter == letter)
			return (struct found){ &option_globals[i], &reader->out->globals[i] };
	return (struct found){ NULL, NULL };
}

static const char *unknown_long(const struct reader *reader, const char *name)
{
	size_t count = reader->verb->option_count + OPTION_GLOBALS;
	const char **names = arena_alloc(reader->arena, count * sizeof(*names));
	const char *nearest;

	for (size_t i = 0; i < count; i++)
		names[i] = i < OPTION_GLOBALS ? option_globals[i].name
					      : reader->verb->options[i - OPTION_GLOBALS].name;
	nearest = suggest_nearest(name, names, count);
	if (nearest)
		return arena_printf(reader->arena, "no option --%s; did you mean --%s?", name,
				    nearest);
	return arena_printf(reader->arena, "no option --%s", name);
}

static const char *check_choice(const struct reader *reader, const struct cmd_option *option,
				const char *value)
{
	const char *list = "";

	if (!option->choices)
		return NULL;
	for (size_t i = 0; option->choices[i]; i++) {
		if (!strcmp(option->choices[i], value))
			return NULL;
		list = arena_printf(reader->arena, "%s%s%s", list, i ? ", " : "",
				    option->choices[i]);
	}
	return arena_printf(reader->arena, "--%s takes one of %s, not \"%s\"", option->name, list,
			    value);
}

/* `value` is what stood in the same word, or NULL: then the next word is the value. */
static const char *take(struct reader *reader, struct found found, const char *value)
{
	const struct cmd_option *option = found.option;
	const char *wanted;

	if (!option->value) {
		if (value)
			return arena_printf(reader->arena, "--%s takes no value", option->name);
		*found.value = "";
		return NULL;
	}
	if (!value) {
		if (reader->next == reader->count)
			return arena_printf(reader->arena, "--%s needs a value: %s", option->name,
					    option->value);
		value = reader->words[reader->next++];
	}
	*found.value = value;
	wanted = option->refuse ? option->refuse(value) : NULL;
	if (wanted)
		return arena_printf(reader->arena, "--%s takes %s, not \"%s\"", option->name,
				    wanted, value);
	return check_choice(reader, option, value);
}

static const char *read_long(struct reader *reader, const char *word)
{
	const char *equals = strchr(word, '=');
	size_t length = equals ? (size_t)(equals - word) : strlen(word);
	struct found found = find_long(reader, word, length);

	if (!found.option)
		return unknown_long(reader, arena_strndup(reader->arena, word, length));
	return take(reader, found, equals ? equals + 1 : NULL);
}

static const char *read_letters(struct reader *reader, const char *letters)
{
	for (; *letters; letters++) {
		struct found found = find_letter(reader, *letters);
		const char *wrong;

		if (!found.option)
			return arena_printf(reader->arena, "no option -%c", *letters);
		if (found.option->value)
			return take(reader, found, letters[1] ? letters + 1 : NULL);
		wrong = take(reader, found, NULL);
		if (wrong)
			return wrong;
	}
	return NULL;
}

const char *options_parse(struct arena *arena, const struct cmd_verb *verb, char **words,
			  size_t count, struct options *out)
{
	struct reader reader = { arena, verb, out, words, count, 0 };
	const char *wrong = NULL;
	bool only_args = false;

	memset(out, 0, sizeof(*out));
	out->values = arena_alloc(arena, (verb->option_count + 1) * sizeof(*out->values));
	out->args = arena_alloc(arena, (count + 1) * sizeof(*out->args));
	while (!wrong && reader.next < count) {
		const char *word = words[reader.next++];

		if (only_args || word[0] != '-' || word[1] == '\0')
			out->args[out->arg_count++] = word;
		else if (!strcmp(word, "--"))
			only_args = true;
		else if (word[1] == '-')
			wrong = read_long(&reader, word + 2);
		else
			wrong = read_letters(&reader, word + 1);
	}
	return wrong;
}
