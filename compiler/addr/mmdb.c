/*
 * mmdb: reads a file in the MaxMind DB format 2.0 (see mmdb.h and
 * https://maxmind.github.io/MaxMind-DB/).
 *
 * The file is the tree, 16 zero bytes, the data section, a marker, and a map that describes the
 * rest. A library would follow that map and every record as deep as the file says; a file from
 * elsewhere must not decide that.
 */
#include "addr/mmdb.h"

#include <string.h>

/*
 * MMDB_NESTING: how deep maps and lists may nest in a value; publishers need five.
 * MMDB_READS: how often a byte of a section may be read; publishers need two or three. READS_LEAST
 * is for short sections, where keys weigh more.
 * MARKER_ROOM: how far from the end the marker may be, by the format.
 */
enum { MMDB_NESTING = 64, MMDB_READS = 32, READS_LEAST = 4096, MARKER_ROOM = 128 * 1024 };
enum { SEPARATOR = 16, VERSION = 2 };

/* The types that are read here beside those of mmdb.h. */
enum {
	TYPE_EXTENDED = 0,
	TYPE_POINTER = 1,
	TYPE_UINT16 = 5,
	TYPE_UINT32 = 6,
	TYPE_UINT64 = 9,
	TYPE_ARRAY = 11,
	TYPE_BOOLEAN = 14,
};

static const char MARKER[] = "\xab\xcd\xefMaxMind.com";

static uint64_t read_big_endian(const unsigned char *bytes, uint64_t count)
{
	uint64_t number = 0;

	while (count--)
		number = number << 8 | *bytes++;
	return number;
}

/* ---- values ---- */

/* Is there so much at *at, and may it be read? *at moves to what follows. */
static const unsigned char *take(struct mmdb_section *section, uint64_t *at, uint64_t count)
{
	uint64_t begin = *at;

	if (begin > section->size || count > section->size - begin || count > section->reads)
		return NULL;
	section->reads -= count;
	*at += count;
	return section->bytes + begin;
}

static bool take_number(struct mmdb_section *section, uint64_t *at, uint64_t count,
			uint64_t *number)
{
	const unsigned char *bytes = take(section, at, count);

	if (bytes)
		*number = read_big_endian(bytes, count);
	return bytes != NULL;
}

/* The size of a value by the five bits of its first byte and the bytes after it. */
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

/*
 * The head of the value at *at ("Data Field Format"): its type, and how many bytes follow it or, of
 * maps and arrays, how many pairs or values. *at moves to what follows the head.
 */
static bool take_head(struct mmdb_section *section, uint64_t *at, struct mmdb_value *value)
{
	uint64_t control, type;

	value->offset = *at;
	if (!take_number(section, at, 1, &control))
		return false;
	type = control >> 5;
	value->size = control & 31;
	if (type == TYPE_EXTENDED) {
		if (!take_number(section, at, 1, &type))
			return false;
		type += 7;
	}
	value->type = (unsigned int)type;
	if (type == TYPE_POINTER)
		value->size = (control >> 3 & 3) + 1;
	else if (!take_size(section, at, &value->size))
		return false;
	value->bytes = section->bytes + *at;
	return true;
}

/* The bytes behind the head, which hold no other values. */
static uint64_t body_size(const struct mmdb_value *value)
{
	bool has_none = value->type == MMDB_MAP || value->type == TYPE_ARRAY ||
			value->type == TYPE_BOOLEAN;

	return has_none ? 0 : value->size;
}

static bool pass_body(const struct mmdb_section *section, uint64_t *at,
		      const struct mmdb_value *value)
{
	uint64_t size = body_size(value);

	if (size > section->size - *at)
		return false;
	*at += size;
	return true;
}

/* The offset that a pointer names: the bits of its head's byte are the first of those it has. */
static uint64_t pointed_to(const struct mmdb_section *section, const struct mmdb_value *pointer)
{
	static const uint32_t from[] = { 0, 2048, 526336, 0 };
	uint64_t high = pointer->size == 4 ? 0 : section->bytes[pointer->offset] & 7;

	return (high << 8 * pointer->size | read_big_endian(pointer->bytes, pointer->size)) +
	       from[pointer->size - 1];
}

/* A value or, where a pointer stands for it, the value that it leads to. *at moves to what follows
 * the pointer, or the value's head. */
static bool take_value(struct mmdb_section *section, uint64_t *at, struct mmdb_value *value)
{
	uint64_t target;

	if (!take_head(section, at, value))
		return false;
	if (value->type == TYPE_POINTER) {
		if (!take(section, at, value->size))
			return false;
		target = pointed_to(section, value);
		if (!take_head(section, &target, value) || value->type == TYPE_POINTER)
			return false;
	}
	value->is_there = true;
	return body_size(value) <= section->size - (uint64_t)(value->bytes - section->bytes);
}

bool mmdb_follow(struct mmdb_section *section, uint64_t *offset)
{
	struct mmdb_value value = { 0 };
	uint64_t at = *offset;

	if (!take_value(section, &at, &value))
		return false;
	*offset = value.offset;
	return true;
}

/* Moves *at behind a value and all that is in it; pointers are not followed. */
static bool pass_value(struct mmdb_section *section, uint64_t *at)
{
	uint64_t left[MMDB_NESTING] = { 1 }; /* values still to come on each level */
	struct mmdb_value value;
	unsigned int depth = 0;

	for (;;) {
		while (!left[depth])
			if (!depth--)
				return true;
		left[depth]--;
		if (!take_head(section, at, &value) || !pass_body(section, at, &value))
			return false;
		if (value.type != MMDB_MAP && value.type != TYPE_ARRAY)
			continue;
		if (++depth == MMDB_NESTING)
			return false;
		left[depth] = value.type == MMDB_MAP ? 2 * value.size : value.size;
	}
}

/* Reads the key at *at, which is text or a pointer to it, and moves behind it. */
static bool take_key(struct mmdb_section *section, uint64_t *at, const char *key, bool *is_same)
{
	uint64_t length = strlen(key), begin;
	struct mmdb_value text = { 0 };
	bool is_pointer = *at < section->size && section->bytes[*at] >> 5 == TYPE_POINTER;

	if (!take_value(section, at, &text) || text.type != MMDB_TEXT)
		return false;
	begin = (uint64_t)(text.bytes - section->bytes);
	*is_same = text.size == length;
	if (*is_same && !take(section, &begin, length))
		return false;
	*is_same = *is_same && memcmp(text.bytes, key, length) == 0;
	return is_pointer || pass_body(section, at, &text);
}

bool mmdb_find_key(struct mmdb_section *section, uint64_t offset, const char *key,
		   struct mmdb_value *found)
{
	struct mmdb_value map = { 0 };
	bool is_same;

	*found = (struct mmdb_value){ 0 };
	if (!take_value(section, &offset, &map))
		return false;
	if (map.type != MMDB_MAP)
		return true;
	offset = (uint64_t)(map.bytes - section->bytes);
	for (; map.size; map.size--) {
		if (!take_key(section, &offset, key, &is_same))
			return false;
		if (is_same)
			return take_value(section, &offset, found);
		if (!pass_value(section, &offset))
			return false;
	}
	return true;
}

/* ---- the tree ---- */

void mmdb_read_node(const struct mmdb *mmdb, uint64_t number, uint64_t sides[2])
{
	uint64_t size = mmdb->record_size / 4;
	const unsigned char *node = mmdb->tree + number * size;

	if (mmdb->record_size == 28) { /* the byte in the middle has four bits of each side */
		sides[0] = (uint64_t)(node[3] >> 4) << 24 | read_big_endian(node, 3);
		sides[1] = (uint64_t)(node[3] & 15) << 24 | read_big_endian(node + 4, 3);
		return;
	}
	sides[0] = read_big_endian(node, size / 2);
	sides[1] = read_big_endian(node + size / 2, size / 2);
}

bool mmdb_find_record(const struct mmdb *mmdb, uint64_t side, uint64_t *offset)
{
	*offset = side - mmdb->node_count - SEPARATOR;
	return side >= mmdb->node_count + SEPARATOR && *offset < mmdb->data.size;
}

/* ---- the description ---- */

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

static struct mmdb_section section_of(const unsigned char *begin, const unsigned char *end)
{
	uint64_t size = (uint64_t)(end - begin);

	return (struct mmdb_section){ begin, size, READS_LEAST + MMDB_READS * size };
}

static bool find_number(struct mmdb_section *about, const char *key, uint64_t *number)
{
	struct mmdb_value value;

	if (!mmdb_find_key(about, 0, key, &value) || !value.is_there || value.size > 8)
		return false;
	if (value.type != TYPE_UINT16 && value.type != TYPE_UINT32 && value.type != TYPE_UINT64)
		return false;
	*number = read_big_endian(value.bytes, value.size);
	return true;
}

static bool read_shape(struct mmdb *mmdb, struct mmdb_section *about)
{
	uint64_t record_size, ip_version;

	if (!find_number(about, "node_count", &mmdb->node_count) ||
	    !find_number(about, "record_size", &record_size) ||
	    !find_number(about, "ip_version", &ip_version) ||
	    !mmdb_find_key(about, 0, "database_type", &mmdb->kind))
		return false;
	mmdb->record_size = (unsigned int)record_size;
	mmdb->depth = ip_version == 4 ? 32 : 128;
	return (record_size == 24 || record_size == 28 || record_size == 32) &&
	       (ip_version == 4 || ip_version == 6) && mmdb->node_count <= UINT32_MAX &&
	       mmdb->node_count && mmdb->kind.is_there && mmdb->kind.type == MMDB_TEXT;
}

enum mmdb_status mmdb_open(struct mmdb *mmdb, const unsigned char *bytes, size_t size)
{
	const unsigned char *marker = find_marker(bytes, size);
	struct mmdb_section about;
	uint64_t version, tree;

	*mmdb = (struct mmdb){ .tree = bytes };
	if (!marker)
		return MMDB_NONE;
	about = section_of(marker + sizeof(MARKER) - 1, bytes + size);
	if (!find_number(&about, "binary_format_major_version", &version))
		return MMDB_DAMAGED;
	if (version != VERSION)
		return MMDB_NEWER;
	if (!read_shape(mmdb, &about))
		return MMDB_DAMAGED;
	tree = mmdb->node_count * (mmdb->record_size / 4) + SEPARATOR;
	if (tree > (uint64_t)(marker - bytes))
		return MMDB_DAMAGED;
	mmdb->data = section_of(bytes + tree, marker);
	return MMDB_GOOD;
}
