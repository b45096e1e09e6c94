/*
 * encoding: checks every byte of a text before anything else reads it.
 *
 * What passes is UTF-8 without NUL, control characters (but tab, LF and CR), byte order marks or
 * Unicode's own line ends. libyaml stops at the first of these and says little; here each gets its
 * place.
 */
#include "yaml/encoding.h"

#include <string.h>

#include "base/diag.h"
#include "base/source.h"
#include "base/utf8.h"

enum { ENCODING_ERRORS = 20 };

const char *encoding_refuses(uint32_t c)
{
	if (c == 0)
		return "a NUL character";
	if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
		return "a control character";
	if (c >= 0x7f && c <= 0x9f)
		return "a control character";
	if (c == 0xfeff)
		return "a byte order mark inside the text";
	if (c == 0x2028 || c == 0x2029)
		return "a line end that only Unicode knows";
	if (c == 0xfffe || c == 0xffff)
		return "not a character";
	return NULL;
}

/* UTF-16 would be an error a byte; one says it all. */
static bool refuse_utf16(struct diag *diag, const struct source *source)
{
	struct diag_record *record;

	if (source->size < 2 ||
	    (memcmp(source->text, "\xff\xfe", 2) && memcmp(source->text, "\xfe\xff", 2)))
		return false;
	record =
		diag_add(diag, DIAG_encoding, (struct span){ source, 0, 2 }, "this file is UTF-16");
	diag_help(record, "save it as UTF-8");
	return true;
}

static void report_byte(struct diag *diag, struct span span)
{
	unsigned char byte = (unsigned char)span.source->text[span.begin];

	diag_help(diag_add(diag, DIAG_encoding, span, "the byte 0x%02x is not UTF-8", byte),
		  "save the file as UTF-8");
}

static void report_character(struct diag *diag, struct span span, uint32_t c)
{
	diag_help(diag_add(diag, DIAG_encoding, span, "U+%04X is %s", (unsigned int)c,
			   encoding_refuses(c)),
		  "remove it");
}

bool encoding_check(struct diag *diag, const struct source *source)
{
	const char *text = source->text;
	unsigned int errors = 0;
	size_t length;

	if (refuse_utf16(diag, source))
		return false;
	for (size_t at = 0; at < source->size && errors < ENCODING_ERRORS; at += length) {
		struct span span = { source, (uint32_t)at, (uint32_t)at + 1 };
		uint32_t c;

		length = 1;
		if (text[at] >= 0x20 && text[at] < 0x7f)
			continue;
		length = utf8_decode(text + at, source->size - at, &c);
		if (length && !encoding_refuses(c))
			continue;
		errors++;
		if (length) {
			span.end = (uint32_t)(at + length);
			report_character(diag, span, c);
		} else {
			report_byte(diag, span);
			length = 1;
		}
	}
	return !errors;
}
