/*
 * node: the tree's questions.
 */
#include "yaml/node.h"

#include <string.h>

#include "base/arena.h"
#include "base/utf8.h"

bool node_is_null(const struct node *node)
{
	const char *const words[] = { "", "~", "null", "Null", "NULL" };

	if (node->kind != NODE_SCALAR || node->quoted)
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(node->text, words[i]))
			return true;
	return false;
}

struct node_entry *node_find(const struct node *map, const char *key)
{
	if (map->kind != NODE_MAP)
		return NULL;
	for (size_t i = 0; i < map->count; i++)
		if (!strcmp(map->entries[i].key, key))
			return &map->entries[i];
	return NULL;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

/* "-" and decimal digits without a zero before them, or "0x" and hexadecimal ones. */
bool node_text_integer(const char *text, int64_t *out)
{
	bool is_negative = text[0] == '-', is_hex = !strncmp(text, "0x", 2);
	const char *digits = text + (is_negative ? 1 : is_hex ? 2 : 0);
	int base = is_hex ? 16 : 10;
	int64_t value = 0;

	if (!*digits || (!is_hex && digits[0] == '0' && digits[1]))
		return false;
	for (; *digits; digits++) {
		int digit = digit_of(*digits);

		if (digit >= base || __builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return false;
	}
	*out = is_negative ? -value : value;
	return true;
}

bool node_parse_integer(const struct node *node, int64_t *out)
{
	return node->kind == NODE_SCALAR && !node->quoted && node_text_integer(node->text, out);
}

const char *node_describe(const struct node *node)
{
	int64_t number;

	if (node->kind == NODE_MAP)
		return "a mapping";
	if (node->kind == NODE_LIST)
		return "a list";
	if (node_is_null(node))
		return "an empty value";
	if (node->quoted)
		return "text in quotes";
	if (!strcmp(node->text, "true") || !strcmp(node->text, "false"))
		return "true or false";
	if (node_parse_integer(node, &number))
		return "a number";
	return "a word";
}

const char *node_excerpt(struct arena *arena, const char *text, size_t length)
{
	size_t end = length;

	if (length > NODE_EXCERPT) {
		end = NODE_EXCERPT;
		while (end > 0 && !utf8_begins(text[end]))
			end--;
	}
	return arena_printf(arena, "%.*s%s", (int)end, text, end < length ? "..." : "");
}
