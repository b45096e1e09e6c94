/*
 * hash: a number for bytes, so to tell them from others; no guard against malice. FNV-1a
 * (Fowler, Noll, Vo) goes byte by byte and is the same on every host.
 */
#ifndef TPC_BASE_HASH_H
#define TPC_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START UINT64_C(0xcbf29ce484222325)
#define HASH_PRIME UINT64_C(0x100000001b3)

/* FNV-1a, 64 bits, of these bytes after what `hash` is of; that begins with HASH_START. */
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t length);
/* The same a word at a time, which is quick: it differs with the host's order of bytes. The length
 * counts too, so zeroes at the end are not nothing. `before`: the hash of what stands before these
 * bytes, or 0. */
uint64_t hash_words(uint64_t before, const void *bytes, size_t length);
/* FNV-1a, 32 bits, of texts one after the other; begins with HASH_TEXT. */
enum { HASH_TEXT = 0x811c9dc5u };
uint32_t hash_text(uint32_t hash, const char *text);

#endif
