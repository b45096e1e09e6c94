/*
 * diag_allow: comments in a policy that allow what would be warned of in their line.
 *
 * In go the files of a policy, out come the codes that their `# allow:` comments name, each with
 * its place. A comment is what YAML takes for one: a '#' at the beginning of a line or after white
 * space, outside of quotes.
 */
#include "base/diag_allow.h"

#include <ctype.h>
#include <string.h>

#include "base/arena.h"
#include "base/source.h"

static const char allow_word[] = "allow:";

static bool is_named(const char *name, const char *text, size_t length)
{
	return strlen(name) == length && !strncmp(name, text, length);
}

static enum diag_code code_named(const char *name, size_t length)
{
	if (is_named("covered-rule", name, length)) /* its name before version 1 */
		return DIAG_shadowed_rule;
	for (int code = 0; code < DIAG_CODE_COUNT; code++) {
		if (is_named(diag_code_name((enum diag_code)code), name, length))
			return (enum diag_code)code;
	}
	return DIAG_CODE_COUNT;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_of_code(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static size_t skip_blanks(const struct source *source, size_t at)
{
	while (at < source->size && is_blank(source->text[at]))
		at++;
	return at;
}

/* Codes with commas between them; what follows without one is the reason. */
static void read_codes(struct diag_allows *allows, const struct source *source, size_t at)
{
	bool more = true;

	while (more) {
		size_t begin = at = skip_blanks(source, at);

		while (at < source->size && is_of_code(source->text[at]))
			at++;
		if (at > begin)
			*arena_append(allows->arena, allows->items, allows->count) =
				(struct diag_allow){
					.span = { source, (uint32_t)begin, (uint32_t)at },
					.line = source_place(source, (uint32_t)begin).line,
					.code = code_named(source->text + begin, at - begin),
				};
		at = skip_blanks(source, at);
		more = at < source->size && source->text[at] == ',';
		at++;
	}
}

static bool is_allow_word(const struct source *source, size_t at, size_t end)
{
	return end - at > strlen(allow_word) &&
	       !strncasecmp(source->text + at, allow_word, strlen(allow_word));
}

/* Does the code of a warning stand there? */
static bool is_code(const struct source *source, size_t at)
{
	size_t begin = at = skip_blanks(source, at);

	while (at < source->size && is_of_code(source->text[at]))
		at++;
	return code_named(source->text + begin, at - begin) != DIAG_CODE_COUNT;
}

/* A comment whose '#' is at `at`. Returns where its line ends. The word stands at its beginning or
 * after a semicolon; elsewhere it is one of the reader's, unless a code comes after it. */
static size_t read_comment(struct diag_allows *allows, const struct source *source, size_t at)
{
	const char *newline = memchr(source->text + at, '\n', source->size - at);
	size_t end = newline ? (size_t)(newline - source->text) : source->size;
	char before = ';';

	for (size_t word = at + 1; word < end; word++) {
		char last = source->text[word - 1];

		if (is_allow_word(source, word, end) && !isalnum((unsigned char)last) &&
		    (before == ';' || is_code(source, word + strlen(allow_word)))) {
			read_codes(allows, source, word + strlen(allow_word));
			break;
		}
		if (!is_blank(source->text[word]))
			before = source->text[word];
	}
	return end;
}

/* Behind the quote that ends a text in quotes. */
static size_t skip_quoted(const struct source *source, size_t at)
{
	char quote = source->text[at++];

	for (; at < source->size; at++) {
		if (quote == '"' && source->text[at] == '\\')
			at++;
		else if (source->text[at] == quote)
			return at + 1;
	}
	return source->size;
}

void diag_allow_read(struct diag_allows *allows, const struct source *source)
{
	char before = '\n';

	if (!memmem(source->text, source->size, "llow:", 5) &&
	    !memmem(source->text, source->size, "LLOW:", 5))
		return;
	for (size_t at = 0; at < source->size;) {
		char c = source->text[at];
		bool begins = isspace((unsigned char)before) || strchr("[{,:", before);

		if ((c == '"' || c == '\'') && begins)
			at = skip_quoted(source, at);
		else if (c == '#' && isspace((unsigned char)before))
			at = read_comment(allows, source, at);
		else
			at++;
		before = at ? source->text[at - 1] : '\n';
	}
}

bool diag_allow_find(const struct diag_allows *allows, enum diag_code code, struct span where)
{
	unsigned int line;
	bool is_allowed = false;

	if (!where.source || !allows->count)
		return false;
	line = source_place(where.source, where.begin).line;
	for (size_t i = 0; i < allows->count; i++) {
		struct diag_allow *allow = &allows->items[i];

		if (allow->code != code || allow->line != line ||
		    allow->span.source != where.source)
			continue;
		allow->is_used = is_allowed = true;
	}
	return is_allowed;
}

bool diag_allow_stands_alone(const struct diag_allow *allow)
{
	size_t at = allow->span.begin;

	while (at && allow->span.source->text[at - 1] != '\n')
		at--;
	return allow->span.source->text[skip_blanks(allow->span.source, at)] == '#';
}
