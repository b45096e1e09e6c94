/*
 * sum: see sum.h. The length counts too, so zeroes at the end are not nothing.
 */
#include "base/sum.h"

#include <string.h>

uint64_t sum_of(uint64_t before, const void *bytes, size_t length)
{
	const unsigned char *at = bytes;
	uint64_t sum = 0xcbf29ce484222325u ^ before ^ length, word;

	for (; length >= sizeof(word); at += sizeof(word), length -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		sum = (sum ^ word) * 0x100000001b3u;
		sum ^= sum >> 32;
	}
	word = 0;
	memcpy(&word, at, length);
	return (sum ^ word) * 0x100000001b3u;
}
