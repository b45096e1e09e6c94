/*
 * diag_allow: comments in a policy that allow what would be warned of in their line.
 *
 * In go the files of a policy, out come the codes that their `# allow:` comments name, each with
 * its place. A comment is what YAML takes for one: a '#' at the beginning of a line or behind white
 * space, outside of quotes. Errors cannot be allowed, but for one (diag_may_be_allowed).
 */
#include <ctype.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag_list.h"
#include "base/json.h"
#include "base/suggest.h"

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
static void read_codes(struct diag *diag, const struct source *source, size_t at)
{
	bool more = true;

	while (more) {
		size_t begin = at = skip_blanks(source, at);

		while (at < source->size && is_of_code(source->text[at]))
			at++;
		if (at > begin)
			*arena_append(diag->arena, diag->allows, diag->allow_count) =
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
 * behind a semicolon; elsewhere it is one of the reader's, unless a code comes behind it. */
static size_t read_comment(struct diag *diag, const struct source *source, size_t at)
{
	const char *newline = memchr(source->text + at, '\n', source->size - at);
	size_t end = newline ? (size_t)(newline - source->text) : source->size;
	char before = ';';

	for (size_t word = at + 1; word < end; word++) {
		char last = source->text[word - 1];

		if (is_allow_word(source, word, end) && !isalnum((unsigned char)last) &&
		    (before == ';' || is_code(source, word + strlen(allow_word)))) {
			read_codes(diag, source, word + strlen(allow_word));
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

void diag_read_allows(struct diag *diag, const struct source *source)
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
			at = read_comment(diag, source, at);
		else
			at++;
		before = at ? source->text[at - 1] : '\n';
	}
}

bool diag_is_allowed(struct diag *diag, enum diag_code code, struct span where)
{
	unsigned int line;
	bool is_allowed = false;

	if (!where.source || !diag->allow_count)
		return false;
	line = source_place(where.source, where.begin).line;
	for (size_t i = 0; i < diag->allow_count; i++) {
		struct diag_allow *allow = &diag->allows[i];

		if (allow->code != code || allow->line != line ||
		    allow->span.source != where.source)
			continue;
		allow->is_used = is_allowed = true;
	}
	return is_allowed;
}

/* ---- what they are worth ---- */

static void judge_unknown(struct diag *diag, const struct diag_allow *allow)
{
	const char *names[DIAG_CODE_COUNT], *nearest;
	size_t length = allow->span.end - allow->span.begin, count = 0;
	const char *word =
		arena_strndup(diag->arena, allow->span.source->text + allow->span.begin, length);
	struct diag_record *record;

	for (int code = 0; code < DIAG_CODE_COUNT; code++)
		if (diag_may_be_allowed((enum diag_code)code))
			names[count++] = diag_code_name((enum diag_code)code);
	record = diag_add(diag, DIAG_unneeded_allow, allow->span, "no warning has the code \"%s\"",
			  word);
	nearest = suggest_nearest(word, names, count);
	if (nearest)
		diag_help(record, "did you mean \"%s\"?", nearest);
	else
		diag_help(record, "the code of a warning stands in brackets at its end");
}

/* Is the comment all there is in its line? */
static bool stands_alone(const struct diag_allow *allow)
{
	size_t at = allow->span.begin;

	while (at && allow->span.source->text[at - 1] != '\n')
		at--;
	return allow->span.source->text[skip_blanks(allow->span.source, at)] == '#';
}

static void judge(struct diag *diag, const struct diag_allow *allow)
{
	const char *name;

	if (allow->code == DIAG_CODE_COUNT) {
		judge_unknown(diag, allow);
		return;
	}
	name = diag_code_name(allow->code);
	if (!diag_may_be_allowed(allow->code))
		diag_help(diag_add(diag, DIAG_unneeded_allow, allow->span,
				   "\"%s\" is no warning of a policy, so nothing allows it", name),
			  "fix what it reports, and remove this");
	else
		diag_help(diag_add(diag, DIAG_unneeded_allow, allow->span,
				   "nothing in this line is warned of as \"%s\"", name),
			  stands_alone(allow)
				  ? "it belongs at the end of the next line, if that is the one to allow it in"
				  : "remove it, or put it at the end of the line that the warning names");
}

void diag_judge_allows(struct diag *diag)
{
	for (size_t i = 0; i < diag->allow_count; i++) {
		const struct diag_allow *allow = &diag->allows[i];
		bool was_looked_at = allow->code == DIAG_CODE_COUNT ||
				     diag_code_severity(allow->code) != SEVERITY_NOTE ||
				     diag_wants(diag, NOTES_ALL);

		if (!allow->is_used && was_looked_at && allow->code != DIAG_unneeded_allow)
			judge(diag, allow);
	}
}

static void put_text(const struct diag_record *record, struct buf *out)
{
	buf_printf(out, "%s:%u %s", record->where.source->name,
		   source_place(record->where.source, record->where.begin).line,
		   diag_code_name(record->code));
}

static size_t sort_silenced(const struct diag *diag, const struct diag_record ***sorted)
{
	*sorted = arena_alloc(diag->arena, (diag->silenced_count + 1) * sizeof(**sorted));
	return diag_sort((const struct diag_record *const *)diag->silenced, diag->silenced_count,
			 *sorted);
}

void diag_put_silenced(const struct diag *diag, struct buf *out)
{
	const struct diag_record **sorted;
	size_t count = sort_silenced(diag, &sorted);

	if (!count)
		return;
	buf_printf(out, "%zu silenced (", count);
	for (size_t i = 0; i < count; i++) {
		buf_puts(out, i ? ", " : "");
		put_text(sorted[i], out);
	}
	buf_putc(out, ')');
}

void diag_put_silenced_json(const struct diag *diag, struct json *out, const char *key)
{
	const struct diag_record **sorted;
	size_t count = sort_silenced(diag, &sorted);

	json_list(out, key);
	for (size_t i = 0; i < count; i++) {
		struct span where = sorted[i]->where;

		json_object(out, NULL);
		json_text(out, "file", where.source->name);
		json_number(out, "line", source_place(where.source, where.begin).line);
		json_text(out, "code", diag_code_name(sorted[i]->code));
		json_end(out);
	}
	json_end(out);
}
