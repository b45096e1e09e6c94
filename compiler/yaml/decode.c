/*
 * decode: mappings into structs, by table.
 *
 * In come nodes and tables, out come filled structs and an error for everything that does not fit:
 * all of a mapping's errors, not only the first. Nothing is written for a key that is not there, so
 * a caller sets its defaults before.
 */
#include "yaml/decode.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/suggest.h"

/* More candidates than this are too many to read. */
enum { DECODE_LISTED = 48 };

const struct decode_field *decode_find(const struct decode_table *table, const char *key)
{
	for (size_t i = 0; i < table->count; i++)
		if (*table->fields[i].key == *key && !strcmp(table->fields[i].key, key))
			return &table->fields[i];
	return NULL;
}

static const char *excerpt(struct decode *decode, const char *text)
{
	return node_excerpt(decode->arena, text, strlen(text));
}

static const char *join(struct decode *decode, const char *const *words, size_t count)
{
	struct buf buf = { 0 };

	for (size_t i = 0; i < count; i++)
		buf_printf(&buf, "%s%s", i ? ", " : "", words[i]);
	return buf_keep(decode->arena, &buf);
}

struct diag_record *decode_unknown(struct decode *decode, enum diag_code code, struct span span,
				   const char *what, const char *word,
				   const char *const *candidates, size_t count)
{
	const char *advice = suggest_advice(what, word),
		   *nearest = suggest_nearest(word, candidates, count),
		   *shown = excerpt(decode, word);
	struct diag_record *record;

	record = code == DIAG_unknown_key
			 ? diag_add(decode->diag, code, span, "\"%s\" is no %s", shown, what)
			 : diag_add(decode->diag, code, span, "no %s \"%s\"", what, shown);
	if (advice)
		diag_help(record, "%s", advice);
	else if (nearest)
		diag_help(record, "did you mean \"%s\"?", nearest);
	else if (count && count <= DECODE_LISTED)
		diag_help(record, "there is: %s", join(decode, candidates, count));
	else if (!count)
		diag_help(record, "this policy defines none");
	return record;
}

/* ---- mappings ---- */

static bool is_empty(const struct node *node)
{
	return node->kind == NODE_SCALAR && !strcmp(node_describe(node), "an empty value");
}

/* "{to:x}" is the key "to:x" to YAML, and "{to x}" and "{to=x}" are keys as well. The value that
 * was meant; NULL: it is none of these. *key is what stands before it. */
static const char *value_in_key(struct decode *decode, const struct decode_table *table,
				const char *text, const char **key)
{
	const char *gap = strpbrk(text, ": =");

	if (!gap)
		return NULL;
	*key = arena_strndup(decode->arena, text, (size_t)(gap - text));
	return decode_find(table, *key) ? gap + 1 + strspn(gap + 1, " =") : NULL;
}

static bool lacks_space(struct decode *decode, const struct decode_table *table,
			const struct node_entry *entry)
{
	const char *key, *value = value_in_key(decode, table, entry->key, &key);
	struct diag_record *record;

	if (!value || !is_empty(&entry->value))
		return false;
	record = diag_add(decode->diag, DIAG_unknown_key, entry->key_span,
			  entry->key[strlen(key)] == ':'
				  ? "a space is missing after the colon of \"%s\""
				  : "a colon is missing in \"%s\"",
			  excerpt(decode, entry->key));
	diag_help(record, "write `%s: %s`", key, excerpt(decode, value));
	return true;
}

static const char *const *keys_of(struct decode *decode, const struct decode_table *table)
{
	const char **keys = NULL;
	size_t count = 0;

	for (size_t i = 0; i < table->count; i++)
		*arena_append(decode->arena, keys, count) = table->fields[i].key;
	return keys;
}

static char bare_kind(const char *text)
{
	if (!text[strspn(text, "0123456789")])
		return 'n';
	return strchr(text, ':') || !text[strspn(text, "0123456789.")] ? 'a' : 'w';
}

/* The key that such a value is meant for, or NULL. */
static const char *bare_key(const struct decode_table *table, const char *text)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->fields[i].bare == bare_kind(text))
			return table->fields[i].key;
	return NULL;
}

static void refuse_kind(struct decode *decode, const struct decode_table *table,
			const struct node *node)
{
	struct diag_record *record = diag_add(decode->diag, DIAG_wrong_type, node->span,
					      "`%s` takes a mapping, not %s", table->what,
					      node_describe(node));
	const char *key, *value = node->kind == NODE_SCALAR
					  ? value_in_key(decode, table, node->text, &key)
					  : NULL;

	if (!value && node->kind == NODE_SCALAR && node->length) {
		key = bare_key(table, node->text);
		value = key ? node->text : NULL;
	}
	if (value) {
		diag_help(record, "write {%s: %s}", key, excerpt(decode, value));
		return;
	}
	diag_help(record, "write {KEY: VALUE}; its keys are: %s",
		  join(decode, keys_of(decode, table), table->count));
}

static void refuse_key(struct decode *decode, const struct decode_table *table,
		       const struct node_entry *entry)
{
	if (!lacks_space(decode, table, entry))
		decode_unknown(decode, DIAG_unknown_key, entry->key_span,
			       arena_printf(decode->arena, "key of `%s`", table->what), entry->key,
			       keys_of(decode, table), table->count);
}

static bool decode_entry(struct decode *decode, const struct decode_table *table,
			 const struct node_entry *entry, void *target)
{
	const struct decode_field *field = decode_find(table, entry->key);

	if (!field) {
		refuse_key(decode, table, entry);
		return false;
	}
	return field->read(decode, field, &entry->value, (char *)target + field->offset);
}

/* A key that is not known, and was reported with what to write, may be the one that seems to be
 * missing. */
static bool was_meant(struct decode *decode, const struct decode_table *table,
		      const struct node *node, const struct decode_field *field)
{
	const char *const *keys = keys_of(decode, table);

	for (size_t i = 0; i < node->count; i++) {
		const char *key = node->entries[i].key, *nearest;

		if (decode_find(table, key))
			continue;
		nearest = suggest_nearest(key, keys, table->count);
		if ((nearest && !strcmp(nearest, field->key)) ||
		    suggest_advice(arena_printf(decode->arena, "key of `%s`", table->what), key))
			return true;
	}
	return false;
}

static bool check_required(struct decode *decode, const struct decode_table *table,
			   const struct node *node)
{
	struct span begin = { node->span.source, node->span.begin, node->span.begin + 1 };
	bool good = true;

	for (size_t i = 0; i < table->count; i++) {
		const struct decode_field *field = &table->fields[i];

		if (!field->required || node_find(node, field->key))
			continue;
		good = false;
		if (was_meant(decode, table, node, field))
			continue;
		diag_help(diag_add(decode->diag, DIAG_missing_key, begin, "`%s` lacks the key `%s`",
				   table->what, field->key),
			  "add `%s: ...`", field->key);
	}
	return good;
}

bool decode_map(struct decode *decode, const struct decode_table *table, const struct node *node,
		void *target)
{
	bool good = true;

	if (node->kind != NODE_MAP) {
		refuse_kind(decode, table, node);
		return false;
	}
	for (size_t i = 0; i < node->count; i++)
		good &= decode_entry(decode, table, &node->entries[i], target);
	return check_required(decode, table, node) && good;
}

/* ---- words ---- */

/* A scalar that is not empty, or an error that says what belongs here. */
static bool is_value(struct decode *decode, const struct decode_field *field,
		     const struct node *value, const char *wanted)
{
	struct diag_record *record;

	if (value->kind == NODE_SCALAR && !is_empty(value) && value->length)
		return true;
	record = diag_add(decode->diag, DIAG_wrong_type, value->span, "`%s` takes %s, not %s",
			  field->key, wanted,
			  value->kind == NODE_SCALAR && !value->length ? "an empty value"
								       : node_describe(value));
	if (value->kind == NODE_LIST && value->count == 1 && value->items[0].kind == NODE_SCALAR)
		diag_help(record, "write `%s: %s`", field->key,
			  excerpt(decode, value->items[0].text));
	else
		diag_help(record, "write `%s: VALUE` with %s, or remove the key", field->key,
			  wanted);
	return false;
}

bool decode_text(struct decode *decode, const struct decode_field *field, const struct node *value,
		 void *target)
{
	if (!is_value(decode, field, value, "text"))
		return false;
	if (strpbrk(value->text, "\t\r\n")) {
		diag_help(diag_add(decode->diag, DIAG_bad_value, value->span,
				   "`%s` takes one line without tabs", field->key),
			  "write it in one line, with spaces");
		return false;
	}
	*(const char **)target = value->text;
	return true;
}

static const char *as_bool(const char *text)
{
	static const char *const yes[] = { "yes", "on", "true", "y" }, *const no[] = { "no", "off",
										       "false",
										       "n" };

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (!strcasecmp(text, yes[i]))
			return "true";
		if (!strcasecmp(text, no[i]))
			return "false";
	}
	return NULL;
}

bool decode_bool(struct decode *decode, const struct decode_field *field, const struct node *value,
		 void *target)
{
	struct diag_record *record;
	const char *word;

	if (!is_value(decode, field, value, "true or false"))
		return false;
	word = as_bool(value->text);
	if (!value->quoted && word && !strcmp(value->text, word)) {
		*(bool *)target = *word == 't';
		return true;
	}
	record = diag_add(decode->diag, DIAG_wrong_type, value->span,
			  "`%s` takes true or false, not %s\"%s\"", field->key,
			  value->quoted ? "the text " : "", excerpt(decode, value->text));
	if (word)
		diag_help(record, "write `%s: %s`%s", field->key, word,
			  value->quoted ? ", without quotes" : "");
	else
		diag_help(record, "write `%s: true` or `%s: false`", field->key, field->key);
	return false;
}

bool decode_choice(struct decode *decode, const struct decode_field *field,
		   const struct node *value, void *target)
{
	const char *nearest;
	struct diag_record *record;
	size_t count = 0;

	if (!is_value(decode, field, value, "a word"))
		return false;
	for (; field->choices[count]; count++) {
		if (!strcmp(value->text, field->choices[count])) {
			*(int *)target = (int)count;
			return true;
		}
	}
	record = diag_add(decode->diag, DIAG_bad_value, value->span, "`%s` cannot be \"%s\"",
			  field->key, excerpt(decode, value->text));
	/* Of two letters every word is near every other: "no" is not meant for "on". */
	nearest = value->length > 2 ? suggest_nearest(value->text, field->choices, count) : NULL;
	if (nearest)
		diag_help(record, "did you mean \"%s\"?", nearest);
	diag_help(record, "it is one of: %s", join(decode, field->choices, count));
	return false;
}

static bool is_name_part(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool decode_is_name(const char *text)
{
	size_t length = 0;

	if (text[0] < 'a' || text[0] > 'z')
		return false;
	while (is_name_part(text[length]))
		length++;
	return !text[length] && length <= 31;
}

/* The name that was nearly written, or NULL. */
static const char *fixed_name(struct decode *decode, const char *text)
{
	char *name = arena_strndup(decode->arena, text, strnlen(text, 31));

	for (char *c = name; *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
		else if (!is_name_part(*c))
			*c = '_';
	}
	return decode_is_name(name) ? name : NULL;
}

bool decode_name(struct decode *decode, const struct decode_field *field, const struct node *value,
		 void *target)
{
	struct diag_record *record;
	const char *fixed;

	if (!is_value(decode, field, value, "a name"))
		return false;
	if (decode_is_name(value->text)) {
		*(const char **)target = value->text;
		return true;
	}
	record = diag_add(decode->diag, DIAG_bad_name, value->span, "\"%s\" is no name",
			  excerpt(decode, value->text));
	diag_help(record,
		  "a name begins with a letter a-z and goes on with a-z, 0-9, \"_\" and \"-\", 31 characters at "
		  "most");
	fixed = fixed_name(decode, value->text);
	if (fixed)
		diag_help(record, "for example \"%s\"", fixed);
	return false;
}

bool decode_node(struct decode *decode, const struct decode_field *field, const struct node *value,
		 void *target)
{
	(void)decode;
	(void)field;
	*(const struct node **)target = value;
	return true;
}

/* ---- numbers ---- */

static bool has_bounds(const struct decode_field *field)
{
	return field->least || field->most;
}

static void help_bounds(struct diag_record *record, const struct decode_field *field, bool is_hex)
{
	if (!has_bounds(field))
		diag_help(record, "write a number, decimal or with 0x");
	else if (is_hex && field->least >= 0)
		diag_help(record, "write a number from 0x%llx to 0x%llx",
			  (unsigned long long)field->least, (unsigned long long)field->most);
	else
		diag_help(record, "write a number from %lld to %lld", (long long)field->least,
			  (long long)field->most);
}

/* What it would be if it were written as numbers are here, or NULL: "010", "1_000", "0X1f", "+5",
 * "5.0". */
static const char *fixed_number(struct decode *decode, const char *text)
{
	char *fixed = arena_strdup(decode->arena, text), *to = fixed;
	const char *from = text + (*text == '+');
	int64_t number;

	if (from[0] == '0' && (from[1] == 'x' || from[1] == 'X')) {
		*to++ = '0';
		*to++ = 'x';
		from += 2;
	} else {
		while (from[0] == '0' && from[1])
			from++;
	}
	for (; *from && strcmp(from, ".0"); from++)
		if (*from != '_' && *from != ',')
			*to++ = *from;
	*to = '\0';
	return node_text_integer(fixed, &number) ? fixed : NULL;
}

static void refuse_number(struct decode *decode, const struct decode_field *field,
			  const struct node *value)
{
	const char *fixed = fixed_number(decode, value->text);
	int64_t number;
	struct diag_record *record;

	if (value->quoted && node_text_integer(value->text, &number)) {
		record = diag_add(decode->diag, DIAG_wrong_type, value->span,
				  "`%s` takes a number, and in quotes this is text", field->key);
		diag_help(record, "remove the quotes: %s", value->text);
		return;
	}
	record = diag_add(decode->diag, fixed ? DIAG_bad_value : DIAG_wrong_type, value->span,
			  "`%s` takes a number, not \"%s\"", field->key,
			  excerpt(decode, value->text));
	if (fixed && !value->quoted)
		diag_help(record,
			  "did you mean %s? (no zeros before a number, no sign, no separators)",
			  fixed);
	help_bounds(record, field, false);
}

bool decode_integer(struct decode *decode, const struct decode_field *field,
		    const struct node *value, void *target)
{
	struct diag_record *record;
	int64_t number;

	if (!is_value(decode, field, value, "a number"))
		return false;
	if (!node_parse_integer(value, &number)) {
		refuse_number(decode, field, value);
		return false;
	}
	if (has_bounds(field) && (number < field->least || number > field->most)) {
		record = diag_add(decode->diag, DIAG_bad_value, value->span, "`%s` cannot be %s",
				  field->key, value->text);
		help_bounds(record, field, !strncmp(value->text, "0x", 2));
		return false;
	}
	*(int64_t *)target = number;
	return true;
}
