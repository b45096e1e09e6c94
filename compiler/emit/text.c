/*
 * text: quoting (see text.h). All of these take any NUL-terminated bytes.
 */
#include "emit/text.h"

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

void text_put_comment(struct buf *out, const char *text)
{
	for (; *text; text++)
		buf_putc(out, is_control(*text) ? '?' : *text);
}

void text_put_nft_string(struct buf *out, const char *text)
{
	for (; *text; text++)
		buf_putc(out, is_control(*text) || *text == '"' || *text == '$' ? '?' : *text);
}

void text_put_shell(struct buf *out, const char *text)
{
	buf_putc(out, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			buf_puts(out, "'\\''");
		else
			buf_putc(out, *text);
	}
	buf_putc(out, '\'');
}

void text_put_word(struct buf *out, const char *text)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:@+,/";

	if (*text && text[strspn(text, plain)] == '\0')
		buf_puts(out, text);
	else
		text_put_shell(out, text);
}
