/*
 * json: see json.h. What is written is a whole JSON value as soon as all that was opened is ended.
 */
#include "base/json.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"

/* ---- strings ---- */

/* \u escapes are UTF-16: two of them for what lies above U+FFFF. */
static void put_escape(struct buf *out, uint32_t code)
{
	const char *short_form = code == '\n'   ? "\\n"
				 : code == '\t' ? "\\t"
				 : code == '\r' ? "\\r"
						: NULL;

	if (short_form)
		buf_puts(out, short_form);
	else if (code > 0xffff)
		buf_printf(out, "\\u%04x\\u%04x", 0xd7c0 + (code >> 10), 0xdc00 + (code & 0x3ff));
	else
		buf_printf(out, "\\u%04x", code);
}

/* How much of the text stands for itself in a string. */
static size_t plain_length(const char *text, size_t length)
{
	size_t at = 0;

	while (at < length && text[at] >= ' ' && text[at] <= '~' && text[at] != '"' &&
	       text[at] != '\\')
		at++;
	return at;
}

void json_put_string(struct buf *out, const char *text, size_t length)
{
	size_t at = 0, size;
	uint32_t code = 0;

	buf_putc(out, '"');
	while (at < length) {
		size = plain_length(text + at, length - at);
		buf_add(out, text + at, size);
		at += size;
		if (at == length)
			break;
		size = utf8_decode(text + at, length - at, &code);
		if (!size)
			buf_puts(out, "\xef\xbf\xbd");
		else if (utf8_is_hidden(code))
			put_escape(out, code);
		else if (code == '"' || code == '\\')
			buf_printf(out, "\\%c", (char)code);
		else
			buf_add(out, text + at, size);
		at += size ? size : 1;
	}
	buf_putc(out, '"');
}

/* ---- the writer ---- */

static void put_line(const struct json *json)
{
	buf_putc(json->out, '\n');
	for (unsigned int i = 0; i < json->depth; i++)
		buf_puts(json->out, "  ");
}

static uint32_t level_bit(const struct json *json)
{
	return UINT32_C(1) << json->depth;
}

/* Do the items of the innermost level stand on lines of their own? */
static bool has_lines(const struct json *json)
{
	return json->is_wide &&
	       (json->depth == 1 || (json->depth == 2 && json->is_list & level_bit(json)));
}

/* The comma before an item, where one belongs, and its line. */
static void begin_item(struct json *json)
{
	bool is_first = !(json->has_items & level_bit(json));

	if (!is_first)
		buf_putc(json->out, ',');
	if (has_lines(json))
		put_line(json);
	else if (!is_first && json->is_wide)
		buf_putc(json->out, ' ');
	json->has_items |= level_bit(json);
}

static void begin_value(struct json *json, const char *key)
{
	begin_item(json);
	if (!key)
		return;
	buf_putc(json->out, '"');
	buf_puts(json->out, key);
	buf_puts(json->out, json->is_wide ? "\": " : "\":");
}

static void open_level(struct json *json, const char *key, bool is_list)
{
	uint32_t bit;

	begin_value(json, key);
	buf_putc(json->out, is_list ? '[' : '{');
	json->depth++;
	assert(json->depth < 32);
	bit = level_bit(json);
	json->has_items &= ~bit;
	json->is_list = is_list ? json->is_list | bit : json->is_list & ~bit;
}

void json_object(struct json *json, const char *key)
{
	open_level(json, key, false);
}

void json_list(struct json *json, const char *key)
{
	open_level(json, key, true);
}

void json_end(struct json *json)
{
	bool is_list = json->is_list & level_bit(json);
	bool ends_line = has_lines(json) && json->has_items & level_bit(json);

	json->depth--;
	if (ends_line)
		put_line(json);
	buf_putc(json->out, is_list ? ']' : '}');
}

void json_text(struct json *json, const char *key, const char *text)
{
	begin_value(json, key);
	if (text)
		json_put_string(json->out, text, strlen(text));
	else
		buf_puts(json->out, "null");
}

/* Without a format: an explained batch has many numbers. */
void json_number(struct json *json, const char *key, uint64_t number)
{
	char text[20], *at = text + sizeof(text);

	begin_value(json, key);
	do
		*--at = (char)('0' + number % 10);
	while (number /= 10);
	buf_add(json->out, at, (size_t)(text + sizeof(text) - at));
}

void json_number_or_null(struct json *json, const char *key, uint64_t number)
{
	if (number)
		json_number(json, key, number);
	else
		json_null(json, key);
}

void json_bool(struct json *json, const char *key, bool is_true)
{
	begin_value(json, key);
	buf_puts(json->out, is_true ? "true" : "false");
}

void json_null(struct json *json, const char *key)
{
	begin_value(json, key);
	buf_puts(json->out, "null");
}

void json_raw(struct json *json, const char *items)
{
	begin_item(json);
	buf_puts(json->out, items);
}
