/*
 * codec: see codec.h. Nothing is read after the bytes that are there, whatever they say.
 */
#include "base/codec.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"

void codec_bytes(struct codec *codec, void *value, size_t size)
{
	if (codec->out) {
		buf_add(codec->out, value, size);
		return;
	}
	codec->broken |= codec->left < size;
	if (codec->broken) {
		memset(value, 0, size);
		return;
	}
	memcpy(value, codec->bytes, size);
	codec->bytes += size;
	codec->left -= size;
}

/* From this machine's order of bytes to little-endian, or back. */
static void turn(unsigned char *bytes, size_t size)
{
	for (size_t i = 0; __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ && i < size / 2; i++) {
		unsigned char low = bytes[i];

		bytes[i] = bytes[size - 1 - i];
		bytes[size - 1 - i] = low;
	}
}

void codec_plain(struct codec *codec, void *value, size_t size)
{
	unsigned char bytes[sizeof(uint64_t)];

	memcpy(bytes, value, size);
	turn(bytes, size);
	codec_bytes(codec, bytes, size);
	turn(bytes, size);
	codec->broken |= size == sizeof(bool) && bytes[0] > 1;
	if (codec->out)
		return;
	if (codec->broken)
		memset(bytes, 0, size);
	memcpy(value, bytes, size);
}

void codec_size(struct codec *codec, size_t *value)
{
	uint64_t wide = *value;

	CODEC_FIELD(codec, wide);
	codec->broken |= wide > SIZE_MAX;
	*value = (size_t)wide;
}

size_t codec_count(struct codec *codec, size_t count)
{
	codec_size(codec, &count);
	if (!codec->out && count > codec->left)
		codec->broken = true;
	return codec->broken ? 0 : count;
}

void codec_text(struct codec *codec, const char **value)
{
	size_t length = codec_count(codec, *value ? strlen(*value) + 1 : 0);
	char *copy = (char *)*value;

	if (!codec->out)
		copy = length ? arena_alloc(codec->arena, length + 1) : NULL;
	if (length)
		codec_bytes(codec, copy, length);
	if (copy && !codec->out)
		copy[length] = 0;
	*value = copy;
}

void codec_word(struct codec *codec, const char **value)
{
	codec_text(codec, value);
	codec->broken |= !codec->out && (!*value || !**value);
}

void codec_texts(struct codec *codec, const char ***items, size_t *count)
{
	*count = codec_count(codec, *count);
	if (!codec->out)
		*items = arena_alloc(codec->arena, (*count + 1) * sizeof(char *));
	for (size_t i = 0; i < *count && !codec->broken; i++)
		codec_text(codec, &(*items)[i]);
}
