/*
 * source: a text, and the way between bytes and places in it.
 *
 * In come bytes, out comes a struct source with its tables. Finding a place costs a binary search
 * and a look at no more than a kilobyte, however long the lines are: a policy may be one line of 64
 * MB.
 */
#include "base/source.h"

#include <string.h>

#include "base/arena.h"
#include "base/utf8.h"

enum { SOURCE_BLOCK = 1024 };

/* How many bytes of a range continue a character that began before them. */
static uint32_t source_inside(const char *text, size_t begin, size_t end)
{
	uint32_t count = 0;

	for (; begin < end; begin++)
		count += !utf8_begins(text[begin]);
	return count;
}

static void source_index_blocks(struct arena *arena, struct source *source)
{
	size_t blocks = source->size / SOURCE_BLOCK + 2, i, end;
	uint32_t *inside = arena_alloc(arena, blocks * sizeof(*inside));

	for (i = 1; i < blocks; i++) {
		end = i * SOURCE_BLOCK < source->size ? i * SOURCE_BLOCK : source->size;
		inside[i] =
			inside[i - 1] + source_inside(source->text, (i - 1) * SOURCE_BLOCK, end);
	}
	source->inside = inside;
}

/* Where the next line begins, by line feeds alone: what editors, compilers and grep count. Beyond
 * the text when none does. */
static size_t source_next_line(const struct source *source, size_t at)
{
	const char *feed = memchr(source->text + at, '\n', source->size - at);

	return feed ? (size_t)(feed - source->text) + 1 : SIZE_MAX;
}

/* The bytes of a line break of YAML 1.1 (CR, LF, CRLF, NEL, LS, PS) at `text`, which ends in a NUL;
 * 0 when there is none. */
static size_t source_break_size(const char *text)
{
	switch ((unsigned char)text[0]) {
	case '\n':
		return 1;
	case '\r':
		return text[1] == '\n' ? 2 : 1;
	case 0xc2:
		return (unsigned char)text[1] == 0x85 ? 2 : 0;
	case 0xe2:
		return !strncmp(text + 1, "\x80\xa8", 2) || !strncmp(text + 1, "\x80\xa9", 2) ? 3
											      : 0;
	default:
		return 0;
	}
}

static size_t source_next_break(const struct source *source, size_t at)
{
	size_t size = 0;

	while (at < source->size && !(size = source_break_size(source->text + at)))
		at++;
	return at < source->size ? at + size : SIZE_MAX;
}

/* The table of where lines begin, by either idea of a line. */
static uint32_t *source_index_lines(struct arena *arena, const struct source *source,
				    size_t (*next)(const struct source *source, size_t at),
				    size_t *count)
{
	uint32_t *lines;
	size_t at;

	*count = 0;
	for (at = 0; at != SIZE_MAX; at = next(source, at))
		++*count;
	lines = arena_alloc(arena, *count * sizeof(*lines));
	*count = 0;
	for (at = 0; at != SIZE_MAX; at = next(source, at))
		lines[(*count)++] = (uint32_t)at;
	return lines;
}

/*
 * Are there line breaks that only YAML takes for such? Nearly every file has none, and most have
 * not even a character of several bytes: so look for what is quick to find.
 */
static bool source_has_odd_breaks(const struct source *source)
{
	const char *end = source->text + source->size, *at = source->text;

	while ((at = memchr(at, '\r', (size_t)(end - at)))) {
		if (*++at != '\n')
			return true;
	}
	if (!source->inside[source->size / SOURCE_BLOCK + 1])
		return false;
	return memmem(source->text, source->size, "\xc2\x85", 2) ||
	       memmem(source->text, source->size, "\xe2\x80\xa8", 3) ||
	       memmem(source->text, source->size, "\xe2\x80\xa9", 3);
}

struct source *source_wrap(struct arena *arena, const char *name, const char *text, size_t size)
{
	struct source *source = arena_new_of(arena, struct source);
	size_t mark = size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;

	source->name = strcmp(name, "-") ? arena_strdup(arena, name) : "<stdin>";
	source->text = text + mark;
	source->size = size - mark;
	source->order = arena_serial(arena);
	source_index_blocks(arena, source);
	source->lines = source_index_lines(arena, source, source_next_line, &source->line_count);
	source->breaks = source->lines;
	source->break_count = source->line_count;
	if (source_has_odd_breaks(source))
		source->breaks =
			source_index_lines(arena, source, source_next_break, &source->break_count);
	return source;
}

struct source *source_from(struct arena *arena, const char *name, const char *text, size_t size)
{
	return source_wrap(arena, name, arena_strndup(arena, text, size), size);
}

/* How many characters begin before a byte. */
static size_t source_characters(const struct source *source, size_t offset)
{
	size_t block = offset / SOURCE_BLOCK, inside = source->inside[block];

	if (source->inside[block + 1] != inside)
		inside += source_inside(source->text, block * SOURCE_BLOCK, offset);
	return offset - inside;
}

/* The last entry that is not after the offset. The first entry of a table is 0. */
static size_t source_find(const uint32_t *table, size_t count, size_t offset)
{
	size_t low = 0, high = count, middle;

	while (high - low > 1) {
		middle = low + (high - low) / 2;
		if (table[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

struct place source_place(const struct source *source, uint32_t offset)
{
	size_t at = offset < source->size ? offset : source->size;
	size_t line = source_find(source->lines, source->line_count, at);
	size_t before = source_characters(source, source->lines[line]);

	return (struct place){
		.line = (unsigned int)line + 1,
		.column = (unsigned int)(source_characters(source, at) - before) + 1,
	};
}

/* The first byte of the character before which `wanted` others begin; `at` is not after it. */
static uint32_t source_seek(const struct source *source, size_t at, size_t wanted)
{
	size_t low = at / SOURCE_BLOCK, high = source->size / SOURCE_BLOCK + 1, middle, seen;

	while (high - low > 1) {
		middle = low + (high - low) / 2;
		if (middle * SOURCE_BLOCK - source->inside[middle] <= wanted)
			low = middle;
		else
			high = middle;
	}
	if (low * SOURCE_BLOCK > at)
		at = low * SOURCE_BLOCK;
	for (seen = source_characters(source, at); at < source->size; at++) {
		if (!utf8_begins(source->text[at]))
			continue;
		if (seen == wanted)
			break;
		seen++;
	}
	return (uint32_t)at;
}

uint32_t source_offset(const struct source *source, size_t line, size_t column)
{
	size_t begin = line < source->break_count ? source->breaks[line] : source->size;

	return source_seek(source, begin, source_characters(source, begin) + column);
}

uint32_t source_walk(const struct source *source, uint32_t offset, ptrdiff_t characters)
{
	size_t seen = source_characters(source, offset < source->size ? offset : source->size);

	if (characters < 0 && (size_t)-characters > seen)
		return 0;
	return source_seek(source, 0, seen + (size_t)characters);
}

const char *source_line(const struct source *source, unsigned int line, size_t *length)
{
	size_t begin, end;

	*length = 0;
	if (line < 1 || line > source->line_count)
		return source->text + source->size;
	begin = source->lines[line - 1];
	end = line < source->line_count ? source->lines[line] - 1 : source->size;
	if (end > begin && line < source->line_count && source->text[end - 1] == '\r')
		end--;
	*length = end - begin;
	return source->text + begin;
}
