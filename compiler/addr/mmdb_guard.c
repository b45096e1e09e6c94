/*
 * mmdb_guard: the walk over values before libmaxminddb sees them (see mmdb_guard.h and
 * https://maxmind.github.io/MaxMind-DB/, "Data Field Format").
 */
#include "addr/mmdb_guard.h"

#include <maxminddb.h>
#include <string.h>

/*
 * NESTING: how deep maps and arrays may nest in a value; publishers need five.
 * READS: how often a byte of a section may be read; publishers need two or three. READS_LEAST is
 * for short sections, where keys weigh more.
 * MARKER_ROOM: how far from the end the marker may be, by the format.
 */
enum { NESTING = 64, READS = 32, READS_LEAST = 4096, MARKER_ROOM = 128 * 1024 };

static const char MARKER[] = "\xab\xcd\xefMaxMind.com";

/* The head of a value. `size`: how many bytes follow it or, of maps and arrays, how many pairs or
 * values. `body`: where they begin in the section. */
struct head {
	uint64_t type, size, body;
};

static bool is_nest(const struct head *head)
{
	return head->type == MMDB_DATA_TYPE_MAP || head->type == MMDB_DATA_TYPE_ARRAY;
}

/* A number of `count` bytes at *at, which moves to what follows. */
static bool take_number(struct mmdb_section *section, uint64_t *at, uint64_t count,
			uint64_t *number)
{
	if (*at > section->size || count > section->size - *at || count > section->reads)
		return false;
	section->reads -= count;
	for (*number = 0; count; count--)
		*number = *number << 8 | section->bytes[(*at)++];
	return true;
}

static bool take_size(struct mmdb_section *section, uint64_t *at, uint64_t *size)
{
	static const uint32_t more_than[] = { 29, 285, 65821 };
	uint64_t more = *size < 29 ? 0 : *size - 28;

	if (!more)
		return true;
	if (!take_number(section, at, more, size))
		return false;
	*size += more_than[more - 1];
	return true;
}

/* *at moves after the head. */
static bool take_head(struct mmdb_section *section, uint64_t *at, struct head *head)
{
	uint64_t control;

	if (!take_number(section, at, 1, &control))
		return false;
	head->type = control >> 5;
	head->size = control & 31;
	if (head->type == MMDB_DATA_TYPE_EXTENDED) {
		if (!take_number(section, at, 1, &head->type))
			return false;
		head->type += 7;
	}
	if (head->type == MMDB_DATA_TYPE_POINTER)
		head->size = (control >> 3 & 3) + 1;
	else if (!take_size(section, at, &head->size))
		return false;
	head->body = *at;
	return true;
}

/* Moves *at after the bytes of a value that holds no others. */
static bool pass_body(const struct mmdb_section *section, uint64_t *at, const struct head *head)
{
	uint64_t size = head->type == MMDB_DATA_TYPE_BOOLEAN ? 0 : head->size;

	if (size > section->size - *at)
		return false;
	*at += size;
	return true;
}

/* Where a pointer leads: the low bits of its head are the first of those it has, unless it has
 * four bytes. */
static bool take_pointer(struct mmdb_section *section, const struct head *pointer, uint64_t *target)
{
	static const uint32_t from[] = { 0, 2048, 526336, 0 };
	uint64_t high = pointer->size == 4 ? 0 : section->bytes[pointer->body - 1] & 7;
	uint64_t at = pointer->body;

	if (!take_number(section, &at, pointer->size, target))
		return false;
	*target = (high << 8 * pointer->size | *target) + from[pointer->size - 1];
	return true;
}

/* The head of what a pointer leads to, at *target. */
static bool take_target(struct mmdb_section *section, const struct head *pointer, uint64_t *target,
			struct head *head)
{
	uint64_t at;

	if (!take_pointer(section, pointer, target))
		return false;
	at = *target;
	return take_head(section, &at, head) && head->type != MMDB_DATA_TYPE_POINTER;
}

bool mmdb_guard_follow(struct mmdb_section *section, uint64_t *offset)
{
	uint64_t at = *offset, target;
	struct head head, value;

	if (!take_head(section, &at, &head))
		return false;
	if (head.type != MMDB_DATA_TYPE_POINTER)
		return true;
	if (!take_target(section, &head, &target, &value))
		return false;
	*offset = target;
	return true;
}

/* With `follows`, a pointer in the value has to lead to one that holds no others. */
static bool is_shallow(struct mmdb_section *section, uint64_t at, bool follows)
{
	uint64_t left[NESTING] = { 1 }; /* values still to come on each level */
	struct head head, target;
	uint64_t to;
	unsigned int depth = 0;

	for (;;) {
		while (!left[depth])
			if (!depth--)
				return true;
		left[depth]--;
		if (!take_head(section, &at, &head))
			return false;
		if (follows && head.type == MMDB_DATA_TYPE_POINTER &&
		    (!take_target(section, &head, &to, &target) || is_nest(&target)))
			return false;
		if (!is_nest(&head)) {
			if (!pass_body(section, &at, &head))
				return false;
			continue;
		}
		if (++depth == NESTING)
			return false;
		left[depth] = head.type == MMDB_DATA_TYPE_MAP ? 2 * head.size : head.size;
	}
}

bool mmdb_guard_value(struct mmdb_section *section, uint64_t offset)
{
	return is_shallow(section, offset, false);
}

struct mmdb_section mmdb_guard_section(const unsigned char *begin, const unsigned char *end)
{
	uint64_t size = (uint64_t)(end - begin);

	return (struct mmdb_section){ begin, size, READS_LEAST + READS * size };
}

static const unsigned char *find_marker(const unsigned char *bytes, size_t size)
{
	size_t length = sizeof(MARKER) - 1, room = size < MARKER_ROOM ? size : MARKER_ROOM;
	const unsigned char *at = bytes + size - room, *found, *last = NULL;

	while ((found = memmem(at, (size_t)(bytes + size - at), MARKER, length))) {
		last = found;
		at = found + 1;
	}
	return last;
}

enum mmdb_guard_status mmdb_guard_description(const unsigned char *bytes, size_t size,
					      size_t *records_end)
{
	const unsigned char *marker = size ? find_marker(bytes, size) : NULL;
	struct mmdb_section section;

	if (!marker)
		return MMDB_GUARD_NO_DATABASE;
	*records_end = (size_t)(marker - bytes);
	section = mmdb_guard_section(marker + sizeof(MARKER) - 1, bytes + size);
	return is_shallow(&section, 0, true) ? MMDB_GUARD_GOOD : MMDB_GUARD_DAMAGED;
}
