/*
 * mistake: libyaml's errors, reported so that a person can fix them.
 *
 * In comes what libyaml said and where, out comes one error. A table maps libyaml's words (0.1.4 to
 * 0.2.5 have the same) to functions that look at the text around the place; what the table does not
 * know is shown in libyaml's own words.
 */
#include "yaml/mistake.h"

#include <string.h>

#include "base/diag.h"
#include "base/utf8.h"
#include "yaml/node.h"

/* ---- the text around a place ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool ends_line(char c)
{
	return c == '\n' || c == '\r' || c == '\0';
}

static struct span span_of(const struct mistake *m, uint32_t begin, uint32_t end)
{
	return (struct span){ m->source, begin, end };
}

/* One character, none at the end of the text. */
static struct span character(const struct mistake *m, uint32_t at)
{
	uint32_t end = at;

	while (end < m->source->size && (end == at || !utf8_begins(m->source->text[end])))
		end++;
	return span_of(m, at, end);
}

/* Up to white space or, inside brackets, to what separates there. */
static struct span word(const struct mistake *m, uint32_t at)
{
	const char *text = m->source->text;
	const char *stops = m->has_opener ? ",[]{}" : "";
	uint32_t end = at;

	while (end < m->source->size && !is_blank(text[end]) && !ends_line(text[end]) &&
	       !strchr(stops, text[end]))
		end++;
	return end > at ? span_of(m, at, end) : character(m, at);
}

/* Up to the end of the line, without the white space there. */
static struct span rest_of_line(const struct mistake *m, uint32_t at)
{
	const char *text = m->source->text;
	uint32_t end = at;

	while (!ends_line(text[end]))
		end++;
	while (end > at && is_blank(text[end - 1]))
		end--;
	return span_of(m, at, end);
}

static uint32_t line_begin(const struct mistake *m, uint32_t at)
{
	while (at > 0 && !ends_line(m->source->text[at - 1]))
		at--;
	return at;
}

/* Where the first word of the line is. */
static uint32_t line_text(const struct mistake *m, uint32_t at)
{
	at = line_begin(m, at);
	while (is_blank(m->source->text[at]))
		at++;
	return at;
}

/* The first word of the last line before this one that has words, or false. */
static bool line_before(const struct mistake *m, uint32_t at, uint32_t *before)
{
	while ((at = line_begin(m, at)) > 0) {
		*before = line_text(m, --at);
		if (!ends_line(m->source->text[*before]) && m->source->text[*before] != '#')
			return true;
	}
	return false;
}

/* Is there nothing left but white space? */
static bool is_at_end(const struct mistake *m)
{
	return m->at + strspn(m->source->text + m->at, " \t\r\n") >= m->source->size;
}

static struct diag_record *add(const struct mistake *m, struct span span, const char *text)
{
	return diag_add(m->diag, DIAG_yaml_syntax, span, "%s", text);
}

static const char *text_of(const struct mistake *m, struct span span)
{
	return node_excerpt(m->arena, m->source->text + span.begin, span.end - span.begin);
}

/* ---- the mistakes ---- */

static void tab(const struct mistake *m)
{
	diag_help(add(m, character(m, m->at), "a tab in the indentation"), "indent with spaces");
}

static void bad_start(const struct mistake *m)
{
	struct span span = word(m, m->at);
	struct diag_record *record;

	if (m->source->text[m->at] == '\t') {
		tab(m);
		return;
	}
	record = diag_add(m->diag, DIAG_yaml_syntax, span, "no word can begin with \"%s\"",
			  text_of(m, character(m, m->at)));
	diag_help(record, "put it in quotes: \"%s\"", text_of(m, span));
}

static void no_colon(const struct mistake *m)
{
	struct span span = rest_of_line(m, m->from);
	struct diag_record *record = add(m, span, "a key without a colon");

	diag_help(record, "write `key: value`, or `- item` in a list");
}

static void list_in_line(const struct mistake *m)
{
	diag_help(add(m, character(m, m->at), "a list item cannot begin here"),
		  "write every `- item` on a line of its own below the key, or the whole list as [a, b]");
}

static void question_mark(const struct mistake *m)
{
	diag_help(add(m, character(m, m->at), "a \"?\" cannot stand here"),
		  "text that begins with \"?\" goes in quotes");
}

/* A colon in a line that has a key and its colon already. */
static bool has_earlier_colon(const struct mistake *m)
{
	for (uint32_t at = line_text(m, m->at); at + 1 < m->at; at++)
		if (m->source->text[at] == ':' && is_blank(m->source->text[at + 1]))
			return true;
	return false;
}

static bool line_has_colon(const struct mistake *m, uint32_t at)
{
	struct span line = rest_of_line(m, at);

	for (; at < line.end; at++)
		if (m->source->text[at] == ':' &&
		    (at + 1 == line.end || is_blank(m->source->text[at + 1])))
			return true;
	return false;
}

/* A key where libyaml is in the middle of a value: of the same line, or of one above. */
static void colon_in_value(const struct mistake *m)
{
	uint32_t before;
	struct diag_record *record;

	if (has_earlier_colon(m) || !line_before(m, m->at, &before)) {
		record = add(m, character(m, m->at), "a second colon in one value");
		diag_help(record, "put the value in quotes, or, if it is a mapping, in { }");
	} else if (line_has_colon(m, before)) {
		record = add(m, rest_of_line(m, line_text(m, m->at)),
			     "this line is indented deeper than the one it follows");
		diag_also(record, rest_of_line(m, before), "that one has its value already");
		diag_help(record,
			  "indent both alike, or leave nothing but the key and its colon in the first");
	} else {
		record = add(m, rest_of_line(m, before), "a key without a colon");
		diag_help(record, "write `key: value`, with a space after the colon");
	}
}

static void open_quote(const struct mistake *m)
{
	struct diag_record *record = add(m, character(m, m->from), "this quote is never closed");

	diag_also(record, character(m, m->at), "the text ends here");
	diag_help(record, "write the same quote again where the value ends");
}

static void bad_escape(const struct mistake *m)
{
	uint32_t begin = m->at;

	while (begin > m->from && m->source->text[begin] != '\\')
		begin--;
	diag_help(add(m, span_of(m, begin, character(m, begin == m->at ? begin + 1 : m->at).end),
		      "this is no escape"),
		  "a backslash in \"double quotes\" is written \\\\; in 'single quotes' it means itself");
}

static void colon_at_end(const struct mistake *m)
{
	struct span span = word(m, m->from);

	diag_help(add(m, span, "a word inside [ ] or { } cannot end in a colon"),
		  "write a space and the value after the colon, or put the word in quotes");
}

/* '*' and '&' that begin no name of an alias or anchor: more likely a pattern. */
static void bad_alias(const struct mistake *m)
{
	struct span span = word(m, m->from);
	struct diag_record *record = diag_add(m->diag, DIAG_yaml_feature, span,
					      "YAML takes \"%s\" for an %s", text_of(m, span),
					      m->source->text[m->from] == '*' ? "alias" : "anchor");

	diag_help(record, "put it in quotes: \"%s\"", text_of(m, span));
}

static void bad_tag(const struct mistake *m)
{
	struct span span = word(m, m->from);
	struct diag_record *record = diag_add(m->diag, DIAG_yaml_feature, span,
					      "a policy has no tags: \"%s\"", text_of(m, span));

	diag_help(record, "remove the tag; text that begins with \"!\" goes in quotes");
}

static void bad_directive(const struct mistake *m)
{
	struct span span = rest_of_line(m, line_begin(m, m->at));
	struct diag_record *record = diag_add(m->diag, DIAG_yaml_feature, span,
					      "a policy has no directives: \"%s\"",
					      text_of(m, span));

	diag_help(record, "remove the line");
}

static void block_scalar(const struct mistake *m)
{
	diag_help(add(m, word(m, m->from), "text after \"|\" or \">\" begins on the next line"),
		  "if the sign is part of the value, put the value in quotes");
}

static const char *closer(const struct mistake *m)
{
	return m->source->text[m->opener] == '{' ? "}" : "]";
}

/* Back from a colon to the beginning of its key. */
static uint32_t key_before(const struct mistake *m)
{
	uint32_t at = m->at;

	if (m->source->text[at] == ':')
		while (at > 0 && !strchr(" \t\r\n,[]{}", m->source->text[at - 1]))
			at--;
	return at;
}

static void open_bracket(const struct mistake *m, uint32_t opener)
{
	struct diag_record *record = diag_add(m->diag, DIAG_yaml_syntax, character(m, opener),
					      "this \"%s\" is not closed",
					      text_of(m, character(m, opener)));

	if (is_at_end(m))
		diag_also(record, character(m, m->at), "the text ends here");
	else
		diag_also(record, word(m, key_before(m)), "and this cannot be inside");
	diag_help(record, "write \"%s\" after the last item, and a comma between items", closer(m));
}

static void no_comma(const struct mistake *m)
{
	uint32_t opener = m->has_opener ? m->opener : m->from;
	struct diag_record *record;

	if (is_at_end(m) || line_begin(m, opener) != line_begin(m, m->at)) {
		open_bracket(m, opener);
		return;
	}
	record = diag_add(m->diag, DIAG_yaml_syntax, word(m, key_before(m)),
			  "a comma or \"%s\" is missing before this", closer(m));
	diag_also(record, character(m, opener), "opened here");
	diag_help(record,
		  "write a comma between items; text with a colon or a bracket in it goes in quotes");
}

static void no_value(const struct mistake *m)
{
	struct span span = word(m, m->at);

	if (m->has_opener && is_at_end(m))
		open_bracket(m, m->opener);
	else if (strchr("?-:", m->source->text[m->at]) && span.end > span.begin + 1)
		bad_start(m);
	else if (m->source->text[m->at] == ':')
		diag_help(add(m, span, "a colon without a key"), "write `key: value`");
	else
		diag_help(add(m, character(m, m->at), "a value is missing here"),
			  "write the value, or remove what is too much");
}

/* In a block: either the indentation fits nothing, or something follows a finished value. */
static void no_key(const struct mistake *m)
{
	uint32_t first = line_text(m, m->at), before;
	struct diag_record *record;

	if (first != m->at) {
		record = add(m, rest_of_line(m, m->at), "this follows the end of a value");
		diag_help(record, "remove it, or put the whole value in quotes");
		return;
	}
	if (m->source->text[m->at] == ':') {
		diag_help(add(m, character(m, m->at), "a colon without a key"),
			  "write `key: value`");
		return;
	}
	record = add(m, rest_of_line(m, m->at),
		     "the indentation of this line fits none of those above");
	if (line_before(m, m->at, &before))
		diag_also(record, rest_of_line(m, before), "the line before");
	diag_help(record,
		  "keys of one mapping, and the \"-\" of one list, begin in the same column");
}

static void after_the_end(const struct mistake *m)
{
	diag_help(add(m, rest_of_line(m, m->at), "this follows the end of the policy"),
		  "a policy is one mapping; is there a bracket or a \"...\" too early?");
}

static void other(const struct mistake *m)
{
	struct diag_record *record =
		diag_add(m->diag, DIAG_yaml_syntax, word(m, m->at), "this is not YAML: %s%s%s",
			 m->context ? m->context : "", m->context ? ", " : "", m->problem);

	diag_help(record, "if the text is meant as it stands, put it in quotes");
}

void mistake_report(const struct mistake *mistake)
{
	/* The first row whose words begin libyaml's is taken; context is only compared where it is
	 * given. */
	static const struct {
		const char *problem, *context;
		void (*report)(const struct mistake *m);
	} rows[] = {
		{ "found a tab character", NULL, tab },
		{ "found character that cannot start any token", NULL, bad_start },
		{ "could not find expected ':'", NULL, no_colon },
		{ "block sequence entries are not allowed", NULL, list_in_line },
		{ "mapping keys are not allowed", NULL, question_mark },
		{ "mapping values are not allowed", NULL, colon_in_value },
		{ "found unexpected end of stream", NULL, open_quote },
		{ "found unexpected document indicator", NULL, open_quote },
		{ "", "while parsing a quoted scalar", bad_escape },
		{ "found unexpected ':'", NULL, colon_at_end },
		{ "", "while scanning an alias", bad_alias },
		{ "", "while scanning an anchor", bad_alias },
		{ "", "while scanning a tag", bad_tag },
		{ "", "while parsing a tag", bad_tag },
		{ "found undefined tag handle", NULL, bad_tag },
		{ "", "while scanning a directive", bad_directive },
		{ "", "while scanning a %YAML directive", bad_directive },
		{ "", "while scanning a tag directive", bad_directive },
		{ "", "while scanning a %TAG directive", bad_directive },
		{ "", "while parsing a %TAG directive", bad_directive },
		{ "found duplicate %", NULL, bad_directive },
		{ "found incompatible YAML document", NULL, bad_directive },
		{ "", "while scanning a block scalar", block_scalar },
		{ "did not find expected ',' or", NULL, no_comma },
		{ "did not find expected node content", NULL, no_value },
		{ "did not find expected key", NULL, no_key },
		{ "did not find expected '-' indicator", NULL, no_key },
		{ "did not find expected <document start>", NULL, after_the_end },
		{ "", NULL, other },
	};
	const char *context = mistake->context ? mistake->context : "";
	size_t row = 0;

	while (strncmp(mistake->problem, rows[row].problem, strlen(rows[row].problem)) ||
	       (rows[row].context && strcmp(context, rows[row].context)))
		row++;
	rows[row].report(mistake);
}
