/*
 * utf8: code points out of bytes. In comes any text, out comes one code point at a time, or 0 bytes
 * taken where the text is not UTF-8. Never looks past the length it is given.
 */
#include "base/utf8.h"

/* How many bytes a character has by its first byte, 0 when none begins so. */
static size_t utf8_size(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef)
		return 3;
	return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

size_t utf8_decode(const char *text, size_t length, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t size = utf8_size((unsigned char)text[0]), i;
	uint32_t value;

	if (!size || size > length)
		return 0;
	value = (unsigned char)text[0] & (size == 1 ? 0x7f : 0x7f >> size);
	for (i = 1; i < size; i++) {
		if (utf8_begins(text[i]))
			return 0;
		value = value << 6 | ((unsigned char)text[i] & 0x3f);
	}
	if (value < least[size] || (value >= 0xd800 && value <= 0xdfff) || value > 0x10ffff)
		return 0;
	*code = value;
	return size;
}

bool utf8_is_hidden(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) ||   /* C0, DEL, C1 */
	       code == 0xad || code == 0x61c || code == 0x180e || /* soft hyphen, Arabic letter
								     mark, Mongolian separator */
	       (code >= 0x200b && code <= 0x200f) || /* zero-width characters and direction marks */
	       (code >= 0x2028 && code <= 0x202e) || /* line and paragraph separators, embeddings,
							overrides */
	       (code >= 0x2060 && code <= 0x206f) || code == 0xfeff ||
	       (code >= 0xfff9 && code <= 0xfffb) || (code >= 0xe0000 && code <= 0xe007f); /* tags
											    */
}
