/*
 * utf8: code points out of bytes, strictly (RFC 3629: no surrogates, no overlong forms, nothing
 * above U+10FFFF).
 */
#ifndef TPC_BASE_UTF8_H
#define TPC_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* The code point at text[0]; returns how many bytes it has, 0 when they are not UTF-8. `length` is
 * at least 1. */
size_t utf8_decode(const char *text, size_t length, uint32_t *code);
/* Is it something that a terminal would obey or hide: a control character, a direction override, a
 * zero-width mark? */
bool utf8_is_hidden(uint32_t code);
/* Does this byte begin a character? Continuation bytes do not; columns count the bytes that do. */
static inline bool utf8_begins(char byte)
{
	return ((unsigned char)byte & 0xc0) != 0x80;
}

#endif
