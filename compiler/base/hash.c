/*
 * hash: see hash.h.
 */
#include "base/hash.h"

#include <string.h>

uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t length)
{
	const unsigned char *at = bytes;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ at[i]) * HASH_PRIME;
	return hash;
}

uint64_t hash_words(uint64_t before, const void *bytes, size_t length)
{
	const unsigned char *at = bytes;
	uint64_t sum = HASH_START ^ before ^ length, word;

	for (; length >= sizeof(word); at += sizeof(word), length -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		sum = (sum ^ word) * HASH_PRIME;
		sum ^= sum >> 32;
	}
	word = 0;
	memcpy(&word, at, length);
	return (sum ^ word) * HASH_PRIME;
}

uint32_t hash_text(uint32_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x01000193u;
	return hash;
}
