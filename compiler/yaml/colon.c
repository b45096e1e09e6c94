/*
 * colon: the shape of addresses with a colon at their edge.
 *
 * Only shapes count (hexadecimal digits, ':', '.', '/', '-', and "::" somewhere); whether
 * the address is right is for others to say, once it is in quotes.
 */
#include "yaml/colon.h"

#include <string.h>

#include "addr/addr.h"

static bool is_part(char c)
{
	return c && strchr("0123456789abcdefABCDEF:./-", c);
}

bool colon_is_address(const char *text, size_t length)
{
	if (length < 2 || !memmem(text, length, "::", 2) || memmem(text, length, ":::", 3))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_part(text[i]))
			return false;
	return text[0] == ':' || text[length - 1] == ':';
}

/* The stretch of address characters around `at`. */
static void stretch(const char *text, size_t size, size_t at, size_t *begin, size_t *end)
{
	*begin = *end = at;
	while (*begin > 0 && is_part(text[*begin - 1]))
		--*begin;
	while (*end < size && is_part(text[*end]))
		++*end;
}

bool colon_find(const char *text, size_t size, size_t at, size_t *begin, size_t *end)
{
	size_t length;

	stretch(text, size, at, begin, end);
	length = *end - *begin;
	/* In "::1: x" and "fd00::: x" the last colon is YAML's own. */
	if (length > 2 && text[*end - 1] == ':' && (text[*end - 2] != ':' || text[*end - 3] == ':'))
		--*end;
	return at < *end && colon_is_address(text + *begin, *end - *begin);
}

/* From the '[' at `open`: "[address]:port". */
static bool bracketed(const char *text, size_t size, size_t open, size_t *end)
{
	size_t begin, close, at;

	stretch(text, size, open + 1, &begin, &close);
	if (!memmem(text + begin, close - begin, "::", 2) || close + 2 >= size ||
	    memcmp(text + close, "]:", 2))
		return false;
	for (at = close + 2; at < size && addr_is_digit(text[at]); at++)
		;
	*end = at;
	return at > close + 2;
}

bool colon_find_bracketed(const char *text, size_t size, size_t at, size_t *begin, size_t *end)
{
	size_t open = at;

	if (open > 0 && text[open - 1] == ']')
		open--;
	while (open > 0 && is_part(text[open - 1]))
		open--;
	if (open == 0 || text[open - 1] != '[')
		return false;
	*begin = open - 1;
	return bracketed(text, size, *begin, end) && at < *end;
}
