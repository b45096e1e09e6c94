/*
 * codec: plain values into bytes and back.
 *
 * One function goes over the fields of a thing, in whichever direction: it writes them, or fills
 * them in, so that the two cannot part. Numbers are little-endian, so that the bytes of a thing are
 * the same on every machine.
 */
#ifndef TPC_BASE_CODEC_H
#define TPC_BASE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

struct buf;

/* Where the writing or reading has got to. */
struct codec {
	struct arena *arena;
	struct buf *out; /* writing; NULL: reading */
	const unsigned char *bytes;
	size_t left;
	bool broken; /* what is read ends too early, or says what cannot be */
	void *user;  /* the caller's, for functions of its own */
};

/* Bytes as they are. */
void codec_bytes(struct codec *codec, void *value, size_t size);
/* A bool (of 1 byte), or a number or an enum of 2, 4 or 8. */
void codec_plain(struct codec *codec, void *value, size_t size);
#define CODEC_FIELD(codec, field) codec_plain(codec, &(field), sizeof(field))
/* An enum whose last value is `last`. */
#define CODEC_ENUM(codec, field, last) \
	(CODEC_FIELD(codec, field), (codec)->broken |= (unsigned int)(field) > (unsigned int)(last))
/* Eight bytes, whatever size_t is. */
void codec_size(struct codec *codec, size_t *value);
/* A number of things that take a byte at least; 0 where that many cannot follow. */
size_t codec_count(struct codec *codec, size_t count);
/* May be NULL. */
void codec_text(struct codec *codec, const char **value);
/* One that is there and not empty. */
void codec_word(struct codec *codec, const char **value);
void codec_texts(struct codec *codec, const char ***items, size_t *count);

/* An array of things, each by its own function. */
#define CODEC_ITEMS(codec, items, count, each)                                                   \
	do {                                                                                     \
		(count) = codec_count(codec, count);                                             \
		if (!(codec)->out)                                                               \
			(items) = arena_alloc((codec)->arena, ((count) + 1) * sizeof(*(items))); \
		for (size_t at_ = 0; at_ < (count) && !(codec)->broken; at_++)                   \
			each(codec, &(items)[at_]);                                              \
	} while (0)

#endif
