/*
 * geoip: a MaxMind DB into a set of addresses for every country.
 *
 * The file is a binary tree over the bits of addresses, whose leaves point to records. It is walked
 * once, the 0 side first and every node once: so IPv4, which lies below ::/96, is met before the
 * nodes elsewhere that lead back to it, and a damaged tree cannot keep us. Many networks share a
 * record, so its country is looked up once. Nothing of the file is trusted.
 */
#include "addr/geoip.h"

#include <fcntl.h>
#include <maxminddb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/diag.h"

/* What is known of a record: nothing yet, that it has no country, that it has one which is none of
 * ours (EU, say), or GEOIP_FIRST and the number of its country. */
enum { GEOIP_UNSEEN, GEOIP_WITHOUT, GEOIP_OTHER, GEOIP_FIRST };
_Static_assert(GEOIP_FIRST + COUNTRY_COUNT - 1 <= UINT8_MAX, "what is known of a record is a byte");

/* GEOIP_NESTING: how deep maps and lists may nest in a record; publishers need five.
 * GEOIP_LOOKS: how often a byte of the data section may be looked at; publishers need two or three.
 */
enum { GEOIP_NESTING = 64, GEOIP_LOOKS = 16, GEOIP_TYPE_SHOWN = 60 };

struct geoip_walk {
	struct arena *arena;
	struct geoip_database *database;
	MMDB_s mmdb;
	unsigned char *nodes; /* a bit for each: has been visited */
	uint8_t *answers;     /* one for every offset in the data section */
	uint64_t looks;       /* values that may still be looked at */
	uint64_t ipv4_root;   /* the node of ::/96; no node of any tree until it is met */
	bool has_countries;
};

/* ---- records ---- */

/* A number of `count` bytes at *at, which moves behind it. */
static bool geoip_read_number(const MMDB_s *mmdb, size_t *at, uint64_t count, uint64_t *number)
{
	if (*at > mmdb->data_section_size || count > mmdb->data_section_size - *at)
		return false;
	for (*number = 0; count; count--)
		*number = *number << 8 | mmdb->data_section[(*at)++];
	return true;
}

/*
 * The head of a value at *at (MaxMind DB 2.0, "Data Field Format"): its kind, and the bytes that
 * follow it or, of maps and lists, the values. *at moves behind the head.
 */
static bool geoip_read_head(const MMDB_s *mmdb, size_t *at, uint64_t *kind, uint64_t *size)
{
	static const uint32_t more_than[] = { 29, 285, 65821 };
	uint64_t control, more;

	if (!geoip_read_number(mmdb, at, 1, &control))
		return false;
	*kind = control >> 5;
	*size = control & 31;
	if (*kind == MMDB_DATA_TYPE_POINTER) {
		*size = (control >> 3 & 3) + 1;
		return true;
	}
	if (*kind == MMDB_DATA_TYPE_EXTENDED) {
		if (!geoip_read_number(mmdb, at, 1, kind))
			return false;
		*kind += 7;
	}
	if (*size < 29)
		return true;
	more = *size - 28;
	if (!geoip_read_number(mmdb, at, more, size))
		return false;
	*size += more_than[more - 1];
	return true;
}

/*
 * Does the value nest no deeper than anybody needs? libmaxminddb would follow it as deep as the
 * file says, and the stack ends before that. Pointers are not followed, as it does not follow them
 * when it looks for a key.
 */
static bool geoip_is_shallow(struct geoip_walk *walk, size_t at)
{
	uint64_t left[GEOIP_NESTING] = { 1 }; /* values still to come on each level */
	uint64_t kind, size;
	unsigned int depth = 0;

	for (;;) {
		while (!left[depth])
			if (!depth--)
				return true;
		left[depth]--;
		if (!walk->looks-- || !geoip_read_head(&walk->mmdb, &at, &kind, &size))
			return false;
		if (kind == MMDB_DATA_TYPE_MAP || kind == MMDB_DATA_TYPE_ARRAY) {
			if (++depth == GEOIP_NESTING)
				return false;
			left[depth] = kind == MMDB_DATA_TYPE_MAP ? 2 * size : size;
		} else if (kind != MMDB_DATA_TYPE_BOOLEAN) {
			at += size;
		}
	}
}

/* The value of a key of the map at `offset`, if it is a map and has the key. False: damaged. */
static bool geoip_find_key(struct geoip_walk *walk, uint32_t offset, const char *key,
			   MMDB_entry_data_s *found)
{
	const char *const path[] = { key, NULL };
	MMDB_entry_s entry = { &walk->mmdb, offset };
	int status;

	found->has_data = false;
	if (!geoip_is_shallow(walk, offset))
		return false;
	status = MMDB_aget_value(&entry, found, path);
	if (status == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR) {
		found->has_data = false;
		return true;
	}
	return status == MMDB_SUCCESS;
}

static bool geoip_is_text(const MMDB_entry_data_s *data)
{
	return data->has_data && data->type == MMDB_DATA_TYPE_UTF8_STRING;
}

/*
 * The country of a record, by the shapes that publishers have: {country: {iso_code}} (MaxMind,
 * DB-IP), {country_code} (ip-location-db, IPinfo), {country} of two letters (IPinfo).
 */
static bool geoip_find_country(struct geoip_walk *walk, uint32_t offset, uint8_t *answer)
{
	MMDB_entry_data_s country, code = { 0 };
	int number;

	if (!geoip_find_key(walk, offset, "country", &country))
		return false;
	if (country.has_data && country.type == MMDB_DATA_TYPE_MAP &&
	    !geoip_find_key(walk, country.offset, "iso_code", &code))
		return false;
	if (!geoip_is_text(&code) && !geoip_find_key(walk, offset, "country_code", &code))
		return false;
	if (!geoip_is_text(&code) && geoip_is_text(&country) && country.data_size == 2)
		code = country;
	*answer = GEOIP_WITHOUT;
	if (!geoip_is_text(&code))
		return true;
	number = country_find(code.utf8_string, code.data_size);
	*answer = (uint8_t)(number == COUNTRY_NONE ? GEOIP_OTHER : GEOIP_FIRST + number);
	return true;
}

/* ---- the tree ---- */

/* Networks come in the order of their addresses, so most continue the one before. */
static void geoip_put(struct arena *arena, struct interval_set *set, addr_bits first,
		      addr_bits last)
{
	struct interval *top = set->count ? &set->items[set->count - 1] : NULL;

	if (top && top->last + 1 == first)
		top->last = last;
	else
		interval_add(arena, set, first, last);
}

static void geoip_add_network(struct geoip_walk *walk, uint8_t answer, addr_bits first,
			      addr_bits last)
{
	struct addr_set *set = &walk->database->countries[answer - GEOIP_FIRST];
	addr_bits ipv4_last = addr_last(ADDR_IPV4);

	if (first <= ipv4_last)
		geoip_put(walk->arena, &set->family[ADDR_IPV4], first,
			  last < ipv4_last ? last : ipv4_last);
	if (last > ipv4_last)
		geoip_put(walk->arena, &set->family[ADDR_IPV6],
			  first > ipv4_last ? first : ipv4_last + 1, last);
}

static bool geoip_read_leaf(struct geoip_walk *walk, uint32_t offset, addr_bits first,
			    addr_bits last)
{
	uint8_t *answer;

	if (offset >= walk->mmdb.data_section_size)
		return false;
	answer = &walk->answers[offset];
	if (*answer == GEOIP_UNSEEN && !geoip_find_country(walk, offset, answer))
		return false;
	walk->has_countries |= *answer >= GEOIP_OTHER;
	if (*answer >= GEOIP_FIRST)
		geoip_add_network(walk, *answer, first, last);
	return true;
}

static bool geoip_walk_node(struct geoip_walk *walk, uint64_t number, addr_bits first,
			    unsigned int depth);

/* One side of a node: a network of `length` bits. */
static bool geoip_walk_side(struct geoip_walk *walk, uint8_t type, uint64_t record, uint32_t offset,
			    addr_bits first, unsigned int length)
{
	switch (type) {
	case MMDB_RECORD_TYPE_SEARCH_NODE:
		return geoip_walk_node(walk, record, first, length);
	case MMDB_RECORD_TYPE_EMPTY:
		return true;
	case MMDB_RECORD_TYPE_DATA:
		return geoip_read_leaf(walk, offset, first,
				       first | (((addr_bits)1 << (walk->mmdb.depth - length)) - 1));
	default:
		return false;
	}
}

/* The only node that two ways may lead to is IPv4's: the others into it are its aliases in IPv6. */
static bool geoip_is_alias(const struct geoip_walk *walk, uint64_t number, addr_bits first)
{
	return number == walk->ipv4_root && first > addr_last(ADDR_IPV4);
}

static bool geoip_walk_node(struct geoip_walk *walk, uint64_t number, addr_bits first,
			    unsigned int depth)
{
	unsigned char *byte = &walk->nodes[number / 8], bit = (unsigned char)(1u << number % 8);
	MMDB_search_node_s node;
	addr_bits second;

	if (*byte & bit)
		return geoip_is_alias(walk, number, first);
	*byte |= bit;
	if (first == 0 && walk->mmdb.depth - depth == addr_width(ADDR_IPV4))
		walk->ipv4_root = number;
	if (depth >= walk->mmdb.depth ||
	    MMDB_read_node(&walk->mmdb, (uint32_t)number, &node) != MMDB_SUCCESS)
		return false;
	second = first | (addr_bits)1 << (walk->mmdb.depth - 1 - depth);
	return geoip_walk_side(walk, node.left_record_type, node.left_record,
			       node.left_record_entry.offset, first, depth + 1) &&
	       geoip_walk_side(walk, node.right_record_type, node.right_record,
			       node.right_record_entry.offset, second, depth + 1);
}

static bool geoip_walk_all(struct geoip_walk *walk)
{
	size_t node_bytes = walk->mmdb.metadata.node_count / 8u + 1;
	size_t answer_bytes = (size_t)walk->mmdb.data_section_size + 1;
	bool good;

	walk->nodes = calloc(node_bytes, 1);
	walk->answers = calloc(answer_bytes, 1);
	if (!walk->nodes || !walk->answers)
		arena_exhausted(node_bytes + answer_bytes);
	walk->looks = (uint64_t)GEOIP_LOOKS * answer_bytes;
	good = geoip_walk_node(walk, 0, 0, 0);
	free(walk->nodes);
	free(walk->answers);
	return good;
}

/* ---- the file ---- */

static bool geoip_is_packed(const char *path)
{
	static const char *const heads[] = { "\x1f\x8b", "PK", "BZ", "\xfd\x37", "(\xb5" };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char head[2] = { 0 };
	ssize_t got = fd < 0 ? -1 : read(fd, head, sizeof(head));

	if (fd >= 0)
		close(fd);
	for (size_t i = 0; got == 2 && i < sizeof(heads) / sizeof(heads[0]); i++)
		if (!memcmp(head, heads[i], 2))
			return true;
	return false;
}

static void geoip_refuse_open(struct diag *diag, const char *path, struct span wanted_by,
			      int status)
{
	struct diag_record *record;

	if (status != MMDB_INVALID_METADATA_ERROR && status != MMDB_IO_ERROR) {
		record = diag_add(diag, DIAG_geoip_database, wanted_by, "\"%s\" is damaged: %s",
				  path, MMDB_strerror(status));
		diag_help(record, "fetch it again");
	} else if (geoip_is_packed(path)) {
		record = diag_add(diag, DIAG_geoip_database, wanted_by,
				  "\"%s\" is packed, and not a MaxMind DB as it is", path);
		diag_help(record, "unpack it, and name the .mmdb file");
	} else {
		record = diag_add(diag, DIAG_geoip_database, wanted_by,
				  "\"%s\" is no MaxMind DB, or its end is missing", path);
		diag_help(record, "name a .mmdb file; if it is one, fetch it again");
	}
}

static void geoip_refuse_kind(struct diag *diag, const MMDB_s *mmdb, const char *path,
			      struct span wanted_by)
{
	struct diag_record *record = diag_add(diag, DIAG_geoip_database, wanted_by,
					      "\"%s\" knows no countries: its kind is \"%.*s\"",
					      path, GEOIP_TYPE_SHOWN, mmdb->metadata.database_type);

	diag_help(record, "use a database of countries or cities");
}

static bool geoip_read_open(struct geoip_walk *walk, struct diag *diag, struct span wanted_by)
{
	const char *path = walk->database->path;

	if (!geoip_walk_all(walk)) {
		diag_help(diag_add(diag, DIAG_geoip_database, wanted_by,
				   "\"%s\" is damaged: its tree or its records are not whole",
				   path),
			  "fetch it again");
		return false;
	}
	if (!walk->has_countries) {
		geoip_refuse_kind(diag, &walk->mmdb, path, wanted_by);
		return false;
	}
	for (int i = 0; i < COUNTRY_COUNT; i++)
		addr_set_normalise(&walk->database->countries[i]);
	return true;
}

static bool geoip_read_file(struct geoip_walk *walk, struct diag *diag, struct span wanted_by)
{
	const char *path = walk->database->path;
	int status;
	bool good;

	if (!source_check_file(walk->arena, diag, path, wanted_by))
		return false;
	status = MMDB_open(path, MMDB_MODE_MMAP, &walk->mmdb);
	if (status != MMDB_SUCCESS) {
		geoip_refuse_open(diag, path, wanted_by, status);
		return false;
	}
	good = geoip_read_open(walk, diag, wanted_by);
	MMDB_close(&walk->mmdb);
	return good;
}

const struct geoip_database *geoip_read(struct geoip *geoip, struct arena *arena, struct diag *diag,
					const char *path, struct span wanted_by)
{
	struct geoip_walk walk = { .arena = arena, .ipv4_root = UINT64_MAX };

	for (size_t i = 0; i < geoip->count; i++)
		if (!strcmp(geoip->databases[i]->path, path))
			return geoip->databases[i]->good ? geoip->databases[i] : NULL;
	walk.database = arena_new_of(arena, struct geoip_database);
	walk.database->path = path;
	walk.database->good = geoip_read_file(&walk, diag, wanted_by);
	*arena_append(arena, geoip->databases, geoip->count) = walk.database;
	return walk.database->good ? walk.database : NULL;
}
