/*
 * tape: plain values into bytes and back.
 */
#include "state/tape.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"

void tape_bytes(struct tape *tape, void *value, size_t size)
{
	if (tape->out) {
		buf_add(tape->out, value, size);
		return;
	}
	tape->broken |= tape->left < size;
	if (tape->broken) {
		memset(value, 0, size);
		return;
	}
	memcpy(value, tape->bytes, size);
	tape->bytes += size;
	tape->left -= size;
}

size_t tape_number(struct tape *tape, size_t value)
{
	uint64_t wide = value;

	TAPE_FIELD(tape, wide);
	tape->broken |= wide > SIZE_MAX;
	return (size_t)wide;
}

size_t tape_count(struct tape *tape, size_t count)
{
	count = tape_number(tape, count);
	if (!tape->out && count > tape->left)
		tape->broken = true;
	return tape->broken ? 0 : count;
}

void tape_text(struct tape *tape, const char **value)
{
	size_t length = tape_count(tape, *value ? strlen(*value) + 1 : 0);
	char *copy = (char *)*value;

	if (!tape->out)
		copy = length ? arena_alloc(tape->arena, length + 1) : NULL;
	if (length)
		tape_bytes(tape, copy, length);
	if (copy && !tape->out)
		copy[length] = 0;
	*value = copy;
}

void tape_texts(struct tape *tape, const char ***items, size_t *count)
{
	*count = tape_count(tape, *count);
	if (!tape->out)
		*items = arena_alloc(tape->arena, (*count + 1) * sizeof(char *));
	for (size_t i = 0; i < *count && !tape->broken; i++)
		tape_text(tape, &(*items)[i]);
}
