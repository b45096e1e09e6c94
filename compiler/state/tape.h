/*
 * tape: plain values into bytes and back, for an archive.
 *
 * One function goes over the fields of a thing, in whichever direction: it writes them, or fills
 * them in, so that the two cannot part. Numbers are in this host's own order.
 */
#ifndef TPC_STATE_TAPE_H
#define TPC_STATE_TAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

struct buf;
struct ir;

/* Where the writing or reading has got to. */
struct tape {
	struct arena *arena;
	struct buf *out; /* writing; NULL: reading */
	const unsigned char *bytes;
	size_t left;
	bool broken; /* what is read ends too early, or says what cannot be */
	struct ir *ir;
};

void tape_bytes(struct tape *tape, void *value, size_t size);
/* A field of a type that has no padding and is as wide on every machine. */
#define TAPE_FIELD(tape, field) tape_bytes(tape, &(field), sizeof(field))
/* Eight bytes, whatever size_t is. */
size_t tape_number(struct tape *tape, size_t value);
/* Of things that take a byte at least; 0 where that many cannot follow. */
size_t tape_count(struct tape *tape, size_t count);
/* May be NULL. */
void tape_text(struct tape *tape, const char **value);
void tape_texts(struct tape *tape, const char ***items, size_t *count);

/* An array of things, each by its own function. */
#define TAPE_ITEMS(tape, items, count, each)                                                    \
	do {                                                                                    \
		(count) = tape_count(tape, count);                                              \
		if (!(tape)->out)                                                               \
			(items) = arena_alloc((tape)->arena, ((count) + 1) * sizeof(*(items))); \
		for (size_t at_ = 0; at_ < (count) && !(tape)->broken; at_++)                   \
			each(tape, &(items)[at_]);                                              \
	} while (0)

#endif
